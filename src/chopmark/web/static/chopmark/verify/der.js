/**
 * DER (ITU-T X.690), read strictly: the browser's side of `chopmark.ledger.der`.
 *
 * Every length is definite and of the shortest form, every tag number below 31. One freedom is left: elements of a SET
 * need not be sorted, because real time-stamp authorities send certificates unsorted. Nothing is written here.
 */

import { toHex } from "./bytes.js";

export const BOOLEAN = 0x01;
export const INTEGER = 0x02;
export const BIT_STRING = 0x03;
export const OCTET_STRING = 0x04;
export const NULL = 0x05;
export const OID = 0x06;
export const UTC_TIME = 0x17;
export const GENERALIZED_TIME = 0x18;
export const SEQUENCE = 0x30;
export const SET = 0x31;

/** In bytes; far more than anybody registered, and reading is quadratic. */
const MAX_OID = 63;

/** The bytes are not DER, or not what was expected of them. Who reads knows what it was and says so. */
export class Malformed extends Error {}

/** One value: its tag, its content, and all its bytes. */
export class Element {
  constructor(tag, content, raw) {
    this.tag = tag;
    this.content = content;
    this.raw = raw;
  }
}

/** Takes elements one behind the other from the content of a constructed one. */
export class Reader {
  /** @param {Uint8Array} data */
  constructor(data) {
    this.data = data;
    this.here = 0;
  }

  /** The next element, which has one of these tags; any, if none is named. */
  take(...tags) {
    const { data } = this;
    if (data.length - this.here < 2) throw new Malformed("cut off");
    const tag = data[this.here];
    if ((tag & 0x1f) === 0x1f) throw new Malformed("a tag of many bytes");
    let [length, at] = [data[this.here + 1], this.here + 2];
    if (length > 0x7f) {
      const digits = data.subarray(at, at + (length & 0x7f));
      if (digits.length !== (length & 0x7f) || digits.length < 1 || digits.length > 4) throw new Malformed("a length");
      at += digits.length;
      length = digits.reduce((value, byte) => value * 256 + byte, 0);
      if (length < 0x80 || digits[0] === 0) throw new Malformed("a length not of the shortest form");
    }
    if (length > data.length - at) throw new Malformed("cut off");
    const element = new Element(tag, data.subarray(at, at + length), data.subarray(this.here, at + length));
    this.here = at + length;
    if (tags.length > 0 && !tags.includes(tag)) throw new Malformed("another element was expected");
    return element;
  }

  /** The next element if it has this tag, or else null. */
  maybe(tag) {
    return this.here < this.data.length && this.data[this.here] === tag ? this.take() : null;
  }

  get left() {
    return this.here < this.data.length;
  }

  /** All that is left. */
  rest() {
    const found = [];
    while (this.left) found.push(this.take());
    return found;
  }

  /** Nothing may be left. */
  end() {
    if (this.left) throw new Malformed("more than expected");
  }
}

/** The one element that the bytes are. */
export function read(data, tag = SEQUENCE) {
  const reader = new Reader(data);
  const element = reader.take(tag);
  reader.end();
  return element;
}

/** The one element that an explicit tag wraps. */
export const inside = (element, tag) => read(element.content, tag);

/** A whole number. @returns {bigint} */
export function integer({ content }) {
  const second = content.length > 1 ? content[1] >> 7 : -1;
  if (content.length === 0 || (content[0] === 0x00 && second === 0) || (content[0] === 0xff && second === 1)) {
    throw new Malformed("an integer not of the shortest form");
  }
  return BigInt.asIntN(8 * content.length, BigInt(`0x${toHex(content)}`));
}

export function boolean({ content }) {
  if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) throw new Malformed("a boolean of another form");
  return content[0] === 0xff;
}

/** An object identifier in dotted form. */
export function oid({ content }) {
  if (content.length === 0 || content.length > MAX_OID || content[content.length - 1] & 0x80) throw new Malformed("an identifier");
  const arcs = [];
  let [value, fresh] = [0n, true];
  for (const byte of content) {
    if (fresh && byte === 0x80) throw new Malformed("an identifier not of the shortest form");
    value = (value << 7n) | BigInt(byte & 0x7f);
    fresh = (byte & 0x80) === 0;
    if (fresh) {
      arcs.push(value);
      value = 0n;
    }
  }
  const first = arcs[0] >= 80n ? 2n : arcs[0] / 40n;
  return [first, arcs[0] - 40n * first, ...arcs.slice(1)].join(".");
}

/** @returns {{unused: number, bytes: Uint8Array}} */
export function bits({ content }) {
  const [unused, bytes] = [content[0], content.subarray(1)];
  if (content.length === 0 || unused > 7 || (unused > 0 && bytes.length === 0)) throw new Malformed("a bit string");
  if (unused > 0 && bytes[bytes.length - 1] & ((1 << unused) - 1)) throw new Malformed("bits that are not used");
  return { unused, bytes };
}

const latin = ({ content }) => String.fromCharCode(...content.subarray(0, 64));

/** A moment in microseconds since 1970; digits beyond are cut. @returns {bigint} */
export function generalizedTime(element) {
  const match = /^(\d{14})(?:\.(\d{0,8}[1-9]))?Z$/.exec(latin(element));
  if (match === null) throw new Malformed("not a time in UTC");
  return moment(match[1].slice(0, 4), match[1].slice(4)) + BigInt((match[2] ?? "0").padEnd(6, "0").slice(0, 6));
}

/** A certificate's time (RFC 5280 4.1.2.5), to the second, in microseconds since 1970. @returns {bigint} */
export function time(element) {
  const text = latin(element);
  if (element.tag === GENERALIZED_TIME && /^\d{14}Z$/.test(text)) return moment(text.slice(0, 4), text.slice(4, 14));
  if (element.tag !== UTC_TIME || !/^\d{12}Z$/.test(text)) throw new Malformed("not a time of a certificate");
  return moment(`${text[0] < "5" ? "20" : "19"}${text.slice(0, 2)}`, text.slice(2, 12));
}

/** `rest` is MMDDhhmmss. */
function moment(year, rest) {
  const [month, day, hour, minute, second] = [0, 2, 4, 6, 8].map((at) => Number(rest.slice(at, at + 2)));
  const made = new Date(0);
  made.setUTCFullYear(Number(year), month - 1, day);
  made.setUTCHours(hour, minute, second);
  const same = made.getUTCMonth() === month - 1 && made.getUTCDate() === day && made.getUTCHours() === hour;
  if (Number(year) < 1 || !same || minute > 59 || second > 59) throw new Malformed("no such moment");
  return BigInt(made.getTime()) * 1000n;
}
