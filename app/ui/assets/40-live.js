/* Live: what the feed says goes into the stores shell-live (changes of alerts) and shell-tick (there is newer data).
   Without the feed the page polls every 15 s and says so. Space pauses. */
(function () {
  "use strict";
  const wf = window.watchfloor;
  const POLL_MS = 15000;
  let state = "connecting", awaySince = 0, missed = 0, port = null, ticks = 0, lastTick = 0, pending = {}, timer = 0;
  const live = (wf.live = { paused: false, untilMs: 0 });

  const url = () => {
    const pushPort = wf.settings.pushPort;
    const host = pushPort ? location.hostname + ":" + pushPort : location.host;
    return location.protocol + "//" + host + "/api/v1/stream";
  };
  const send = (visible) => port && port.postMessage({ type: "state", visible, url: url() });

  function start() {
    if (typeof SharedWorker !== "undefined") {
      // A new session gets a new worker: its socket belongs to the session that opened it.
      const session = (/_csrf_token[^=]*=([^;]{8})/.exec(document.cookie) || ["", "none"])[1];
      try {
        const worker = new SharedWorker(wf.settings.worker, { name: "watchfloor-" + session });
        worker.onerror = alone;
        port = worker.port;
        port.onmessage = (event) => receive(event.data);
        port.start();
        send(!document.hidden);
        window.addEventListener("pagehide", () => port && port.postMessage({ type: "bye" }));
        return;
      } catch (e) { port = null; }
    }
    alone();
  }
  async function alone() {
    port = null;
    if (!window.watchfloorFeed) await wf.loadScript(wf.settings.worker);
    window.watchfloorFeed(receive).open(url());
  }
  document.addEventListener("visibilitychange", () => { send(!document.hidden); if (!document.hidden) tick(true); });

  function receive(message) {
    if (message.type === "state") { if (message.state === "away" && state !== "away") awaySince = message.since; if (message.state === "live" && state === "away") { tick(true); change({ resync: true }); } state = message.state; show(); return; }
    if (message.type === "signed-out") { fetch("/api/v1/openapi.json", { method: "HEAD" }); return; }
    if (message.type === "resync") { tick(true); change({ resync: true }); return; }
    if (message.counts) badge(message.counts);
    if (message.type === "snapshot") return;
    if (message.topic === "samples") { live.untilMs = (message.data || {}).until_ms || Date.now(); tick(false); }
    else if (message.topic) change({ [message.topic]: message.changes || [message.data], counts: message.counts });
  }

  /* Changes are gathered for a quarter of a second and then given to the page in one piece. */
  function change(part) {
    Object.entries(part).forEach(([key, value]) => {
      if (value === undefined) return;
      pending[key] = Array.isArray(value) && Array.isArray(pending[key]) ? pending[key].concat(value) : value;
    });
    if (live.paused) { missed += 1; show(); return; }
    clearTimeout(timer);
    timer = setTimeout(flush, 250);
  }
  function flush() {
    if (!Object.keys(pending).length) return;
    const data = { ...pending, at: Date.now() };
    pending = {};
    document.dispatchEvent(new CustomEvent("watchfloor:change", { detail: data }));
    wf.props("shell-live", { data });
  }
  /* Newer samples: at most as often as the page wants (data-tick-ms), never while it still loads or is hidden. */
  function tick(now) {
    const page = document.querySelector("[data-tick-ms]");
    const every = page ? Number(page.dataset.tickMs) : POLL_MS;
    if (live.paused || document.hidden || (wf.busy.fetches > 0 && !now)) return;
    if (!now && Date.now() - lastTick < every) return;
    lastTick = Date.now();
    ticks += 1;
    wf.props("shell-tick", { data: { n: ticks, until_ms: live.untilMs || Date.now() } });
  }
  setInterval(() => { if (state !== "live") { tick(false); show(); } }, 3000);

  function badge(counts) {
    const box = document.getElementById("shell-alerts-badge");
    if (!box) return;
    box.textContent = counts.critical > 99 ? "99+" : counts.critical || "";
    box.classList.toggle("hidden", !counts.critical);
  }
  wf.badge = badge;

  function show() {
    const box = document.getElementById("shell-live-state"), words = document.getElementById("shell-live-words");
    if (!box || !words) return;
    const name = live.paused ? "paused" : state === "live" ? "live" : state === "away" ? "polling" : "off";
    box.dataset.state = name;
    words.textContent = { live: "Live", paused: missed ? `Paused, ${missed} new` : "Paused", polling: "Polling", off: "Live" }[name];
    box.title = name === "polling" ? `Live feed unavailable since ${new Date(awaySince).toLocaleTimeString()}; asking every 15 s` : "Live updates; Space pauses";
  }
  wf.actions.pause = () => {
    live.paused = !live.paused;
    if (!live.paused) { missed = 0; flush(); tick(true); }
    show();
  };

  const begin = setInterval(() => {
    if (!document.getElementById("shell-live-state")) return;
    clearInterval(begin);
    start();
    show();
  }, 100);
})();
