// Pieces of a page that look by themselves: <div data-fragment="address">. The server sends the piece as HTML; when the
// answer says that the thing is finished (X-Finished: 1) the whole page is loaded once more with its results.
// Without this file the page says so and a reload shows the same.
"use strict";

(() => {
  const FIRST_MS = 700;
  const LAST_MS = 5000;

  function watch(place) {
    let delay = FIRST_MS;

    async function look() {
      try {
        const answer = await fetch(place.dataset.fragment, { credentials: "same-origin", headers: { Accept: "text/html" } });
        if (answer.status === 401 || answer.status === 403 || answer.status === 404 || answer.redirected) return;
        if (answer.ok) {
          const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").body;
          // What somebody has the focus in stays until they leave it: a new piece would throw them back to the top.
          if (fresh.innerHTML !== place.innerHTML && !place.contains(document.activeElement)) {
            place.replaceChildren(...fresh.childNodes);
            delay = FIRST_MS;
          }
          if (answer.headers.get("X-Finished") === "1") {
            location.reload();
            return;
          }
        }
      } catch {
        // No network now: the next look may find it.
      }
      delay = Math.min(delay * 1.3, LAST_MS);
      setTimeout(look, document.hidden ? LAST_MS : delay);
    }

    setTimeout(look, delay);
  }

  for (const place of document.querySelectorAll("[data-fragment]")) watch(place);
})();
