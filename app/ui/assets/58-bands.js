/* Bands on charts: B turns them on and off, on Explore and on the page of a device. */
(function () {
  "use strict";
  const wf = window.watchfloor;
  const turn = () => wf.url.set({ b: wf.url.get("b") === "1" ? null : "1" });
  const paint = () => document.querySelectorAll("[data-action=bands]").forEach((button) => button.setAttribute("aria-pressed", String(wf.url.get("b") === "1")));
  wf.actions.bands = () => { turn(); paint(); };
  wf.keys("/explore", { b: wf.actions.bands });
  wf.keys("/inventory", { b: () => { if (location.pathname !== "/inventory") wf.actions.bands(); } });
})();
