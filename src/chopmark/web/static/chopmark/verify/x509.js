/**
 * Certificates and lists of revoked ones (RFC 5280), as far as signatures and tokens need them.
 *
 * Read strictly and kept as bytes; names are compared as bytes. What a reader must understand and does not is said.
 */

import { EC, ECDSA_HASH, ED25519, issued, RSA_HASH } from "./algorithms.js";
import { compare, equal, toHex } from "./bytes.js";
import {
  BIT_STRING, bits, BOOLEAN, boolean, GENERALIZED_TIME, INTEGER, inside, integer, Malformed, NULL,
  OCTET_STRING, OID, oid, read, Reader, SEQUENCE, SET, time, UTC_TIME,
} from "./der.js";

export const BASIC_CONSTRAINTS = "2.5.29.19";
export const KEY_USAGE = "2.5.29.15";
export const EXTENDED_KEY_USAGE = "2.5.29.37";
export const SUBJECT_KEY_IDENTIFIER = "2.5.29.14";
export const CERTIFICATE_POLICIES = "2.5.29.32";
export const SUBJECT_ALTERNATIVE_NAME = "2.5.29.17";

export const TIME_STAMPING = "1.3.6.1.5.5.7.3.8";
export const DOCUMENT_SIGNING = "1.3.6.1.5.5.7.3.36"; // RFC 9336
export const EMAIL_PROTECTION = "1.3.6.1.5.5.7.3.4";
export const ANY_PURPOSE = "2.5.29.37.0";

/** Bits of a key usage. */
export const [DIGITAL_SIGNATURE, CONTENT_COMMITMENT, KEY_CERT_SIGN, CRL_SIGN] = [0, 1, 5, 6];

/** Extensions that are looked at; another one that is critical makes a certificate unfit. */
export const UNDERSTOOD = new Set([
  BASIC_CONSTRAINTS, KEY_USAGE, EXTENDED_KEY_USAGE, CERTIFICATE_POLICIES, SUBJECT_ALTERNATIVE_NAME,
]);

const SHORT = new Map([
  ["2.5.4.3", "CN"],
  ["2.5.4.7", "L"],
  ["2.5.4.8", "ST"],
  ["2.5.4.10", "O"],
  ["2.5.4.11", "OU"],
  ["2.5.4.6", "C"],
  ["2.5.4.9", "STREET"],
  ["0.9.2342.19200300.100.1.25", "DC"],
  ["0.9.2342.19200300.100.1.1", "UID"],
]);

export class Certificate {
  /** @param {Uint8Array} raw @throws {Malformed} */
  constructor(raw) {
    this.raw = raw;
    const outer = new Reader(read(raw).content);
    const body = outer.take(SEQUENCE);
    this.algorithm = readAlgorithm(outer.take(SEQUENCE));
    this.signature = bits(outer.take(BIT_STRING)).bytes;
    outer.end();
    this.signed = body.raw;
    const parts = new Reader(body.content);
    const version = parts.maybe(0xa0);
    this.version = version === null ? 0n : integer(inside(version, INTEGER));
    if (this.version !== 0n && this.version !== 2n) throw new Malformed("a version that there is not");
    this.serial = integer(parts.take(INTEGER));
    const algorithm = readAlgorithm(parts.take(SEQUENCE));
    this.consistent = equal(algorithm.raw, this.algorithm.raw);
    this.issuer = parts.take(SEQUENCE).raw;
    const validity = new Reader(parts.take(SEQUENCE).content);
    this.notBefore = time(validity.take(UTC_TIME, GENERALIZED_TIME));
    this.notAfter = time(validity.take(UTC_TIME, GENERALIZED_TIME));
    validity.end();
    this.subject = parts.take(SEQUENCE).raw;
    this.spki = readKey(parts.take(SEQUENCE)).raw;
    parts.maybe(0x81);
    parts.maybe(0x82);
    const extensions = parts.maybe(0xa3);
    parts.end();
    this.extensions = extensions === null ? new Map() : readExtensions(inside(extensions, SEQUENCE));
    this.name = nameText(this.subject);
    this.subjectKey = nameKey(this.subject);
    this.issuerKey = nameKey(this.issuer);
    this.usage = this.value(KEY_USAGE, readUsage);
    this.purposes = this.value(EXTENDED_KEY_USAGE, readPurposes);
    this.basic = this.value(BASIC_CONSTRAINTS, readBasic);
    this.keyIdentifier = this.value(SUBJECT_KEY_IDENTIFIER, (data) => read(data, OCTET_STRING).content);
  }

