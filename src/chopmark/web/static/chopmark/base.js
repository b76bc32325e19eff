// The frame of every page: the folding menu, menus that close, copy buttons, questions before harm.
// Every page works without this file; it only makes things shorter.

const button = document.querySelector(".nav-button");
const nav = document.getElementById("site-nav");
if (button && nav) {
  document.documentElement.classList.add("folds");
  button.hidden = false;
  button.addEventListener("click", () => {
    const open = nav.classList.toggle("is-open");
    button.setAttribute("aria-expanded", String(open));
  });
}

const menus = [...document.querySelectorAll("details.menu")];
document.addEventListener("click", (event) => {
  for (const menu of menus) {
    if (menu.open && !menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of menus) {
    if (!menu.open) continue;
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

for (const copy of document.querySelectorAll("[data-copies]")) {
  const source = document.getElementById(copy.dataset.copies);
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    source.select();
    try {
      await navigator.clipboard.writeText(source.value);
    } catch {
      return; // no permission: the text is selected, the person copies it
    }
    const words = copy.textContent;
    copy.textContent = copy.dataset.done;
    setTimeout(() => (copy.textContent = words), 2000);
  });
}

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

// A passkey that did not work is said on the page; the sign-in scripts would only tell the console.
document.addEventListener("allauth.error", (event) => {
  const place = document.querySelector("[data-passkey-alert]");
  if (!place) return;
  event.preventDefault();
  place.className = "alert alert-danger";
  place.textContent = place.dataset.passkeyAlert;
});

// A picture that the server had no room to make just now is asked for again, a few times; what is none stays none.
const tries = new WeakMap();
function askAgain(picture) {
  const times = tries.get(picture) ?? 0;
  if (times >= 3 || new URL(picture.src, location.href).origin !== location.origin) return;
  tries.set(picture, times + 1);
  const address = picture.src;
  setTimeout(() => {
    if (picture.src === address) picture.src = address;
  }, 2000 * 2 ** times);
}
document.addEventListener("error", (event) => event.target instanceof HTMLImageElement && askAgain(event.target), true);
for (const picture of document.images) {
  if (picture.currentSrc && picture.complete && !picture.naturalWidth) askAgain(picture); // before this file came
}
