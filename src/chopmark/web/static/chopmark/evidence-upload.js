// The upload form of a matter: the file is hashed here and goes up in pieces that survive a lost network; then the form is
// sent with the upload's id instead of the file. Without this file the form sends the file itself.
"use strict";

(() => {
  const form = document.querySelector("form[data-uploads]");
  if (!form || !window.tus) return;
  const settings = JSON.parse(document.getElementById("upload-settings").textContent);
  const texts = JSON.parse(document.getElementById("upload-texts").textContent);
  const file = form.querySelector("input[type=file]");
  const button = form.querySelector("button[type=submit]");
  const status = form.querySelector("[data-status]");
  const bar = form.querySelector("progress");
  const hasher = new window.chopmark.Hasher(settings);

  const say = (name, facts = {}) => texts[name].replace(/\{(\w+)\}/g, (_, key) => facts[key]);
  const percent = (sent, all) => `${Math.floor((100 * sent) / Math.max(1, all))} %`;

  function show(text, sent, all) {
    status.textContent = text;
    bar.hidden = all === undefined;
    if (all !== undefined) {
      bar.max = all || 1;
      bar.value = sent;
    }
  }

  function stop(text) {
    show(text);
    status.classList.add("text-danger");
    button.disabled = false;
    file.disabled = false;
  }

  function reason(answer) {
    try {
      return JSON.parse(answer.body).detail || say("trouble");
    } catch {
      return say("trouble");
    }
  }

  form.addEventListener("submit", (event) => {
    const [chosen] = file.files;
    if (!chosen || form.elements.upload.value) return;
    if (!form.reportValidity()) return;
    event.preventDefault();
    button.disabled = true;
    status.classList.remove("text-danger");
    hasher.hash(chosen, false, {
      onProgress: (done) => show(say("hashing", { percent: percent(done, chosen.size) }), done, chosen.size),
      onEnd: (end) => (end.done ? upload(chosen, end.done.sha256) : stop(say("unreadable"))),
    });
  });

  function upload(chosen, sha256) {
    const going = new window.chopmark.Upload({
      file: chosen,
      endpoint: settings.uploads,
      csrf: form.elements.csrfmiddlewaretoken.value,
      chunk: settings.chunk,
      fingerprint: `${settings.organisation}|${sha256}|`,
      metadata: { filename: chosen.name, filetype: chosen.type, sha256 },
      onProgress: (sent, all) => show(say("uploading", { percent: percent(sent, all) }), sent, all),
      onTrouble: (kind, answer) => stop(kind === "refused" ? reason(answer) : say(kind)),
      onDone: async (url) => {
        form.elements.upload.value = url.split("/").pop();
        form.elements.file_name.value = chosen.name;
        await going.forget();
        show(say("adding"));
        file.disabled = true; // the bytes are there; the form carries only their id
        form.submit();
      },
    });
    going.start();
  }

  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    button.disabled = false;
    file.disabled = false;
    form.elements.upload.value = "";
    show("");
  });
})();
