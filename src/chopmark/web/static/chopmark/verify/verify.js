/**
 * Offline verification of a receipt: the second implementation, beside `chopmark.evidence.verify` in Python.
 *
 * Takes bytes, digests and a trust policy, and returns a report. Opens no file and no connection and reads no clock.
 * Everything in the receipt is untrusted until one of these steps has checked it; the policy and the time are the
 * caller's.
 *
 *  1 the receipt is well formed
 *  2 the file's digest is the statement's: directly, or through the disclosure of a private digest
 *  3 each disclosure matches its commitment in the statement
 *  4 the statement is signed by the key that it names
 *  5 the statement is in the log: the inclusion path leads to the root that was signed
 *  6 a log of the policy signed that root, and every signature of the policy's keys is right
 *  7 the witnesses that the policy asks for cosigned the checkpoint, or sealed its root in a COSE Receipt
 *  8 the time at which they first sufficed; where none is asked for, the earliest that a signer states
 *  9 each anchor's path leads from the entry to the root in its text; the token is checked when the caller says whose
 *    time stamps count
 *
 * One step that fails makes the whole FAILED; one that cannot be decided makes it INDETERMINATE.
 */

import { RFC3161 } from "./anchor.js";
import { equal, toHex } from "./bytes.js";
import { Checkpoint } from "./checkpoint.js";
import { EDDSA, PublicKey } from "./cose.js";
import { Invalid } from "./errors.js";
import { ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE } from "./keys.js";
import { Note } from "./note.js";
import { readable } from "./policy.js";
import { counted, institutions, NO_QUORUM, reachedAt, suffices } from "./quorum.js";
import { readReceipt } from "./reading.js";
import { parseToken, secondsText, verifyToken } from "./token.js";
import { leafHash, verifyInclusion } from "./tree.js";

export const [PASSED, FAILED, INDETERMINATE] = ["PASSED", "FAILED", "INDETERMINATE"];

/** Seconds by which two honest clocks may differ. */
const CLOCK_SKEW = 600;

const ALWAYS_UNPROVEN = [
  "verify.unproven_authorship",
  "verify.unproven_first_creation",
  "verify.unproven_infringement",
  "verify.unproven_depositor",
  "verify.unproven_nothing_older",
];

/**
 * Check one receipt, in either form.
 * @param {Uint8Array} receipt the file's bytes
 * @param {object} asked
 * @param {{sha256: Uint8Array, sm3: Uint8Array|null, size: number|null}|null} asked.digests of the file that the
 *   receipt shall be about, `size` null when only a digest is known; null when there is no file at hand
 * @param {import("./policy.js").Policy|null} asked.policy whom the caller trusts; null leaves steps 6 to 8 undecided
 * @param {number} asked.at the moment of verification, in seconds since 1970
 * @param {{name: string, own: boolean, certificates: Uint8Array[]}[]} [asked.authorities] whose time stamps count;
 *   without any, stamps are told and not checked
 * @param {import("./suite.js").Suite} asked.suite
 * @returns {Promise<object>} the report in JSON values, of the same form as the command line's
 */
export async function verify(receipt, { digests, policy, at, suite, authorities = [] }) {
  const examination = new Examination(policy, at, suite, authorities);
  await examination.run(receipt, digests);
  return examination.report();
}

/** RFC 3339 in UTC, to the second. */
export const timeText = (seconds) => new Date(seconds * 1000).toISOString().replace(/\.000Z$/, "Z");

const byName = (left, right) => (left < right ? -1 : left > right ? 1 : 0);
/** Of two equal times the first stays first. */
const earlier = (left, right) => left.at - right.at;
const plain = (integer) => (Number.isSafeInteger(Number(integer)) ? Number(integer) : integer);

/** One run through the steps, collecting findings. */
class Examination {
  constructor(policy, at, suite, authorities) {
    this.policy = policy;
    this.at = at;
    this.suite = suite;
    this.authorities = authorities;
    this.stamps = [];
    this.institutions = policy === null ? new Map() : institutions(policy);
    this.findings = [];
    this.signers = [];
    this.notProven = [...ALWAYS_UNPROVEN];
    this.read = null;
    this.size = null;
    this.existed = null;
  }

