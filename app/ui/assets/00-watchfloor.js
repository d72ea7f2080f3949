/* window.watchfloor: settings of the page, what is in flight (idle()), and the way to the sign-in page. */
(function () {
  "use strict";
  const meta = document.querySelector("meta[name=watchfloor]");
  const busy = { fetches: 0, draws: 0, scripts: 0, touched: performance.now() };
  const wf = (window.watchfloor = window.watchfloor || {});
  wf.settings = meta ? { ...meta.dataset } : {};
  wf.busy = busy;

  wf.begin = (kind) => { busy[kind] += 1; busy.touched = performance.now(); };
  wf.end = (kind) => { busy[kind] -= 1; busy.touched = performance.now(); };

  /* True when the page is drawn and no callback, fetch, script or chart draw has been in flight for 120 ms. */
  wf.idle = () => {
    const content = document.getElementById("shell-content");
    return document.readyState === "complete" && content !== null && content.childElementCount > 0 &&
      busy.fetches === 0 && busy.draws === 0 && busy.scripts === 0 &&
      !document.querySelector("[data-dash-is-loading=true],[data-waits]") && performance.now() - busy.touched > 120;
  };

  const original = window.fetch;
  window.fetch = function (input, init) {
    wf.begin("fetches");
    return original.apply(this, arguments).then(
      (response) => {
        if (response.status === 401 && response.url.startsWith(location.origin)) wf.signIn();
        // React draws in the tasks after the answer: count until then.
        setTimeout(() => wf.end("fetches"), 30);
        return response;
      },
      (error) => { wf.end("fetches"); throw error; });
  };

  /* Once: the session ended while the page was open. */
  wf.signIn = () => {
    if (wf.leaving) return;
    wf.leaving = true;
    location.assign("/login?next=" + encodeURIComponent(location.pathname + location.search));
  };

  wf.loadScript = (url) => {
    wf.begin("scripts");
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = url;
      script.onload = () => { wf.end("scripts"); resolve(); };
      script.onerror = () => { wf.end("scripts"); reject(new Error("could not load " + url)); };
      document.head.appendChild(script);
    });
  };

  wf.setCookie = (name, value) => {
    document.cookie = `${name}=${encodeURIComponent(value)}; path=/; max-age=31536000; samesite=lax`;
  };
  wf.cookie = (name) => {
    const found = new RegExp("(?:^|; )" + name + "=([^;]*)").exec(document.cookie);
    return found ? decodeURIComponent(found[1]) : "";
  };
  wf.props = (id, props) => {
    if (window.dash_clientside && window.dash_clientside.set_props && document.getElementById("shell")) {
      window.dash_clientside.set_props(id, props);
    }
  };
  window.dash_clientside = window.dash_clientside || {};
})();
