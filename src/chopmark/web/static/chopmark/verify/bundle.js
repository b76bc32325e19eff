/**
 * Offline check of a bundle: the browser's side of `chopmark.evidence.bundle.check`, with the same claims, findings and
 * report. `tests/corpus/bundles` holds both to it.
 *
 * Reads slices of the file, never the whole; opens no connection and reads no clock. Nothing in the bundle is trusted.
 * Fails closed: what goes wrong inside a claim leaves that claim undecided, and the verdict with it.
 */

import { digest as digestOf, HASHES, SHA256 } from "./algorithms.js";
import { parseAsicManifest } from "./asic.js";
import { equal, fromHex, toHex } from "./bytes.js";
import { checkSignature, checkToken, failed, passed, undecided } from "./cades.js";
import { CmsError, readCertificate } from "./cms.js";
import { Container, META_INF, MIMETYPE_NAME } from "./container.js";
import { MAX_LOG, readCustody } from "./custody.js";
import { Invalid } from "./errors.js";
import { digestsOf } from "./filehash.js";
import { contentSha256, listedOf, MANIFEST_NAME, MAX_MANIFEST, parseManifest } from "./manifest.js";
import { sizeOf } from "./reading.js";
import { parseRecord, verifyRecord } from "./record.js";
import { secondsText } from "./token.js";
import { authoritiesOf, Trust } from "./trust.js";
import { FAILED, INDETERMINATE, PASSED, verify } from "./verify.js";

const MAX_PROOF = 16 << 20;
const MAX_TOKEN = 64 * 1024;
const MAX_RECEIPT = 1 << 20;
const [MAX_TRUST_FILES, MAX_TRUST_FILE] = [64, 1 << 20];
const MAX_PROOFS = 200;
const MAX_KEPT = 512 << 20;
const MOST_PATHS = 100;

const ALWAYS_UNPROVEN = [
  "bundle.not_proven_truth",
  "bundle.not_proven_before",
  "bundle.not_proven_author",
  "bundle.not_proven_infringement",
  "bundle.not_proven_identity",
  "bundle.not_proven_verifier",
];

/** Of a record: nothing is refuted, but nothing shown to this reader at this time either. */
const OPEN = [
  "evidence.record_algorithm",
  "evidence.record_over",
  "ledger.timestamp_ahead",
  "ledger.timestamp_algorithm",
  "ledger.timestamp_authority_unknown",
];

const PROOF = /^META-INF\/(?:signature(?=.{3}\.p7s)|timestamp(?=.{3}\.tst)|evidencerecord(?=.{3}\.ers))([0-9]{3})\.(...)$/;
const ASIC = /^META-INF\/ASiC(?:EvidenceRecord)?Manifest[0-9]{3}\.xml$/;
const PEM = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g;
const KINDS = { p7s: "signature", tst: "time", ers: "record" };

/**
 * @param {Blob} blob
 * @param {import("./trust.js").Trust|null} trust whom the reader trusts; without it nothing about signers can pass
 * @param {number} at the moment of the check, in seconds since 1970
 * @param {object} around
 * @param {import("./suite.js").Suite} around.suite
 * @param {(share: number) => void} [around.progress] from 0 to 1
 * @param {AbortSignal} [around.signal]
 * @returns {Promise<{report: object, manifest: object|null}>} the report as the command line prints it
 * @throws {DOMException} when it was cancelled, or the file changed meanwhile
 */
export async function checkBundle(blob, trust, at, { suite, progress = () => {}, signal = new AbortController().signal }) {
  const examination = new Examination(trust, at, suite, signal);
  await examination.run(blob, progress);
  return { report: examination.report(), manifest: examination.manifest };
}

const worstOf = (verdicts) => [FAILED, INDETERMINATE].find((each) => verdicts.includes(each)) ?? PASSED;

/** By the bytes of ASCII names. */
const sorted = (names) => [...names].sort().slice(0, MOST_PATHS);

