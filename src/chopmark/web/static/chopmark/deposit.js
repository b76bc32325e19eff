// The deposit page: choose files, hash them here, describe them, deposit them in one batch, watch them be published.
//
// Each file is a Row with one state; `show` draws a row from its state and nothing else does.
// Texts that were typed are kept in sessionStorage by file (name, size, time), so that a reload loses none of them.
// What is asked of the server stands in the object `server` below and nowhere else.
"use strict";

(() => {
  const app = document.getElementById("deposit-app");
  if (!app) return;
  const find = (name, inside = app) => inside.querySelector(`[data-${name}]`);
  const texts = JSON.parse(document.getElementById("deposit-texts").textContent);
  const settings = JSON.parse(document.getElementById("deposit-settings").textContent);
  const language = document.documentElement.lang || "en";
  const csrf = document.querySelector("input[name=csrfmiddlewaretoken]").value;
  const FIELDS = ["kind", "title", "author", "private"];
  const OPEN = new Set(["ready", "failed"]);
  const rows = [];
  let nextRow = 1;
  let sending = false;

  // ---------------------------------------------------------------- words
  function say(key, facts = {}) {
    return texts[key].replace(/\{(\w+)\}/g, (_, name) => facts[name]);
  }

  // Decimal units, as `size_text` of the server writes them.
  function size(bytes) {
    const power = Math.min(3, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
    const number = new Intl.NumberFormat(language, { maximumFractionDigits: power > 1 ? 1 : 0 }).format(bytes / 1000 ** power);
    return `${number} ${["B", "kB", "MB", "GB"][power]}`;
  }

  const percent = (part, whole) => new Intl.NumberFormat(language, { style: "percent" }).format(whole ? part / whole : 0);

  let announceTimer = 0;
  function announce(text) {
    clearTimeout(announceTimer);
    announceTimer = setTimeout(() => {
      find("announce").textContent = text;
    }, 250);
  }

  // ---------------------------------------------------------------- the server
  const server = {
    async ask(url, options = {}) {
      let answer;
      try {
        answer = await fetch(url, {
          credentials: "same-origin",
          ...options,
          headers: { Accept: "application/json", "Accept-Language": language, ...options.headers },
        });
      } catch {
        throw new Trouble(say("offline"));
      }
      let body = null;
      try {
        body = await answer.json();
      } catch {
        // An answer without JSON is told by its status below.
      }
      if (!answer.ok) throw new Trouble(problem(body, answer.status), answer.status);
      return body;
    },

    deposit: (items, key) =>
      server.ask(settings.batch, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRFToken": csrf, "Idempotency-Key": key },
        body: JSON.stringify({ items }),
      }),

    state: (id) => server.ask(settings.one.replace(settings.placeholder, id)),

    membersMissing: async () => (await server.ask(settings.consortium)).quorum === "missing",

    earlier: (sha256) => server.ask(`${settings.list}?${new URLSearchParams({ digest: `sha-256:${sha256}`, limit: "1" })}`),
  };

  class Trouble extends Error {
    constructor(message, status = 0) {
      super(message);
      this.status = status;
    }
  }

  function problem(body, status) {
    const wrong = (body?.errors ?? []).map((each) => `${fieldName(each.pointer)}: ${each.detail}`);
    if (wrong.length) return wrong.join(" ");
    if (status === 401 || status === 403) return body?.detail || say("signed_out");
    return body?.detail || body?.title || say("server_trouble", { status });
  }

  // The label that a person sees for the field at the end of a JSON pointer; the pointer itself for any other.
  function fieldName(pointer) {
    const name = pointer.split("/").pop();
    const label = FIELDS.includes(name) && document.getElementById("deposit-row").content.querySelector(`[data-for='${name}']`);
    return label ? label.textContent : pointer;
  }

  // ---------------------------------------------------------------- what was typed is kept
  const drafts = {
    key: `chopmark.drafts.${settings.organisation}`,
    read() {
      try {
        return JSON.parse(sessionStorage.getItem(this.key)) || {};
      } catch {
        return {};
      }
    },
    write(change) {
      const all = this.read();
      change(all);
      try {
        sessionStorage.setItem(this.key, JSON.stringify(all));
      } catch {
        // A full or forbidden store only means that a reload forgets the texts.
      }
    },
    of: (file) => `${file.name}|${file.size}|${file.lastModified}`,
  };

  function keepDraft(row) {
    drafts.write((all) => {
      all[drafts.of(row.file)] = values(row.element);
    });
  }

  function forgetDraft(row) {
    drafts.write((all) => delete all[drafts.of(row.file)]);
  }

  function values(element) {
    const typed = {};
    for (const name of FIELDS) {
      const field = find(`field='${name}'`, element);
      if (!field) continue;
      typed[name] = field.type === "checkbox" ? field.checked : field.value;
    }
    return typed;
  }

  function fill(element, typed) {
    for (const name of FIELDS) {
      const field = find(`field='${name}'`, element);
      if (!field || typed[name] === undefined || field.disabled) continue;
      if (field.type === "checkbox") field.checked = typed[name];
      else field.value = typed[name];
    }
  }

  // ---------------------------------------------------------------- files come in
  function addFiles(files) {
    const room = settings.most - rows.length;
    const taken = files.slice(0, room);
    notice(files.length > room ? say("too_many", { most: settings.most, left: files.length - room }) : "");
    for (const file of taken) addRow(file);
    if (taken.length) announce(say("added", { n: taken.length }));
    refresh();
  }

  function addRow(file) {
    const element = document.getElementById("deposit-row").content.firstElementChild.cloneNode(true);
    const row = { number: nextRow++, file, element, state: "queued", note: "", digests: null, sent: 0, rate: 0 };
    rows.push(row);
    element.id = `file-${row.number}`;
    for (const label of element.querySelectorAll("[data-for]")) {
      const field = find(`field='${label.dataset.for}'`, element);
      field.id = `file-${row.number}-${label.dataset.for}`;
      label.htmlFor = field.id;
    }
    const name = find("name", element);
    name.id = `file-${row.number}-name`;
    name.textContent = file.path || file.name;
    element.setAttribute("aria-labelledby", name.id);
    find("status", element).id = `file-${row.number}-status`;
    find("size", element).textContent = size(file.size);
    const shared = find("shared");
    fill(element, { ...values(shared), title: titleOf(file.name) });
    fill(element, drafts.read()[drafts.of(file)] || {});
    element.addEventListener("input", () => keepDraft(row));
    find("remove", element).addEventListener("click", () => removeRow(row));
    find("cancel", element).addEventListener("click", () => row.job?.cancel());
    find("again", element).addEventListener("click", () => again(row));
    find("pause", element).addEventListener("click", () => pause(row));
    find("resume", element).addEventListener("click", () => resume(row));
    find("list").append(element);
    if (file.size === 0) set(row, "refused", say("empty_file"));
    else hashRow(row);
  }

  function titleOf(name) {
    const dot = name.lastIndexOf(".");
    return (dot > 0 ? name.slice(0, dot) : name).slice(0, 200);
  }

  async function removeRow(row) {
    stopHashing(row);
    await row.upload?.pause();
    row.uploaded?.(false);
    rows.splice(rows.indexOf(row), 1);
    const next = row.element.nextElementSibling || row.element.previousElementSibling;
    row.element.remove();
    forgetDraft(row);
    (next ? find("remove", next) : find("choose")).focus();
    for (const other of rows) if (other.state === "duplicate" && other.original === row) hashed(other, other.digests);
    announce(say("removed", { name: row.file.name }));
    refresh();
  }

  async function filesOf(transfer) {
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (entries.length === 0) return [...transfer.files];
    const found = [];
    for (const entry of entries) await walk(entry, "", found);
    return found;
  }

  async function walk(entry, folder, found) {
    if (found.length > settings.most) return;
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject)).catch(() => null);
      if (file) found.push(folder ? Object.assign(file, { path: folder + file.name }) : file);
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      // A browser gives a folder in portions; an empty portion is its end.
      const portion = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)).catch(() => []);
      if (portion.length === 0) return;
      for (const each of portion) await walk(each, `${folder}${entry.name}/`, found);
    }
  }

  // ---------------------------------------------------------------- hashing
  const hasher = new window.chopmark.Hasher({ worker: settings.worker, libraries: settings.libraries });

  function hashRow(row) {
    row.sent = 0;
    set(row, "queued");
    const job = hasher.hash(row.file, find("sm3").checked, {
      onProgress(bytes, rate) {
        if (row.job !== job) return;
        Object.assign(row, { sent: bytes, rate });
        set(row, "hashing");
      },
      onEnd(end) {
        if (row.job !== job) return;
        row.job = null;
        if (end.done) hashed(row, end.done);
        else if (end.cancelled) set(row, "cancelled");
        else set(row, "unread", say({ changed: "file_changed", unreadable: "unreadable", engine: "no_engine" }[end.failed]));
      },
    });
    row.job = job;
  }

  function stopHashing(row) {
    const job = row.job;
    row.job = null;
    job?.cancel();
  }

  function hashed(row, digests) {
    row.digests = digests;
    row.original = rows.find((other) => other !== row && other.state !== "duplicate" && other.digests?.sha256 === digests.sha256);
    if (row.original) {
      set(row, "duplicate", say("same_file", { name: row.original.file.path || row.original.file.name }));
      return;
    }
    set(row, "ready");
    lookUp(row);
    if (!rows.some(busyHashing)) announce(say("all_hashed", { n: rows.filter((each) => each.state === "ready").length }));
  }

  const busyHashing = (row) => row.state === "queued" || row.state === "hashing";

  let looking = Promise.resolve();
  function lookUp(row) {
    // One question at a time: a folder of a thousand files must not be a thousand requests at once.
    looking = looking.then(async () => {
      if (!rows.includes(row) || row.state !== "ready") return;
      const found = await server.earlier(row.digests.sha256).catch(() => null);
      const [first] = found?.items ?? [];
      if (!first) return;
      row.earlier = { at: new Date(first.created_at), url: settings.detail.replace(settings.placeholder, first.id) };
      show(row);
    });
  }

  function again(row) {
    if (row.state === "failed") {
      set(row, "ready");
      submit();
    } else {
      row.digests = null;
      hashRow(row);
    }
  }

  // ---------------------------------------------------------------- keeping the file: resumable upload
  const keeps = () => app.querySelector("input[name=keep]:checked").value === "keep";

  function uploadRow(row) {
    return new Promise((resolve) => {
      row.uploaded = resolve;
      row.upload = new window.chopmark.Upload({
        file: row.file,
        endpoint: settings.uploads,
        csrf,
        chunk: settings.chunk,
        fingerprint: `chopmark-${settings.organisation}-${row.digests.sha256}-${row.file.size}`,
        metadata: { filename: row.file.name, filetype: row.file.type || "application/octet-stream", sha256: row.digests.sha256 },
        onProgress(sent, total) {
          const now = performance.now();
          row.mark ??= { at: now, sent };
          if (now - row.mark.at > 1000) {
            row.rate = ((sent - row.mark.sent) * 1000) / (now - row.mark.at);
            row.mark = { at: now, sent };
          }
          Object.assign(row, { sent, total });
          set(row, "uploading");
        },
        onDone(url) {
          row.uploadUrl = url;
          set(row, "uploaded");
          resolve(true);
        },
        onTrouble(kind, answer) {
          if (kind === "changed") set(row, "unread", say("file_changed"));
          else if (kind === "network") set(row, "paused", say("upload_lost"));
          else set(row, "failed", uploadRefusal(answer));
          if (kind !== "network") resolve(false);
        },
      });
      row.sent = 0;
      set(row, "uploading");
      row.upload.start();
    });
  }

  function uploadRefusal({ status, body }) {
    try {
      return problem(JSON.parse(body), status);
    } catch {
      return say("server_trouble", { status });
    }
  }

  async function pause(row) {
    await row.upload.pause();
    set(row, "paused");
  }

  function resume(row) {
    row.mark = undefined;
    set(row, "uploading");
    row.upload.start();
  }

  window.addEventListener("online", () => rows.filter((row) => row.state === "paused" && row.note).forEach(resume));

  // ---------------------------------------------------------------- depositing
  let lastBatch = { text: "", key: "" };

  async function submit() {
    if (sending) return;
    const chosen = rows.filter((row) => OPEN.has(row.state));
    if (chosen.length === 0 || rows.some(busyHashing)) return;
    sending = true;
    notice("");
    for (const row of chosen) set(row, "waiting");
    try {
      const sent = keeps() ? await uploadAll(chosen) : chosen;
      if (sent.length) await depositAll(sent);
    } finally {
      sending = false;
      for (const row of chosen) if (row.state === "waiting" || row.state === "sending") set(row, "ready");
      refresh();
    }
  }

  async function uploadAll(chosen) {
    const ready = [];
    for (const row of chosen) if (row.uploadUrl || (await uploadRow(row))) ready.push(row);
    return ready;
  }

  async function depositAll(sent) {
    for (const row of sent) set(row, "sending");
    const items = sent.map(item);
    let answer;
    try {
      answer = await server.deposit(items, keyFor(items));
    } catch (trouble) {
      if (!(trouble instanceof Trouble)) throw trouble;
      for (const row of sent) set(row, "failed", trouble.message);
      notice(say("nothing_lost", { reason: trouble.message }));
      return;
    }
    sent.forEach((row, place) => settle(row, answer.items[place]));
    const made = sent.filter((row) => row.deposit).length;
    announce(say("deposited", { n: made, of: sent.length }));
    poll();
  }

  // One batch keeps its key as long as it says the same, so that a repeat after a lost answer deposits nothing twice.
  function keyFor(items) {
    const text = JSON.stringify(items);
    if (text !== lastBatch.text) {
      const bytes = crypto.getRandomValues(new Uint8Array(16));
      lastBatch = { text, key: [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("") };
    }
    return lastBatch.key;
  }

  function item(row) {
    const typed = values(row.element);
    const made = {
      ...typed,
      digests: { "sha-256": row.digests.sha256 },
      size: row.digests.size,
      file_name: row.file.name,
      media_type: row.file.type || "application/octet-stream",
    };
    if (row.digests.sm3) made.digests.sm3 = row.digests.sm3;
    if (row.uploadUrl) made.upload = new URL(row.uploadUrl, location.href).pathname.replace(/\/$/, "").split("/").pop();
    return made;
  }

  function settle(row, result) {
    if (result?.deposit) {
      row.deposit = result.deposit;
      row.upload?.forget();
      forgetDraft(row);
      set(row, row.deposit.state === "published" ? "published" : "pending");
    } else {
      set(row, "failed", problem(result?.error ?? result, result?.status));
    }
  }

  // ---------------------------------------------------------------- watching them be published
  let polling = false;
  let membersMissing = false;
  async function poll() {
    if (polling) return;
    polling = true;
    let delay = settings.poll;
    const shows = (members) => {
      if (members === membersMissing) return;
      membersMissing = members;
      for (const row of rows) if (row.state === "pending") show(row);
    };
    for (;;) {
      const pending = rows.filter((row) => row.state === "pending");
      if (pending.length === 0) break;
      await new Promise((resolve) => setTimeout(resolve, delay));
      let moved = false;
      for (const row of pending) {
        const found = await server.state(row.deposit.id).catch(() => null);
        if (!found || found.state !== "published") break;
        row.deposit = found;
        set(row, "published");
        moved = true;
      }
      delay = moved ? settings.poll : Math.min(delay * 1.4, settings.poll * 15);
      // What takes longer than usual may wait for members of the consortium; then the page says so.
      if (!moved && delay > settings.poll * 3) shows(await server.membersMissing().catch(() => membersMissing));
    }
    membersMissing = false;
    polling = false;
    announce(say("all_published"));
  }

  // ---------------------------------------------------------------- drawing
  function set(row, state, note = "") {
    row.state = state;
    row.note = note;
    show(row);
    refresh();
  }

  const SHOWN = {
    cancel: new Set(["queued", "hashing"]),
    again: new Set(["cancelled", "unread", "failed"]),
    pause: new Set(["uploading"]),
    resume: new Set(["paused"]),
    remove: new Set(["queued", "hashing", "ready", "duplicate", "refused", "cancelled", "unread", "failed", "paused", "uploading"]),
    fields: new Set(["queued", "hashing", "ready", "cancelled", "unread", "failed"]),
    moving: new Set(["hashing", "uploading"]),
  };
  const COLOUR = { published: "good", pending: "wait", failed: "bad", unread: "bad", refused: "bad", duplicate: "warn", paused: "warn" };

  function show(row) {
    const { element, state } = row;
    element.dataset.state = state;
    const badge = find("badge", element);
    badge.textContent = say(membersMissing && state === "pending" ? "state_members" : `state_${state}`);
    badge.className = `mark mark-${COLOUR[state] || "plain"}`;
    for (const name of ["cancel", "again", "pause", "resume", "remove"]) find(name, element).hidden = !SHOWN[name].has(state);
    for (const field of element.querySelectorAll("[data-field]")) field.disabled = !SHOWN.fields.has(state);
    find("fields", element).hidden = ["refused", "duplicate", "pending", "published"].includes(state);
    const bar = find("bar", element);
    bar.hidden = !SHOWN.moving.has(state);
    bar.max = row.file.size || 1;
    bar.value = row.sent;
    bar.setAttribute("aria-label", say(`state_${state}`));
    find("status", element).textContent = statusText(row);
    const digest = find("digest", element);
    digest.hidden = !row.digests;
    if (row.digests) find("digest-text", element).textContent = row.digests.sha256;
    const second = find("sm3-line", element);
    second.hidden = !row.digests?.sm3;
    if (row.digests?.sm3) find("sm3-text", element).textContent = row.digests.sm3;
    showEarlier(row);
    showLinks(row);
  }

  function statusText(row) {
    if (row.note) return row.note;
    if (row.state === "hashing" || row.state === "uploading") {
      const facts = { done: size(row.sent), all: size(row.file.size), percent: percent(row.sent, row.file.size), rate: size(Math.round(row.rate || 0)) };
      return row.rate ? say("progress_rate", facts) : say("progress", facts);
    }
    if (row.state === "paused") return say("paused_at", { percent: percent(row.sent, row.file.size) });
    if (row.state === "pending" && membersMissing) return say("note_members");
    return row.state === "pending" || row.state === "published" ? say(`note_${row.state}`) : "";
  }

  function showEarlier(row) {
    const line = find("earlier", row.element);
    line.hidden = !row.earlier || row.state !== "ready";
    if (line.hidden) return;
    const link = find("earlier-link", row.element);
    link.href = row.earlier.url;
    link.textContent = say("earlier", { at: row.earlier.at.toLocaleString(language, { dateStyle: "medium", timeStyle: "short" }) });
  }

  function showLinks(row) {
    const links = find("links", row.element);
    links.hidden = !row.deposit;
    if (!row.deposit) return;
    const put = (name, url) => {
      find(name, links).href = url.replace(settings.placeholder, row.deposit.id);
    };
    put("link-detail", settings.detail);
    put("link-proof", settings.proof);
    put("link-cose", settings.cose);
    for (const name of ["link-proof", "link-cose"]) find(name, links).hidden = row.state !== "published";
  }

  function refresh() {
    const ready = rows.filter((row) => OPEN.has(row.state)).length;
    const hashing = rows.filter(busyHashing).length;
    find("chosen").hidden = rows.length === 0;
    find("shared").hidden = !rows.some((row) => SHOWN.fields.has(row.state) && row.state !== "refused");
    const button = find("submit");
    button.textContent = ready ? say("submit_n", { n: ready }) : say("submit");
    button.disabled = sending || hashing > 0 || ready === 0;
    find("summary").textContent = summary(ready, hashing);
    const finished = rows.some((row) => row.deposit) && rows.every((row) => ["published", "duplicate", "refused"].includes(row.state));
    find("finished").hidden = !finished;
    find("bar-submit").hidden = finished;
    for (const choice of app.querySelectorAll("[data-choice]")) choice.disabled = sending;
  }

  function summary(ready, hashing) {
    if (sending) return say("sending");
    if (hashing) return say("still_hashing", { n: hashing });
    if (ready) return keeps() ? say("will_keep", { n: ready }) : say("will_stay", { n: ready });
    return "";
  }

  function notice(text) {
    const box = find("notice");
    box.hidden = !text;
    box.textContent = text;
    if (text) box.focus();
  }

  // ---------------------------------------------------------------- the page's own controls
  const drop = find("drop");
  for (const input of app.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => {
      const files = [...input.files].map((file) => (file.webkitRelativePath ? Object.assign(file, { path: file.webkitRelativePath }) : file));
      input.value = "";
      addFiles(files);
    });
  }
  const carriesFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    drop.classList.add("is-over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("is-over");
  });
  document.addEventListener("drop", async (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    drop.classList.remove("is-over");
    addFiles(await filesOf(event.dataTransfer));
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    addFiles(files);
  });
  find("apply").addEventListener("click", () => {
    const typed = values(find("shared"));
    const open = rows.filter((row) => SHOWN.fields.has(row.state));
    for (const row of open) {
      fill(row.element, typed);
      keepDraft(row);
    }
    announce(say("applied", { n: open.length }));
  });
  find("sm3").addEventListener("change", () => {
    for (const row of rows) {
      if (["ready", "queued", "hashing", "failed"].includes(row.state) && find("sm3").checked && !row.digests?.sm3) {
        stopHashing(row);
        row.digests = null;
        hashRow(row);
      }
    }
  });
  for (const choice of app.querySelectorAll("input[name=keep]")) choice.addEventListener("change", refresh);
  find("submit").addEventListener("click", submit);
  window.addEventListener("beforeunload", (event) => {
    if (sending || rows.some((row) => ["hashing", "uploading"].includes(row.state))) event.preventDefault();
  });

  document.documentElement.classList.add("scripted");
  const kept = Object.keys(drafts.read()).map((key) => key.split("|")[0]);
  if (kept.length) {
    find("restored").hidden = false;
    find("restored-names").textContent = kept.slice(0, 10).join(", ");
  }
  find("restored-forget").addEventListener("click", () => {
    sessionStorage.removeItem(drafts.key);
    find("restored").hidden = true;
  });
  refresh();
})();
