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
 *  6 a log of the policy signed that root
 *  7 the witnesses that the policy asks for cosigned the checkpoint
 *  8 the times that the signers state, and the earliest of them (of two equal ones the first in `signers`)
 *
 * One step that fails makes the whole FAILED; one that cannot be decided makes it INDETERMINATE.
 */

import { equal, toHex } from "./bytes.js";
import { Checkpoint } from "./checkpoint.js";
import { EDDSA, PublicKey } from "./cose.js";
import { Invalid } from "./errors.js";
import { ED25519, MLDSA44_COSIGNATURE } from "./keys.js";
import { Note } from "./note.js";
import { readable } from "./policy.js";
import { readReceipt } from "./reading.js";
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
 * @param {import("./suite.js").Suite} asked.suite
 * @returns {Promise<object>} the report in JSON values, of the same form as the command line's
 */
export async function verify(receipt, { digests, policy, at, suite }) {
  const examination = new Examination(policy, at, suite);
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
  constructor(policy, at, suite) {
    this.policy = policy;
    this.at = at;
    this.suite = suite;
    this.findings = [];
    this.signers = [];
    this.notProven = [...ALWAYS_UNPROVEN];
    this.read = null;
    this.size = null;
    this.first = null;
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
    const judgement = await this.log(root);
    if (judgement !== null) {
      this.quorum(judgement);
      this.times();
    }
  }

  report() {
    const verdicts = new Set(this.findings.map(({ verdict }) => verdict));
    const verdict = [FAILED, INDETERMINATE].find((each) => verdicts.has(each)) ?? PASSED;
    const first = verdict === FAILED ? null : this.first;
    return {
      verdict,
      findings: this.findings,
      existed_by: first && timeText(first.at),
      existed_by_whom: first && first.name,
      signers: this.signers.map((each) => ({ ...each, at: each.at === null ? null : timeText(each.at) })),
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
      if (cose !== null) root = cose.root(leaf);
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
    if (cose !== null) {
      this.size = cose.sealed.size;
      if (checkpoint !== null && !isSameHead({ ...cose.sealed, root }, checkpoint)) {
        this.find(5, "verify.checkpoint_differs", FAILED);
        return null;
      }
    }
    this.find(5, "verify.included", PASSED, { index: plain(index), size: plain(this.size) });
    return root;
  }

  async log(root) {
    // 6 A log of the policy signed that root. Returns what the policy says of the checkpoint's signatures.
    if (this.policy === null) {
      this.find(6, "verify.policy_missing", INDETERMINATE);
      return null;
    }
    if (root === null) return null;
    let judgement;
    try {
      judgement = await this.judge();
      await this.coseSignature(root);
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      this.find(6, "verify.log_signature_wrong", FAILED, { name: error.facts.name || error.facts.origin || "" });
      return null;
    }
    const logs = this.signers.filter(({ role }) => role === "log");
    if (logs.length === 0) {
      this.find(6, "verify.log_unknown", INDETERMINATE, { origin: this.origin() });
      return null;
    }
    const [origin] = logs.map(({ name }) => name).sort(byName);
    const algorithms = [...new Set(logs.map(({ algorithm }) => algorithm))].sort(byName);
    this.find(6, "verify.log_signed", PASSED, { origin, algorithms });
    return judgement;
  }

  origin() {
    const { cose, checkpoint } = this.read;
    return cose === null ? Note.parse(checkpoint).text.split("\n")[0] : cose.sealed.origin;
  }

  /** The signatures on the checkpoint; the policy's judgement of none where there is no checkpoint. */
  async judge() {
    if (this.read.checkpoint === null) return this.policy.judge([]);
    let judgement;
    try {
      ({ judgement } = await this.policy.open(this.read.checkpoint, this.suite));
    } catch (error) {
      if (error instanceof Invalid && error.code === "ledger.signature_missing") return this.policy.judge([]);
      throw error;
    }
    for (const each of judgement.logs) this.addSigner(each.origin, "log", each);
    for (const [name, each] of judgement.witnesses) this.addSigner(readable(name), "witness", each);
    return judgement;
  }

  addSigner(name, role, { key, at }) {
    const algorithm = key.type === MLDSA44_COSIGNATURE ? "ML-DSA-44" : "Ed25519";
    this.signers.push({ name, role, algorithm, form: "checkpoint", at });
  }

  /** The COSE Receipt's signature, when the policy lists an Ed25519 key of its origin with its kid. */
  async coseSignature(root) {
    if (this.read.cose === null) return;
    const { sealed } = this.read.cose;
    for (const { key } of this.policy.logs) {
      if (key.type !== ED25519 || key.name !== sealed.origin) continue;
      const publicKey = new PublicKey({ algorithm: EDDSA, x: key.public });
      if (!equal(publicKey.thumbprint, sealed.kid)) continue;
      await sealed.verify(root, publicKey, this.suite);
      this.signers.push({ name: sealed.origin, role: "log", algorithm: "Ed25519", form: "cose", at: sealed.issuedAt });
    }
  }

  quorum(judgement) {
    // 7 The witnesses that the policy asks for cosigned the checkpoint.
    const witnesses = [...judgement.witnesses.keys()].map(readable).sort(byName);
    const quorum = readable(this.policy.quorum);
    if (quorum === "none") this.find(7, "verify.quorum_not_required", PASSED, { witnesses });
    else if (judgement.quorumReached) this.find(7, "verify.quorum_reached", PASSED, { quorum, witnesses });
    else this.find(7, "verify.quorum_missing", INDETERMINATE, { quorum, witnesses });
  }

  times() {
    // 8 The times that the signers state, and the earliest of them.
    const stated = this.signers.filter(({ at }) => at !== null).sort(earlier);
    if (stated.length === 0) {
      this.find(8, "verify.time_missing", INDETERMINATE);
      return;
    }
    const [first, last] = [stated[0], stated[stated.length - 1]];
    const signed = this.read.statement.claim.issuedAt;
    const [time, whom] = [timeText(first.at), first.name];
    if (last.at > this.at + CLOCK_SKEW) {
      this.find(8, "verify.time_in_future", INDETERMINATE, { time: timeText(last.at) });
    } else if (signed !== null && first.at < signed - CLOCK_SKEW) {
      this.find(8, "verify.time_before_statement", INDETERMINATE, { time, whom, signed: timeText(signed) });
    } else {
      this.first = first;
      this.find(8, "verify.existed_by", PASSED, { time, whom });
    }
  }
}

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
