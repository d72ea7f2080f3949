/* The live feed: one WebSocket per browser, shared by its tabs (SharedWorker), or one per tab where that is missing.
   Speaks with /api/v1/stream: {subscribe: [...]}, answers snapshot, then numbered changes; a gap makes it resync. */
(function (scope) {
  "use strict";
  const TOPICS = ["alerts", "samples", "devices"];
  const LONGEST_WAIT_MS = 15000;

  scope.watchfloorFeed = function createFeed(broadcast) {
    let socket = null, source = null, url = "", tries = 0, opened = false, timer = 0, wanted = false, heard = 0;
    const numbers = {};
    let state = { type: "state", state: "connecting", since: Date.now() };

    const tell = (name, more) => { state = { type: "state", state: name, since: Date.now(), ...more }; broadcast(state); };

    function open(address) {
      url = address; wanted = true;
      if (!socket && !source) connect();
    }
    function close() {
      wanted = false; clearTimeout(timer);
      if (socket) socket.close(1000);
      if (source) source.close();
      socket = source = null;
    }
    function connect() {
      clearTimeout(timer);
      // A proxy that knows no WebSocket: the same stream as server-sent events.
      if (!opened && tries >= 3 && scope.EventSource) { viaEvents(); return; }
      socket = new WebSocket(url.replace(/^http/, "ws"));
      socket.onopen = () => {
        opened = true; tries = 0; heard = Date.now();
        socket.send(JSON.stringify({ subscribe: TOPICS, since: numbers }));
        tell("live");
      };
      socket.onmessage = (event) => receive(event.data);
      socket.onclose = (event) => {
        socket = null;
        // Its time is over, or rights changed: come back at once.
        if (event.code === 4000 && wanted) { timer = setTimeout(connect, 200 + Math.random() * 800); return; }
        if (event.code === 4401 || event.code === 4403) { broadcast({ type: "signed-out", code: event.code }); tell("away"); wanted = false; return; }
        again();
      };
    }
    function viaEvents() {
      source = new EventSource(url + "?topics=" + TOPICS.join(","), { withCredentials: true });
      source.onopen = () => { heard = Date.now(); tell("live"); };
      source.onmessage = (event) => receive(event.data);
      source.onerror = () => { source.close(); source = null; again(); };
    }
    function again() {
      if (!wanted) return;
      tries += 1;
      const wait = Math.min(1000 * 2 ** Math.min(tries, 5), LONGEST_WAIT_MS) * (0.7 + Math.random() * 0.6);
      tell("away", { retryAt: Date.now() + wait });
      timer = setTimeout(connect, wait);
    }
    function receive(text) {
      heard = Date.now();
      const message = JSON.parse(text);
      if (message.seq !== undefined) {
        const last = numbers[message.topic];
        if (message.resync || (message.type === "change" && last && message.seq !== last + 1)) broadcast({ type: "resync" });
        numbers[message.topic] = message.seq;
      }
      if (message.type !== "ping") broadcast(message);
    }
    // The server speaks at least every 25 s; a silent socket is a dead one.
    setInterval(() => { if (socket && socket.readyState === 1 && Date.now() - heard > 60000) socket.close(4000); }, 10000);
    return { open, close, state: () => state };
  };

  if (typeof SharedWorkerGlobalScope === "undefined" || !(scope instanceof SharedWorkerGlobalScope)) return;
  const tabs = new Map();
  let sleep = 0;
  const feed = scope.watchfloorFeed((message) => tabs.forEach((_seen, port) => port.postMessage(message)));
  // With every tab hidden for a minute nobody watches: let go, and resync when one is shown.
  function rest() {
    clearTimeout(sleep);
    if (![...tabs.values()].some((tab) => tab.visible)) sleep = setTimeout(feed.close, 60000);
  }
  scope.onconnect = (event) => {
    const port = event.ports[0];
    tabs.set(port, { visible: true });
    port.onmessage = ({ data }) => {
      if (data.type === "bye") { tabs.delete(port); rest(); return; }
      tabs.set(port, { visible: data.visible });
      if (data.visible) { clearTimeout(sleep); feed.open(data.url); port.postMessage(feed.state()); } else rest();
    };
    port.start();
  };
})(self);