class Examination {
  constructor(trust, at, suite, signal) {
    this.trust = trust;
    this.seconds = at;
    this.at = BigInt(Math.floor(at * 1e6));
    this.suite = suite;
    this.signal = signal;
    const readable = trust && new Trust(trust.policies, trust.roots.filter(isReadable));
    const trustedFor = (...uses) => trust && { signatories: readable.certificates(...uses), stampers: authoritiesOf(readable) };
    this.trusted = trustedFor("seal", "notary");
    this.sealers = trustedFor("seal"); // the first signature is the platform's
    this.claims = [];
    this.names = [];
    this.sizes = new Map();
    this.digests = new Map();
    this.kept = new Map();
    this.manifest = null;
    this.material = { certificates: [], revocations: [] };
    this.independent = this.stamped = false;
  }

  async run(blob, progress) {
    // 1 The container's frame; its contents are read once, for all later steps.
    if (!(await this.claim("container", async () => [await this.read(await Container.open(blob), progress)]))) return;
    // 2 The manifest.
    await this.claim("manifest", async () => [this.readManifest()]);
    const { manifest } = this;
    this.material = materialOf(this.names, this.kept);
    const proofs = this.proofs();
    // 3 and 4 What the manifest states of files and of itself.
    if (manifest !== null) {
      await this.claim("files", async () => this.compare(proofs));
      await this.claim("content", async () => [contentOf(manifest)]);
    }
    // 5 to 7 What stands in META-INF.
    const of = (wanted) => proofs.filter(({ kind }) => kind === wanted);
    if (of("signature").length === 0) await this.claim("signature", async () => [failed("bundle.signature_missing")]);
    for (const proof of of("signature")) await this.claim(`signature:${proof.number}`, () => this.signature(proof));
    if (of("time").length === 0) await this.claim("time", async () => [undecided("bundle.tokens_missing")]);
    for (const proof of of("time")) await this.claim(`time:${proof.number}`, () => this.time(proof));
    for (const proof of of("record")) await this.claim(`record:${proof.number}`, () => this.record(proof));
    // 8 to 10 What stands beside the evidence.
    if (manifest === null) return;
    for (const token of manifest.items.flatMap(({ tokens }) => tokens)) {
      await this.claim(`token:${token.path}`, () => this.token(token));
    }
    for (const item of manifest.items) {
      for (const deposit of item.deposits) await this.claim(`receipt:${deposit.receipt}`, () => this.receipt(item, deposit));
    }
    await this.claim("custody", async () => [this.custody()]);
  }

  /**
   * One claim with what a look finds; a refusal fails it, anything unforeseen leaves it undecided.
   * @returns {Promise<boolean>} whether the look came to its end
   */
  async claim(claim, look) {
    let [findings, ended] = [[], true];
    try {
      findings = await look();
    } catch (error) {
      if (error instanceof DOMException && ["AbortError", "NotReadableError", "NotFoundError"].includes(error.name)) throw error;
      ended = false;
      const unforeseen = () => undecided("bundle.check_failed", { cause: String(error?.message ?? error).slice(0, 200) });
      findings = [error instanceof Invalid ? failed(error.code, error.facts) : unforeseen()];
    }
    this.claims.push({ claim, verdict: worstOf(findings.map(({ verdict }) => verdict)), findings });
    return ended;
  }

  report() {
    const { manifest } = this;
    return {
      verdict: worstOf(this.claims.map(({ verdict }) => verdict)),
      bundle: manifest && manifest.bundle,
      content_sha256: manifest && toHex(contentSha256(manifest)),
      claims: this.claims,
      not_proven: this.unproven(),
    };
  }

  // ---- 1 container -------------------------------------------------------------------------------------------------

