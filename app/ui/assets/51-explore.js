/* Explore in the browser: picks become the address, the table is the legend, drag zooms, Z goes back. */
(function () {
  "use strict";
  const wf = window.watchfloor;
  const zooms = [];
  const graph = () => document.querySelector("#explore-graph .js-plotly-plot");
  const none = (value) => (value === undefined || value === null || value === "" || value === "none" ? null : value);

  window.dash_clientside.explore = {
    pick: (metric, fn, filters, by, agg, top, compare, expr) => {
      const asked = (window.dash_clientside.callback_context.triggered || []).map((each) => each.prop_id);
      // When the page is made all of them "change" at once, to what the address says already.
      if (asked.length !== 1) return;
      const changes = {};
      const has = (id) => asked.some((prop) => prop.startsWith(id + "."));
      if (has("explore-metric") && none(metric)) { changes.metric = none(metric); changes.fn = null; changes.q = null; }
      if (has("explore-function")) changes.fn = none(fn);
      if (has("explore-filters")) changes.f = filters || [];
      if (has("explore-by")) changes.by = none((by || []).join(","));
      if (has("explore-aggregation")) changes.agg = agg === "sum" ? null : none(agg);
      if (has("explore-top")) changes.top = top === "50" ? null : none(top);
      if (has("explore-compare")) changes.cmp = none(compare);
      if (has("explore-expr")) changes.q = none(expr);
      const withBox = document.getElementById("explore-aggregation-pick");
      if (withBox) withBox.classList.toggle("hidden", !(by || []).length);
      wf.url.set(changes);
    },
  };

  wf.actions["explore-mode"] = (button) => {
    const box = document.getElementById("explore-expr-box"), picks = document.getElementById("explore-picks");
    const opens = box.classList.contains("hidden");
    box.classList.toggle("hidden", !opens);
    picks.classList.toggle("hidden", opens);
    button.setAttribute("aria-pressed", String(opens));
    if (opens) box.querySelector("input").focus();
    else if (wf.url.get("q")) { wf.url.set({ q: null }); }
  };
  wf.actions["explore-metric"] = (button) => wf.props("explore-metric", { value: button.dataset.metric });

  /* Drag zooms: the new range goes into the address, and Z takes it back. */
  function offset(ms) {
    const zone = wf.zone();
    if (zone === "UTC") return 0;
    const parts = Object.fromEntries(new Intl.DateTimeFormat("en-CA", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit",
      day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" }).formatToParts(ms).map((part) => [part.type, part.value]));
    return Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second) - Math.floor(ms / 1000) * 1000;
  }
  const moment = (value) => {
    const shown = typeof value === "number" ? value : Date.parse(String(value).replace(" ", "T") + "Z");
    return shown - offset(shown);
  };
  wf.momentOf = moment;
  document.addEventListener("watchfloor:drawn", ({ detail: gd }) => {
    if (!gd || gd.watchfloorZoom || !gd.closest("#explore-graph")) return;
    gd.watchfloorZoom = true;
    gd.on("plotly_relayout", (change) => {
      const from = change["xaxis.range[0]"], to = change["xaxis.range[1]"];
      if (from === undefined || to === undefined) return;
      if (wf.brushed && wf.brushed(gd, moment(from), moment(to))) return;
      zooms.push(location.search);
      wf.setRange(moment(from), moment(to));
    });
    gd.on("plotly_doubleclick", () => { back(); return false; });
    gd.on("plotly_hover", (event) => { const point = event.points && event.points[0]; if (point) mark(point.data.meta, true); });
    gd.on("plotly_unhover", () => document.querySelectorAll("#explore-table tr.selected").forEach((row) => row.classList.remove("selected")));
  });
  function back() {
    const before = zooms.pop();
    if (before === undefined) { wf.zoom(2); return; }
    const params = new URLSearchParams(before);
    wf.url.set({ t: params.get("t"), from: params.get("from"), to: params.get("to") });
  }

  /* The table is the legend: a row under the pointer brings its line forward, a click keeps it there. */
  let pinned = null;
  function forward(rank) {
    const gd = graph();
    if (!gd || !gd.data) return;
    const index = gd.data.findIndex((trace) => trace.meta === rank);
    if (gd.watchfloorForward !== undefined && gd.watchfloorForward !== index) restore(gd);
    if (index < 0) return;
    const seen = gd.watchfloor.data[index].line;
    gd.watchfloorForward = index;
    window.Plotly.restyle(gd, { "line.width": 3, "line.color": seen.width <= 1 ? wf.colour("#E6EAF2") : wf.colour(seen.color) }, [index]);
  }
  function restore(gd) {
    const index = gd.watchfloorForward;
    if (index === undefined || !gd.watchfloor.data[index]) return;
    const seen = gd.watchfloor.data[index].line;
    window.Plotly.restyle(gd, { "line.width": seen.width, "line.color": wf.themed(seen.color) }, [index]);
    gd.watchfloorForward = undefined;
  }
  function mark(rank, on) {
    document.querySelectorAll("#explore-table tbody tr").forEach((row) => row.classList.toggle("selected", on && row.dataset.id === String(rank)));
  }
  const rowOf = (event) => event.target.closest && event.target.closest("#explore-table tbody tr");
  document.addEventListener("mouseover", (event) => { const row = rowOf(event); if (row && pinned === null) forward(Number(row.dataset.id)); });
  document.addEventListener("mouseout", (event) => {
    if (rowOf(event) && pinned === null && !(event.relatedTarget && event.relatedTarget.closest && event.relatedTarget.closest("#explore-table tbody"))) { const gd = graph(); if (gd) restore(gd); }
  });
  document.addEventListener("click", (event) => {
    const row = rowOf(event);
    if (!row) return;
    const rank = Number(row.dataset.id), same = pinned === rank;
    document.querySelectorAll("#explore-table tr.pinned").forEach((each) => each.classList.remove("pinned"));
    pinned = same ? null : rank;
    if (same) { const gd = graph(); if (gd) restore(gd); } else { row.classList.add("pinned"); forward(rank); }
  });

  const turn = (key, values) => {
    const at = Math.max(0, values.indexOf(wf.url.get(key)));
    return values[(at + 1) % values.length];
  };
  wf.keys("/explore", {
    z: back,
    l: () => { const main = document.querySelector(".explore-main"); main.classList.toggle("no-table"); window.dispatchEvent(new Event("resize")); },
    c: () => wf.props("explore-compare", { value: turn("cmp", [null, "1d", "7d"]) || "none" }),
    y: () => wf.url.set({ y: turn("y", [null, "auto", "log"]) }),
  });
})();
