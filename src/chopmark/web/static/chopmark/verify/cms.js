/**
 * CMS SignedData (RFC 5652) with one signer, and the certificates behind it: the browser's side of
 * `chopmark.ledger.cms`. Serves time-stamp tokens and signatures under bundles.
 *
 * What nobody signs is handed out for the caller to judge. Not checked here: revocation.
 */

import {
  algorithmOf, digest as digestOf, ECDSA_HASH, ecdsa, ED25519, ed25519, HASHES, PSS, pssOf, publicKey, RSA, RSA_HASH,
  rsaPkcs1, rsaPss, SHA1, SHA256,
} from "./algorithms.js";
import { equal } from "./bytes.js";
import { INTEGER, inside, integer, Malformed, OCTET_STRING, OID, oid, read, Reader, SEQUENCE, SET } from "./der.js";
import { ANY_PURPOSE, Certificate, KEY_CERT_SIGN } from "./x509.js";

const MAX_CERTIFICATES = 16;
const MOST_STEPS = 8;
const SMALLEST_RSA = 2048;
const CURVES = ["secp256r1", "secp384r1"];

export const DATA = "1.2.840.113549.1.7.1";
const SIGNED_DATA = "1.2.840.113549.1.7.2";
const CONTENT_TYPE = "1.2.840.113549.1.9.3";
const MESSAGE_DIGEST = "1.2.840.113549.1.9.4";
const SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.12";
const SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47";

/**
 * What is wrong with a SignedData or a certificate. `kind` is malformed, algorithm, digest_wrong, signature_wrong,
 * certificate_missing, outside_validity or authority_unknown; the caller makes it a code of its own.
 */
export class CmsError extends Error {
  constructor(kind, facts = {}) {
    super(kind);
    this.kind = kind;
    this.facts = facts;
  }
}

/** What `Malformed` means of a SignedData. */
function strictly(reading) {
  try {
    return reading();
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    throw new CmsError("malformed");
  }
}

// ---- reading -------------------------------------------------------------------------------------------------------

/** Take a ContentInfo with SignedData and exactly one signer apart; nothing is checked yet. @throws {Malformed} */
export function readSigned(data) {
  const outer = new Reader(read(data).content);
  if (oid(outer.take(OID)) !== SIGNED_DATA) throw new Malformed("another kind of content");
  const parts = new Reader(inside(outer.take(0xa0), SEQUENCE).content);
  outer.end();
  const version = integer(parts.take(INTEGER));
  const hints = new Reader(parts.take(SET).content).rest();
  const wrapped = new Reader(parts.take(SEQUENCE).content);
  const kind = oid(wrapped.take(OID));
  const held = wrapped.maybe(0xa0);
  wrapped.end();
  const content = held === null ? null : inside(held, OCTET_STRING).content;
  const [certificates, lists] = [rawsOf(parts.maybe(0xa0)), rawsOf(parts.maybe(0xa1))];
  const signer = inside(parts.take(SET), SEQUENCE);
  parts.end();
  if (certificates.length > MAX_CERTIFICATES || lists.length > MAX_CERTIFICATES) throw new Malformed("too many");
  return { version, kind, content, hints, certificates, revocations: lists, ...readSigner(new Reader(signer.content)) };
}

const rawsOf = (element) => (element === null ? [] : new Reader(element.content).rest().map(({ raw }) => raw));

/** A SignerInfo (RFC 5652 5.3). */
function readSigner(parts) {
  const version = integer(parts.take(INTEGER));
  const named = parts.take(SEQUENCE, 0x80);
  let [issuer, serial, keyIdentifier] = [null, null, null];
  if (named.tag === SEQUENCE) {
    const naming = new Reader(named.content);
    [issuer, serial] = [naming.take(SEQUENCE).raw, integer(naming.take(INTEGER))];
    naming.end();
  } else {
    keyIdentifier = named.content;
  }
  if (version !== (keyIdentifier === null ? 1n : 3n)) throw new Malformed("another version");
  const digest = algorithmOf(parts.take(SEQUENCE));
  const attributes = parts.take(0xa0);
  const algorithm = parts.take(SEQUENCE);
  const signature = parts.take(OCTET_STRING).content;
  const unsigned = parts.maybe(0xa1);
  parts.end();
  const signed = attributes.raw.slice();
  signed[0] = SET; // RFC 5652 5.4: signed as the SET that the tag [0] stands for
  return { issuer, serial, keyIdentifier, digest, attributes: readAttributes(attributes), signed, algorithm, signature, unsigned: unsigned && readUnsigned(unsigned) };
}