  /** Digest every file, keep the small ones that are needed; whether every CRC-32 is right. */
  async read(container, progress) {
    const { suite, signal } = this;
    this.names = container.names;
    if (this.names.filter((name) => PROOF.test(name)).length > MAX_PROOFS) {
      throw new Invalid("bundle.too_large", { what: "META-INF", limit: MAX_PROOFS });
    }
    const wanted = await wantedOf(container);
    const kept = [...wanted].reduce((sum, name) => sum + container.size(name), 0);
    if (kept > MAX_KEPT) throw new Invalid("bundle.too_large", { what: "META-INF", limit: MAX_KEPT });
    this.sizes = new Map(this.names.map((name) => [name, container.size(name)]));
    const whole = [...this.sizes.values()].reduce((sum, size) => sum + size, 0);
    let [done, right] = [0, true];
    for (const name of this.names) {
      const size = this.sizes.get(name);
      const share = (part) => progress((done + part * size) / Math.max(1, whole));
      const found = await digestsOf(container.content(name), { sm3: false, progress: share, signal, suite });
      this.digests.set(name, found.sha256);
      right = found.crc === container.entries.get(name).crc && right;
      if (wanted.has(name)) this.kept.set(name, await container.bytes(name));
      done += size;
    }
    return right ? passed("bundle.zip_right", { files: this.names.length }) : failed("bundle.zip_malformed", { reason: "crc" });
  }

  // ---- 2 manifest --------------------------------------------------------------------------------------------------

  readManifest() {
    if (!this.digests.has(MANIFEST_NAME)) return failed("bundle.manifest_missing");
    this.manifest = parseManifest(this.kept.get(MANIFEST_NAME) ?? new Uint8Array(0));
    const { bundle, items } = this.manifest;
    return passed("bundle.manifest_right", { bundle, items: items.length });
  }

  // ---- 3 files, 4 content ------------------------------------------------------------------------------------------

  compare(proofs) {
    const listed = listedOf(this.manifest);
    const missing = listed.map(({ path }) => path).filter((path) => !this.digests.has(path));
    const isChanged = ({ path, sha256, bytes }) => toHex(this.digests.get(path)) !== sha256 || this.sizes.get(path) !== bytes;
    const changed = listed.filter((each) => this.digests.has(each.path) && isChanged(each)).map(({ path }) => path);
    const proven = new Set(proofs.map(({ name }) => name));
    const read = this.asicFiles().filter(({ covers }) => covers !== null);
    const others = [...listed.map(({ path }) => path), ...read.map(({ name }) => name)];
    const known = new Set([MIMETYPE_NAME, MANIFEST_NAME, ...proven, ...others]);
    const planted = this.names.filter((name) => !known.has(name));
    const orphaned = read.map(({ covers }) => covers.sigReference).filter((name) => !proven.has(name));
    const found = [
      ...sorted([...missing, ...orphaned]).map((path) => failed("bundle.file_missing", { path })),
      ...sorted(planted).map((path) => failed("bundle.file_unlisted", { path })),
      ...sorted(changed).map((path) => failed("bundle.file_changed", { path })),
    ];
    return found.length > 0 ? found : [passed("bundle.files_match", { files: listed.length })];
  }

  // ---- 5 to 7 META-INF ---------------------------------------------------------------------------------------------

  asicFiles() {
    return [...this.kept].filter(([name]) => ASIC.test(name)).map(([name, data]) => ({ name, data, covers: asicOf(data) }));
  }

  /** Signatures, time-stamps and records with what they are over, by kind and number. */
  proofs() {
    const over = this.asicFiles().filter(({ covers }) => covers !== null);
    return this.names.filter((name) => PROOF.test(name)).map((name) => {
      const [, number, end] = PROOF.exec(name);
      const there = over.filter(({ covers }) => covers.sigReference === name);
      const only = there.length === 1 ? there[0] : { data: null, covers: null };
      const content = this.kept.get(name) ?? new Uint8Array(0);
      return { kind: KINDS[end], number: Number(number), name, content, over: only.data, covers: only.covers };
    });
  }

  async signature(proof) {
    const found = this.coverage(proof);
    if (proof.over === null) return found;
    const { material, at, suite } = this;
    const trusted = proof.number === 1 ? this.sealers : this.trusted;
    const { findings } = await checkSignature(proof.content, proof.over, trusted, material, at, suite);
    return [...found, ...findings];
  }

  async time(proof) {
    const found = this.coverage(proof);
    if (proof.over === null) return found;
    const outcome = await this.stamp(proof.content, proof.over, false);
    this.independent ||= found.length === 0 && outcome.independent;
    return [...found, ...outcome.findings];
  }

  async stamp(token, data, hashed) {
    const { trusted, material, at, suite } = this;
    const outcome = await checkToken(token, data, trusted && trusted.stampers, material, at, suite, hashed);
    this.stamped ||= outcome.time !== null;
    return outcome;
  }

