/**
 * The verify page: takes a file (or its digest), receipts and a policy, and shows what `verify` says of them.
 *
 * Everything stays in this browser: after the page has loaded, nothing is fetched and nothing is sent.
 */

import { ed, ml_dsa44 as mldsa44 } from "../../vendor/noble/noble.js";
import { fromHex, toUtf8 } from "./bytes.js";
import { Invalid } from "./errors.js";
import { Hashing } from "./hashing.js";
import { Policy } from "./policy.js";
import { FIRST_LINE } from "./proof.js";
import { inForce } from "./quorum.js";
import { MAX_RECEIPT, sizeOf } from "./reading.js";
import { draw, element } from "./show.js";
import { makeSuite, Unsupported } from "./suite.js";
import { timeText, verify } from "./verify.js";
import { readableTime, Words } from "./words.js";

const root = document.querySelector("[data-verify]");
const part = (name) => root.querySelector(`[data-${name}]`);
const given = (id) => JSON.parse(document.getElementById(id).textContent);

const settings = given("verify-settings");
const words = new Words(given("verify-wording"), given("verify-texts"));
const suite = makeSuite({ ed, mldsa44, subtle: globalThis.crypto?.subtle });
const hashing = new Hashing(settings);

/** What the reader has put in. `file` and `policy` are Files, `digests` those of the file or of the digest field;
 * `version` counts the changes. */
const chosen = { file: null, digests: null, pending: null, receipts: [], policy: null, version: 0 };

// ---- taking in -----------------------------------------------------------------------------------------------------

/** Dropped things find their own place: what looks like a receipt is one, wherever it falls. */
async function drop(files, slot) {
  if (files.some(isBundle)) {
    tellOfBundle(files.find(isBundle));
    return;
  }
  const receipts = [];
  const others = [];
  for (const file of files) ((await looksLikeReceipt(file)) ? receipts : others).push(file);
  if (slot === "receipt" && receipts.length === 0) receipts.push(...others.splice(0));
  if (receipts.length > 0) takeReceipts(receipts);
  if (others.length > 0) await takeFile(others[0]);
  if (others.length > 1) tell(words.text("only_one_file", { name: others[0].name }));
  await runWhenComplete();
}

/** A bundle has a page of its own, the one that it brings too. */
const isBundle = ({ name }) => /\.asice$/i.test(name);

function tellOfBundle({ name }) {
  tell(words.text("bundle_here", { name }));
  part("bundle-page").focus();
}

async function looksLikeReceipt(file) {
  if (file.size === 0 || file.size > MAX_RECEIPT) return false;
  if (/\.(tlog-proof|receipt\.cose)$/i.test(file.name)) return true;
  const start = new Uint8Array(await file.slice(0, FIRST_LINE.length).arrayBuffer());
  return FIRST_LINE.every((byte, at) => byte === start[at]);
}

function takeReceipts(files) {
  tell("");
  for (const file of files) {
    if (file.size > MAX_RECEIPT) tell(words.text("receipt_too_large", { name: file.name }));
    else chosen.receipts = [...chosen.receipts.filter(({ name }) => name !== file.name), file];
  }
  showChosen();
}

async function takeFile(file) {
  tell("");
  part("digest").value = "";
  checkDigestField();
  Object.assign(chosen, { file, digests: null });
  showChosen();
  chosen.pending = digestOf(file);
  await chosen.pending;
}

async function digestOf(file) {
  showProgress(0);
  try {
    const found = await hashing.digest(file, showProgress);
    if (found === null || chosen.file !== file) return;
    chosen.digests = { sha256: fromHex(found.sha256), sm3: fromHex(found.sm3), size: found.size, hex: found.sha256 };
  } catch (error) {
    if (chosen.file !== file) return;
    tell(words.text(error.message === "engine" ? "hash_engine" : "hash_failed"));
    chosen.file = null;
  }
  part("progress").hidden = true;
  showChosen();
}

function showProgress(share) {
  part("progress").hidden = false;
  part("progress").querySelector("progress").value = share;
  part("progress-text").textContent = words.text("hashing", { percent: Math.floor(share * 100) });
}

/** The digest field counts when it has a whole digest; an unfinished one is only marked. */
function checkDigestField() {
  const text = part("digest").value.trim().toLowerCase().replace(/^sha-?256:/, "");
  const sha256 = text.length === 64 ? fromHex(text) : null;
  part("digest-wrong").hidden = text === "" || sha256 !== null;
  part("digest-wrong").textContent = words.text("digest_wrong");
  part("digest").setAttribute("aria-invalid", String(!part("digest-wrong").hidden));
  if (text !== "") {
    hashing.cancel();
    part("progress").hidden = true;
    Object.assign(chosen, { file: null, digests: sha256 && { sha256, sm3: null, size: null, hex: text } });
    showChosen();
  } else if (chosen.file === null) {
    chosen.digests = null;
    forget();
  }
}

function showChosen() {
  forget();
  fillList("file", chosen.file ? [chosen.file] : [], () => {
    hashing.cancel();
    part("progress").hidden = true;
    Object.assign(chosen, { file: null, digests: null });
  });
  fillList("receipt", chosen.receipts, (file) => {
    chosen.receipts = chosen.receipts.filter((each) => each !== file);
  });
  fillList("policy", chosen.policy ? [chosen.policy] : [], () => {
    chosen.policy = null;
  });
}

function fillList(slot, files, remove) {
  const list = root.querySelector(`[data-chosen="${slot}"]`);
  list.replaceChildren(
    ...files.map((file) => {
      const item = document.createElement("li");
      const button = element(document, "button", "verify-remove", "×");
      button.type = "button";
      button.setAttribute("aria-label", words.text("remove", { name: file.name }));
      button.addEventListener("click", () => {
        remove(file);
        showChosen();
        root.querySelector(`[data-choose="${slot}"]`).focus();
      });
      item.append(element(document, "span", "", file.name), button);
      return item;
    }),
  );
}

