// Keys of the watch: rows of hits are walked and ticked, cards are decided. Without this file everything is done by
// buttons. A key acts only outside of fields, and only where the page has something for it.
"use strict";

(() => {
  const rows = [...document.querySelectorAll("[data-row]")];
  let here = -1;

  function go(step) {
    if (!rows.length) return false;
    if (here >= 0) rows[here].classList.remove("is-here");
    here = Math.min(rows.length - 1, Math.max(0, here + step));
    rows[here].classList.add("is-here");
    const place = rows[here].querySelector("[data-open]");
    place.focus({ preventScroll: true });
    rows[here].scrollIntoView({ block: "nearest" });
    return true;
  }

  // ---- ticks

  const form = document.querySelector("[data-rows]");
  const boxes = form ? [...form.querySelectorAll("input[name=hit]")] : [];
  const all = form && form.querySelector("[data-all]");
  const count = form && form.querySelector("[data-count]");

  function tell() {
    const ticked = boxes.filter((box) => box.checked).length;
    if (count) count.textContent = ticked ? count.dataset.words.replace("{n}", String(ticked)) : "";
    if (all) {
      all.checked = ticked > 0 && ticked === boxes.length;
      all.indeterminate = ticked > 0 && ticked < boxes.length;
    }
  }

  if (form) form.addEventListener("change", tell);
  if (all && boxes.length) {
    all.hidden = false;
    all.addEventListener("change", () => {
      for (const box of boxes) box.checked = all.checked;
      tell();
    });
  }

  function tick() {
    const box = here >= 0 ? rows[here].querySelector("input[name=hit]") : null;
    if (!box) return false;
    box.checked = !box.checked;
    tell();
    return true;
  }

  // ---- keys

  const acts = {
    j: () => go(1),
    k: () => go(-1),
    x: tick,
    o: () => {
      const link = here >= 0 && rows[here].querySelector("[data-open]");
      if (link) link.click();
      return Boolean(link);
    },
  };

  function press(key) {
    const place = document.querySelector(`[data-key="${key}"]`);
    if (!place) return false;
    if (place.tagName === "SELECT") place.focus();
    else place.click();
    return true;
  }

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (typing) {
      // Enter in the choice of a reason sends the answer that stands beside it.
      if (event.key === "Enter" && typing.matches("[data-decide] select")) {
        const send = typing.closest("fieldset").querySelector("button[type=submit]");
        event.preventDefault();
        send.click();
      }
      return;
    }
    if (!/^[a-z]$/.test(event.key)) return;
    const done = rows.length && acts[event.key] ? acts[event.key]() : press(event.key);
    if (done) event.preventDefault();
  });

  tell();
})();
