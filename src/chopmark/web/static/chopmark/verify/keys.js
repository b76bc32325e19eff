/**
 * Verifier keys in their text form (C2SP signed-note): `<name>+<hex key id>+<base64(type || public key)>`.
 */

import { concat, equal, fromBase64, toBase64, toHex, toUtf8 } from "./bytes.js";
import { Invalid } from "./errors.js";
import { sha256 } from "./sha256.js";

export const ED25519 = 0x01;
export const ED25519_COSIGNATURE = 0x04;
export const MLDSA44_COSIGNATURE = 0x06;

const PUBLIC_SIZE = new Map([
  [ED25519, 32],
  [ED25519_COSIGNATURE, 32],
  [MLDSA44_COSIGNATURE, 1312],
]);

export const MAX_NAME = 255;

/** Of the bare signature, without the time in front of it. */
export const SIGNATURE_SIZE = new Map([
  [ED25519, 64],
  [ED25519_COSIGNATURE, 64],
  [MLDSA44_COSIGNATURE, 2420],
]);

/** White space as Unicode and Python know it, control characters, and the plus that separates a key's parts. */
const FORBIDDEN = /[\0-\x20+\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/u;

/** Whether a note may name a key so: 1 to 255 bytes of UTF-8, no white space, no control character, no plus. */
export const isKeyName = (name) => name !== "" && !FORBIDDEN.test(name) && toUtf8(name).length <= MAX_NAME;

export class VerifierKey {
  constructor({ name, type, public: key }) {
    this.name = name;
    this.type = type;
    this.public = key;
    const material = concat(toUtf8(`${name}\n`), Uint8Array.of(type), key);
    this.keyId = sha256(material).subarray(0, 4);
  }

  /**
   * @param {string} text
   * @param {import("./suite.js").Suite} suite says which points are keys
   * @throws {Invalid} `ledger.key_malformed`, `ledger.key_type_unknown`, `ledger.key_name_wrong`
   */
  static parse(text, suite) {
    const malformed = new Invalid("ledger.key_malformed");
    const [name, , ...encoded] = text.split("+");
    const material = fromBase64(encoded.join("+"));
    if (material === null || material.length === 0) throw malformed;
    const [type, key] = [material[0], material.slice(1)];
    if (!isKeyName(name)) throw new Invalid("ledger.key_name_wrong");
    if (!PUBLIC_SIZE.has(type)) throw new Invalid("ledger.key_type_unknown", { type });
    if (key.length !== PUBLIC_SIZE.get(type)) throw malformed;
    if (type !== MLDSA44_COSIGNATURE && !suite.isEd25519Key(key)) throw malformed;
    const verifier = new VerifierKey({ name, type, public: key });
    if (verifier.text() !== text) throw malformed;
    return verifier;
  }

  /** @throws {Invalid} `ledger.signature_wrong` */
  async verify(signature, message, suite) {
    const check = this.type === MLDSA44_COSIGNATURE ? suite.mlDsa44 : suite.ed25519;
    if (!(await check(this.public, signature, message))) throw new Invalid("ledger.signature_wrong", { name: this.name });
  }

  text() {
    return `${this.name}+${toHex(this.keyId)}+${toBase64(concat(Uint8Array.of(this.type), this.public))}`;
  }

  matches(signature) {
    return this.name === signature.name && equal(this.keyId, signature.keyId);
  }
}
