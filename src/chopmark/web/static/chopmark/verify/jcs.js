/**
 * Canonical JSON: RFC 8785 without fractions, strict in both directions; the browser's side of `chopmark.base.jcs`.
 *
 * What does not encode back to the same bytes is not accepted.
 */

import { equal, fromUtf8, toUtf8 } from "./bytes.js";
import { Invalid } from "./errors.js";

const MAX_DEPTH = 32;

const malformed = () => new Invalid("base.json_malformed");

/** @returns {Uint8Array} @throws {Invalid} `base.json_malformed` */
export const encode = (value) => toUtf8(print(value, 0));

/** @param {Uint8Array} data @throws {Invalid} `base.json_malformed` */
export function decode(data) {
  const text = fromUtf8(data);
  if (text === null) throw malformed();
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof RangeError)) throw error;
    throw malformed();
  }
  if (!equal(encode(value), data)) throw malformed();
  return value;
}

export const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function print(value, depth) {
  if (depth > MAX_DEPTH) throw malformed();
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return text(value);
  if (Number.isSafeInteger(value)) return String(value);
  if (Array.isArray(value)) return `[${value.map((each) => print(each, depth + 1)).join(",")}]`;
  if (!isObject(value)) throw malformed();
  // Without an argument, `sort` goes by UTF-16 code units, as section 3.2.3 wants it.
  const members = Object.keys(value).sort().map((key) => `${text(key)}:${print(value[key], depth + 1)}`);
  return `{${members.join(",")}}`;
}

function text(value) {
  if (/\p{Surrogate}/u.test(value)) throw malformed();
  return JSON.stringify(value);
}
