/* A point of a chart: a click or tap opens its popover, M opens that of the newest point and the arrows move; the server
   fills it, and what its buttons did can be undone for ten seconds. */
(function () {
  "use strict";
  const wf = window.watchfloor;
  let here = null, number = 0, before = null, undoable = null, timer = 0;
  const byId = (id) => document.getElementById(id);
  const isOpen = () => { const box = byId("point-menu"); return !!box && box.open; };
  const offered = (gd) => { const meta = gd && gd.watchfloor && gd.watchfloor.layout && gd.watchfloor.layout.meta; return meta && meta.points ? meta : null; };
  const lineOf = (gd, rank) => (gd._fullData || []).find((trace) => trace.meta === rank);
  const isKnown = (line, at) => line && at >= 0 && at < line.x.length && Number.isFinite(line.y[at]);

  document.addEventListener("watchfloor:drawn", ({ detail: gd }) => {
    if (isOpen() && here && here.gd === gd) ring();
    if (!offered(gd) || gd.watchfloorPoints) return;
    gd.watchfloorPoints = true;
    gd.on("plotly_click", (event) => {
      const meta = offered(gd), found = (event.points || []).filter((point) => meta && meta.points[point.data.meta] !== undefined);
      if (!found.length) return;
      const pressed = event.event || {}, y = (pressed.changedTouches ? pressed.changedTouches[0] : pressed).clientY - gd.getBoundingClientRect().top;
      // Of several lines at one moment the one nearest to the pointer is meant.
      const away = (point) => Math.abs(point.yaxis._offset + point.yaxis.d2p(point.y) - y) || 0;
      const point = found.reduce((best, each) => (away(each) < away(best) ? each : best));
      open(gd, point.data.meta, point.pointNumber);
    });
    gd.on("plotly_doubleclick", close);
    gd.on("plotly_relayout", (change) => { if (change["xaxis.range[0]"] !== undefined) close(); });
  });

  function open(gd, rank, at) {
    const box = byId("point-menu"), line = lineOf(gd, rank), meta = offered(gd);
    if (!box || !meta || !isKnown(line, at)) return;
    if (!box.open) { before = document.activeElement; box.show(); }
    here = { gd, rank, at, name: line.name, labels: meta.points[rank], step_ms: meta.step_ms, ts: wf.momentOf(line.x[at]) };
    box.classList.add("waiting");
    if (window.Plotly.Fx && window.Plotly.Fx.unhover) window.Plotly.Fx.unhover(gd);
    ring();
    clearTimeout(timer);
    // Running along a line asks only where one stays.
    timer = setTimeout(() => {
      number += 1;
      wf.props("point-asked", { data: { labels: here.labels, name: here.name, ts: here.ts, step_ms: here.step_ms, value: line.y[here.at], unit: meta.unit, n: number } });
    }, 60);
  }
  /* Where the point is on the screen; null when it is not drawn any more. */
  function spot() {
    const line = here && lineOf(here.gd, here.rank), axes = here && here.gd._fullLayout;
    if (!line || !axes || !here.gd.isConnected || !isKnown(line, here.at)) return null;
    const { left, top } = here.gd.getBoundingClientRect();
    return { x: left + axes.xaxis._offset + axes.xaxis.d2p(line.x[here.at]), y: top + axes.yaxis._offset + axes.yaxis.d2p(line.y[here.at]) };
  }
  function ring() {
    const mark = byId("point-ring"), box = byId("point-menu"), at = spot();
    mark.classList.toggle("hidden", !at);
    if (!at) return;
    mark.style.left = at.x + "px"; mark.style.top = at.y + "px";
    const { offsetWidth: width, offsetHeight: height } = box, gap = 14;
    const left = at.x + gap + width < innerWidth - 8 ? at.x + gap : Math.max(8, at.x - gap - width);
    box.style.setProperty("--x", left + "px");
    box.style.setProperty("--y", Math.max(8, Math.min(at.y - 40, innerHeight - height - 8)) + "px");
  }
  function close() {
    if (!isOpen()) return;
    clearTimeout(timer);
    byId("point-menu").close();
    byId("point-ring").classList.add("hidden");
    here = null;
    if (before && before.isConnected) before.focus();
  }
  function move(by) {
    const line = lineOf(here.gd, here.rank);
    let at = here.at + by;
    while (line && at >= 0 && at < line.x.length && !isKnown(line, at)) at += by;
    open(here.gd, here.rank, at);
  }
  function hop(by) {
    const rank = here.rank + by, line = lineOf(here.gd, rank), now = lineOf(here.gd, here.rank);
    if (offered(here.gd).points[rank] === undefined || !line) return;
    const wanted = now.x[here.at], near = (at) => Math.abs(line.x[at] - wanted);
    let best = -1;
    for (let at = 0; at < line.x.length; at += 1) if (isKnown(line, at) && (best < 0 || near(at) < near(best))) best = at;
    open(here.gd, rank, best);
  }
  /* Without a pointer: the newest point of the line that the table holds, else of the first. */
  function newest() {
    const gd = document.querySelector("#explore-graph .js-plotly-plot"), row = document.querySelector("#explore-table tr.pinned");
    if (!offered(gd)) return;
    const wanted = row ? Number(row.dataset.id) : 0, rank = offered(gd).points[wanted] === undefined ? 0 : wanted, line = lineOf(gd, rank);
    let at = line ? line.x.length - 1 : -1;
    while (at > 0 && !isKnown(line, at)) at -= 1;
    open(gd, rank, at);
  }

  function send(command) {
    number += 1;
    wf.props("point-command", { data: { ...command, n: number } });
  }
  function undo() {
    if (!undoable) return;
    const command = undoable;
    undoable = null;
    byId("point-undo").classList.add("hidden");
    send(command);
  }
  wf.actions["point-close"] = close;
  wf.actions["point-undo"] = undo;
  wf.actions["point-do"] = (button) => {
    const { name, labels, ts, step_ms } = here;
    send({ verb: button.dataset.verb, id: button.dataset.id || null, name, labels, ts, step_ms });
    undoable = { name };
    close();
  };

  const skip = () => window.dash_clientside.no_update;
  window.dash_clientside.points = {
    filled: () => {
      const box = byId("point-menu");
      setTimeout(() => {
        if (!isOpen()) return;
        box.classList.remove("waiting");
        ring();
        (box.querySelector(".point-body .btn:not(:disabled)") || box.querySelector(".btn")).focus();
      }, 0);
      return skip();
    },
    answered: (answer) => {
      if (answer && answer.words) {
        undoable = answer.undo ? { ...undoable, ...answer.undo } : null;
        wf.offerUndo(byId("point-undo"), answer.words, undoable ? "point-undo" : "", () => { undoable = null; });
      }
      return skip();
    },
  };

  wf.keys("/explore", { m: newest, u: undo });
  document.addEventListener("keydown", (event) => {
    if (!isOpen() || event.ctrlKey || event.metaKey || event.altKey) return;
    const does = { Escape: close, ArrowLeft: () => move(-1), ArrowRight: () => move(1), ArrowUp: () => hop(-1), ArrowDown: () => hop(1) }[event.key];
    if (does && here) { event.preventDefault(); does(); }
  });
  document.addEventListener("click", (event) => {
    if (isOpen() && !event.target.closest("#point-menu,.js-plotly-plot")) close();
  });
  window.addEventListener("resize", () => { if (isOpen()) ring(); });
})();