  async run(data, digests) {
    // 1 The receipt is well formed.
    let checkpoint = null;
    try {
      const read = await readReceipt(data, this.suite);
      if (read.checkpoint !== null) checkpoint = Checkpoint.parse(Note.parse(read.checkpoint).text);
      this.read = read;
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      this.find(1, "verify.receipt_malformed", FAILED, { cause: error.code });
      return;
    }
    this.find(1, "verify.receipt_well_formed", PASSED, { form: this.read.form });
    this.file(digests);
    this.disclosures();
    await this.signature();
    const root = this.inclusion(checkpoint);
    if (await this.log(root)) {
      this.quorum();
      this.times();
    }
    if (root !== null) await this.anchors(root);
  }

  report() {
    const verdicts = new Set(this.findings.map(({ verdict }) => verdict));
    const verdict = [FAILED, INDETERMINATE].find((each) => verdicts.has(each)) ?? PASSED;
    const existed = verdict === FAILED ? null : this.existed;
    return {
      verdict,
      findings: this.findings,
      existed_by: existed && timeText(existed.at),
      existed_by_whom: existed && existed.whom,
      signers: this.signers.map(({ witness, ...each }) => ({ ...each, at: each.at === null ? null : timeText(each.at) })),
      stamps: this.stamps,
      statement: this.read && describe(this.read.statement),
      index: this.read && plain(this.read.index),
      size: this.size === null ? null : plain(this.size),
      not_proven: this.notProven,
    };
  }

  find(step, code, verdict, facts = {}) {
    this.findings.push({ step, code, verdict, facts });
  }

  file(digests) {
    // 2 The file's digest is the statement's.
    const { claim } = this.read.statement;
    const shown = new Map(this.read.disclosures.map((each) => [each.name, each]));
    let wanted = { sha256: claim.payload, sm3: claim.sm3 };
    if (claim.private) {
      const digest = shown.get("digest");
      if (!digest || !equal(digest.commitment, claim.payload)) {
        this.find(2, "verify.digest_not_disclosed", INDETERMINATE);
        return;
      }
      wanted = { sha256: digest.value.get("sha-256"), sm3: digest.value.get("sm3") ?? null };
    }
    if (digests === null) {
      this.find(2, "verify.file_missing", INDETERMINATE, { digest: toHex(wanted.sha256) });
      return;
    }
    if (!equal(digests.sha256, wanted.sha256)) {
      const facts = { wanted: toHex(wanted.sha256), found: toHex(digests.sha256) };
      this.find(2, "verify.digest_differs", FAILED, facts);
      return;
    }
    this.find(2, "verify.digest_matches", PASSED, { digest: toHex(digests.sha256) });
    this.secondDigest(wanted.sm3, digests.sm3);
    const size = shown.get("size");
    if (size && digests.size !== null && BigInt(size.value) !== BigInt(digests.size)) {
      this.find(2, "verify.size_differs", FAILED, { wanted: size.value, found: digests.size });
    }
  }

  secondDigest(wanted, found) {
    if (wanted === null) return;
    if (found === null) this.notProven.push("verify.unproven_sm3");
    else if (equal(found, wanted)) this.find(2, "verify.sm3_matches", PASSED, { digest: toHex(wanted) });
    else this.find(2, "verify.sm3_differs", FAILED, { wanted: toHex(wanted), found: toHex(found) });
  }

  disclosures() {
    // 3 Each disclosure matches its commitment.
    const { claim } = this.read.statement;
    const commitments = new Map(claim.commitments);
    if (claim.private) commitments.set("digest", claim.payload);
    for (const each of this.read.disclosures) {
      const commitment = commitments.get(each.name);
      if (commitment !== undefined && equal(commitment, each.commitment)) {
        this.find(3, "verify.disclosure_matches", PASSED, { name: each.name, value: shownValue(each.value) });
      } else {
        this.find(3, "verify.disclosure_differs", FAILED, { name: each.name });
      }
    }
    const shown = new Set(this.read.disclosures.map(({ name }) => name));
    const hidden = [...claim.commitments.keys()].filter((name) => !shown.has(name)).sort(byName);
    if (hidden.length > 0) this.find(3, "verify.not_disclosed", PASSED, { names: hidden });
  }

