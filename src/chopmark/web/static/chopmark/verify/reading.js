/**
 * Reads a receipt in either of its files: `FILE.tlog-proof` or `FILE.receipt.cose`. Right in form, true in nothing yet.
 */

import { Anchor } from "./anchor.js";
import { decode } from "./cbor.js";
import { equal } from "./bytes.js";
import { Checkpoint } from "./checkpoint.js";
import { isBytes, PublicKey } from "./cose.js";
import { Disclosure, NAMES } from "./disclosure.js";
import { Invalid } from "./errors.js";
import { Note } from "./note.js";
import { FIRST_LINE, TlogProof } from "./proof.js";
import { parseReceipts, parseTransparent } from "./receipt.js";
import { Statement } from "./statement.js";

export const MAX_RECEIPT = 1 << 20;

const MAX_ANCHORS = 32;

const COSE_SIGN1_BYTE = 0xd2;

const malformed = () => new Invalid("evidence.receipt_malformed");

/**
 * @param {Uint8Array} data
 * @param {import("./suite.js").Suite} suite says which points are keys
 * @throws {Invalid} `evidence.receipt_form`, `evidence.receipt_too_large`, `evidence.receipt_malformed`, and what the
 *   readers of the parts throw
 */
export async function readReceipt(data, suite) {
  if (data.length > MAX_RECEIPT) throw new Invalid("evidence.receipt_too_large", { limit: MAX_RECEIPT });
  if (equal(data.subarray(0, FIRST_LINE.length), FIRST_LINE)) return readTlogProof(data, suite);
  if (data[0] === COSE_SIGN1_BYTE) return readCose(data, suite);
  throw new Invalid("evidence.receipt_form");
}

/**
 * Size of the checkpoint that a receipt is under, as it claims itself.
 * @returns {Promise<bigint|null>} null when it cannot be read, which is the verifier's to say
 */
export async function sizeOf(data, suite) {
  try {
    const { cose, checkpoint } = await readReceipt(data, suite);
    return cose.length > 0 ? cose[0].sealed.size : Checkpoint.parse(Note.parse(checkpoint).text).size;
  } catch (error) {
    if (error instanceof Invalid) return null;
    throw error;
  }
}

async function readTlogProof(data, suite) {
  const proof = TlogProof.parse(data);
  if (proof.extra === null) throw malformed();
  const extra = decode(proof.extra);
  if (!(extra instanceof Map) || !isBytes(extra.get("statement"))) throw malformed();
  const raw = extra.get("statement");
  extra.delete("statement");
  const carried = await readCarried(extra, suite);
  return {
    form: "tlog-proof",
    statement: Statement.parse(raw),
    ...carried,
    index: proof.index,
    path: proof.hashes,
    checkpoint: proof.checkpoint,
    cose: [],
  };
}

async function readCose(data, suite) {
  const transparent = parseTransparent(data);
  const cose = parseReceipts(transparent.receipts);
  const extra = new Map(transparent.extra);
  const checkpoint = extra.get("checkpoint") ?? null;
  extra.delete("checkpoint");
  if (checkpoint !== null && !isBytes(checkpoint)) throw malformed();
  const carried = await readCarried(extra, suite);
  return {
    form: "cose",
    statement: Statement.parse(transparent.statement),
    ...carried,
    index: cose[0].index,
    path: cose[0].path,
    checkpoint,
    cose,
  };
}

/** The signer's key, the disclosures and the anchors; anything else beside them is refused. */
async function readCarried(carried, suite) {
  const [key = null, encoded = []] = [carried.get("key"), carried.get("disclosures")];
  if (![...carried.keys()].every((name) => ["key", "disclosures", "anchors"].includes(name))) throw malformed();
  if (key !== null && !isBytes(key)) throw malformed();
  if (!Array.isArray(encoded) || encoded.length > NAMES.length || !encoded.every(isBytes)) throw malformed();
  const disclosures = encoded.map((each) => Disclosure.parse(each));
  if (new Set(disclosures.map(({ name }) => name)).size !== disclosures.length) throw malformed();
  const issuerKey = key === null ? null : await PublicKey.fromCose(key, suite);
  return { disclosures, issuerKey, anchors: carried.has("anchors") ? readAnchors(carried.get("anchors")) : [] };
}

/** At least one where the part is there at all. */
function readAnchors(value) {
  if (!Array.isArray(value) || value.length < 1 || value.length > MAX_ANCHORS) throw malformed();
  return value.map((each) => Anchor.of(each));
}
