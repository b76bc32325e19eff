// A filing saves as you go: a change is sent a moment later, and what is still missing is shown beside the form.
// Without this file the buttons of the form save.
"use strict";

(() => {
  const form = document.querySelector("form[data-saves]");
  const place = document.querySelector("p[data-saved]");
  if (!form || !place) return;
  const WAIT_MS = 900;
  let timer = 0;
  let sent = null;

  async function save() {
    const body = new FormData(form);
    const text = new URLSearchParams(body).toString();
    if (text === sent) return;
    place.textContent = form.dataset.saving;
    try {
      const answer = await fetch(form.action || location.href, { method: "POST", body, credentials: "same-origin", headers: { "X-Saves": "1", Accept: "text/html" } });
      if (answer.redirected || !answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const missing = document.querySelector("[data-missing]");
      if (missing) missing.replaceChildren(...fresh.body.childNodes);
      sent = text;
      place.textContent = form.dataset.saved;
    } catch {
      place.textContent = form.dataset.unsaved;
    }
  }

  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(save, WAIT_MS);
  });
  form.addEventListener("submit", () => clearTimeout(timer));
})();
