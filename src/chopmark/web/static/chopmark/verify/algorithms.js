/**
 * Signatures under certificates, lists of revoked ones, tokens and documents: RSA, ECDSA, Ed25519.
 *
 * A key is a SubjectPublicKeyInfo, a scheme is what an AlgorithmIdentifier says. RSA and ECDSA are WebCrypto's; Ed25519
 * is the suite's. What is thought too weak, or not known, is said by the caller.
 */

import { concat } from "./bytes.js";
import { bits, INTEGER, inside, integer, Malformed, NULL, OID, oid, read, Reader, SEQUENCE } from "./der.js";
import { sha256 } from "./sha256.js";
import { Unsupported } from "./suite.js";

export const SHA1 = "1.3.14.3.2.26";
export const SHA256 = "2.16.840.1.101.3.4.2.1";
export const SHA384 = "2.16.840.1.101.3.4.2.2";
export const SHA512 = "2.16.840.1.101.3.4.2.3";

export const RSA = "1.2.840.113549.1.1.1";
export const PSS = "1.2.840.113549.1.1.10";
const MGF1 = "1.2.840.113549.1.1.8";
export const ED25519 = "1.3.101.112";
export const EC = "1.2.840.10045.2.1";

export const RSA_HASH = new Map([
  ["1.2.840.113549.1.1.11", SHA256],
  ["1.2.840.113549.1.1.12", SHA384],
  ["1.2.840.113549.1.1.13", SHA512],
]);
export const ECDSA_HASH = new Map([
  ["1.2.840.10045.4.3.2", SHA256],
  ["1.2.840.10045.4.3.3", SHA384],
  ["1.2.840.10045.4.3.4", SHA512],
]);
const SHA1_RSA = "1.2.840.113549.1.1.5";
const SHA1_ECDSA = "1.2.840.10045.4.1";

/** Digest algorithms that are still trusted: identifier to name in WebCrypto. */
export const HASHES = new Map([
  [SHA256, "SHA-256"],
  [SHA384, "SHA-384"],
  [SHA512, "SHA-512"],
]);
const NAMED = new Map([...HASHES, [SHA1, "SHA-1"]]);
export const DIGEST_SIZES = new Map([
  [SHA256, 32],
  [SHA384, 48],
  [SHA512, 64],
]);

const CURVES = new Map([
  ["1.2.840.10045.3.1.7", { name: "secp256r1", webcrypto: "P-256", size: 32 }],
  ["1.3.132.0.34", { name: "secp384r1", webcrypto: "P-384", size: 48 }],
  ["1.3.132.0.35", { name: "secp521r1", webcrypto: "P-521", size: 66 }],
]);

/** @returns {Promise<Uint8Array>} @throws {Unsupported} on a page that a browser does not trust */
export async function digest(algorithm, data, suite) {
  if (algorithm === SHA256) return sha256(data);
  if (!suite.subtle) throw new Unsupported(algorithm);
  return new Uint8Array(await suite.subtle.digest(NAMED.get(algorithm), data));
}

/** The identifier of an algorithm whose parameters are absent or NULL. */
export function algorithmOf(element) {
  const parts = new Reader(element.content);
  const dotted = oid(parts.take(OID));
  const empty = parts.maybe(NULL);
  parts.end();
  if (empty !== null && empty.content.length > 0) throw new Malformed("a NULL is empty");
  return dotted;
}

/**
 * @param {Uint8Array} spki
 * @returns {{kind: "rsa"|"ec"|"ed25519"|"other", spki: Uint8Array, bits?: number, curve?: string, raw?: Uint8Array}}
 */
export function publicKey(spki) {
  const parts = new Reader(read(spki).content);
  const algorithm = new Reader(parts.take(SEQUENCE).content);
  const kind = oid(algorithm.take(OID));
  const { bytes } = bits(parts.take());
  parts.end();
  if (kind === RSA) {
    const number = new Reader(read(bytes).content);
    const modulus = integer(number.take(INTEGER));
    return { kind: "rsa", spki, bits: modulus.toString(2).length };
  }
  if (kind === EC) {
    const curve = CURVES.get(oid(algorithm.take(OID)));
    return curve ? { kind: "ec", spki, curve: curve.name, ...curve, raw: bytes } : { kind: "other", spki };
  }
  return kind === ED25519 ? { kind: "ed25519", spki, raw: bytes } : { kind: "other", spki };
}