  async signature() {
    // 4 The statement is signed by the key that it names.
    const { statement, issuerKey } = this.read;
    const facts = { issuer: statement.claim.issuer, kid: toHex(statement.kid) };
    if (issuerKey === null) {
      this.find(4, "verify.statement_key_missing", INDETERMINATE, facts);
      return;
    }
    try {
      await statement.verify(issuerKey, this.suite);
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      const differs = error.code === "ledger.statement_key_differs";
      const code = differs ? "verify.statement_key_differs" : "verify.statement_signature_wrong";
      this.find(4, code, FAILED, facts);
      return;
    }
    const code = statement.claim.agent ? "verify.statement_signed_by_agent" : "verify.statement_signed";
    this.find(4, code, PASSED, facts);
  }

  inclusion(checkpoint) {
    // 5 The statement is in the log. Returns the root, or null when there is none to look for signatures on.
    const { statement, cose, index, path } = this.read;
    const leaf = leafHash(statement.raw);
    let root = null;
    try {
      if (cose.length > 0) root = cose[0].root(leaf);
      if (checkpoint !== null) {
        this.size = checkpoint.size;
        verifyInclusion({ leaf, index, size: checkpoint.size, proof: path, root: checkpoint.root });
        root ??= checkpoint.root;
      }
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      this.find(5, "verify.inclusion_wrong", FAILED, { index: plain(index) });
      return null;
    }
    if (cose.length > 0) {
      this.size = cose[0].sealed.size;
      if (checkpoint !== null && !isSameHead({ ...cose[0].sealed, root }, checkpoint)) {
        this.find(5, "verify.checkpoint_differs", FAILED);
        return null;
      }
    }
    this.find(5, "verify.included", PASSED, { index: plain(index), size: plain(this.size) });
    return root;
  }

  async log(root) {
    // 6 A log of the policy signed that root.
    if (this.policy === null) {
      this.find(6, "verify.policy_missing", INDETERMINATE);
      return false;
    }
    if (root === null) return false;
    try {
      await this.onCheckpoint();
      for (const { sealed } of this.read.cose) await this.onSeal(sealed, root);
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      this.find(6, "verify.log_signature_wrong", FAILED, { name: error.facts.name || error.facts.origin || "" });
      return false;
    }
    const logs = this.signers.filter(({ role }) => role === "log");
    if (logs.length === 0) {
      this.find(6, "verify.log_unknown", INDETERMINATE, { origin: this.origin() });
      return false;
    }
    const [origin] = logs.map(({ name }) => name).sort(byName);
    const algorithms = [...new Set(logs.map(({ algorithm }) => algorithm))].sort(byName);
    this.find(6, "verify.log_signed", PASSED, { origin, algorithms });
    return true;
  }

  /** The log that the receipt is of, as it claims itself. */
  origin() {
    const { cose, checkpoint } = this.read;
    return cose.length === 0 ? Note.parse(checkpoint).text.split("\n")[0] : cose[0].sealed.origin;
  }

  /** The signatures on the checkpoint, where there is one. */
  async onCheckpoint() {
    if (this.read.checkpoint === null) return;
    let judgement;
    try {
      ({ judgement } = await this.policy.open(this.read.checkpoint, this.suite));
    } catch (error) {
      if (error instanceof Invalid && error.code === "ledger.signature_missing") return;
      throw error;
    }
    for (const { origin, key, at } of judgement.logs) this.addLog(origin, key, "checkpoint", at);
    for (const [witness, { key, at }] of judgement.witnesses) this.addWitness(witness, key, "checkpoint", at);
  }

  /** One COSE Receipt's signature, when the policy lists an Ed25519 key with its issuer's name and its kid. */
  async onSeal(sealed, root) {
    const { logs, witnesses } = this.policy;
    const type = sealed.byLog ? ED25519 : ED25519_COSIGNATURE;
    for (const { name, key } of sealed.byLog ? logs : witnesses) {
      if (key.type !== type || key.name !== sealed.issuer) continue;
      const publicKey = new PublicKey({ algorithm: EDDSA, x: key.public });
      if (!equal(publicKey.thumbprint, sealed.kid)) continue;
      await sealed.verify(root, publicKey, this.suite);
      if (sealed.byLog) this.addLog(key.name, key, "cose", sealed.issuedAt);
      else this.addWitness(name, key, "cose", sealed.issuedAt);
    }
  }

  addLog(name, key, form, at) {
    this.signers.push({ witness: null, name, role: "log", algorithm: algorithmOf(key), form, at, institution: null });
  }

  /** @param {string} witness its name in the policy, as the bytes there */
  addWitness(witness, key, form, at) {
    const [name, institution] = [readable(witness), this.institution(witness)];
    this.signers.push({ witness, name, role: "witness", algorithm: algorithmOf(key), form, at, institution });
  }

