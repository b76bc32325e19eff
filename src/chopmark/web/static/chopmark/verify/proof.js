/**
 * The text of an offline proof (C2SP tlog-proof), the content of a `.tlog-proof` file.
 *
 * Reads the form, strictly. Whether the proof is true is found with `tree.js` and a policy.
 */

import { concat, equal, fromBase64, fromUtf8, parseDecimal, toBase64, toUtf8 } from "./bytes.js";
import { Invalid } from "./errors.js";
import { Note } from "./note.js";
import { HASH_SIZE } from "./tree.js";

export const FIRST_LINE = toUtf8("c2sp.org/tlog-proof@v1\n");
const MAX_HASHES = 63;
const MAX_SIZE = 1024 * 1024;
const NEWLINE = 10;

const malformed = () => new Invalid("ledger.proof_malformed");

export class TlogProof {
  /** @param {{index: bigint, hashes: Uint8Array[], checkpoint: Uint8Array, extra: Uint8Array|null}} parts */
  constructor({ index, hashes, checkpoint, extra }) {
    this.index = index;
    this.hashes = hashes;
    this.checkpoint = checkpoint;
    this.extra = extra;
  }

  /** @throws {Invalid} `ledger.proof_malformed`, `ledger.proof_too_large`, `ledger.note_*` */
  static parse(data) {
    if (data.length > MAX_SIZE) throw new Invalid("ledger.proof_too_large", { limit: MAX_SIZE });
    const blank = data.findIndex((byte, at) => byte === NEWLINE && data[at + 1] === NEWLINE);
    const proof = new TlogProof({ ...readHead(data.subarray(0, Math.max(blank, 0))), checkpoint: data.slice(blank + 2) });
    if (blank < 0 || proof.extra?.length === 0 || proof.hashes.length > MAX_HASHES) throw malformed();
    if (proof.hashes.some((hash) => hash.length !== HASH_SIZE)) throw malformed();
    Note.parse(proof.checkpoint);
    if (!equal(proof.encode(), data)) throw malformed();
    return proof;
  }

  encode() {
    const lines = this.extra === null ? [] : [`extra ${toBase64(this.extra)}\n`];
    lines.push(`index ${this.index}\n`, ...this.hashes.map((hash) => `${toBase64(hash)}\n`), "\n");
    return concat(FIRST_LINE, toUtf8(lines.join("")), this.checkpoint);
  }
}

/** Extra, index and hashes; the caller prints them and compares, which covers the labels too. */
function readHead(bytes) {
  if (bytes.some((byte) => byte > 0x7f)) throw malformed();
  const lines = fromUtf8(bytes).split("\n").slice(1);
  const extra = lines[0]?.startsWith("extra ") ? fromBase64(lines.shift().slice("extra ".length)) : undefined;
  const index = parseDecimal((lines.shift() ?? "").replace(/^index /, ""));
  const hashes = lines.map(fromBase64);
  if (extra === null || index === null || hashes.includes(null)) throw malformed();
  return { extra: extra ?? null, index, hashes };
}
