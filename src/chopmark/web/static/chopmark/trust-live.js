// The trust page looks again by itself, so that a member that comes back is seen without a click.
"use strict";

(() => {
  const EVERY_MS = 3000;
  const page = document.querySelector("[data-live-page]");
  if (!page) return;

  function renew(fresh) {
    for (const part of page.querySelectorAll("[data-live-part]")) {
      const other = fresh.querySelector(`[data-live-part="${part.dataset.livePart}"]`);
      // Never under somebody's fingers: a link that has the focus stays where it is.
      if (!other || other.innerHTML === part.innerHTML || part.contains(document.activeElement)) continue;
      part.replaceChildren(...other.childNodes);
    }
  }

  async function look() {
    if (!document.hidden) {
      try {
        const answer = await fetch(page.dataset.livePage, { credentials: "same-origin", headers: { Accept: "text/html" } });
        if (answer.ok) renew(new DOMParser().parseFromString(await answer.text(), "text/html"));
      } catch {
        // No network now: the next look may find it.
      }
    }
    setTimeout(look, EVERY_MS);
  }

  setTimeout(look, EVERY_MS);
})();
