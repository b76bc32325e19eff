// Copy buttons: <button data-copy="text"> or <button data-copy-from="id of an element">.
// The button says what happened to eyes (its label changes) and to screen readers (a live region beside it).
"use strict";

(() => {
  const SAY_MS = 2000;

  async function write(text) {
    if (navigator.clipboard && window.isSecureContext) {
      await navigator.clipboard.writeText(text);
      return;
    }
    // Plain http on a local network has no clipboard interface; the old way still works there.
    const field = document.createElement("textarea");
    field.value = text;
    field.setAttribute("readonly", "");
    field.className = "copy-field";
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    if (!copied) throw new Error("copy refused");
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy], [data-copy-from]");
    if (!button) return;
    const source = button.dataset.copyFrom && document.getElementById(button.dataset.copyFrom);
    const text = source ? (source.value ?? source.textContent.trim()) : button.dataset.copy;
    button.dataset.label ??= button.textContent.trim();
    try {
      await write(text);
      button.textContent = button.dataset.copied || "✓";
    } catch {
      button.textContent = button.dataset.failed || "✗";
    }
    button.setAttribute("aria-live", "polite");
    clearTimeout(Number(button.dataset.timer));
    button.dataset.timer = String(
      setTimeout(() => {
        button.textContent = button.dataset.label;
      }, SAY_MS),
    );
  });
})();
