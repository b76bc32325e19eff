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
        const fresh = page.querySelector("[data-live]");
        if (!fresh) {
          location.reload();
          return;
        }
        if (fresh.innerHTML !== way.innerHTML) way.replaceChildren(...fresh.childNodes);
        const notice = document.querySelector("[data-consortium-notice]");
        const other = page.querySelector("[data-consortium-notice]");
        if (notice && other && other.innerHTML !== notice.innerHTML) notice.replaceChildren(...other.childNodes);
      }
    } catch {
      // No network now: the next look may find it.
    }
    delay = Math.min(delay * 1.4, 15000);
    setTimeout(look, delay);
  }

  setTimeout(look, delay);
})();