// ---- verifying -----------------------------------------------------------------------------------------------------

async function runWhenComplete() {
  if (chosen.digests !== null && chosen.receipts.length > 0 && (usesPlatform() || chosen.policy)) await run();
}

async function run() {
  tell("");
  if (!part("digest-wrong").hidden) {
    part("digest").focus();
    return;
  }
  if (chosen.receipts.length === 0) {
    tell(words.text("receipt_needed"));
    return;
  }
  await chosen.pending;
  const policies = await readPolicies();
  if (policies === null) return;
  part("announce").textContent = words.text("verifying");
  const started = chosen.version;
  const drawn = await examineAll(policies, Date.now() / 1000);
  // What was put in meanwhile is not what was examined.
  if (started !== chosen.version || drawn.includes(null)) return;
  part("results").replaceChildren(...drawn);
  part("results").hidden = part("print").hidden = false;
  part("announce").textContent = drawn
    .map((article) => words.text("done", { verdict: words.text(article.dataset.state) }))
    .join(" ");
  part("results").focus({ preventScroll: true });
  part("results").scrollIntoView({ block: "start" });
}

async function examineAll(policies, at) {
  const drawn = [];
  for (const receipt of chosen.receipts) drawn.push(await examine(receipt, policies, at));
  return drawn;
}

/** @returns {Promise<HTMLElement|null>} null when no report could be made; the reason has been told */
async function examine(receipt, policies, at) {
  const { digests } = chosen;
  const shown = { ...around(at), receiptName: receipt.name };
  const bytes = await bytesOf(receipt);
  if (bytes === null) return null;
  try {
    const policy = inForce(policies, await sizeOf(bytes, suite)) ?? policies[0].policy;
    return draw(await verify(bytes, { digests, policy, at, suite }), shown, words, document);
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error;
    tell(words.text("unsupported"));
    return null;
  }
}

/** A browser refuses to read a file that changed on disk since it was chosen. */
async function bytesOf(file) {
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    tell(words.text("hash_failed"));
    return null;
  }
}

/** Something else was put in: what stands below is about something that is no longer there. */
function forget() {
  chosen.version += 1;
  part("results").hidden = part("print").hidden = true;
}

function around(at) {
  const policy = usesPlatform() ? words.text("policy_platform") : words.text("policy_own", { name: chosen.policy.name });
  const time = readableTime(timeText(Math.floor(at)));
  return {
    fileName: chosen.file?.name ?? words.text(chosen.digests ? "by_digest" : "no_file"),
    digest: chosen.digests?.hex ?? null,
    foot: words.text("checked", { time, policy }),
  };
}

const usesPlatform = () => new FormData(part("form")).get("trust") === "platform";

/** @returns {Promise<{from: number, policy: Policy}[]|null>} by size; null when there is none, which has been told */
async function readPolicies() {
  if (!usesPlatform() && chosen.policy === null) {
    tell(words.text("policy_needed"));
    return null;
  }
  try {
    if (usesPlatform()) return settings.policies.map(([from, text]) => ({ from, policy: Policy.parse(toUtf8(text), suite) }));
    const bytes = await bytesOf(chosen.policy);
    return bytes && [{ from: 0, policy: Policy.parse(bytes, suite) }];
  } catch (error) {
    if (!(error instanceof Invalid)) throw error;
    tell(words.text("policy_wrong", { reason: words.say(error.code, error.facts) }));
    return null;
  }
}

function tell(problem) {
  part("problem").textContent = problem;
  part("problem").hidden = problem === "";
}

// ---- the page's controls -------------------------------------------------------------------------------------------

for (const zone of root.querySelectorAll("[data-drop]")) {
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("is-over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("is-over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("is-over");
    drop([...event.dataTransfer.files], zone.dataset.drop);
  });
}

for (const event of ["dragover", "drop"]) {
  // A file dropped beside a zone would otherwise be opened in place of the page.
  window.addEventListener(event, (dropped) => dropped.preventDefault());
}

const take = {
  file: ([file]) => takeFile(file),
  receipt: (files) => takeReceipts(files),
  policy: ([file]) => {
    chosen.policy = file;
    showChosen();
  },
};

for (const input of root.querySelectorAll("[data-choose]")) {
  input.addEventListener("change", async () => {
    const files = [...input.files];
    input.value = "";
    if (files.length === 0) return;
    if (files.some(isBundle)) {
      tellOfBundle(files.find(isBundle));
      return;
    }
    await take[input.dataset.choose](files);
    await runWhenComplete();
  });
}

for (const option of root.querySelectorAll("[name=trust]")) {
  option.addEventListener("change", () => {
    part("own").hidden = usesPlatform();
    forget();
    tell("");
  });
}

part("digest").addEventListener("input", checkDigestField);

part("form").addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});

part("again").addEventListener("click", () => {
  hashing.cancel();
  Object.assign(chosen, { file: null, digests: null, pending: null, receipts: [], policy: null });
  part("form").reset();
  checkDigestField();
  tell("");
  part("own").hidden = usesPlatform();
  part("progress").hidden = true;
  showChosen();
  root.querySelector("[data-choose=file]").focus();
});

part("print-button").addEventListener("click", () => window.print());

part("own").hidden = usesPlatform();
// The keys are checked while the reader looks for the file; a policy that cannot be used shows at once.
if (usesPlatform()) await readPolicies();
root.dataset.ready = "";
