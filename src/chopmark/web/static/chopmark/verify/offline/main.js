/**
 * The page `verify.html`: one file, opened from disk, without a network. Takes a bundle, or a file with its receipts,
 * and shows what the verifier says of it; the report is also `window.chopmarkReport`.
 *
 * Trust comes with the page, or from a file that the reader loads; never from the bundle.
 */

import { ed, ml_dsa44 as mldsa44 } from "../../../vendor/noble/noble.js";
import { fromBase64 } from "../bytes.js";
import { bytesOf } from "../container.js";
import { Invalid } from "../errors.js";
import { sha256 } from "../sha256.js";
import { makeSuite } from "../suite.js";
import { Trust } from "../trust.js";
import { Desk } from "./desk.js";
import { printed, View } from "./view.js";

const given = (id) => JSON.parse(document.getElementById(id).textContent);
const part = (name) => document.querySelector(`[data-${name}]`);

const suite = makeSuite({ ed, mldsa44, subtle: globalThis.crypto?.subtle });
const view = new View(document, given("wording"));
const desk = new Desk(suite);

/** What is shown; drawn anew when the language changes. */
const state = { trust: null, origin: ["trust_none"], outcome: null };

function load(bytes, ...origin) {
  state.trust = Trust.parse(bytes, suite);
  state.origin = origin;
}

// ---- showing -------------------------------------------------------------------------------------------------------

function speak(language) {
  view.speak(language);
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = view.text("title");
  for (const each of document.querySelectorAll("[data-text]")) each.textContent = view.text(each.dataset.text);
  for (const each of document.querySelectorAll("[data-label]")) each.setAttribute("aria-label", view.text(each.dataset.label));
  for (const each of document.querySelectorAll("[data-language]")) {
    each.setAttribute("aria-pressed", String(each.dataset.language === language));
  }
  showTrust();
  showOutcome();
}

function showTrust() {
  const prints = state.trust === null ? [] : state.trust.roots.map(({ certificate }) => printed(sha256(certificate)));
  part("trust").replaceChildren(...view.trust(state.trust, view.text(...state.origin), prints));
}

function showOutcome() {
  const { outcome } = state;
  part("actions").hidden = outcome === null;
  part("results").replaceChildren(...(outcome === null ? [] : view.outcome(outcome)));
}

function tell(name, text = "", facts = {}) {
  part(name).textContent = text && view.text(text, facts);
  part(name).hidden = text === "";
}

function showProgress(name, share) {
  part("progress").hidden = false;
  part("progress").querySelector("progress").value = share;
  part("progress-text").textContent = view.text("reading", { name, percent: Math.floor(share * 100) });
}

// ---- verifying -----------------------------------------------------------------------------------------------------

async function run(files) {
  tell("problem");
  desk.cancel();
  window.chopmarkReport = undefined;
  delete document.documentElement.dataset.verdict;
  state.outcome = null;
  showOutcome();
  if (files.length === 0) return;
  try {
    state.outcome = await desk.examine(files, state.trust, Date.now() / 1000, showProgress);
  } catch (error) {
    // A browser refuses to read a file that changed on disk since it was chosen.
    if (!(error instanceof DOMException)) throw error;
    tell("problem", error.name === "AbortError" ? "cancelled" : "changed");
  }
  part("progress").hidden = true;
  if (state.outcome === null) {
    if (part("problem").hidden) tell("problem", "nothing");
    return;
  }
  showOutcome();
  window.chopmarkReport = state.outcome.report;
  document.documentElement.dataset.verdict = state.outcome.report.verdict;
  part("announce").textContent = view.text("done", { verdict: view.text(state.outcome.report.verdict) });
  document.getElementById("verdict").focus({ preventScroll: true });
  document.getElementById("verdict").scrollIntoView({ block: "center" });
}

async function takeTrust(file) {
  tell("trust-problem");
  try {
    load(await bytesOf(file), "trust_from_file", { name: file.name });
  } catch (error) {
    if (!(error instanceof Invalid) && !(error instanceof DOMException)) throw error;
    const reason = error instanceof Invalid ? view.words.say(error.code, error.facts) : view.text("changed");
    tell("trust-problem", "trust_wrong", { reason });
    return;
  }
  showTrust();
  if (desk.files.length > 0) await run(desk.files);
}

function save() {
  const blob = new Blob([`${JSON.stringify(state.outcome.report, null, 1)}\n`], { type: "application/json" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${state.outcome.name}.report.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// ---- the page's controls -------------------------------------------------------------------------------------------

for (const kind of ["dragover", "drop"]) {
  // Wherever a file falls on the page, it is meant for it; a browser would open it otherwise.
  window.addEventListener(kind, (event) => event.preventDefault());
}
window.addEventListener("dragover", () => part("drop").classList.add("over"));
window.addEventListener("dragleave", () => part("drop").classList.remove("over"));
window.addEventListener("drop", (event) => {
  part("drop").classList.remove("over");
  run([...event.dataTransfer.files]);
});
part("choose").addEventListener("change", ({ target }) => {
  const files = [...target.files];
  target.value = "";
  run(files);
});
part("trust-file").addEventListener("change", ({ target }) => {
  const [file] = target.files;
  target.value = "";
  if (file !== undefined) takeTrust(file);
});
part("cancel").addEventListener("click", () => desk.cancel());
part("print").addEventListener("click", () => window.print());
part("save").addEventListener("click", save);
part("again").addEventListener("click", () => {
  run([]);
  part("choose").focus();
});
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => speak(button.dataset.language));
}

function takeBrought(brought) {
  if (brought === null) return;
  const bytes = typeof brought === "string" ? fromBase64(brought) : null;
  try {
    load(bytes ?? new Uint8Array(0), "trust_from_page");
  } catch (error) {
    if (!(error instanceof Invalid)) throw error;
    tell("trust-problem", "trust_wrong", { reason: view.words.say(error.code, error.facts) });
  }
}

takeBrought(given("trust"));
speak(navigator.languages.some((each) => each.toLowerCase().startsWith("zh")) ? "zh" : "en");
document.documentElement.dataset.ready = "";
