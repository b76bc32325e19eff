/**
 * COSE Receipts (RFC 9942) over the log's tree, and the Transparent Statement (RFC 9943) that carries them.
 *
 * Only the form is read here, and the signature over a root, the log's or a member's, is checked with a key that the
 * caller trusts.
 */

import { decode, encode } from "./cbor.js";
import { equal, MAX_INT63, toHex } from "./bytes.js";
import { EDDSA, Envelope, isBytes, isDigest, SIGNATURE_SIZE, toBeSigned } from "./cose.js";
import { Invalid } from "./errors.js";
import { rootFrom } from "./tree.js";

const MAX_RECEIPT = 65_535;
const MAX_TRANSPARENT = 1 << 20;
const MAX_PATH = 63;
const MAX_RECEIPTS = 16;

const [RECEIPTS, DATA_STRUCTURE, DATA_PROOFS, INCLUSION, CHOPMARK] = [394, 395, 396, -1, "chopmark"];
const RFC9162_SHA256 = 1;

/** The years 1 to 9999, in seconds since 1970. */
const [EARLIEST, LATEST] = [-62_135_596_800, 253_402_300_799];

const malformed = () => new Invalid("ledger.receipt_malformed");

function decodeOr(error, data) {
  try {
    return decode(data);
  } catch (caught) {
    if (caught instanceof Invalid) throw error;
    throw caught;
  }
}

function parseEnvelopeOr(error, raw) {
  try {
    return Envelope.parse(raw);
  } catch (caught) {
    if (caught instanceof Invalid) throw error;
    throw caught;
  }
}

/** A signature over one root of a log; `issuer` is the name of the key, which is the origin when the log signed. */
export class SealedRoot {
  constructor({ issuer, origin, size, kid, issuedAt, protected: header, signature }) {
    this.issuer = issuer;
    this.origin = origin;
    this.size = size;
    this.kid = kid;
    this.issuedAt = issuedAt;
    this.protected = header;
    this.signature = signature;
  }

  /** Read CBOR `[protected, signature]`. @throws {Invalid} `ledger.receipt_malformed` */
  static parse(data) {
    const parts = decodeOr(malformed(), data);
    if (!Array.isArray(parts) || parts.length !== 2 || !parts.every(isBytes)) throw malformed();
    return SealedRoot.of(parts[0], parts[1]);
  }

  static of(header, signature) {
    const fields = decodeOr(malformed(), header);
    if (!(fields instanceof Map)) throw malformed();
    const [kid, claims, ours] = [fields.get(4), fields.get(15), fields.get(CHOPMARK)];
    if (!isDigest(kid) || !(claims instanceof Map) || !(ours instanceof Map)) throw malformed();
    const [issuer, origin] = [claims.get(1), claims.get(2)];
    const [issuedAt, size] = [claims.get(6), toBig(ours.get("size"))];
    if (typeof issuer !== "string" || typeof origin !== "string") throw malformed();
    if (typeof issuedAt !== "number" || size === null) throw malformed();
    if (issuedAt < EARLIEST || issuedAt > LATEST || size < 1n || signature.length !== SIGNATURE_SIZE) throw malformed();
    if (!equal(printHeader({ issuer, origin, size, kid, issuedAt }), header)) throw malformed();
    return new SealedRoot({ issuer, origin, size, kid, issuedAt, protected: header, signature });
  }

  /** Whether it claims to be the log's own and not a member's. */
  get byLog() {
    return this.issuer === this.origin;
  }

  encode() {
    return encode([this.protected, this.signature]);
  }

  /** @throws {Invalid} `ledger.receipt_signature_wrong` */
  async verify(root, key, suite) {
    const named = key.algorithm === EDDSA && equal(key.thumbprint, this.kid);
    if (!named || !(await key.accepts(this.signature, toBeSigned(this.protected, root), suite))) {
      throw new Invalid("ledger.receipt_signature_wrong", { origin: this.issuer });
    }
  }
}

function printHeader({ issuer, origin, size, kid, issuedAt }) {
  return encode(
    new Map([
      [1, EDDSA],
      [4, kid],
      [15, new Map([[1, issuer], [2, origin], [6, issuedAt]])],
      [DATA_STRUCTURE, RFC9162_SHA256],
      [CHOPMARK, new Map([["size", size]])],
    ]),
  );
}

const toBig = (value) => (typeof value === "number" || typeof value === "bigint" ? BigInt(value) : null);

/** A COSE Receipt with one inclusion proof. */
export class CoseReceipt {
  constructor({ sealed, index, path }) {
    this.sealed = sealed;
    this.index = index;
    this.path = path;
  }

