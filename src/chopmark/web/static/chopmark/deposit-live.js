// A deposit's page looks by itself until the deposit is published, then loads once more with the receipt.
"use strict";

(() => {
  const way = document.querySelector("[data-live]");
  if (!way) return;
  let delay = 1000;

  async function look() {
    try {
      const answer = await fetch(way.dataset.live, { credentials: "same-origin", headers: { Accept: "text/html" } });
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        if (!page.querySelector("[data-live]")) {
          location.reload();
          return;
        }
      }
    } catch {
      // No network now: the next look may find it.
    }
    delay = Math.min(delay * 1.4, 15000);
    setTimeout(look, delay);
  }

  setTimeout(look, delay);
})();