  institution(witness) {
    return readable(this.institutions.get(witness));
  }

  /** Institutions by name, each once. */
  namesOf(witnesses) {
    return [...new Set([...witnesses].map((each) => this.institution(each)))].sort(byName);
  }

  /** The policy's names of the witnesses that signed. */
  get there() {
    return new Set(this.signers.map(({ witness }) => witness).filter((witness) => witness !== null));
  }

  quorum() {
    // 7 The witnesses that the policy asks for cosigned the checkpoint.
    const witnesses = this.namesOf(this.there);
    const quorum = readable(this.policy.quorum);
    if (this.policy.quorum === NO_QUORUM) this.find(7, "verify.quorum_not_required", PASSED, { witnesses });
    else if (suffices(this.policy, this.there)) this.find(7, "verify.quorum_reached", PASSED, { quorum, witnesses });
    else {
      const missing = this.namesOf(counted(this.policy)).filter((each) => !witnesses.includes(each));
      this.find(7, "verify.quorum_missing", INDETERMINATE, { quorum, witnesses, missing });
      if (witnesses.length === 0) this.find(7, "verify.receipt_to_renew", INDETERMINATE);
    }
  }

  times() {
    // 8 The time at which the witnesses sufficed, or the earliest where none is asked for.
    const stated = this.signers.filter(({ at }) => at !== null);
    if (this.policy.quorum === NO_QUORUM) {
      this.earliest(stated);
      return;
    }
    const sound = stated.filter(({ at }) => this.isSound(at));
    const asked = counted(this.policy);
    const times = new Map();
    for (const { witness, at } of [...sound].sort(earlier)) {
      if (asked.has(witness) && !times.has(witness)) times.set(witness, at);
    }
    const reached = reachedAt(this.policy, times);
    if (reached === null) {
      this.withoutTime(stated, sound, asked);
      return;
    }
    for (const each of stated.filter(({ at }) => !this.isSound(at))) {
      this.find(8, "verify.time_set_aside", PASSED, { time: timeText(each.at), whom: whomOf(each) });
    }
    const whom = this.namesOf([...times].filter(([, at]) => at <= reached).map(([witness]) => witness)).join(", ");
    this.existed = { at: reached, whom };
    this.find(8, "verify.existed_by", PASSED, { time: timeText(reached), whom });
  }

  /** Why no time is established under a quorum: it is not there, or it is only with times that cannot be. */
  withoutTime(stated, sound, asked) {
    if (suffices(this.policy, this.there)) {
      this.contradiction(stated.filter(({ at, witness }) => asked.has(witness) && !this.isSound(at)));
    } else if (sound.length > 0) {
      const [first] = [...sound].sort(earlier);
      this.find(8, "verify.time_without_quorum", INDETERMINATE, { time: timeText(first.at), whom: whomOf(first) });
    } else {
      this.contradiction(stated);
    }
  }

  /** The earliest time, if no signer contradicts the reader's clock or the statement. */
  earliest(stated) {
    if (stated.length === 0 || !stated.every(({ at }) => this.isSound(at))) {
      this.contradiction(stated);
      return;
    }
    const [first] = [...stated].sort(earlier);
    this.existed = { at: first.at, whom: whomOf(first) };
    this.find(8, "verify.existed_by", PASSED, { time: timeText(first.at), whom: whomOf(first) });
  }

  /** Neither later than the verification nor before the statement was signed, but for clocks a little off. */
  isSound(at) {
    const signed = this.read.statement.claim.issuedAt;
    return at <= this.at + CLOCK_SKEW && (signed === null || signed - at <= CLOCK_SKEW);
  }

  /** The time that cannot be: the latest one, or else the earliest. */
  contradiction(stated) {
    if (stated.length === 0) {
      this.find(8, "verify.time_missing", INDETERMINATE);
      return;
    }
    const sorted = [...stated].sort(earlier);
    const [first, last] = [sorted[0], sorted[sorted.length - 1]];
    if (last.at > this.at + CLOCK_SKEW) {
      this.find(8, "verify.time_in_future", INDETERMINATE, { time: timeText(last.at) });
      return;
    }
    const signed = timeText(this.read.statement.claim.issuedAt);
    const facts = { time: timeText(first.at), whom: whomOf(first), signed };
    this.find(8, "verify.time_before_statement", INDETERMINATE, facts);
  }