  /** @throws {Invalid} `ledger.receipt_too_large`, `ledger.receipt_malformed` */
  static parse(raw) {
    if (raw.length > MAX_RECEIPT) throw new Invalid("ledger.receipt_too_large", { size: raw.length, limit: MAX_RECEIPT });
    const envelope = parseEnvelopeOr(malformed(), raw);
    const proofs = envelope.unprotected.get(DATA_PROOFS);
    const inclusion = proofs instanceof Map ? proofs.get(INCLUSION) : undefined;
    if (!Array.isArray(inclusion) || inclusion.length !== 1 || !isBytes(inclusion[0])) throw malformed();
    if (envelope.payload !== null) throw malformed();
    const { size, index, path } = readProof(decodeOr(malformed(), inclusion[0]));
    const sealed = SealedRoot.of(envelope.protected, envelope.signature);
    const receipt = new CoseReceipt({ sealed, index, path });
    if (size !== sealed.size || !equal(receipt.encode(), raw)) throw malformed();
    return receipt;
  }

  /**
   * The root that the path leads to from this leaf hash (RFC 9162 section 2.1.3.2).
   * @throws {Invalid} `ledger.proof_wrong` when the path has not the length that index and size demand
   */
  root(leaf) {
    const root = rootFrom({ leaf, index: this.index, size: this.sealed.size, proof: this.path });
    if (root === null) throw new Invalid("ledger.proof_wrong");
    return root;
  }

  encode() {
    const proof = encode([this.sealed.size, this.index, this.path]);
    return new Envelope({
      protected: this.sealed.protected,
      unprotected: new Map([[DATA_PROOFS, new Map([[INCLUSION, [proof]]])]]),
      payload: null,
      signature: this.sealed.signature,
    }).encode();
  }
}

/** `[tree size, leaf index, [hash, ...]]`, from size 2 on. */
function readProof(value) {
  if (!Array.isArray(value) || value.length !== 3) throw malformed();
  const [size, index, path] = [toBig(value[0]), toBig(value[1]), value[2]];
  if (size === null || index === null || !Array.isArray(path) || !path.every(isDigest)) throw malformed();
  if (index < 0n || index >= size || size > MAX_INT63) throw malformed();
  if (path.length < 1 || path.length > MAX_PATH) throw malformed();
  return { size, index, path };
}

/**
 * The receipts of one Transparent Statement: one entry of one log at one size, each sealed by another key.
 * @param {Uint8Array[]} raws at least one
 * @throws {Invalid} `ledger.receipt_too_large`, `ledger.receipt_malformed`
 */
export function parseReceipts(raws) {
  const receipts = raws.map((raw) => CoseReceipt.parse(raw));
  const [first, ...others] = receipts;
  if (others.some((each) => each.sealed.byLog || !isSamePlace(each, first))) throw malformed();
  if (new Set(receipts.map(({ sealed }) => toHex(sealed.kid))).size !== receipts.length) throw malformed();
  return receipts;
}

const isSamePlace = (left, right) =>
  left.sealed.origin === right.sealed.origin &&
  left.sealed.size === right.sealed.size &&
  left.index === right.index &&
  left.path.length === right.path.length &&
  left.path.every((hash, at) => equal(hash, right.path[at]));

/**
 * Take a Transparent Statement apart; the statement comes back as it stands on the ledger.
 * @returns {{statement: Uint8Array, receipts: Uint8Array[], extra: Map}}
 * @throws {Invalid} `ledger.receipt_too_large`, `ledger.transparent_malformed`
 */
export function parseTransparent(raw) {
  const wrong = new Invalid("ledger.transparent_malformed");
  if (raw.length > MAX_TRANSPARENT) {
    throw new Invalid("ledger.receipt_too_large", { size: raw.length, limit: MAX_TRANSPARENT });
  }
  const envelope = parseEnvelopeOr(wrong, raw);
  const [receipts, extra = new Map()] = [envelope.unprotected.get(RECEIPTS), envelope.unprotected.get(CHOPMARK)];
  if (!Array.isArray(receipts) || receipts.length < 1 || receipts.length > MAX_RECEIPTS) throw wrong;
  if (!receipts.every(isBytes) || !(extra instanceof Map)) throw wrong;
  if (![...envelope.unprotected.keys()].every((label) => label === RECEIPTS || label === CHOPMARK)) throw wrong;
  const { protected: header, payload, signature } = envelope;
  const statement = new Envelope({ protected: header, unprotected: new Map(), payload, signature }).encode();
  return { statement, receipts, extra };
}
