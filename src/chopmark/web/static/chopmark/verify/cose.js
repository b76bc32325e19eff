/**
 * COSE_Sign1 (RFC 9052) and COSE keys, as far as receipts need them: EdDSA with Ed25519 (-8) and ES256 (-7).
 *
 * No other algorithm is negotiated, no key is taken from a message, nothing is fetched.
 */

import { decode, encode, Tag } from "./cbor.js";
import { equal } from "./bytes.js";
import { Invalid } from "./errors.js";
import { sha256 } from "./sha256.js";

export const EDDSA = -8;
export const ES256 = -7;
export const SIGNATURE_SIZE = 64;

const COORDINATE_SIZE = 32;
const EMPTY = new Uint8Array(0);

export const isBytes = (value) => value instanceof Uint8Array;
export const isDigest = (value) => isBytes(value) && value.length === 32;

/** A key that signs statements; `x` is the whole Ed25519 key, `x` and `y` the point of a P-256 key. */
export class PublicKey {
  constructor({ algorithm, x, y = null }) {
    this.algorithm = algorithm;
    this.x = x;
    this.y = y;
  }

  /**
   * Read a COSE_Key with the required parameters and no others.
   * @param {Uint8Array} data
   * @param {import("./suite.js").Suite} suite says which points are keys
   * @throws {Invalid} `ledger.cose_key_malformed`
   */
  static async fromCose(data, suite) {
    const key = readKey(data);
    if (key === null || !equal(key.toCose(), data)) throw new Invalid("ledger.cose_key_malformed");
    const valid = key.y === null ? suite.isEd25519Key(key.x) : await suite.isP256Key(key.x, key.y);
    if (!valid) throw new Invalid("ledger.cose_key_malformed");
    return key;
  }

  toCose() {
    const parameters = this.y === null ? [[1, 1], [-1, 6], [-2, this.x]] : [[1, 2], [-1, 1], [-2, this.x], [-3, this.y]];
    return encode(new Map(parameters));
  }

  /** RFC 9679 thumbprint with SHA-256. */
  get thumbprint() {
    return sha256(this.toCose());
  }

  /** Whether `signature` is this key's over `message`. */
  async accepts(signature, message, suite) {
    if (signature.length !== SIGNATURE_SIZE) return false;
    if (this.y === null) return suite.ed25519(this.x, signature, message);
    return suite.es256(this.x, this.y, signature, message);
  }
}

function readKey(data) {
  let parameters;
  try {
    parameters = decode(data);
  } catch (error) {
    if (error instanceof Invalid) return null;
    throw error;
  }
  if (!(parameters instanceof Map)) return null;
  const [x, y = null] = [parameters.get(-2), parameters.get(-3)];
  const isCoordinate = (value) => isBytes(value) && value.length === COORDINATE_SIZE;
  if (parameters.get(1) === 1 && isCoordinate(x)) return new PublicKey({ algorithm: EDDSA, x });
  if (parameters.get(1) === 2 && isCoordinate(x) && isCoordinate(y)) return new PublicKey({ algorithm: ES256, x, y });
  return null;
}

/** A COSE_Sign1 as it stands in the bytes; nothing about it is checked but its form. */
export class Envelope {
  constructor({ protected: header, unprotected, payload, signature }) {
    this.protected = header;
    this.unprotected = unprotected;
    this.payload = payload;
    this.signature = signature;
  }

  /** @throws {Invalid} `base.cbor_malformed`, `ledger.cose_malformed` */
  static parse(raw) {
    const tagged = decode(raw);
    const malformed = new Invalid("ledger.cose_malformed");
    if (!(tagged instanceof Tag) || tagged.number !== 18n) throw malformed;
    if (!Array.isArray(tagged.value) || tagged.value.length !== 4) throw malformed;
    const [header, unprotected, payload, signature] = tagged.value;
    const formed = isBytes(header) && unprotected instanceof Map && (payload === null || isBytes(payload));
    if (!formed || !isBytes(signature)) throw malformed;
    return new Envelope({ protected: header, unprotected, payload, signature });
  }

  encode() {
    return encode(new Tag(18n, [this.protected, this.unprotected, this.payload, this.signature]));
  }

  /** The protected header, whose labels are whole numbers or text. @throws {Invalid} */
  header() {
    const header = decode(this.protected);
    const isLabel = (label) => ["number", "bigint", "string"].includes(typeof label);
    if (!(header instanceof Map) || ![...header.keys()].every(isLabel)) throw new Invalid("ledger.cose_malformed");
    return header;
  }
}

/** The Sig_structure of a COSE_Sign1 without external data (RFC 9052 section 4.4). */
export const toBeSigned = (header, payload) => encode(["Signature1", header, EMPTY, payload]);
