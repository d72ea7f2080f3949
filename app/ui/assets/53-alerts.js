/* Triage in the browser: the cursor, the keys, and their effect at once; the server confirms or takes it back. */
(function () {
  "use strict";
  const wf = window.watchfloor;
  const WORDS = { critical: "Critical", major: "Major", minor: "Minor", warning: "Warning", unknown: "Unknown" };
  const INVERSE = { ack: "unack", snooze: "unsnooze", assign: "assign", expected: "unjudge", real: "unjudge" };
  const DONE = { ack: "acknowledged", unack: "no longer acknowledged", snooze: "snoozed", unsnooze: "awake again", assign: "assigned", resolve: "resolved", expected: "expected", real: "real" };
  let api = null, cursor = null, last = null, number = 0, selTimer = 0;
  const el = (name, props, ...children) => window.React.createElement(name, props, ...children);
  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
  const byId = (id) => document.getElementById(id);

  const age = (ms) => {
    const s = Math.max(0, Math.floor((Date.now() - ms) / 1000));
    if (s < 60) return s + " s";
    if (s < 3600) return Math.floor(s / 60) + " min";
    if (s < 86400) return Math.floor(s / 3600) + " h " + String(Math.floor((s % 3600) / 60)).padStart(2, "0") + " m";
    return Math.floor(s / 86400) + " d";
  };
  cells.AgeCell = (props) => el("span", { "data-since": props.value }, age(props.value));
  cells.OwnerCell = (props) => el("span", { className: "row alerts-owner" }, props.data.status === "snoozed" ? el("span", { className: "i i-bell-off", title: "Snoozed" }) : null,
    props.data.status === "acknowledged" ? el("span", { className: "i i-check", title: "Acknowledged" }) : null, props.value || "—");
  cells.AlertCell = (props) => {
    const { severity, summary, device, interface: port, since } = props.data;
    return el("span", { className: "alerts-cell" }, el("span", { className: "mark " + severity, role: "img", "aria-label": WORDS[severity] }),
      el("span", { className: "alerts-cell-text" }, el("span", { className: "alerts-cell-title" }, summary), el("span", { className: "mono t3" }, [device, port].filter(Boolean).join(" "))),
      el("span", { className: "mono t3", "data-since": since }, age(since)));
  };
  setInterval(() => document.querySelectorAll("[data-since]").forEach((box) => { box.textContent = age(Number(box.dataset.since)); }), 5000);

  const phone = window.matchMedia("(max-width: 700px)");
  const narrow = window.matchMedia("(max-width: 1500px)");
  function fitColumns() {
    if (!api || api.isDestroyed()) return;
    const wide = ["severity", "summary", "device", "interface", "site", "since", "owner"];
    api.setColumnsVisible(wide, !phone.matches);
    api.setColumnsVisible(["phone"], phone.matches);
    if (!phone.matches) api.setColumnsVisible(["interface"], !narrow.matches);
    api.setGridOption("rowHeight", phone.matches ? 56 : 30);
    api.setGridOption("headerHeight", phone.matches ? 0 : 30);
    api.resetRowHeights();
  }
  phone.addEventListener("change", fitColumns);
  narrow.addEventListener("change", fitColumns);

  const shown = () => { const rows = []; if (api && !api.isDestroyed()) api.forEachNodeAfterFilterAndSort((node) => rows.push(node)); return rows; };
  /* What a key acts on: the marked rows, else the cursor's. The address is behind by a moment: it does not count. */
  const marked = new Set();
  const picked = () => {
    if (marked.size) return [...marked].map(Number);
    const one = cursor || String(wf.url.get("sel") || "").replace("A-", "");
    return one ? [Number(one)] : [];
  };
  function paint() {
    if (!api || api.isDestroyed()) return;
    marked.forEach((id) => { if (!api.getRowNode(id)) marked.delete(id); });
    shown().forEach((node) => { const on = node.id === cursor || marked.has(node.id); if (node.isSelected() !== on) node.setSelected(on); });
    const box = byId("alerts-marked");
    if (box) { box.textContent = marked.size ? marked.size + " selected" : ""; box.classList.toggle("hidden", !marked.size); }
  }
  const touch = () => { wf.touched = performance.now(); };

  /* The cursor is a row id, not an index: new rows above do not move it. The address follows after a moment. */
  function put(node, options) {
    if (!node) return;
    const draft = byId("alerts-comment");
    if (draft && draft.value && node.id !== cursor) wf.props("alerts-comment", { value: "" });
    cursor = node.id;
    if (options && options.mark) marked.add(node.id);
    paint();
    api.ensureNodeVisible(node);
    touch();
    clearTimeout(selTimer);
    selTimer = setTimeout(() => { selTimer = 0; wf.url.set({ sel: cursor }); }, options && options.now ? 0 : 120);
    if (options && options.open) document.querySelector(".alerts").classList.add("open");
  }
  function move(by, mark) {
    const rows = shown();
    if (!rows.length) return;
    if (mark && cursor) marked.add(cursor);
    const at = rows.findIndex((node) => node.id === cursor);
    put(rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + by))], { mark });
  }

  function command(verb, extra, ids) {
    const chosen = ids || picked();
    if (!chosen.length) { wf.notify("Choose an alert first"); return; }
    marked.clear();
    effect(verb, chosen);
    number += 1;
    wf.props("alerts-command", { data: { verb, ids: chosen, n: number, ...extra } });
    offerUndo(verb, chosen);
  }
  /* What the key does to the list, now. */
  function effect(verb, ids) {
    if (!api) return;
    const view = wf.url.get("view") || "needs", rows = shown();
    const gone = verb === "resolve" || (view === "needs" && ["ack", "snooze", "assign"].includes(verb)) || (view === "snoozed" && verb === "unsnooze");
    const nodes = ids.map((id) => api.getRowNode(String(id))).filter(Boolean);
    if (gone && nodes.length) {
      const after = rows.slice(rows.indexOf(nodes[nodes.length - 1]) + 1).find((node) => !nodes.includes(node)) ||
        rows.slice().reverse().find((node) => !nodes.includes(node));
      api.applyTransaction({ remove: nodes.map((node) => node.data) });
      if (after) put(api.getRowNode(after.id)); else { cursor = null; }
      paint();
    } else {
      const status = { ack: "acknowledged", unack: "new", snooze: "snoozed", unsnooze: "new" }[verb];
      if (status) api.applyTransaction({ update: nodes.map((node) => ({ ...node.data, status })) });
    }
    touch();
  }
  function offerUndo(verb, ids) {
    last = INVERSE[verb] ? { verb: INVERSE[verb], ids, extra: verb === "assign" ? { user: "" } : {} } : null;
    const box = byId("alerts-undo");
    if (!box || !DONE[verb]) return;
    const words = `${ids.length === 1 ? "A-" + ids[0] : ids.length + " alerts"} ${DONE[verb]}`;
    wf.offerUndo(box, words, last ? "alerts-undo" : "", () => { last = null; });
  }
  function undo() {
    if (!last) return;
    const { verb, ids, extra } = last;
    last = null;
    byId("alerts-undo").classList.add("hidden");
    number += 1;
    wf.props("alerts-command", { data: { verb, ids, n: number, ...extra } });
  }
  function choose(id) { if (!picked().length) { wf.notify("Choose an alert first"); return; } byId(id).showModal(); }

  wf.actions["alerts-undo"] = undo;
  wf.actions["alerts-do"] = (button) => {
    const verb = button.dataset.verb, box = document.querySelector(".alerts-detail [data-alert]");
    const ids = box ? [Number(box.dataset.alert)] : undefined;
    if (verb === "snooze") choose("alerts-snooze");
    else if (verb === "assign") choose("alerts-assign");
    else command(verb, {}, ids);
  };
  wf.actions["alerts-snooze"] = (button) => { byId("alerts-snooze").close(); command("snooze", { for: button.dataset.for }); };
  wf.actions["alerts-assign"] = (button) => { byId("alerts-assign").close(); command("assign", { user: button.dataset.user }); };
  wf.actions["alerts-close"] = () => { document.querySelector(".alerts").classList.remove("open"); wf.url.set({ sel: null }); };
  wf.actions["alerts-clear"] = () => { wf.url.set({ f: null, q: null }); wf.props("alerts-filter", { value: "" }); };
  wf.actions["alerts-comment"] = () => {
    const input = byId("alerts-comment"), box = document.querySelector(".alerts-detail [data-alert]");
    if (!input || !input.value.trim() || !box) return;
    number += 1;
    wf.props("alerts-command", { data: { verb: "comment", ids: [Number(box.dataset.alert)], text: input.value.trim(), n: number } });
    wf.props("alerts-comment", { value: "" });
  };
  wf.actions["alerts-chip"] = (chip) => {
    const facets = new URLSearchParams(location.search).getAll("f");
    if (chip.dataset.view) wf.url.set({ view: chip.dataset.view === "needs" ? null : chip.dataset.view });
    else if (chip.dataset.drop) wf.url.set({ f: facets.filter((each) => each !== chip.dataset.drop) });
    else {
      const own = facets.find((each) => each.startsWith("sev:"));
      const names = new Set(own ? own.slice(4).split(",").filter(Boolean) : []);
      if (!names.delete(chip.dataset.severity)) names.add(chip.dataset.severity);
      const rest = facets.filter((each) => each !== own);
      wf.url.set({ f: names.size ? rest.concat("sev:" + [...names].join(",")) : rest });
    }
  };

  wf.keys("/alerts", {
    j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1),
    Escape: () => { marked.clear(); paint(); document.querySelector(".alerts").classList.remove("open"); }, "Shift+j": () => move(1, true), "Shift+k": () => move(-1, true),
    x: () => { if (cursor && !marked.delete(cursor)) marked.add(cursor); paint(); touch(); },
    Enter: () => { const node = api && api.getRowNode(String(cursor)); if (node) put(node, { now: true, open: true }); },
    a: () => command("ack"), e: () => command("resolve"), u: undo,
    s: () => choose("alerts-snooze"), m: () => choose("alerts-assign"),
    f: () => {
      const node = api && api.getRowNode(String(cursor));
      if (node && node.data.device) wf.url.set({ f: new URLSearchParams(location.search).getAll("f").filter((each) => !each.startsWith("device:")).concat("device:" + node.data.device) });
    },
  });
  document.addEventListener("keydown", (event) => {
    const box = byId("alerts-snooze");
    if (!box || !box.open || !/^[1-5]$/.test(event.key)) return;
    const buttons = box.querySelectorAll("[data-for]");
    if (buttons[event.key - 1]) { event.preventDefault(); buttons[event.key - 1].click(); }
  });

  /* The cursor stays on its alert; without one it goes to the first, and the detail follows. */
  function hold() {
    if (!api || api.isDestroyed() || !api.getDisplayedRowCount()) return;
    const chosen = selTimer ? cursor : String(wf.url.get("sel") || "").replace("A-", "");
    const node = (chosen && api.getRowNode(chosen)) || (!chosen && cursor && api.getRowNode(cursor));
    if (node) { cursor = node.id; paint(); if (!chosen) wf.url.set({ sel: cursor }); }
    else if (chosen) { cursor = chosen; paint(); }
    else if (!phone.matches) put(shown()[0], { now: true });
  }

  window.dash_clientside.alerts = {
    filter: (value) => { wf.url.set({ q: value || null }); },
    /* New rows are in: hold on to the grid, its width, and the cursor. */
    fit: (_rows, columns) => wf.withGrid("alerts-grid", columns, (grid) => {
      api = grid;
      fitColumns();
      api.addEventListener("rowDataUpdated", () => setTimeout(hold, 0));
      api.addEventListener("rowClicked", (event) => {
        const many = event.event && (event.event.shiftKey || event.event.ctrlKey || event.event.metaKey);
        if (many && cursor) marked.add(cursor); else marked.clear();
        put(event.node, { now: true, open: !many, mark: many });
      });
    }, hold),
  };
})();
