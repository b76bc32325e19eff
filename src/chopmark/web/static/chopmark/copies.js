// The slider that lays a protected work over the picture that was looked for. The picture is an SVG of two images; moving
// the slider changes how far the upper one is shown. Without this file the upper one covers half. Keys work as on any slider.
"use strict";

(() => {
  for (const place of document.querySelectorAll("[data-overlay]")) {
    const slider = place.querySelector("input[type=range]");
    const window_ = place.querySelector("[data-window]");
    const edge = place.querySelector("[data-edge]");
    const width = Number(place.dataset.width);
    if (!slider || !window_ || !width) continue;
    place.querySelector("[data-control]").hidden = false;
    const move = () => {
      const x = (width * Number(slider.value)) / 100;
      window_.setAttribute("width", String(x));
      edge.setAttribute("x1", String(x));
      edge.setAttribute("x2", String(x));
      slider.setAttribute("aria-valuetext", `${slider.value} %`);
    };
    slider.addEventListener("input", move);
    place.querySelector("svg").addEventListener("pointermove", (event) => {
      if (event.buttons !== 1) return;
      const box = place.querySelector("svg").getBoundingClientRect();
      slider.value = String(Math.round((100 * (event.clientX - box.left)) / box.width));
      move();
    });
    move();
  }
})();
