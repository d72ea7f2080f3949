/* The command menu: what the page lists, plus devices and alerts found by name. */
(function () {
  "use strict";
  const wf = window.watchfloor;
  const byId = (id) => document.getElementById(id);
  let active = 0, found = [], timer = 0, asked = 0;

  wf.actions.commands = () => {
    const box = byId("shell-commands");
    if (!box || box.open) return;
    box.showModal();
    const input = byId("shell-command");
    setValue(input, "");
    input.focus();
    found = [];
    show();
  };
  const setValue = (input, value) => {
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(input, value);
    input.dispatchEvent(new Event("input", { bubbles: true }));
  };

  const list = () => byId("shell-command-list");
  const visible = () => [...list().children].filter((item) => !item.hidden);

  function show() {
    const words = byId("shell-command").value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    list().querySelectorAll("li[data-found]").forEach((item) => item.remove());
    [...list().children].forEach((item) => {
      const text = item.textContent.toLowerCase();
      item.hidden = !words.every((word) => text.includes(word));
    });
    found.forEach((entry) => list().appendChild(line(entry)));
    mark(0);
  }

  function line(entry) {
    const item = document.createElement("li");
    item.setAttribute("role", "option");
    item.dataset.found = "1";
    item.dataset.href = entry.href;
    const icon = document.createElement("span");
    icon.className = "i i-" + entry.icon;
    const name = document.createElement("span");
    name.textContent = entry.name;
    name.className = "mono";
    const kind = document.createElement("span");
    kind.textContent = entry.kind;
    kind.className = "kind";
    item.append(icon, name, kind);
    return item;
  }

  function mark(index) {
    const items = visible();
    active = Math.max(0, Math.min(index, items.length - 1));
    [...list().children].forEach((item) => { item.classList.remove("active"); item.setAttribute("aria-selected", "false"); });
    const item = items[active];
    if (!item) return;
    item.classList.add("active");
    item.setAttribute("aria-selected", "true");
    item.scrollIntoView({ block: "nearest" });
  }

  function run(item) {
    byId("shell-commands").close();
    if (item.dataset.href) wf.go(item.dataset.href);
    else if (wf.actions[item.dataset.action]) wf.actions[item.dataset.action](item);
  }

  async function search(text) {
    const turn = ++asked;
    const ask = async (url) => {
      try {
        const response = await fetch(url, { headers: { Accept: "application/json" } });
        return response.ok ? response.json() : {};
      } catch (e) { return {}; }
    };
    const q = encodeURIComponent(text);
    const [devices, alerts] = await Promise.all([
      ask(`/api/v1/devices?limit=6&text=${q}`), ask(`/api/v1/incidents?limit=4&text=${q}`)]);
    if (turn !== asked) return;
    const rows = (answer) => [answer.items, answer.devices, answer.data].find(Array.isArray) || [];
    found = rows(devices).filter((row) => row.name && row.name.toLowerCase().includes(text))
      .map((row) => ({ href: "/inventory/" + encodeURIComponent(row.name), name: row.name, kind: "device", icon: "router" }))
      .concat(rows(alerts).filter((row) => row.summary && (row.summary + " " + (row.device || "")).toLowerCase().includes(text))
        .map((row) => ({ href: "/alerts?sel=" + row.id, name: row.summary, kind: "alert", icon: "siren" })));
    show();
  }

  document.addEventListener("input", (event) => {
    if (event.target.id !== "shell-command") return;
    const text = event.target.value.trim().toLowerCase();
    if (text.length < 2) { asked += 1; found = []; }
    show();
    clearTimeout(timer);
    if (text.length >= 2) timer = setTimeout(() => search(text), 120);
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.id !== "shell-command") return;
    if (event.key === "ArrowDown") { event.preventDefault(); mark(active + 1); }
    else if (event.key === "ArrowUp") { event.preventDefault(); mark(active - 1); }
    else if (event.key === "Enter") { event.preventDefault(); const item = visible()[active]; if (item) run(item); }
  }, true);
  document.addEventListener("click", (event) => {
    const item = event.target.closest && event.target.closest("#shell-command-list li");
    if (item) { event.stopPropagation(); event.preventDefault(); run(item); }
  }, true);
})();
