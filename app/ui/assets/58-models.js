/* Models: while a training is under way the page reads again, as long as it is looked at. */
(function () {
  "use strict";
  const wf = window.watchfloor;
  const EVERY_MS = 5000;
  setInterval(() => {
    const isOpen = document.querySelector(".models-page [data-under-way]");
    if (isOpen && !document.hidden && wf.idle()) wf.actions.refresh();
  }, EVERY_MS);
})();
