/* AG Grid: our theme from the tokens, the cells that tables share, and when a page may touch its grid. */
(function () {
  "use strict";
  const wf = window.watchfloor;
  const grid = (window.dashAgGridFunctions = window.dashAgGridFunctions || {});
  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
  const WEIGHT = { critical: 5, major: 4, minor: 3, warning: 2, unknown: 1, ok: 0 };
  const WORD = { critical: "Critical", major: "Major", minor: "Minor", warning: "Warning", unknown: "Unknown", ok: "Ok" };

  grid.nocTheme = (theme) => theme.withParams({
    backgroundColor: "var(--bg1)", foregroundColor: "var(--t1)", borderColor: "var(--line)", chromeBackgroundColor: "var(--bg1)",
    headerBackgroundColor: "var(--bg1)", headerTextColor: "var(--t3)", headerFontSize: 11.5, headerFontWeight: 500,
    fontFamily: "var(--sans)", fontSize: 12.5, rowHeight: 30, headerHeight: 30, rowBorder: { color: "var(--line)" },
    rowHoverColor: "var(--bg2)", selectedRowBackgroundColor: "var(--accbg)", accentColor: "var(--acc)", wrapperBorder: false,
    wrapperBorderRadius: 8, cellHorizontalPadding: 10, columnBorder: false, headerColumnResizeHandleColor: "var(--line2)",
    menuBackgroundColor: "var(--bg1)", inputFocusBorder: { color: "var(--acc)" }, oddRowBackgroundColor: "var(--bg1)",
  });
  grid.nocRowId = (value) => String(value);
  grid.severityOrder = (a, b) => (WEIGHT[a] ?? -1) - (WEIGHT[b] ?? -1);

  /* For a page's `fit`, with the columns that the component tells of: `begin(api)` for a grid that is new, then `hold()`.
     Not before it told of them: the api is there earlier, but the component hears of a selection through its own copy,
     which it has only then, and fails without. Until then the page is not idle: keys would find no rows. */
  const held = {};
  wf.withGrid = (id, columns, begin, hold) => {
    const box = document.getElementById(id);
    if (!window.dash_ag_grid || !columns) { if (box) box.dataset.waits = "true"; return; }
    window.dash_ag_grid.getApiAsync(id).then((api) => {
      if (held[id] !== api) { held[id] = api; begin(api); }
      if (hold) hold();
      if (box) delete box.dataset.waits;
    });
  };

  const el = (name, props, ...children) => window.React.createElement(name, props, ...children);
  cells.SeverityCell = (props) => {
    const name = WORD[props.value] ? props.value : "unknown";
    return el("span", { className: "sev" }, el("span", { className: "mark " + name }), WORD[name]);
  };
  cells.LinkCell = (props) => {
    const href = props.data && props.data[props.href || "href"];
    return href ? el("a", { href, className: "mono", onClick: (event) => { event.preventDefault(); window.watchfloor.go(href); } }, props.value) : props.value;
  };
  cells.BarCell = (props) => {
    const ratio = Math.max(0, Math.min(1, Number(props.value) || 0));
    const tone = ratio >= 0.95 ? "critical" : ratio >= 0.85 ? "major" : "";
    return el("span", { className: "row" }, el("span", { className: "bar" }, el("i", { className: tone, style: { width: ratio * 100 + "%" } })),
      el("span", { className: "mono" }, Math.round(ratio * 100) + "%"));
  };
})();