/** Type to its one value. */
function readAttributes(element) {
  const found = new Map();
  for (const each of new Reader(element.content).rest()) {
    const { kind, values } = readAttribute(each);
    if (found.has(kind) || values.length !== 1) throw new Malformed("an attribute twice, or not with one value");
    found.set(kind, values[0]);
  }
  return found;
}

const readUnsigned = (element) => new Reader(element.content).rest().map(readAttribute);

function readAttribute(element) {
  const parts = new Reader(element.content);
  const [kind, values] = [oid(parts.take(OID)), new Reader(parts.take(SET).content).rest()];
  parts.end();
  if (element.tag !== SEQUENCE) throw new Malformed("no attribute");
  return { kind, values };
}

// ---- the signer ----------------------------------------------------------------------------------------------------

/** A certificate of which all that is used later can be read. @throws {CmsError} malformed */
export const readCertificate = (data) =>
  strictly(() => {
    const certificate = new Certificate(data);
    if (certificate.serial <= 0n) throw new Malformed("a certificate's number is positive");
    return certificate;
  });

/** The certificate that is named outside the signature and under it. */
export async function findSigner(token, candidates, suite) {
  const kinds = [SIGNING_CERTIFICATE_V2, SIGNING_CERTIFICATE].filter((kind) => token.attributes.has(kind));
  if (kinds.length === 0) throw new CmsError("malformed");
  const namings = strictly(() => kinds.map((kind) => readNaming(token.attributes.get(kind), kind)));
  for (const naming of namings) {
    if (naming.algorithm !== SHA1 && !HASHES.has(naming.algorithm)) {
      throw new CmsError("algorithm", { algorithm: naming.algorithm });
    }
  }
  for (const certificate of candidates) {
    if (isNamed(token, certificate) && (await allName(namings, certificate, suite))) return certificate;
  }
  throw new CmsError("certificate_missing");
}

/** Whether a SignerInfo names a certificate. */
function isNamed({ issuer, serial, keyIdentifier }, certificate) {
  if (keyIdentifier === null) return equal(issuer, certificate.issuer) && serial === certificate.serial;
  return certificate.keyIdentifier !== null && equal(certificate.keyIdentifier, keyIdentifier);
}

async function allName(namings, certificate, suite) {
  for (const { algorithm, digest, issuer, serial } of namings) {
    if (!equal(await digestOf(algorithm, certificate.raw, suite), digest)) return false;
    if (issuer !== null && !(equal(issuer, certificate.issuer) && serial === certificate.serial)) return false;
  }
  return true;
}

/** SigningCertificate (RFC 2634) or its V2 (RFC 5035): the first certificate it names. @throws {Malformed} */
function readNaming(attribute, kind) {
  if (attribute.tag !== SEQUENCE) throw new Malformed("not a list of certificates");
  const first = new Reader(new Reader(attribute.content).take(SEQUENCE).content).take(SEQUENCE);
  const parts = new Reader(first.content);
  let algorithm = kind === SIGNING_CERTIFICATE ? SHA1 : SHA256;
  const given = kind === SIGNING_CERTIFICATE_V2 ? parts.maybe(SEQUENCE) : null;
  if (given !== null) algorithm = algorithmOf(given);
  const digest = parts.take(OCTET_STRING).content;
  const issuerSerial = parts.maybe(SEQUENCE);
  parts.end();
  let [issuer, serial] = [null, null];
  if (issuerSerial !== null) {
    const naming = new Reader(issuerSerial.content);
    issuer = inside(inside(naming.take(SEQUENCE), 0xa4), SEQUENCE).raw;
    serial = integer(naming.take(INTEGER));
    naming.end();
  }
  return { algorithm, digest, issuer, serial };
}

/**
 * Attributes are about this content, and the signer's key signed them (RFC 5652 5.4, 11).
 * @param {(algorithm: string) => Promise<Uint8Array>} content its digest
 * @throws {CmsError} malformed, algorithm, digest_wrong, signature_wrong
 */
