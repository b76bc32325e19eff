/**
 * The signature algorithms a verifier needs, strict and the same in every browser.
 *
 * Ed25519 is checked strictly: the key and the signature's R must be canonical encodings of points of the prime-order
 * group that are not of small order, and S must be less than the group order. Every RFC 8032 verifier accepts such a
 * signature, with or without cofactor, so it does not matter which one does the rest. WebCrypto does it where it can,
 * the vendored library elsewhere.
 *
 * Takes everything from its arguments: no globals of a page, no network.
 *
 * @typedef {ReturnType<typeof makeSuite>} Suite
 */

import { concat, toHex } from "./bytes.js";

const ED25519_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

const P256_PRIME = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
const P256_B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;

const fromBigEndian = (bytes) => BigInt(`0x${toHex(bytes) || "0"}`);
const fromLittleEndian = (bytes) => fromBigEndian(bytes.slice().reverse());

/** This browser has no way to check the signature: neither right nor wrong. */
export class Unsupported extends Error {}

/**
 * @param {{ed: object, mldsa44: object, subtle?: SubtleCrypto}} engines
 *   `ed` is @noble/ed25519 with its SHA-512 set, `mldsa44` is `ml_dsa44` of @noble/post-quantum, both vendored;
 *   `subtle` is WebCrypto, absent on pages that a browser does not trust
 */
export function makeSuite({ ed, mldsa44, subtle }) {
  const goodPoints = new Map();

  /** Whether the 32 bytes are the canonical encoding of a point of the prime-order group, not of small order. */
  function isEd25519Key(encoded) {
    const name = toHex(encoded);
    if (!goodPoints.has(name)) goodPoints.set(name, isGoodPoint(ed, encoded));
    return goodPoints.get(name);
  }

  async function ed25519(key, signature, message) {
    if (key.length !== 32 || signature.length !== 64) return false;
    if (fromLittleEndian(signature.subarray(32)) >= ED25519_ORDER) return false;
    const point = readPoint(ed, signature.subarray(0, 32));
    if (!isEd25519Key(key) || point === null || point.isSmallOrder()) return false;
    const native = await verifyNatively(subtle, { format: "raw", key, algorithm: "Ed25519", signature, message });
    // WebCrypto checks [S]B = R + [k]A without cofactor, which no R outside the prime-order group fulfils with such a
    // key. The library checks with cofactor, so there the same is asked of R by hand.
    return native ?? (point.isTorsionFree() && ed.verify(signature, message, key, { zip215: false }));
  }

  async function mlDsa44(key, signature, message) {
    const algorithm = "ML-DSA-44";
    const native = await verifyNatively(subtle, { format: "raw-public", key, algorithm, signature, message });
    return native ?? mldsa44.verify(signature, message, key);
  }

  async function es256(x, y, signature, message) {
    const native = await verifyNatively(subtle, {
      format: "raw",
      key: concat(Uint8Array.of(4), x, y),
      algorithm: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
      signature,
      message,
    });
    if (native === null) throw new Unsupported("ES256");
    return native;
  }

  return { isEd25519Key, isP256Key, ed25519, es256, mlDsa44, subtle };
}

/** @returns {object|null} null when the bytes are not the canonical encoding of a point */
function readPoint(ed, encoded) {
  try {
    return ed.Point.fromBytes(encoded, false);
  } catch {
    return null;
  }
}

function isGoodPoint(ed, encoded) {
  const point = readPoint(ed, encoded);
  return point !== null && !point.isSmallOrder() && point.isTorsionFree();
}

/** Whether two coordinates of 32 bytes are a point of P-256: y^2 = x^3 - 3x + b. */
function isP256Key(xBytes, yBytes) {
  const [x, y] = [fromBigEndian(xBytes), fromBigEndian(yBytes)];
  if (x >= P256_PRIME || y >= P256_PRIME) return false;
  return (y * y - (x * x * x - 3n * x + P256_B)) % P256_PRIME === 0n;
}

/** @returns {Promise<boolean|null>} null when this browser does not know the algorithm */
async function verifyNatively(subtle, { format, key, algorithm, signature, message }) {
  if (!subtle) return null;
  try {
    const imported = await subtle.importKey(format, key, algorithm, false, ["verify"]);
    return await subtle.verify(algorithm, imported, signature, message);
  } catch {
    // An algorithm or a key form that this browser does not have: the library decides.
    return null;
  }
}
