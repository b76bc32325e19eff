/**
 * Reads a receipt in either of its files: `FILE.tlog-proof` or `FILE.receipt.cose`. Right in form, true in nothing yet.
 */

import { decode } from "./cbor.js";
import { equal } from "./bytes.js";
import { isBytes, PublicKey } from "./cose.js";
import { Disclosure, NAMES } from "./disclosure.js";
import { Invalid } from "./errors.js";
import { FIRST_LINE, TlogProof } from "./proof.js";
import { CoseReceipt, parseTransparent } from "./receipt.js";
import { Statement } from "./statement.js";

export const MAX_RECEIPT = 1 << 20;

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
    cose: null,
  };
}

async function readCose(data, suite) {
  const transparent = parseTransparent(data);
  if (transparent.receipts.length !== 1) throw malformed();
  const cose = CoseReceipt.parse(transparent.receipts[0]);
  const extra = new Map(transparent.extra);
  const checkpoint = extra.get("checkpoint") ?? null;
  extra.delete("checkpoint");
  if (checkpoint !== null && !isBytes(checkpoint)) throw malformed();
  const carried = await readCarried(extra, suite);
  return {
    form: "cose",
    statement: Statement.parse(transparent.statement),
    ...carried,
    index: cose.index,
    path: cose.path,
    checkpoint,
    cose,
  };
}

/** The signer's key and the disclosures; anything else beside them is refused. */
async function readCarried(carried, suite) {
  const [key = null, encoded = []] = [carried.get("key"), carried.get("disclosures")];
  if (![...carried.keys()].every((name) => name === "key" || name === "disclosures")) throw malformed();
  if (key !== null && !isBytes(key)) throw malformed();
  if (!Array.isArray(encoded) || encoded.length > NAMES.length || !encoded.every(isBytes)) throw malformed();
  const disclosures = encoded.map((each) => Disclosure.parse(each));
  if (new Set(disclosures.map(({ name }) => name)).size !== disclosures.length) throw malformed();
  return { disclosures, issuerKey: key === null ? null : await PublicKey.fromCose(key, suite) };
}