export async function mustBeSigned(signed, kind, content, signer, suite) {
  if (!HASHES.has(signed.digest)) throw new CmsError("algorithm", { algorithm: signed.digest });
  const [said, digest] = [signed.attributes.get(CONTENT_TYPE), signed.attributes.get(MESSAGE_DIGEST)];
  if (signed.kind !== kind || !isType(said, kind)) throw new CmsError("malformed");
  if (digest === undefined || digest.tag !== OCTET_STRING) throw new CmsError("malformed");
  if (!equal(digest.content, await content(signed.digest))) throw new CmsError("digest_wrong");
  const verdict = await signs(signer, signed, suite).catch((error) => {
    if (!(error instanceof Malformed) && !(error instanceof DOMException)) throw error;
    throw new CmsError("malformed");
  });
  if (verdict === null) throw new CmsError("algorithm", { algorithm: algorithmName(signed) });
  if (!verdict) throw new CmsError("signature_wrong");
}

const algorithmName = ({ algorithm }) => oid(new Reader(algorithm.content).take(OID));

function isType(element, dotted) {
  if (element === undefined || element.tag !== OID) return false;
  try {
    return oid(element) === dotted;
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return false;
  }
}

/**
 * Whether a certificate's key signed the attributes of a SignerInfo.
 * @returns {Promise<boolean|null>} null for an algorithm that is not known or no longer thought safe
 * @throws {Malformed}
 */
async function signs(signer, token, suite) {
  const parts = new Reader(token.algorithm.content);
  const algorithm = oid(parts.take(OID));
  const key = publicKey(signer.spki);
  const { signature, signed } = token;
  if (key.kind === "rsa" && key.bits >= SMALLEST_RSA) {
    if (algorithm === PSS) return rsaPss(key, pssOf(parts.take(SEQUENCE)), signature, signed, suite);
    const hash = algorithm === RSA ? token.digest : RSA_HASH.get(algorithm);
    return hash === undefined ? null : rsaPkcs1(key, hash, signature, signed, suite);
  }
  if (key.kind === "ec" && CURVES.includes(key.curve) && ECDSA_HASH.has(algorithm)) {
    return ecdsa(key, ECDSA_HASH.get(algorithm), signature, signed, suite);
  }
  if (key.kind === "ed25519" && algorithm === ED25519) return ed25519(key, signature, signed, suite);
  return null;
}

// ---- certificates --------------------------------------------------------------------------------------------------

/**
 * A chain of certificates, all valid at `time`, from the signer's to a trusted one.
 * @param {Certificate} signer
 * @param {Certificate[]} brought not trusted, may stand between
 * @param {{certificate: Certificate, anchor: object}[]} trusted
 * @param {bigint} time in microseconds
 * @param {string[]} purposes of which an issuer that is limited to purposes must have one
 * @returns {Promise<{anchor: object, certificates: Certificate[]}>}
 * @throws {CmsError} outside_validity, authority_unknown
 */
export async function chain(signer, brought, trusted, time, purposes, suite) {
  const of = new Map([...trusted].reverse().map(({ certificate, anchor }) => [certificate.key, anchor]));
  const pool = new Map([...trusted.map(({ certificate }) => certificate), ...brought].map((each) => [each.key, each]));
  let last = new CmsError("authority_unknown", { subject: signer.name });
  const waiting = [[signer]];
  const seen = new Set();
  while (waiting.length > 0) {
    const path = waiting.shift();
    const certificate = path[path.length - 1];
    if (seen.has(certificate.key)) continue;
    seen.add(certificate.key);
    if (!certificate.isValidAt(time)) {
      last = new CmsError("outside_validity", { subject: certificate.name });
      continue;
    }
    if (of.has(certificate.key)) return { anchor: of.get(certificate.key), certificates: path };
    if (path.length >= MOST_STEPS) continue;
    for (const issuer of pool.values()) {
      if (mayIssue(issuer, path.length - 1, purposes) && (await certificate.isIssuedBy(issuer, suite))) {
        waiting.push([...path, issuer]);
      }
    }
  }
  throw last;
}

/** Whether it may sign certificates with `below` others under them, for one of these purposes (RFC 5280 6.1.4). */
function mayIssue(issuer, below, wanted) {
  const { basic, usage, purposes } = issuer;
  if (basic === null || !basic.ca || (basic.pathLength !== null && basic.pathLength < BigInt(below))) return false;
  if (usage !== null && !usage.has(KEY_CERT_SIGN)) return false;
  if (purposes !== null && ![...wanted, ANY_PURPOSE].some((each) => purposes.includes(each))) return false;
  return issuer.isUnderstood();
}
