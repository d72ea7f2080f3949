/* Capacity in the browser: what of the address each part follows, picks into the address, and the cursor of the list. */
(function () {
  "use strict";
  const wf = window.watchfloor;
  const LIST = ["kind", "q", "h"], CHART = ["link", "h", "thr", "growth"];
  const none = (value) => (value === undefined || value === null || value === "" ? null : value);
  const rows = () => [...document.querySelectorAll("#capacity-table tbody tr")];
  let timer = 0, wanted = null;

  const part = (search, keys) => {
    const all = new URLSearchParams(search || ""), kept = new URLSearchParams();
    keys.forEach((key) => { if (all.get(key)) kept.set(key, all.get(key)); });
    return "?" + kept.toString();
  };

  window.dash_clientside.capacity = {
    split: (search, list, shown) => {
      const skip = window.dash_clientside.no_update;
      const params = new URLSearchParams(search || "");
      // Without a chosen one the first of the list is shown, so that the chart follows the list.
      const ofList = part(search, LIST), ofChart = part(search, params.get("link") ? CHART : [...CHART, "kind", "q"]);
      return [ofList === list ? skip : ofList, ofChart === shown ? skip : ofChart];
    },
    mark: () => { [0, 60, 300, 1500].forEach((after) => setTimeout(fill, after)); },
    pick: (ahead, threshold, growth, words) => {
      const asked = (window.dash_clientside.callback_context.triggered || []).map((each) => each.prop_id);
      if (asked.length !== 1) return;
      const changes = {};
      if (asked[0].startsWith("capacity-ahead.")) changes.h = ahead === "90" ? null : none(ahead);
      if (asked[0].startsWith("capacity-threshold.")) changes.thr = threshold === "set" ? null : none(threshold);
      if (asked[0].startsWith("capacity-growth.")) changes.growth = growth === "1" ? null : none(growth);
      if (asked[0].startsWith("capacity-words.")) changes.q = none(words);
      wf.url.set(changes);
    },
  };

  /* The rows come as text, made and escaped by the server: React need not know each cell. */
  let filled = null;
  function fill() {
    const box = document.getElementById("capacity-table-box");
    if (box && (box.dataset.html !== filled || !box.firstChild)) {
      filled = box.dataset.html;
      const top = box.firstChild ? box.firstChild.scrollTop : 0;
      box.innerHTML = filled;
      box.firstChild.scrollTop = top;
    }
    paint();
  }
  function paint() {
    const all = rows(), chosen = wanted || wf.url.get("link") || (all[0] && all[0].dataset.id);
    all.forEach((row) => {
      const here = row.dataset.id === chosen;
      row.classList.toggle("selected", here);
      if (here) row.setAttribute("aria-selected", "true"); else row.removeAttribute("aria-selected");
    });
  }
  function choose(row) {
    if (!row) return;
    wanted = row.dataset.id;
    paint();
    row.scrollIntoView({ block: "nearest" });
    clearTimeout(timer);
    // Running through the list draws only where one stays.
    timer = setTimeout(() => { const link = wanted; wanted = null; wf.url.set({ link }); }, 120);
  }
  function move(by) {
    const all = rows(), at = all.findIndex((row) => row.classList.contains("selected"));
    choose(all[Math.min(Math.max(at + by, 0), all.length - 1)]);
  }
  document.addEventListener("click", (event) => {
    const row = event.target.closest && event.target.closest("#capacity-table tbody tr");
    if (row) choose(row);
  });

  wf.actions["capacity-kind"] = (chip) => wf.url.set({ kind: none(chip.dataset.kind), link: null });
  wf.keys("/capacity", {
    j: () => move(1),
    k: () => move(-1),
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    h: () => {
      const steps = ["30", "90", "180", "365"], at = steps.indexOf(wf.url.get("h") || "90");
      wf.props("capacity-ahead", { value: steps[(at + 1) % steps.length] });
    },
  });
})();
