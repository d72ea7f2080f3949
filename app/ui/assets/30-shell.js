/* The frame in the browser: address and state, theme, time range, refresh, navigation. No round trips. */
(function () {
  "use strict";
  const wf = window.watchfloor;
  const UNITS = { s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 };
  const WORDS = { "5m": "5 min", "15m": "15 min", "1h": "1 h", "6h": "6 h", "24h": "24 h", "2d": "2 d", "7d": "7 d", "15d": "15 d" };
  const byId = (id) => document.getElementById(id);
  const counts = {};
  const bump = (id) => { counts[id] = (counts[id] || 0) + 1; wf.props(id, { data: counts[id] }); };

  /* The query string as state. set({t: "6h", from: null}) replaces the history entry; push opens a new one. */
  wf.url = {
    get: (key) => new URLSearchParams(location.search).get(key),
    set: (changes, options) => {
      const params = new URLSearchParams(location.search);
      Object.entries(changes).forEach(([key, value]) => {
        params.delete(key);
        [].concat(value).forEach((item) => { if (item !== null && item !== undefined && item !== "") params.append(key, item); });
      });
      const parts = [];
      params.forEach((value, key) => parts.push(encode(key) + "=" + encode(value)));
      const search = parts.length ? "?" + parts.join("&") : "";
      if (search === location.search) return;
      // Not idle until what the new address asks for had time to begin.
      wf.busy.touched = performance.now();
      history[options && options.push ? "pushState" : "replaceState"](history.state, "", location.pathname + search + location.hash);
      // href too: Location pushes back the one it remembers when it differs from the address.
      wf.props("url", { search, href: location.href });
    },
  };
  const encode = (text) => encodeURIComponent(text).replace(/%(2C|3A|2F|28|29|5B|5D|7B|7D|3D|21|2A|40|3B)/gi, decodeURIComponent);

  /* The window of time that is shown, in ms. */
  wf.range = () => {
    const now = Date.now(), from = wf.url.get("from"), to = wf.url.get("to");
    if (from) {
      const end = !to || to === "now" ? now : Date.parse(withZone(to));
      return { start: Date.parse(withZone(from)), end };
    }
    const named = /^(\d+)([smhdw])$/.exec(wf.url.get("t") || "24h") || [0, "24", "h"];
    return { start: now - named[1] * UNITS[named[2]], end: now, relative: named[1] + named[2] };
  };
  const withZone = (text) => (/(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : text.replace(" ", "T") + "Z");
  const iso = (ms) => new Date(ms).toISOString().slice(0, 19) + "Z";
  wf.setRange = (start, end, options) => wf.url.set({ t: null, from: iso(start), to: iso(end) }, { push: true, ...options });
  wf.shift = (share) => {
    const { start, end } = wf.range(), by = (end - start) * share;
    if (share > 0 && end + by >= Date.now()) wf.url.set({ from: null, to: null, t: nearest(end - start) });
    else wf.setRange(start + by, end + by);
  };
  wf.zoom = (factor) => {
    const { start, end, relative } = wf.range(), length = (end - start) * factor;
    if (relative) wf.url.set({ t: nearest(length), from: null, to: null }, { push: true });
    else wf.setRange((start + end - length) / 2, Math.min((start + end + length) / 2, Date.now()));
  };
  const nearest = (length) => Object.keys(WORDS).reduce((best, name) => {
    const size = (key) => parseInt(key, 10) * UNITS[key.slice(-1)];
    return Math.abs(Math.log(size(name) / length)) < Math.abs(Math.log(size(best) / length)) ? name : best;
  });

  const zoneOf = () => {
    const zone = wf.url.get("tz") || "utc";
    return zone === "utc" ? "UTC" : zone === "browser" ? wf.cookie("watchfloor_zone") || "UTC" : zone;
  };
  wf.zone = zoneOf;
  function rangeWords() {
    const { start, end, relative } = wf.range();
    if (relative) return "Last " + (WORDS[relative] || relative);
    const day = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", timeZone: safeZone() });
    return isNaN(start) || isNaN(end) ? "Last 24 h" : day.format(start).replace(",", "") + " to " + day.format(end).replace(",", "");
  }
  function safeZone() {
    try { new Intl.DateTimeFormat("en", { timeZone: zoneOf() }); return zoneOf(); } catch (e) { return "UTC"; }
  }

  window.dash_clientside.shell = {
    /* The address changed: mark where we are, show the range, name the tab. */
    show_address: (pathname, search, title) => {
      document.querySelectorAll("[data-nav]").forEach((item) => {
        const path = item.dataset.nav;
        const here = path === "/" ? pathname === "/" : pathname === path || pathname.startsWith(path + "/");
        item.classList.toggle("current", here);
        const link = item.querySelector("a");
        if (link) { if (here) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current"); }
      });
      const words = byId("shell-range-words"), zone = byId("shell-zone");
      if (words) words.textContent = rangeWords();
      document.documentElement.dataset.inZone = wf.url.get("tz") || "utc";
      const tab = document.querySelector(".tabs .current");
      if (tab) tab.scrollIntoView({ block: "nearest", inline: "nearest" });
      if (zone) zone.textContent = safeZone().replace(/^.*\//, "").replace("_", " ");
      document.title = (title || "Watchfloor") + (title ? " · Watchfloor" : "");
      document.documentElement.classList.toggle("kiosk", wf.url.get("kiosk") === "1");
      const shell = byId("shell");
      if (shell) shell.classList.remove("menu-open");
      if (wf.here !== undefined && wf.here !== pathname) { const main = byId("shell-content"); if (main) main.scrollTop = 0; }
      wf.here = pathname;
    },
  };

  /* Go to a page of ours without loading the frame again; a page with a grid first gets its script. */
  wf.go = async (href) => {
    await wf.needGrid(new URL(href, location.href).pathname);
    wf.busy.touched = performance.now();
    history.pushState({}, "", href);
    window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
    window.scrollTo(0, 0);
  };
  const gridPaths = (wf.settings.gridPaths || "").split(" ").filter(Boolean)
    .map((path) => new RegExp("^" + path.replace(/<\w+>/g, "[^/]+") + "/?$"));
  const needsGrid = (path) => gridPaths.some((pattern) => pattern.test(path));
  let grid = null;
  wf.needGrid = (path) => {
    if (!needsGrid(path) || window.dash_ag_grid) return Promise.resolve();
    grid = grid || Promise.all((wf.settings.grid || "").split(" ").filter(Boolean).map(wf.loadScript));
    return grid;
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a[href]");
    if (!link || event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || link.target) return;
    const url = new URL(link.href, location.href);
    if (url.origin !== location.origin || window.dash_ag_grid || !needsGrid(url.pathname)) return;
    event.preventDefault(); event.stopPropagation();
    wf.go(url.pathname + url.search);
  }, true);
  // Fetched when the browser has nothing else to do, so that the first visit stays light and the next page is quick.
  window.addEventListener("load", () => setTimeout(() => { if (gridPaths.length) wf.needGrid(wf.settings.gridPaths.split(" ")[0].replace(/<\w+>/g, "x")); }, 5000));
  let lastPath = location.pathname;
  window.addEventListener("popstate", () => {
    if (needsGrid(location.pathname) && !window.dash_ag_grid) { location.reload(); return; }
    // Same page, other state: build it anew, so that its controls show that state.
    if (location.pathname === lastPath) setTimeout(() => bump("shell-reload"), 0);
    lastPath = location.pathname;
  });
  window.addEventListener("_dashprivate_pushstate", () => { lastPath = location.pathname; });

  wf.setTheme = (theme) => {
    wf.setCookie("watchfloor_theme", theme);
    document.documentElement.setAttribute("data-mantine-color-scheme", theme);
    wf.props("shell-mantine", { forceColorScheme: theme });
    wf.redraw();
  };
  /* A strip that says what was done, for ten seconds; `action` takes it back, `gone` is called when it no longer can. */
  const UNDO_MS = 10000, undoTimers = new WeakMap();
  wf.offerUndo = (box, words, action, gone) => {
    box.textContent = words;
    if (action) {
      const button = document.createElement("button");
      button.type = "button"; button.className = "btn quiet"; button.dataset.action = action;
      button.innerHTML = '<span class="i i-undo-2" aria-hidden="true"></span>Undo<span class="key" aria-hidden="true">U</span>';
      box.appendChild(button);
    }
    box.classList.remove("hidden");
    clearTimeout(undoTimers.get(box));
    undoTimers.set(box, setTimeout(() => { box.classList.add("hidden"); gone(); }, UNDO_MS));
  };

  wf.notify = (message, kind) => wf.props("shell-notices", { sendNotifications: [{ action: "show", message, autoClose: 4000,
    color: kind === "error" ? "var(--major)" : "var(--acc)" }] });

  const open = (id) => { const box = byId(id); if (box && !box.open) box.showModal(); };
  wf.actions = {
    refresh: () => bump("shell-refresh"),
    theme: () => wf.setTheme(document.documentElement.getAttribute("data-mantine-color-scheme") === "light" ? "dark" : "light"),
    help: () => { showPageKeys(); open("shell-help"); },
    "close-dialog": (from) => { const box = from && from.closest("dialog"); if (box) box.close(); },
    menu: () => byId("shell").classList.toggle("menu-open"),
    range: () => { byId("shell-range").click(); const first = document.querySelector(".range-presets .menu-item"); if (first) first.focus(); },
    kiosk: () => wf.url.set({ kiosk: wf.url.get("kiosk") === "1" ? null : "1" }),
    "copy-link": () => navigator.clipboard.writeText(location.href).then(() => wf.notify("Link copied"), () => wf.notify("The browser did not allow copying", "error")),
    "zoom-out": () => wf.zoom(2),
    shortcuts: () => {
      wf.setCookie("watchfloor_keys", wf.cookie("watchfloor_keys") === "off" ? "on" : "off");
      showKeysState();
    },
    "apply-range": () => {
      const from = byId("shell-from").value.trim(), to = byId("shell-to").value.trim();
      if (!from) return;
      wf.url.set({ t: null, from: from.replace(" ", "T"), to: to && to !== "now" ? to.replace(" ", "T") : null }, { push: true });
      closePopover();
    },
  };
  function showKeysState() {
    const button = byId("shell-shortcuts-toggle");
    if (button) button.textContent = wf.cookie("watchfloor_keys") === "off" ? "Turn shortcuts on" : "Turn shortcuts off";
  }
  function showPageKeys() {
    showKeysState();
    const box = byId("shell-page-keys"), hints = document.querySelector("#shell-content .hints");
    if (!box) return;
    box.textContent = "";
    if (!hints) return;
    const title = document.createElement("h3");
    title.textContent = "On this page";
    box.appendChild(title);
    hints.querySelectorAll(":scope > span").forEach((item) => { if (item.querySelector(".key")) box.appendChild(item.cloneNode(true)); });
  }
  const closePopover = (but) => document.querySelectorAll("details.pop[open]").forEach((box) => { if (box !== but) box.open = false; });

  document.addEventListener("click", (event) => {
    const at = event.target.closest && event.target.closest("[data-action],[data-range],[data-zone]");
    if (!at) {
      if (event.target.tagName === "DIALOG") event.target.close();
      return;
    }
    if (at.dataset.range) { wf.url.set({ t: at.dataset.range, from: null, to: null }, { push: true }); closePopover(); }
    else if (at.dataset.zone) { wf.url.set({ tz: at.dataset.zone === "utc" ? null : at.dataset.zone }); closePopover(); }
    else if (wf.actions[at.dataset.action]) wf.actions[at.dataset.action](at, event);
  });
  document.addEventListener("click", (event) => closePopover(event.target.closest && event.target.closest("details.pop")), true);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const box = document.querySelector("details.pop[open]");
    if (box) { closePopover(); box.querySelector("summary").focus(); }
  });

  /* A wall stays open for weeks: once a day it loads anew, if the server answers. */
  setInterval(() => {
    if (!document.documentElement.classList.contains("kiosk") || performance.now() < UNITS.d) return;
    fetch("/healthz").then((response) => { if (response.ok) location.reload(); }, () => {});
  }, 600000);

  setInterval(() => {
    const clock = byId("shell-clock");
    if (clock && document.documentElement.classList.contains("kiosk")) {
      clock.textContent = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: safeZone() }).format(Date.now());
    }
  }, 1000);

  // A browser that travelled: the server reads its zone from the cookie, which the first page ever sets.
  setTimeout(() => wf.setCookie("watchfloor_zone", Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC"), 5000);
})();
