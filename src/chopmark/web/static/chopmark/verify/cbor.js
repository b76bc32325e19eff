/**
 * Deterministic CBOR, strict in both directions.
 *
 * What does not encode back to the same bytes is not accepted: no indefinite lengths, no long integers, no unsorted
 * or doubled keys, no trailing bytes. Floats, `undefined` and other simple values are refused, and so are tags with
 * a meaning of their own (numbers beyond 64 bits, dates, fractions, references, sets); unknown tags survive as `Tag`.
 *
 * Integers are numbers while they are safe and BigInts beyond; maps are `Map`s in the order of their bytes.
 */

import { compare, concat, equal, fromUtf8, toUtf8 } from "./bytes.js";
import { Invalid } from "./errors.js";

export const MAX_DEPTH = 16;

/** Tags that a general decoder turns into something beyond the plain data model. */
const MEANINGFUL_TAGS = new Set(
  [0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 100, 256, 258, 260, 261, 1004, 43000, 55799],
);

export class Tag {
  constructor(number, value) {
    this.number = number;
    this.value = value;
  }
}

/**
 * Read one value that fills `data` exactly and is encoded deterministically.
 * @param {Uint8Array} data
 * @throws {Invalid} `base.cbor_malformed`
 */
export function decode(data) {
  const reader = new Reader(data);
  const value = reader.value(MAX_DEPTH);
  if (reader.at !== data.length || !equal(encode(value), data)) throw malformed();
  return value;
}

/** The one deterministic encoding of integers, bytes, text, booleans, null, arrays, maps and tags. */
export function encode(value) {
  if (value === null) return Uint8Array.of(0xf6);
  if (value === true) return Uint8Array.of(0xf5);
  if (value === false) return Uint8Array.of(0xf4);
  if (typeof value === "number" || typeof value === "bigint") {
    return encodeInteger(BigInt(value));
  }
  if (typeof value === "string") {
    const text = toUtf8(value);
    return concat(head(3, BigInt(text.length)), text);
  }
  if (value instanceof Uint8Array) return concat(head(2, BigInt(value.length)), value);
  if (Array.isArray(value)) return concat(head(4, BigInt(value.length)), ...value.map(encode));
  if (value instanceof Map) return encodeMap(value);
  if (value instanceof Tag) return concat(head(6, BigInt(value.number)), encode(value.value));
  throw new TypeError("not in the plain data model");
}

function encodeInteger(value) {
  return value >= 0n ? head(0, value) : head(1, -1n - value);
}

function encodeMap(map) {
  const pairs = Array.from(map, ([key, value]) => [encode(key), encode(value)]);
  pairs.sort(([left], [right]) => left.length - right.length || compare(left, right));
  return concat(head(5, BigInt(pairs.length)), ...pairs.flat());
}

function head(major, argument) {
  const top = major << 5;
  if (argument < 24n) return Uint8Array.of(top | Number(argument));
  if (argument < 0x100n) return Uint8Array.of(top | 24, Number(argument));
  const size = argument < 0x10000n ? 2 : argument < 0x100000000n ? 4 : 8;
  const bytes = new Uint8Array(1 + size);
  bytes[0] = top | (size === 2 ? 25 : size === 4 ? 26 : 27);
  for (let at = size, rest = argument; at > 0; at -= 1, rest >>= 8n) bytes[at] = Number(rest & 0xffn);
  return bytes;
}

const malformed = () => new Invalid("base.cbor_malformed");

class Reader {
  constructor(data) {
    this.data = data;
    this.at = 0;
  }

  take(length) {
    if (length > this.data.length - this.at) throw malformed();
    const bytes = this.data.subarray(this.at, this.at + length);
    this.at += length;
    return bytes;
  }

  argument(low) {
    if (low < 24) return BigInt(low);
    if (low > 27) throw malformed();
    return this.take(1 << (low - 24)).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }

  value(depth) {
    if (depth === 0) throw malformed();
    const first = this.take(1)[0];
    const major = first >> 5;
    if (major === 7) return this.simple(first);
    const argument = this.argument(first & 31);
    if (major === 0) return integer(argument);
    if (major === 1) return integer(-1n - argument);
    if (major === 6) return this.tagged(argument, depth);
    const length = Number(argument);
    if (length > this.data.length - this.at) throw malformed();
    if (major === 2) return this.take(length).slice();
    if (major === 3) return this.text(length);
    if (major === 4) return Array.from({ length }, () => this.value(depth - 1));
    return this.map(length, depth);
  }

  simple(first) {
    if (first === 0xf4) return false;
    if (first === 0xf5) return true;
    if (first === 0xf6) return null;
    throw malformed();
  }

  text(length) {
    const text = fromUtf8(this.take(length));
    if (text === null) throw malformed();
    return text;
  }

  tagged(number, depth) {
    if (MEANINGFUL_TAGS.has(Number(number))) throw malformed();
    return new Tag(number, this.value(depth - 1));
  }

  map(length, depth) {
    const map = new Map();
    let earlier = null;
    for (let count = 0; count < length; count += 1) {
      const start = this.at;
      const key = this.value(depth - 1);
      if (!isKey(key)) throw malformed();
      const bytes = this.data.subarray(start, this.at);
      if (earlier !== null && compare(earlier, bytes) === 0) throw malformed();
      earlier = bytes;
      map.set(key, this.value(depth - 1));
    }
    // A reader that holds true and 1 for the same key would see another map.
    if ((map.has(0) && map.has(false)) || (map.has(1) && map.has(true))) throw malformed();
    return map;
  }
}

const isKey = (key) => (key instanceof Tag ? isKey(key.value) : !Array.isArray(key) && !(key instanceof Map));

function integer(value) {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