  async anchors(root) {
    // 9 The anchors: each path leads to the root in its text, and the token is over that text.
    const { statement, index, anchors } = this.read;
    const leaf = leafHash(statement.raw);
    for (const anchor of anchors) {
      const { kind, authority, checkpoint, path } = anchor;
      let fits = checkpoint.origin === this.origin();
      if (checkpoint.size === this.size && !equal(checkpoint.root, root)) fits = false;
      try {
        verifyInclusion({ leaf, index, size: checkpoint.size, proof: path, root: checkpoint.root });
      } catch (error) {
        if (!(error instanceof Invalid)) throw error;
        fits = false;
      }
      const facts = { kind, authority };
      if (!fits) this.find(9, "verify.anchor_wrong", FAILED, facts);
      else if (kind !== RFC3161) this.find(9, "verify.anchor_unchecked", PASSED, facts);
      else if (this.authorities.length === 0) this.find(9, "verify.timestamp_unchecked", PASSED, facts);
      else await this.timestamp(anchor, facts);
    }
  }

  async timestamp({ authority, text, token }, facts) {
    let stamp;
    try {
      stamp = await verifyToken(token, text, this.authorities, BigInt(Math.floor(this.at * 1e6)), this.suite);
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      if (UNCHECKED.includes(error.code)) this.find(9, "verify.timestamp_unchecked", PASSED, facts);
      else if (error.code === "ledger.timestamp_ahead") this.setAside(parseToken(token).info.time, authority);
      else this.find(9, "verify.timestamp_wrong", FAILED, { cause: error.code, ...facts });
      return;
    }
    if (!this.isSound(Number(stamp.time) / 1e6)) {
      this.setAside(stamp.time, stamp.authority);
      return;
    }
    const accuracy = stamp.accuracy === null ? null : Number(stamp.accuracy) / 1e6;
    const own = stamp.own || authority === OWN_AUTHORITY;
    const told = { authority: stamp.authority, time: secondsText(stamp.time) };
    this.stamps.push({ ...told, accuracy, own });
    const code = own ? "verify.timestamp_own" : "verify.timestamp_right";
    this.find(9, code, PASSED, { ...told, accuracy: accuracy === null ? "–" : `${general(accuracy)} s` });
  }

  setAside(time, whom) {
    this.find(9, "verify.time_set_aside", PASSED, { time: secondsText(time), whom });
  }
}

/** Stamps that nobody whom the caller trusts vouches for, or of a kind that cannot be checked: told, never counted. */
const UNCHECKED = [
  "ledger.timestamp_authority_unknown",
  "ledger.timestamp_certificate_missing",
  "ledger.timestamp_algorithm",
];

/** What the platform calls its own time-stamp authority. */
const OWN_AUTHORITY = "own";

/** Six significant digits, as Python's `:g` writes them. */
function general(number) {
  const exponent = number === 0 ? 0 : Math.floor(Math.log10(Number(number.toPrecision(6))));
  if (exponent >= -4 && exponent < 6) return String(Number(number.toPrecision(6)));
  const [digits, power] = number.toExponential(5).split("e");
  return `${Number(digits)}e${power[0]}${power.slice(1).padStart(2, "0")}`;
}

const algorithmOf = ({ type }) => (type === MLDSA44_COSIGNATURE ? "ML-DSA-44" : "Ed25519");

/** Who stands behind a signature. */
const whomOf = ({ institution, name }) => institution ?? name;

const isSameHead = (left, right) =>
  left.origin === right.origin && left.size === right.size && equal(left.root, right.root);

/** A disclosed value as a fact; of a digest map the digests in text. */
function shownValue(value) {
  if (!(value instanceof Map)) return value;
  return [...value].sort(([left], [right]) => byName(left, right)).map(([name, digest]) => `${name}:${toHex(digest)}`).join(" ");
}

function describe({ claim, kid, raw }) {
  return {
    issuer: claim.issuer,
    subject: claim.subject,
    issued_at: claim.issuedAt === null ? null : timeText(claim.issuedAt),
    kind: claim.kind,
    policy: claim.policy && toHex(claim.policy),
    private: claim.private,
    agent: claim.agent,
    payload: toHex(claim.payload),
    kid: toHex(kid),
    leaf: toHex(leafHash(raw)),
  };
}
