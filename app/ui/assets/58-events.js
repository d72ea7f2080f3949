/* Events on charts: V hides and shows them, on Explore and on the page of a device. */
(function () {
  "use strict";
  const wf = window.watchfloor;
  const paint = () => document.querySelectorAll("[data-action=events]").forEach((button) => button.setAttribute("aria-pressed", String(wf.url.get("ev") !== "0")));
  wf.actions.events = () => { wf.url.set({ ev: wf.url.get("ev") === "0" ? null : "0" }); paint(); };
  wf.keys("/explore", { v: wf.actions.events });
  wf.keys("/inventory", { v: () => { if (location.pathname !== "/inventory") wf.actions.events(); } });
})();