  async record(proof) {
    const found = this.coverage(proof);
    if (proof.covers !== null && found.length === 0) found.push(await this.held(proof.content, proof.covers));
    return found;
  }

  /** Whether an evidence record holds; its group are the files that its ASiCManifest lists. */
  async held(content, { references }) {
    if (this.trusted === null) return undecided("bundle.trust_not_given");
    try {
      const record = parseRecord(content);
      const group = new Map([[SHA256, references.map(({ sha256 }) => sha256)]]);
      const contents = references.map(({ uri }) => this.kept.get(uri));
      for (const name of contents.includes(undefined) ? [] : HASHES.keys()) {
        if (name === SHA256) continue;
        group.set(name, await Promise.all(contents.map((each) => digestOf(name, each, this.suite))));
      }
      const proven = await verifyRecord(record, group, this.trusted.stampers, this.at, this.suite);
      const [time, until] = [secondsText(proven.existedBy), secondsText(proven.until)];
      return passed("bundle.record_good", { time, until, stamps: proven.stamps.length });
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      return (OPEN.includes(error.code) ? undecided : failed)("bundle.record_wrong", { cause: error.code });
    }
  }

  /** What speaks against what a proof covers: every file, each with the digest that it has. */
  coverage({ covers }) {
    if (covers === null) return [failed("bundle.asic_manifest_malformed")];
    const { references } = covers;
    const covered = new Set(references.map(({ uri }) => uri));
    const outside = this.names.filter((name) => name !== MIMETYPE_NAME && !name.startsWith(META_INF));
    const uncovered = outside.filter((name) => !covered.has(name));
    const differs = ({ uri, sha256 }) => !this.digests.has(uri) || !equal(this.digests.get(uri), sha256);
    const differing = references.filter(differs).map(({ uri }) => uri);
    return [
      ...sorted(uncovered).map((path) => failed("bundle.asic_uncovered", { path })),
      ...sorted(differing).map((path) => failed("bundle.asic_differs", { path })),
    ];
  }

  // ---- 8 tokens, 9 receipts, 10 custody ----------------------------------------------------------------------------

  /** A token is over the file's SHA-256, of which the file itself need not be at hand again. */
  async token({ path, over }) {
    const [token, digest] = [this.kept.get(path), this.digests.get(over)];
    if (token === undefined || digest === undefined) return [failed("bundle.file_missing", { path })];
    return (await this.stamp(token, digest, true)).findings;
  }

  /** What the receipt's own verifier finds, for a digest that must be that of a file of the item. */
  async receipt(item, deposit) {
    const receipt = this.kept.get(deposit.receipt);
    if (receipt === undefined) return [failed("bundle.receipt_missing", { path: deposit.receipt })];
    const { manifest, trust, trusted, seconds, suite } = this;
    const sizes = new Map(item.files.map(({ sha256, bytes }) => [sha256, bytes]));
    const originals = manifest.redactions.filter((each) => item.files.some(({ path }) => path === each.path));
    let digests = null;
    if (sizes.has(deposit.sha256)) {
      digests = { sha256: fromHex(deposit.sha256), sm3: null, size: sizes.get(deposit.sha256) };
    } else if (!originals.some((each) => each.original_sha256 === deposit.sha256)) {
      return [failed("bundle.receipt_other", { number: deposit.number })];
    }
    const policy = trust === null ? null : trust.policyFor(await sizeOf(receipt, suite));
    const authorities = trusted === null ? [] : trusted.stampers;
    const { findings, stamps } = await verify(receipt, { digests, policy, at: seconds, suite, authorities });
    this.stamped ||= stamps.length > 0;
    this.independent ||= stamps.some(({ own }) => !own);
    const found = findings.map(({ code, verdict, facts }) => ({ code, verdict, facts }));
    return digests === null ? found.map((each) => ofOriginal(each, deposit)) : found;
  }

