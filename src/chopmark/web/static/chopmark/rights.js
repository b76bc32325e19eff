// Forms of rights, works and copies: what was typed is kept in this browser until it is filed, files can be dropped, and a
// file of an office is read as soon as it is chosen. Without this file every form works as a plain form.
"use strict";

(() => {
  const KEPT_MS = 14 * 24 * 3600 * 1000;
  const PREFIX = "chopmark.draft.";
  const textsPlace = document.getElementById("rights-texts");
  const texts = textsPlace ? JSON.parse(textsPlace.textContent) : {};
  const say = (name, facts = {}) => (texts[name] || "").replace(/\{(\w+)\}/g, (_, key) => facts[key] ?? "");

  // ---- drafts

  const store = {
    read(key) {
      try {
        const kept = JSON.parse(localStorage.getItem(PREFIX + key));
        return kept && Date.now() - kept.at < KEPT_MS ? kept : null;
      } catch {
        return null;
      }
    },
    write(key, fields) {
      try {
        localStorage.setItem(PREFIX + key, JSON.stringify({ at: Date.now(), fields }));
      } catch {
        // A full or forbidden store: the form itself still holds everything.
      }
    },
    drop(key) {
      try {
        localStorage.removeItem(PREFIX + key);
      } catch {
        // As above.
      }
    },
  };

  // A file that is with the platform already is not kept: a form that is opened anew shows no sign of it.
  const isKept = (field) =>
    field.name &&
    !["file", "submit", "button", "image", "password"].includes(field.type) &&
    field.dataset.notKept === undefined &&
    field.name !== "csrfmiddlewaretoken";

  function fieldsOf(form) {
    const found = {};
    for (const field of form.elements) {
      if (!isKept(field)) continue;
      if (field.type === "checkbox" || field.type === "radio") {
        found[field.name] = found[field.name] || [];
        if (field.checked) found[field.name].push(field.value);
      } else if (field.tagName === "SELECT" && field.multiple) {
        found[field.name] = [...field.selectedOptions].map((option) => option.value);
      } else {
        found[field.name] = field.value;
      }
    }
    return found;
  }

  function put(form, fields) {
    let changed = 0;
    for (const field of form.elements) {
      if (!isKept(field) || !(field.name in fields)) continue;
      const value = fields[field.name];
      const before = field.type === "checkbox" || field.type === "radio" ? field.checked : field.value;
      if (field.type === "checkbox" || field.type === "radio") field.checked = value.includes(field.value);
      else if (field.tagName === "SELECT" && field.multiple) {
        for (const option of field.options) option.selected = value.includes(option.value);
      } else field.value = value;
      const after = field.type === "checkbox" || field.type === "radio" ? field.checked : field.value;
      if (before !== after) changed += 1;
    }
    return changed;
  }

  for (const done of document.querySelectorAll("[data-draft-done]")) store.drop(done.dataset.draftDone);

  for (const form of document.querySelectorAll("form[data-draft]")) {
    const key = form.dataset.draft;
    const blank = fieldsOf(form);
    const notice = document.querySelector("[data-draft-notice]");
    const kept = form.dataset.fresh === "1" ? store.read(key) : null;
    if (kept && put(form, kept.fields) && notice) {
      notice.hidden = false;
      notice.querySelector("[data-draft-forget]").addEventListener("click", () => {
        store.drop(key);
        put(form, blank);
        notice.hidden = true;
        form.querySelector("input:not([type=hidden]), select, textarea").focus();
      });
    }
    let timer = 0;
    const keep = () => store.write(key, fieldsOf(form));
    form.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(keep, 250);
    });
    form.addEventListener("submit", keep);
    window.addEventListener("pagehide", () => {
      if (JSON.stringify(fieldsOf(form)) !== JSON.stringify(blank)) keep();
    });
    form.addEventListener("chopmark:filled", keep);
  }

  // ---- files that are dropped

  for (const place of document.querySelectorAll("[data-drop]")) {
    const input = place.querySelector("input[type=file]");
    const said = place.querySelector("[data-said]");
    let depth = 0;
    const over = (on) => place.classList.toggle("is-over", on);
    place.addEventListener("dragenter", (event) => {
      event.preventDefault();
      depth += 1;
      over(true);
    });
    place.addEventListener("dragover", (event) => event.preventDefault());
    place.addEventListener("dragleave", () => {
      depth -= 1;
      if (depth <= 0) over(false);
    });
    place.addEventListener("drop", (event) => {
      event.preventDefault();
      depth = 0;
      over(false);
      if (!event.dataTransfer.files.length) return;
      const carried = new DataTransfer();
      for (const file of input.multiple ? event.dataTransfer.files : [event.dataTransfer.files[0]]) carried.items.add(file);
      input.files = carried.files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
    });
    input.addEventListener("change", () => {
      if (said && !place.dataset.read) said.textContent = [...input.files].map((file) => file.name).join(", ");
    });
  }

  // ---- a form with a file: how far it is; an answer that is no new page only brings its complaints

  function send(address, body, onProgress) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", address);
      request.setRequestHeader("Accept", "text/html, application/json");
      request.setRequestHeader("X-Requested-With", "XMLHttpRequest");
      request.upload.addEventListener("progress", (event) => event.lengthComputable && onProgress(event.loaded, event.total));
      request.addEventListener("load", () => resolve(request));
      request.addEventListener("error", () => reject(new Error("network")));
      request.send(body);
    });
  }

  function showProgress(form, text, sent, all) {
    const status = form.querySelector("[data-status]");
    const bar = form.querySelector("progress");
    if (status) status.textContent = text;
    if (!bar) return;
    bar.hidden = all === undefined;
    if (all !== undefined && sent < all) {
      bar.max = all;
      bar.value = sent;
    } else if (all !== undefined) bar.removeAttribute("value"); // it arrived; the platform works on it
  }

  const percent = (sent, all) => `${Math.floor((100 * sent) / Math.max(1, all))} %`;

  for (const form of document.querySelectorAll("form[data-progress]")) {
    form.addEventListener("submit", async (event) => {
      const files = [...form.querySelectorAll("input[type=file]")].flatMap((input) => [...input.files]);
      if (!files.length || event.submitter?.name === "plain") return;
      if (files.length && !form.reportValidity()) return;
      event.preventDefault();
      const body = new FormData(form, event.submitter);
      const buttons = form.querySelectorAll("button");
      for (const button of buttons) button.disabled = true;
      const complaints = form.querySelector("[data-complaints]");
      if (complaints) complaints.replaceChildren();
      showProgress(form, say("uploading", { percent: "0 %" }), 0, 1);
      try {
        const answer = await send(form.action || location.href, body, (sent, all) =>
          showProgress(form, sent < all ? say("uploading", { percent: percent(sent, all) }) : say("working"), sent, all),
        );
        if (answer.status < 400) {
          location.assign(answer.responseURL);
          return;
        }
        const fresh = new DOMParser().parseFromString(answer.responseText, "text/html");
        const main = fresh.querySelector("main");
        if (form.dataset.whole !== undefined && answer.status === 422 && main) {
          // The page as the server sees it: the file is there already, and what resembles it is shown.
          document.querySelector("main").replaceChildren(...main.childNodes);
          const first = document.querySelector("main .errorlist, main .held");
          if (first) {
            first.tabIndex = -1;
            first.focus();
          }
          return;
        }
        const found = [...fresh.querySelectorAll(".errorlist li, .notice-page p.lead, [data-sentence]")];
        const list = document.createElement("ul");
        list.className = "errorlist nonfield";
        for (const each of found.length ? found : [null]) {
          const line = document.createElement("li");
          line.textContent = each ? each.textContent.trim() : say("trouble");
          list.append(line);
        }
        if (complaints) {
          complaints.replaceChildren(list);
          complaints.focus();
        }
        showProgress(form, "");
      } catch {
        showProgress(form, say("network"));
      }
      for (const button of buttons) button.disabled = false;
    });
  }

  // ---- a file of an office: read, and what could be read is filled in

  for (const place of document.querySelectorAll("[data-read]")) {
    const form = document.getElementById(place.dataset.form);
    const input = place.querySelector("input[type=file]");
    const said = place.querySelector("[data-said]");
    const problems = place.querySelector("[data-problems]");
    const bar = place.querySelector("progress");
    input.addEventListener("change", async () => {
      const [file] = input.files;
      if (!file) return;
      said.textContent = say("reading", { name: file.name });
      problems.replaceChildren();
      bar.hidden = false;
      bar.max = 1;
      bar.value = 0;
      const body = new FormData();
      body.append("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
      body.append("office_file", file);
      try {
        const answer = await send(place.dataset.read, body, (sent, all) => {
          bar.max = all;
          bar.value = sent;
        });
        const read = JSON.parse(answer.responseText);
        said.textContent = read.sentence || read.detail || say("trouble");
        for (const line of read.problems || []) {
          const item = document.createElement("li");
          item.textContent = line;
          problems.append(item);
        }
        if (read.fields) {
          put(form, read.fields);
          for (const field of form.elements) {
            if (!field.name || field.type === "hidden") continue;
            const on = Boolean(read.fields[field.name]) && field.value === read.fields[field.name];
            field.classList.toggle("filled", on);
          }
          form.dispatchEvent(new Event("chopmark:filled"));
        }
      } catch {
        said.textContent = say("network");
      }
      bar.hidden = true;
      input.value = ""; // its bytes are with the platform; the form carries only their id
    });
  }
  for (const field of document.querySelectorAll("form[data-draft] input, form[data-draft] select, form[data-draft] textarea")) {
    field.addEventListener("input", () => field.classList.remove("filled"));
  }
})();