  value(kind, reading) {
    const extension = this.extensions.get(kind);
    return extension === undefined ? null : reading(extension.value);
  }

  get key() {
    return toHex(this.raw);
  }

  isCritical(kind) {
    return this.extensions.get(kind)?.critical === true;
  }

  /** Whether every critical extension is one that is looked at. */
  isUnderstood(known = UNDERSTOOD) {
    return [...this.extensions].every(([kind, { critical }]) => !critical || known.has(kind));
  }

  isValidAt(moment) {
    return this.notBefore <= moment && moment <= this.notAfter;
  }

  /** Whether another certificate's key signed this one, which names it. */
  async isIssuedBy(issuer, suite) {
    if (!equal(issuer.subject, this.issuer) || !this.consistent) return false;
    return issued(issuer.spki, this.algorithm, this.signature, this.signed, suite);
  }
}

/** An AlgorithmIdentifier: a name, and at most one parameter, which is NULL where there is nothing to say. */
function readAlgorithm(element) {
  const parts = new Reader(element.content);
  const kind = oid(parts.take(OID));
  const parameter = parts.left ? parts.take() : null;
  parts.end();
  const bare = RSA_HASH.has(kind) || ECDSA_HASH.has(kind);
  if (bare && parameter !== null && (parameter.tag !== NULL || parameter.content.length > 0)) throw new Malformed("not NULL");
  if (kind === ED25519 && parameter !== null) throw new Malformed("a parameter where there is none");
  return element;
}

/** A SubjectPublicKeyInfo. */
function readKey(element) {
  const parts = new Reader(element.content);
  const algorithm = new Reader(readAlgorithm(parts.take(SEQUENCE)).content);
  bits(parts.take(BIT_STRING));
  parts.end();
  if (oid(algorithm.take(OID)) === EC) {
    const curve = algorithm.take(OID, NULL, SEQUENCE);
    if (curve.tag === OID) oid(curve);
  }
  return element;
}

/** @returns {Map<string, {critical: boolean, value: Uint8Array}>} */
export function readExtensions(list) {
  const found = new Map();
  const all = new Reader(list.content);
  if (!all.left) throw new Malformed("no extension where there should be one");
  while (all.left) {
    const parts = new Reader(all.take(SEQUENCE).content);
    const kind = oid(parts.take(OID));
    const flag = parts.maybe(BOOLEAN);
    const value = parts.take(OCTET_STRING).content;
    parts.end();
    if (found.has(kind) || (flag !== null && !boolean(flag))) throw new Malformed("twice, or a default that is said");
    READ.get(kind)?.(value);
    found.set(kind, { critical: flag !== null, value });
  }
  return found;
}

function readPurposes(data) {
  return partsOf(data).map((each) => {
    if (each.tag !== OID) throw new Malformed("a purpose");
    return oid(each);
  });
}

const partsOf = (data) => new Reader(read(data).content).rest();

/** Values with tags of their own context, as names and points are. */
function readTagged(elements) {
  if (elements.some(({ tag }) => (tag & 0xc0) !== 0x80)) throw new Malformed("a value of another kind");
}

/** Lists whose elements begin with an identifier. */
function readNamed(elements) {
  for (const { tag, content } of elements) {
    if (tag !== SEQUENCE) throw new Malformed("a value of another kind");
    oid(new Reader(content).take(OID));
  }
}

