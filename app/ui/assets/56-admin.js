/* Admin and Account: a button or a form becomes one command of its section. */
(function () {
  "use strict";
  const wf = window.watchfloor;
  let number = 0;
  const send = (from, form) => {
    number += 1;
    wf.props(from.dataset.command, { data: { verb: from.dataset.verb, id: from.dataset.id || "", form: form || {}, n: number } });
  };
  wf.actions["admin-do"] = (button) => send(button);
  wf.actions["admin-tick"] = (chip) => chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
  wf.actions["admin-copy"] = (button) => navigator.clipboard.writeText(button.dataset.copy).then(
    () => wf.notify("Copied"), () => wf.notify("The browser did not allow copying: select the text", "error"));
  /* The same form with another verb: "how often would it have fired". */
  wf.actions["admin-form"] = (button) => send({ dataset: { ...button.dataset } }, read(button.closest("form")));
  const read = (form) => {
    const found = {};
    new FormData(form).forEach((value, key) => { found[key] = value; });
    form.querySelectorAll("[data-tick]").forEach((chip) => {
      const list = (found[chip.dataset.tick] = found[chip.dataset.tick] || []);
      if (chip.getAttribute("aria-pressed") === "true") list.push(chip.dataset.value);
    });
    return found;
  };
  document.addEventListener("submit", (event) => {
    const form = event.target.closest && event.target.closest("form[data-command]");
    if (!form) return;
    event.preventDefault();
    send(form, read(form));
  });
  wf.keys("/admin", { n: () => { const button = document.querySelector("#shell-content .admin [data-key=n]"); if (button) button.click(); } });
  /* Preferences of this browser that need no round trip. */
  wf.actions["account-theme"] = (button) => wf.setTheme(button.dataset.value);
})();
