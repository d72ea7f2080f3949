/* The chart library with the trace types that pages draw; Watchfloor's charts are all cartesian. */
"use strict";
const Plotly = require("plotly.js/lib/core");
Plotly.register([
  require("plotly.js/lib/bar"),
  require("plotly.js/lib/box"),
  require("plotly.js/lib/heatmap"),
  require("plotly.js/lib/histogram"),
]);
module.exports = Plotly;