/** Extensions that are not judged, but have a form. */
const READ = new Map([
  ["2.5.29.35", readAuthority],
  ["2.5.29.20", (value) => integer(read(value, INTEGER))],
  ["2.5.29.54", (value) => integer(read(value, INTEGER))],
  ["2.5.29.18", (value) => readTagged(partsOf(value))],
  ["2.5.29.30", (value) => readTagged(partsOf(value))],
  ["2.5.29.36", (value) => readTagged(partsOf(value))],
  [SUBJECT_ALTERNATIVE_NAME, (value) => readTagged(partsOf(value))],
  [CERTIFICATE_POLICIES, (value) => readNamed(partsOf(value))],
  ["1.3.6.1.5.5.7.1.1", (value) => readNamed(partsOf(value))],
  ["2.5.29.31", (value) => partsOf(value).forEach(({ content }) => readTagged(new Reader(content).rest()))],
]);

/** An AuthorityKeyIdentifier. */
function readAuthority(value) {
  const parts = new Reader(read(value).content);
  parts.maybe(0x80);
  parts.maybe(0xa1);
  const serial = parts.maybe(0x82);
  parts.end();
  if (serial !== null) integer(serial);
}

function readUsage(data) {
  const { unused, bytes } = bits(read(data, BIT_STRING));
  const used = new Set();
  for (let bit = 0; bit < 8 * bytes.length - unused; bit += 1) if (bytes[bit >> 3] & (0x80 >> (bit & 7))) used.add(bit);
  return used;
}

function readBasic(data) {
  const parts = new Reader(read(data).content);
  const [flag, length] = [parts.maybe(BOOLEAN), parts.maybe(INTEGER)];
  parts.end();
  const limit = length === null ? null : integer(length);
  if (limit !== null && limit < 0n) throw new Malformed("a length below nothing");
  return { ca: flag !== null && boolean(flag), pathLength: limit };
}

// ---- names ---------------------------------------------------------------------------------------------------------

/** The parts of a distinguished name: lists of `[identifier, tag, content]`. @throws {Malformed} */
function nameParts(raw) {
  return new Reader(read(raw).content).rest().map((set) => {
    const parts = set.tag === SET ? new Reader(set.content).rest().map(readPair) : [];
    if (parts.length === 0) throw new Malformed("an empty part of a name");
    if (parts.some(({ raw: each }, at) => at > 0 && compare(parts[at - 1].raw, each) > 0)) throw new Malformed("unsorted");
    if (new Set(parts.map(partKey)).size !== parts.length) throw new Malformed("a part of a name twice");
    return parts;
  });
}

function readPair({ tag, content, raw }) {
  if (tag !== SEQUENCE) throw new Malformed("a part of a name");
  const pair = new Reader(content);
  const kind = oid(pair.take(OID));
  const value = pair.take();
  pair.end();
  return { kind, value, text: textOf(value), raw };
}

/** A distinguished name as RFC 4514 writes it. @param {Uint8Array} raw */
export const nameText = (raw) =>
  nameParts(raw)
    .reverse()
    .map((parts) => parts.map(({ kind, value, text }) => `${SHORT.get(kind) ?? kind}=${escaped(value, text)}`).join("+"))
    .join(",");

/** The same for names that say the same, in whatever type of text. */
const nameKey = (raw) => JSON.stringify(nameParts(raw).map((parts) => parts.map(partKey).sort()));

const partKey = ({ kind, value, text }) => `${kind}=${text ?? `#${toHex(value.content)}`}`;

/** The common name, else the organisation, else a dash; of several the last. */
export function namedIn(raw) {
  const parts = nameParts(raw).flat();
  for (const wanted of [COMMON_NAME, ORGANIZATION]) {
    const found = parts.filter(({ kind }) => kind === wanted);
    if (found.length > 0) return found[found.length - 1].text ?? "–";
  }
  return "–";
}

const COMMON_NAME = "2.5.4.3";
const ORGANIZATION = "2.5.4.10";

const PRINTABLE = new Set(
  Array.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?", (sign) => sign.charCodeAt(0)),
);

