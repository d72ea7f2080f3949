/* Anomalies in the browser: cells, the cursor, the keys; a verdict shows at once and can be undone for 10 seconds. */
(function () {
  "use strict";
  const wf = window.watchfloor;
  const WORDS = { expected: "Expected", real: "Real" };
  let api = null, cursor = null, number = 0, undoable = null, selTimer = 0;
  const el = (name, props, ...children) => window.React.createElement(name, props, ...children);
  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
  const byId = (id) => document.getElementById(id);
  const page = () => document.querySelector(".anomalies");
  const tone = (score) => (score >= 2 ? "critical" : score >= 1 ? "major" : "unknown");

  cells.ScoreCell = (props) => el("span", { className: "anomalies-score mono", title: "1.0 is the boundary" },
    el("span", { className: "mark " + tone(props.value) }), Number(props.value).toFixed(2));
  cells.WhenCell = (props) => el("span", { className: "mono" }, props.data.when);
  cells.CourseCell = (props) => (props.value ? el("svg", { className: "anomalies-course", viewBox: "0 0 92 34", preserveAspectRatio: "none", "aria-hidden": "true" },
    el("path", { d: props.value })) : el("span", { className: "t3" }, "–"));
  cells.AnomalyCell = (props) => {
    const { score, metric, device, interface: port, value, when, verdict } = props.data;
    return el("span", { className: "alerts-cell" }, el("span", { className: "mark " + tone(score), role: "img", "aria-label": "score " + score }),
      el("span", { className: "alerts-cell-text" }, el("span", { className: "alerts-cell-title mono" }, metric),
        el("span", { className: "mono t3" }, [device, port, verdict].filter(Boolean).join(" "))),
      el("span", { className: "anomalies-phone mono t3" }, el("b", { title: "How unusual the worst point was; 1.0 is the boundary" }, Number(score).toFixed(2)),
        el("span", null, value + ", " + when.slice(-5))));
  };

  const phone = window.matchMedia("(max-width: 700px)");
  const narrow = window.matchMedia("(max-width: 1440px)");
  const WIDE = ["since", "score", "metric", "device", "interface", "value", "expected", "view", "spark", "verdict"];
  function fitColumns() {
    if (!api || api.isDestroyed()) return;
    api.setColumnsVisible(WIDE, !phone.matches);
    api.setColumnsVisible(["phone"], phone.matches);
    if (!phone.matches && narrow.matches) api.setColumnsVisible(["expected", "verdict", "view"], false);
    api.setGridOption("rowHeight", phone.matches ? 56 : 30);
    api.setGridOption("headerHeight", phone.matches ? 0 : 30);
    api.resetRowHeights();
  }
  phone.addEventListener("change", fitColumns);
  narrow.addEventListener("change", fitColumns);

  const shown = () => { const rows = []; if (api && !api.isDestroyed()) api.forEachNodeAfterFilterAndSort((node) => rows.push(node)); return rows; };
  const picked = () => Number(cursor || wf.url.get("sel") || 0);
  /* The cursor is a row id; the address follows after a moment, and the detail follows the address. */
  function put(node, options) {
    if (!node) return;
    cursor = node.id;
    node.setSelected(true, true);
    api.ensureNodeVisible(node);
    wf.touched = performance.now();
    clearTimeout(selTimer);
    selTimer = setTimeout(() => { selTimer = 0; wf.url.set({ sel: cursor }); }, options && options.now ? 0 : 120);
    if (options && options.open) page().classList.add("open");
  }
  function move(by) {
    const rows = shown(), at = rows.findIndex((node) => node.id === cursor);
    if (rows.length) put(rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + by))]);
  }

  function send(verb, id, verdict) {
    number += 1;
    wf.touched = performance.now();
    const node = api && api.getRowNode(String(id));
    if (node) api.applyTransaction({ update: [{ ...node.data, verdict }] });
    wf.props("anomalies-command", { data: { verb, id, n: number } });
  }
  function judge(verb) {
    const id = picked();
    if (!id) { wf.notify("Choose an anomaly first"); return; }
    const box = byId("anomalies-undo"), node = api && api.getRowNode(String(id));
    // What stood before stands again when this is taken back.
    undoable = { id, before: node ? node.data.verdict : "" };
    send(verb, id, WORDS[verb]);
    const subject = node ? [node.data.metric, node.data.device].filter(Boolean).join(" on ") : "Anomaly " + id;
    wf.offerUndo(box, `${subject}: ${verb}`, "anomalies-undo", () => { undoable = null; });
  }
  function undo() {
    const { id, before } = undoable || { id: picked(), before: "" };
    if (!id) return;
    undoable = null;
    byId("anomalies-undo").classList.add("hidden");
    send("undo", id, before);
  }
  function leftOut() { const box = byId("anomalies-left-out-box"); if (box.open) box.close(); else box.showModal(); }

  wf.actions["anomalies-undo"] = undo;
  wf.actions["anomalies-left-out"] = leftOut;
  wf.actions["anomalies-do"] = (button) => {
    const box = document.querySelector(".alerts-detail [data-anomaly]");
    if (box) cursor = box.dataset.anomaly;
    if (button.dataset.verb === "undo") undo(); else judge(button.dataset.verb);
  };
  wf.actions["anomalies-close"] = () => { page().classList.remove("open"); wf.url.set({ sel: null }); };
  wf.actions["anomalies-clear"] = () => { wf.url.set({ f: null, q: null, v: null, s: null }); wf.props("anomalies-filter", { value: "" }); };
  const facets = (name) => new URLSearchParams(location.search).getAll("f").filter((each) => !each.startsWith(name + ":"));
  const facet = (name, value) => {
    const had = new URLSearchParams(location.search).getAll("f").includes(name + ":" + value);
    wf.url.set({ f: had ? facets(name) : facets(name).concat(name + ":" + value) });
  };
  wf.actions["anomalies-chip"] = (chip) => {
    const data = chip.dataset, isOn = chip.getAttribute("aria-pressed") === "true";
    if (data.score) wf.url.set({ s: data.score === "1" ? null : data.score });
    else if (data.look) facet("view", data.look);
    else if (data.verdict) wf.url.set({ v: isOn ? null : data.verdict });
    else if (data.drop) wf.url.set({ f: new URLSearchParams(location.search).getAll("f").filter((each) => each !== data.drop) });
  };

  wf.keys("/anomalies", {
    j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1),
    Enter: () => { const node = api && api.getRowNode(String(cursor)); if (node) put(node, { now: true, open: true }); },
    Escape: () => page().classList.remove("open"),
    e: () => judge("expected"), y: () => judge("real"), u: undo, l: leftOut,
    o: () => { const link = byId("anomalies-explore"); if (link) link.click(); },
    f: () => { const node = api && api.getRowNode(String(cursor)); if (node && node.data.device) facet("device", node.data.device); },
  });

  function hold() {
    if (!api || api.isDestroyed() || !api.getDisplayedRowCount()) return;
    const chosen = selTimer ? cursor : wf.url.get("sel");
    const node = chosen && api.getRowNode(String(chosen));
    if (node) { cursor = node.id; node.setSelected(true, true); }
    else if (!chosen && !phone.matches) put(shown()[0], { now: true });
  }
  window.dash_clientside.anomalies = {
    filter: (value) => { wf.url.set({ q: value || null }); },
    fit: (_rows, columns) => wf.withGrid("anomalies-grid", columns, (grid) => {
      api = grid;
      fitColumns();
      api.addEventListener("rowDataUpdated", () => setTimeout(hold, 0));
      api.addEventListener("rowClicked", (event) => put(event.node, { now: true, open: true }));
    }, hold),
  };

  /* What changed here: W opens the panel for the range that is shown; while it is open, dragging chooses a window. */
  const explore = () => document.querySelector(".page.explore");
  const asked = () => { wf.url.set({ w: wf.url.get("w") ? null : "all" }); };
  wf.actions["explore-changed"] = asked;
  wf.keys("/explore", { w: asked });
  wf.brushed = (gd, from, to) => {
    if (!wf.url.get("w")) return false;
    const axis = gd.watchfloor && gd.watchfloor.layout && gd.watchfloor.layout.xaxis;
    if (axis) window.Plotly.relayout(gd, { "xaxis.range": axis.range });
    wf.url.set({ w: Math.floor(from / 1000) + "~" + Math.ceil(to / 1000) });
    return true;
  };
  window.dash_clientside.changed = {
    asks: (search) => { const page = explore(); if (page) { page.classList.toggle("asks", new URLSearchParams(search || "").has("w")); window.dispatchEvent(new Event("resize")); } },
  };
})();
