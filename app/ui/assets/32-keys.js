/* Keyboard shortcuts: single keys, chords that start with G or D, and what pages add with watchfloor.keys(). */
(function () {
  "use strict";
  const wf = window.watchfloor;
  const pages = new Map(); // path -> {key: function}
  let chord = null, chordTimer = 0;

  /* A page's own keys: watchfloor.keys("/alerts", {j: next, "Shift+j": extend}). Called once, at load. */
  wf.keys = (path, table) => pages.set(path, { ...(pages.get(path) || {}), ...table });

  const everywhere = {
    t: () => wf.actions.range(),
    "[": () => wf.shift(-0.5),
    "]": () => wf.shift(0.5),
    "-": () => wf.zoom(2),
    "=": () => wf.zoom(0.5),
    " ": () => wf.actions.pause(),
    r: () => wf.actions.refresh(),
    "?": () => wf.actions.help(),
    "/": () => { const box = document.querySelector("#shell-content [data-filter] input, #shell-content input[data-filter], #shell-content input[type=search]"); if (box) box.focus(); else wf.actions.commands(); },
  };
  const chords = {
    g: (key) => { const item = document.querySelector(`.sidebar [data-chord="${key}"] a`); if (item) item.click(); },
    d: (key) => { if (key === "k") wf.actions.kiosk(); if (key === "t") wf.actions.theme(); },
  };

  const isTyping = (target) => target && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

  /* Does Space press what has the focus? A button of a dialog that closed this very moment still has it, unseen. */
  const presses = (target) => {
    const held = target.closest && target.closest("button,a,[role=button],[role=option],.ag-root");
    return !!held && held.checkVisibility();
  };

  document.addEventListener("keydown", (event) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if ((event.ctrlKey || event.metaKey) && key === "k") { event.preventDefault(); wf.actions.commands(); return; }
    if (event.key === "Enter" && isTyping(event.target)) {
      const form = event.target.closest("[data-enter]");
      const button = form && event.target.tagName !== "TEXTAREA" && document.getElementById(form.dataset.enter);
      if (button) { event.preventDefault(); event.target.blur(); setTimeout(() => button.click(), 0); return; }
      if (event.target.closest(".range-fixed")) { wf.actions["apply-range"](); return; }
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || event.defaultPrevented) return;
    if (document.querySelector("dialog[open],.mantine-Modal-content") || wf.cookie("watchfloor_keys") === "off") return;
    if (event.key === " " && presses(event.target)) return;
    if (chord) {
      const then = chord; chord = null; clearTimeout(chordTimer);
      event.preventDefault(); then(key); return;
    }
    const own = find(event.shiftKey && key.length === 1 && key.toUpperCase() !== key ? "Shift+" + key : key);
    if (own) { event.preventDefault(); wf.touched = performance.now(); own(event); return; }
    if (event.shiftKey && key !== "?") return;
    if (chords[key]) { chord = chords[key]; chordTimer = setTimeout(() => { chord = null; }, 1200); return; }
    if (everywhere[key]) { event.preventDefault(); everywhere[key](event); }
  });

  function find(key) {
    for (const [path, table] of pages) {
      const here = path === "/" ? location.pathname === "/" : location.pathname === path || location.pathname.startsWith(path + "/");
      if (here && table[key]) return table[key];
    }
    return null;
  }
})();