/** @returns {Promise<boolean>} */
export async function rsaPkcs1(key, hash, signature, message, suite) {
  return natively(suite, key, { name: "RSASSA-PKCS1-v1_5", hash: NAMED.get(hash) }, signature, message);
}

/** @param {{hash: string, salt: number}} scheme */
export async function rsaPss(key, { hash, salt }, signature, message, suite) {
  return natively(suite, key, { name: "RSA-PSS", hash: NAMED.get(hash), saltLength: salt }, signature, message);
}

/** The signature is two integers in DER; WebCrypto wants them at their full length. */
export async function ecdsa(key, hash, signature, message, suite) {
  const flat = flatten(signature, key.size);
  if (flat === null) return false;
  const algorithm = { name: "ECDSA", namedCurve: key.webcrypto, hash: NAMED.get(hash) };
  return natively(suite, key, algorithm, flat, message);
}

export const ed25519 = (key, signature, message, suite) => suite.ed25519(key.raw, signature, message);

function flatten(signature, size) {
  try {
    const parts = new Reader(read(signature).content);
    const numbers = [parts.take(INTEGER), parts.take(INTEGER)];
    parts.end();
    if (numbers.some((each) => integer(each) <= 0n)) return null;
    const bare = numbers.map(({ content }) => (content[0] === 0 ? content.subarray(1) : content));
    if (bare.some(({ length }) => length > size)) return null;
    return concat(...bare.map((each) => concat(new Uint8Array(size - each.length), each)));
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return null;
  }
}

async function natively({ subtle }, { spki }, algorithm, signature, message) {
  if (!subtle) throw new Unsupported(algorithm.name);
  const key = await subtle.importKey("spki", spki, algorithm, false, ["verify"]);
  return subtle.verify(algorithm, key, signature, message);
}

/** RSASSA-PSS parameters (RFC 4055): the same SHA-2 digest twice, and a salt of up to 64 bytes. */
export function pssOf(element) {
  const parts = new Reader(element.content);
  const [given, mask, salt, trailer] = [0xa0, 0xa1, 0xa2, 0xa3].map((tag) => parts.maybe(tag));
  parts.end();
  const usual = trailer === null || integer(inside(trailer, INTEGER)) === 1n;
  if (given === null || mask === null || salt === null || !usual) throw new Malformed("defaults mean SHA-1");
  const hash = algorithmOf(inside(given, SEQUENCE));
  const generator = new Reader(inside(mask, SEQUENCE).content);
  if (oid(generator.take(OID)) !== MGF1) throw new Malformed("another mask");
  const length = integer(inside(salt, INTEGER));
  const same = HASHES.has(hash) && algorithmOf(generator.take(SEQUENCE)) === hash;
  if (!same || length < 0n || length > 64n) throw new Malformed("parameters of another kind");
  return { hash, salt: Number(length) };
}

/**
 * Whether a key signed these bytes with the algorithm that a certificate or a list names.
 * False for what is not known: such a certificate leads nowhere.
 */
export async function issued(spki, algorithm, signature, message, suite) {
  try {
    const key = publicKey(spki);
    const parts = new Reader(algorithm.content);
    const dotted = oid(parts.take(OID));
    const rsa = dotted === SHA1_RSA ? SHA1 : RSA_HASH.get(dotted);
    const ec = dotted === SHA1_ECDSA ? SHA1 : ECDSA_HASH.get(dotted);
    if (key.kind === "rsa" && rsa) return await rsaPkcs1(key, rsa, signature, message, suite);
    if (key.kind === "rsa" && dotted === PSS) {
      return await rsaPss(key, pssOf(parts.take(SEQUENCE)), signature, message, suite);
    }
    if (key.kind === "ec" && ec) return await ecdsa(key, ec, signature, message, suite);
    if (key.kind === "ed25519" && dotted === ED25519) return await ed25519(key, signature, message, suite);
    return false;
  } catch (error) {
    if (error instanceof Malformed || error instanceof DOMException) return false;
    throw error;
  }
}
