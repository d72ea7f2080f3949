/* Inventory and device in the browser: cells, the cursor, filters into the address. */
(function () {
  "use strict";
  const wf = window.watchfloor;
  const functions = (window.dashAgGridFunctions = window.dashAgGridFunctions || {});
  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
  const el = (name, props, ...children) => window.React.createElement(name, props, ...children);
  const STATE = { up: ["ok", "Up"], down: ["critical", "Down"], unknown: ["unknown", "Not polled"], maintenance: ["warning", "Maintenance"], retired: ["unknown", "Retired"],
    agent: ["ok", "By agent"], silent: ["critical", "Agent silent"], off: ["unknown", "Switched off"], missing: ["unknown", "Gone"] };
  const ORDER = ["critical", "major", "minor", "warning", "unknown"];
  let api = null, cursor = null;

  functions.nocDuration = (seconds) => {
    if (seconds === null || seconds === undefined) return "–";
    const s = Math.max(0, Math.floor(seconds));
    if (s < 3600) return Math.floor(s / 60) + " min";
    if (s < 86400) return Math.floor(s / 3600) + " h";
    return Math.floor(s / 86400) + " d";
  };
  functions.nocRate = (value) => {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    const steps = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]], step = steps.find(([size]) => value >= size) || [1, ""];
    return Number((value / step[0]).toPrecision(3)) + " " + step[1];
  };
  cells.StateCell = (props) => {
    const [tone, word] = STATE[props.value] || STATE.unknown;
    return el("span", { className: "sev" }, el("span", { className: "mark " + tone }), word);
  };
  cells.PortsCell = (props) => props.value === null ? el("span", { className: "t3" }, "–") : el("span", { className: "mono" }, props.value + " up",
    props.data.down ? el("span", { className: "c-major" }, ", " + props.data.down + " down") : null);
  cells.AlertCountsCell = (props) => el("span", { className: "row inventory-counts" }, ORDER.filter((name) => props.value && props.value[name]).map((name) =>
    el("span", { key: name, className: "row", title: name }, el("span", { className: "mark " + name, role: "img", "aria-label": name }), el("span", { className: "mono" }, props.value[name]))));
  cells.DeviceCell = (props) => {
    const { status, name, site, hardware, alerts } = props.data, [tone, word] = STATE[status] || STATE.unknown;
    const open = ORDER.reduce((sum, key) => sum + ((alerts || {})[key] || 0), 0);
    return el("span", { className: "alerts-cell" }, el("span", { className: "mark " + tone, role: "img", "aria-label": word }),
      el("span", { className: "alerts-cell-text" }, el("span", { className: "alerts-cell-title mono" }, name), el("span", { className: "t3" }, [site, hardware].filter(Boolean).join(", "))),
      open ? el("span", { className: "tag" }, open + (open === 1 ? " alert" : " alerts")) : null);
  };
  cells.UseCell = (props) => {
    const ratio = props.value;
    if (ratio === null || ratio === undefined) return el("span", { className: "t3" }, "–");
    return cells.BarCell(props);
  };

  const phone = window.matchMedia("(max-width: 700px)"), narrow = window.matchMedia("(max-width: 1400px)");
  function fitColumns() {
    if (!api || api.isDestroyed()) return;
    const all = api.getColumns().map((column) => column.getColId());
    api.setColumnsVisible(all.filter((name) => name !== "phone"), !phone.matches);
    api.setColumnsVisible(["phone"], phone.matches);
    if (!phone.matches) api.setColumnsVisible(["version", "memory"].filter((name) => all.includes(name)), !narrow.matches);
    api.setGridOption("rowHeight", phone.matches ? 56 : 30);
    api.setGridOption("headerHeight", phone.matches ? 0 : 30);
    api.resetRowHeights();
  }
  [phone, narrow].forEach((query) => query.addEventListener("change", fitColumns));
  const rows = () => { const found = []; if (api && !api.isDestroyed()) api.forEachNodeAfterFilterAndSort((node) => found.push(node)); return found; };
  function move(by) {
    const list = rows(), at = list.findIndex((node) => node.id === cursor);
    const node = list[Math.max(0, Math.min(list.length - 1, at < 0 ? 0 : at + by))];
    if (!node) return;
    cursor = node.id;
    api.deselectAll(); node.setSelected(true); api.ensureNodeVisible(node);
  }
  const here = () => location.pathname === "/inventory";
  const open = (node) => { if (node && node.data && node.data.href) wf.go(node.data.href); };
  const port = (node) => { if (node && node.data) wf.url.set({ if: node.data.name }); };
  wf.keys("/inventory", {
    j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1),
    Enter: () => { if (api && !api.isDestroyed()) (here() ? open : port)(api.getRowNode(String(cursor))); },
    n: () => { const button = document.getElementById("inventory-add"); if (button && here()) button.click(); },
    ...Object.fromEntries([1, 2, 3, 4, 5].map((number) => [String(number), () => {
      const tab = document.querySelectorAll("#device-tabs [data-tab]")[number - 1];
      if (tab) tab.click();
    }])),
  });
  wf.actions["inventory-chip"] = (chip) => {
    const facets = new URLSearchParams(location.search).getAll("f");
    if (chip.dataset.state !== undefined) wf.url.set({ state: chip.dataset.state || null });
    else if (chip.dataset.drop) wf.url.set({ f: facets.filter((each) => each !== chip.dataset.drop) });
    else wf.url.set({ f: facets.concat(chip.dataset.add) });
  };
  wf.actions["inventory-clear"] = () => { wf.url.set({ f: null, q: null, state: null }); wf.props("inventory-filter", { value: "" }); };
  wf.actions["device-tab"] = (tab) => wf.url.set({ tab: tab.dataset.tab === "summary" ? null : tab.dataset.tab, if: null });
  wf.actions["device-port"] = (row) => wf.url.set({ if: row.dataset.port });
  document.addEventListener("click", (event) => document.querySelectorAll("details.inventory-facet[open]").forEach((box) => { if (!box.contains(event.target)) box.open = false; }));

  const begin = (click) => (grid) => {
    api = grid; cursor = null;
    fitColumns();
    api.addEventListener("rowClicked", (event) => click(event.node));
  };
  window.dash_clientside.inventory = {
    filter: (value) => { wf.url.set({ q: value || null }); },
    fit: (_rows, columns) => wf.withGrid("inventory-grid", columns, begin(open)),
  };
  window.dash_clientside.device = {
    fit: (_rows, columns) => wf.withGrid("device-ports", columns, begin(port)),
  };
})();