  custody() {
    const said = this.manifest.custody;
    const log = this.kept.get(said.log);
    if (log === undefined) return failed("bundle.file_missing", { path: said.log });
    let read;
    try {
      read = readCustody(log);
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      return failed("bundle.custody_broken", { line: error.facts.line ?? 0 });
    }
    if (toHex(read.head) !== said.head || read.entries !== said.entries) return failed("bundle.custody_head_differs");
    return passed("bundle.custody_matches", { entries: said.entries });
  }

  // ---- what is not proven ------------------------------------------------------------------------------------------

  unproven() {
    const found = [...ALWAYS_UNPROVEN];
    if (!this.independent) found.push("bundle.not_proven_independent_time");
    if (this.stamped) found.push("bundle.not_proven_stamper");
    if (this.manifest === null) return found;
    const { items, redactions } = this.manifest;
    if (items.some(({ deposits }) => deposits.length === 0)) found.push("bundle.not_proven_deposited");
    if (items.some(({ capture }) => capture && !capture.complete)) found.push("bundle.not_proven_whole_capture");
    if (redactions.length > 0) found.push("bundle.not_proven_redacted");
    return found;
  }
}

/** The files whose content later steps need, unless it is too large to be what it should be; no evidence is. */
async function wantedOf(container) {
  const wanted = new Map();
  for (const name of container.names) {
    if (name.startsWith(META_INF)) wanted.set(name, MAX_PROOF);
    if (name.startsWith("trust/")) wanted.set(name, MAX_TRUST_FILE);
  }
  if (container.has(MANIFEST_NAME) && container.size(MANIFEST_NAME) <= MAX_MANIFEST) {
    wanted.set(MANIFEST_NAME, MAX_MANIFEST);
    const manifest = manifestOf(await container.bytes(MANIFEST_NAME));
    for (const { deposits, tokens } of manifest?.items ?? []) {
      for (const { receipt } of deposits) wanted.set(receipt, MAX_RECEIPT);
      for (const { path } of tokens) wanted.set(path, MAX_TOKEN);
    }
    if (manifest !== null) wanted.set(manifest.custody.log, MAX_LOG);
  }
  const there = [...wanted].filter(([name, limit]) => container.has(name) && container.size(name) <= limit);
  return new Set(there.map(([name]) => name));
}

/** Whether a root is a certificate at all; another one leads to nobody. */
function isReadable({ certificate }) {
  try {
    readCertificate(certificate);
    return true;
  } catch (error) {
    if (!(error instanceof CmsError)) throw error;
    return false;
  }
}

function orNull(reading) {
  try {
    return reading();
  } catch (error) {
    if (!(error instanceof Invalid)) throw error;
    return null;
  }
}

const manifestOf = (data) => orNull(() => parseManifest(data));
const asicOf = (data) => orNull(() => parseAsicManifest(data));

function contentOf(manifest) {
  const digest = toHex(contentSha256(manifest));
  if (manifest.content_sha256 !== digest) return failed("bundle.content_differs", { found: digest });
  return passed("bundle.content_matches", { sha256: digest });
}

/** Where a file was redacted, its original is not at hand; the receipt must be about its digest. */
function ofOriginal(finding, { number, sha256 }) {
  if (finding.code !== "verify.file_missing") return finding;
  if (finding.facts.digest !== sha256) return failed("bundle.receipt_other", { number });
  return passed("bundle.receipt_of_original", { number });
}

/** Certificates and lists of revoked ones in the bundle's own `trust/`; what cannot be read is left out. */
function materialOf(names, kept) {
  const roots = names.filter((name) => name.startsWith("trust/roots/") && name.endsWith(".pem"));
  const lists = names.filter((name) => name.startsWith("trust/crl/") && name.endsWith(".crl"));
  const certificates = roots.slice(0, MAX_TRUST_FILES).flatMap((name) => certificatesIn(kept.get(name) ?? new Uint8Array(0)));
  const revocations = lists.slice(0, MAX_TRUST_FILES).filter((name) => kept.has(name)).map((name) => kept.get(name));
  return { certificates: certificates.slice(0, MAX_TRUST_FILES), revocations };
}

function certificatesIn(pem) {
  const found = [];
  for (const [, body] of new TextDecoder("latin1").decode(pem).matchAll(PEM)) {
    const text = body.replace(/\s/g, "");
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) continue;
    found.push(Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)));
  }
  return found;
}