const UNIVERSAL = 0x1c;

const TEXT = new Map([
  [0x04, "utf-8"], [0x17, "utf-8"], [0x18, "utf-8"], [0x0c, "utf-8"], [0x12, "utf-8"], [0x13, "utf-8"], [0x14, "utf-8"], [0x16, "utf-8"], [0x1a, "utf-8"], [0x1e, "utf-16be"],
]);

/** @returns {string|null} null for a value that is no text */
function textOf({ tag, content }) {
  if (tag === BIT_STRING) return null;
  if (tag === UNIVERSAL) return universal(content);
  if (!TEXT.has(tag)) throw new Malformed("a name of another type");
  if (tag === 0x13 && content.some((byte) => !PRINTABLE.has(byte))) throw new Malformed("a sign that is not printable");
  if (tag === 0x16 && content.some((byte) => byte > 0x7f)) throw new Malformed("a sign that is not ASCII");
  try {
    return new TextDecoder(TEXT.get(tag), { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    throw new Malformed("a name that is no text");
  }
}

/** UTF-32, big endian. */
function universal(content) {
  if (content.length % 4 !== 0) throw new Malformed("a sign cut off");
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  const points = Array.from({ length: content.length / 4 }, (_, at) => view.getUint32(4 * at));
  if (points.some((point) => point > 0x10ffff || (point >= 0xd800 && point < 0xe000))) throw new Malformed("no sign");
  return String.fromCodePoint(...points);
}

function escaped({ content }, text) {
  if (text === null) return `#${toHex(content)}`;
  if (text === "") return "";
  let shown = text.replace(/[\\"+,;<>]/g, "\\$&").replace(/\0/g, "\\00");
  if (shown[0] === "#" || (shown[0] === " " && shown.length > 1)) shown = `\\${shown}`;
  return shown.endsWith(" ") ? `${shown.slice(0, -1)}\\ ` : shown;
}

// ---- lists of revoked certificates ---------------------------------------------------------------------------------

export class RevocationList {
  /** @param {Uint8Array} raw @throws {Malformed} */
  constructor(raw) {
    this.raw = raw;
    const outer = new Reader(read(raw).content);
    const body = outer.take(SEQUENCE);
    this.algorithm = readAlgorithm(outer.take(SEQUENCE));
    this.signature = bits(outer.take(BIT_STRING)).bytes;
    outer.end();
    this.signed = body.raw;
    const parts = new Reader(body.content);
    const version = parts.maybe(INTEGER);
    if (version !== null && integer(version) !== 1n) throw new Malformed("a version that there is not");
    if (!equal(readAlgorithm(parts.take(SEQUENCE)).raw, this.algorithm.raw)) throw new Malformed("two algorithms");
    this.issuer = parts.take(SEQUENCE).raw;
    this.issuerKey = nameKey(this.issuer);
    this.thisUpdate = time(parts.take(UTC_TIME, GENERALIZED_TIME));
    const next = parts.maybe(UTC_TIME) ?? parts.maybe(GENERALIZED_TIME);
    this.nextUpdate = next === null ? null : time(next);
    const entries = parts.maybe(SEQUENCE);
    const extensions = parts.maybe(0xa0);
    parts.end();
    /** Number to the moment since when. */
    this.revoked = new Map();
    for (const each of entries === null ? [] : new Reader(entries.content).rest()) {
      const { serial, at } = readRevoked(each);
      if (!this.revoked.has(serial)) this.revoked.set(serial, at);
    }
    this.extensions = extensions === null ? new Map() : readExtensions(inside(extensions, SEQUENCE));
  }
}

/** The number of a certificate and since when it is revoked; why, is not asked. */
function readRevoked(element) {
  const parts = new Reader(element.content);
  const serial = integer(parts.take(INTEGER));
  const at = time(parts.take(UTC_TIME, GENERALIZED_TIME));
  const extensions = parts.maybe(SEQUENCE);
  parts.end();
  if (extensions !== null) readExtensions(extensions);
  return { serial, at };
}
