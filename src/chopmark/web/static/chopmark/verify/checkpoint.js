/**
 * Checkpoints (C2SP tlog-checkpoint) and what the log and its witnesses sign (C2SP tlog-cosignature).
 *
 * Three lines and no more: extension lines are refused, because no ML-DSA cosignature covers them.
 * Whose signature counts is said by a policy, not here.
 */

import { concat, fromBase64, fromU64, MAX_INT63, parseDecimal, toBase64, toHex, toUtf8, u64, equal } from "./bytes.js";
import { Invalid } from "./errors.js";
import { ED25519, ED25519_COSIGNATURE, MAX_NAME, SIGNATURE_SIZE } from "./keys.js";
import { Note } from "./note.js";
import { sha256 } from "./sha256.js";
import { HASH_SIZE } from "./tree.js";

const TIMESTAMP_SIZE = 8;
const SUBTREE_LABEL = toUtf8("subtree/v1\n\0");
const EMPTY_ROOT = sha256(new Uint8Array(0));

/** 9999-12-31T23:59:59Z, the last second that can be written as a date. */
const LATEST = 253_402_300_799n;

const CONTROL = /[\0-\x1f]/;

const malformed = () => new Invalid("ledger.checkpoint_malformed");

/** The head of a log at one size. */
export class Checkpoint {
  /** @param {{origin: string, size: bigint, root: Uint8Array}} head */
  constructor({ origin, size, root }) {
    this.origin = origin;
    this.size = size;
    this.root = root;
  }

  /** @throws {Invalid} `ledger.checkpoint_malformed`, `ledger.checkpoint_extended` */
  static parse(text) {
    const lines = text.split("\n");
    if (lines.length < 4) throw malformed();
    if (lines.length > 4) throw new Invalid("ledger.checkpoint_extended");
    const [origin, size, root] = [lines[0], parseDecimal(lines[1]), fromBase64(lines[2])];
    if (size === null || root === null || root.length !== HASH_SIZE) throw malformed();
    if (origin === "" || CONTROL.test(origin) || toUtf8(origin).length > MAX_NAME) throw malformed();
    if (size === 0n && !equal(root, EMPTY_ROOT)) throw malformed();
    const checkpoint = new Checkpoint({ origin, size, root });
    if (checkpoint.text() !== text) throw malformed();
    return checkpoint;
  }

  text() {
    return `${this.origin}\n${this.size}\n${toBase64(this.root)}\n`;
  }
}

/** Name and key id together name a key. */
const nameOf = ({ name, keyId }) => `${name}+${toHex(keyId)}`;

/**
 * Read a signed checkpoint and check every signature of a known key; unknown ones are passed over.
 * @param {Uint8Array} data
 * @param {import("./keys.js").VerifierKey[]} keys
 * @param {import("./suite.js").Suite} suite
 * @returns {Promise<{checkpoint: Checkpoint, signatures: {key: object, origin: string, at: number|null}[]}>}
 *   `at` is in seconds since 1970
 * @throws {Invalid} `ledger.note_*`, `ledger.checkpoint_*`, `ledger.signature_wrong`, `ledger.signature_missing`
 */
export async function openCheckpoint(data, keys, suite) {
  const note = Note.parse(data);
  const checkpoint = Checkpoint.parse(note.text);
  const known = new Map(keys.map((key) => [nameOf(key), key]));
  const signatures = [];
  for (const signature of note.signatures) {
    const key = known.get(nameOf(signature));
    if (key) signatures.push({ key, origin: checkpoint.origin, at: await verifySignature(checkpoint, signature, key, suite) });
  }
  if (signatures.length === 0) throw new Invalid("ledger.signature_missing", { origin: checkpoint.origin });
  return { checkpoint, signatures };
}

/**
 * Check one signature line against its key.
 * @returns {Promise<number|null>} the time it states, in seconds since 1970
 * @throws {Invalid} `ledger.signature_wrong`, `base.time_out_of_range`
 */
export async function verifySignature(checkpoint, signature, key, suite) {
  if (key.type === ED25519) {
    await key.verify(signature.value, toUtf8(checkpoint.text()), suite);
    return null;
  }
  const wrong = new Invalid("ledger.signature_wrong", { name: key.name });
  if (signature.value.length !== TIMESTAMP_SIZE + SIGNATURE_SIZE.get(key.type)) throw wrong;
  const seconds = fromU64(signature.value);
  if (seconds > MAX_INT63) throw wrong;
  await key.verify(signature.value.subarray(TIMESTAMP_SIZE), messageOf(key, checkpoint, seconds), suite);
  if (seconds > LATEST) throw new Invalid("base.time_out_of_range", { seconds: String(seconds) });
  return seconds === 0n ? null : Number(seconds);
}

function messageOf(key, checkpoint, seconds) {
  if (key.type === ED25519_COSIGNATURE) return toUtf8(`cosignature/v1\ntime ${seconds}\n${checkpoint.text()}`);
  const { origin, size, root } = checkpoint;
  return concat(SUBTREE_LABEL, short(key.name), u64(seconds), short(origin), u64(0n), u64(size), root);
}

function short(text) {
  const bytes = toUtf8(text);
  return concat(Uint8Array.of(bytes.length), bytes);
}
