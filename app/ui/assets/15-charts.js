/* Charts: plotly.js is our own selection of its parts (deploy/plotly) and loads when a chart appears; figures arrive
   in the dark tokens and are drawn in the theme that is on. app/figures/theme.py holds the same table. */
(function () {
  "use strict";
  const wf = window.watchfloor;
  const DARK = ("#0B0E14 #12161F #1A1F2B #232A38 #222938 #343D50 #E6EAF2 #A7B0C2 #7F8AA0 #5195F9 #F03A5C #F8963A #FFF498 " +
    "#3C95EB #828E9F #1FDCC0 #EAA81B #1CCFA6 #D768A7 #784FDF #DAE994 #BCEBF4 #C74B24").toLowerCase().split(" ");
  const LIGHT = ("#F4F6F9 #FFFFFF #EEF1F6 #E2E7EF #E1E6EE #C6CEDA #131722 #475063 #626C80 #1E62C2 #BB002C #B75900 #604A08 " +
    "#154E88 #68758D #0A846D #B58711 #1B5748 #C82C75 #2708B6 #596B13 #1598C5 #612713").toLowerCase().split(" ");
  const triple = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)).join(",");
  const table = new Map();
  DARK.forEach((dark, at) => { table.set(dark, LIGHT[at]); table.set(triple(dark), triple(LIGHT[at])); });
  wf.swaps = table;
  const COLOUR = /#[0-9a-f]{6}|(?<=rgba\()\d+,\d+,\d+/gi;

  const isLight = () => document.documentElement.getAttribute("data-mantine-color-scheme") === "light";
  wf.colour = (hex) => (isLight() ? table.get(hex.toLowerCase()) || hex : hex);

  /* A copy with every token in the theme that is on; long arrays of data are passed through untouched. */
  function themed(value, key) {
    if (typeof value === "string") return isLight() ? value.replace(COLOUR, (c) => table.get(c.toLowerCase()) || c) : value;
    if (Array.isArray(value)) {
      return key === "x" || key === "y" || key === "customdata" || key === "text" ? value : value.map((item) => themed(item));
    }
    if (value && typeof value === "object" && value.constructor === Object) {
      const copy = {};
      for (const name in value) {
        const own = value[name];
        copy[name] = (name === "x" || name === "y") && own && typeof own === "object" && "bdata" in own ? own : themed(own, name);
      }
      return copy;
    }
    return value;
  }

  wf.themed = themed;

  const counted = (call, gd) => {
    wf.begin("draws");
    const done = () => wf.end("draws");
    try {
      const result = call();
      Promise.resolve(result).then(done, done);
      if (gd) Promise.resolve(result).then(() => document.dispatchEvent(new CustomEvent("watchfloor:drawn", { detail: gd })));
      return result;
    } catch (error) { done(); throw error; }
  };

  /* A narrow chart has no room for a legend: lines are named at their end instead (after the draw). */
  const isNarrow = (gd) => gd && gd.clientWidth > 0 && gd.clientWidth < 420;
  function fitted(layout, gd) {
    if (!layout || !layout.showlegend || layout.barmode || !isNarrow(gd)) return layout;
    // "own names": notes stand above the plot.
    return { ...layout, showlegend: false, margin: { ...layout.margin, t: layout.meta === "own names" ? 18 : 8 } };
  }
  document.addEventListener("watchfloor:drawn", ({ detail: gd }) => {
    if (!isNarrow(gd) || !gd.watchfloor || !gd.watchfloor.layout || !gd.watchfloor.layout.showlegend || gd.watchfloor.layout.barmode ||
      gd.watchfloor.layout.meta === "own names" || gd.watchfloorNamed) return;
    gd.watchfloorNamed = true;
    const names = gd._fullData.filter((trace) => trace.showlegend && trace.x && trace.x.length && trace.line.dash === "solid").map((trace) => ({
      x: trace.x[trace.x.length - 1], y: trace.y[trace.y.length - 1], text: trace.name, showarrow: false, xanchor: "right", yanchor: "bottom",
      font: { size: 10, color: trace.line.color } })).filter((note) => Number.isFinite(note.y));
    // Lines that end together have their names one above the other.
    let above = Infinity;
    names.sort((a, b) => a.y - b.y).forEach((note) => {
      const at = gd._fullLayout.yaxis.d2p(note.y), place = Math.min(at, above - 12);
      note.yshift = at - place; above = place;
    });
    counted(() => relayout(gd, { annotations: names }));
    setTimeout(() => { gd.watchfloorNamed = false; }, 1000);
  });
  let relayout = () => {};

  function adopt(Plotly) {
    if (!Plotly || Plotly.isWatchfloor) return Plotly;
    const { react, newPlot, extendTraces, restyle } = Plotly;
    relayout = Plotly.relayout;
    const draw = (method) => (gd, data, layout, config) => {
      const plain = data && !Array.isArray(data) && data.data ? data : { data, layout, config };
      const target = typeof gd === "string" ? document.getElementById(gd) : gd;
      if (target) target.watchfloor = { data: plain.data, layout: plain.layout, config: plain.config };
      return counted(() => method(gd, themed(plain.data), fitted(themed(plain.layout), target), plain.config), target);
    };
    Plotly.isWatchfloor = true;
    Plotly.react = draw(react);
    Plotly.newPlot = draw(newPlot);
    Plotly.extendTraces = (...args) => counted(() => extendTraces(...args));
    const own = relayout;
    Plotly.relayout = (gd, ...args) => counted(() => own(gd, ...args.map((arg) => themed(arg))));
    Plotly.restyle = (gd, ...args) => counted(() => restyle(gd, ...args));
    // A graph asks to be fitted once it stands; when it fits already, a second draw costs a tenth of a second.
    const { resize } = Plotly.Plots;
    Plotly.Plots.resize = (gd) => {
      const node = typeof gd === "string" ? document.getElementById(gd) : gd, drawn = node && node._fullLayout;
      if (drawn && drawn.width === node.clientWidth && drawn.height === node.clientHeight) return Promise.resolve(node);
      return counted(() => resize(gd));
    };
    wf.redraw = () => document.querySelectorAll(".js-plotly-plot").forEach((gd) => {
      const seen = gd.watchfloor;
      if (!seen) return;
      // Keep what the reader did since: the zoom, and points that came live.
      const data = themed(seen.data).map((trace, at) => (gd.data[at] ? { ...trace, x: gd.data[at].x, y: gd.data[at].y, visible: gd.data[at].visible } : trace));
      const layout = themed(seen.layout);
      ["xaxis", "yaxis"].forEach((axis) => {
        if (gd.layout[axis] && gd.layout[axis].autorange === false) {
          layout[axis] = { ...layout[axis], range: gd.layout[axis].range, autorange: false };
        }
      });
      layout.width = gd.layout.width; layout.height = gd.layout.height;
      counted(() => react(gd, data, layout, seen.config));
    });
    return Plotly;
  }
  wf.redraw = () => {};

  let plotly = adopt(window.Plotly);
  Object.defineProperty(window, "Plotly", { configurable: true, get: () => plotly, set: (value) => { plotly = adopt(value); } });
  // Dash asks for plotly.js here when the first chart appears, and would load the full build from its package.
  Object.defineProperty(window, "_dashPlotlyJSURL", { configurable: true, get: () => wf.settings.plotly, set: () => {} });
  // A page that begins with charts: the library runs once the frame stands, while the server fills the panels.
  const early = () => {
    const main = document.getElementById("shell-content");
    if (window.Plotly) return;
    if (main && main.childElementCount) setTimeout(() => window.Plotly || wf.loadScript(wf.settings.plotly).catch(() => {}), 60);
    else setTimeout(early, 30);
  };
  if (wf.settings.chartsFirst) document.addEventListener("DOMContentLoaded", early);
})();
