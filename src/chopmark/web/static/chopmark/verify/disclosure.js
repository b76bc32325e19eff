/**
 * What a statement only commits to, shown by its owner: deterministic CBOR `[salt, name, value]`.
 */

import { decode } from "./cbor.js";
import { isBytes, isDigest } from "./cose.js";
import { Invalid } from "./errors.js";
import { sha256 } from "./sha256.js";

const TEXTS = ["title", "author", "depositor", "file_name", "media_type"];
export const NAMES = [...TEXTS, "size", "digest"];

const SALT_SIZE = 16;
const MAX_TEXT = 1000;
const MAX_DISCLOSURE = 8192;

const CONTROL = /[\0-\x1f\x7f-\x9f]/;

export class Disclosure {
  constructor({ raw, name, value }) {
    this.name = name;
    this.value = value;
    this.commitment = sha256(raw);
  }

  /** @throws {Invalid} `evidence.disclosure_malformed` */
  static parse(raw) {
    const malformed = new Invalid("evidence.disclosure_malformed");
    if (raw.length > MAX_DISCLOSURE) throw malformed;
    let parts;
    try {
      parts = decode(raw);
    } catch (error) {
      if (error instanceof Invalid) throw malformed;
      throw error;
    }
    if (!Array.isArray(parts) || parts.length !== 3) throw malformed;
    const [salt, name, value] = parts;
    if (!isBytes(salt) || salt.length !== SALT_SIZE || !isValueOf(name, value)) throw malformed;
    return new Disclosure({ raw, name, value });
  }
}

function isValueOf(name, value) {
  if (TEXTS.includes(name)) return typeof value === "string" && isText(value);
  if (name === "size") return isInteger(value) && value > 0 && value < 2n ** 63n;
  return name === "digest" && value instanceof Map && isDigestMap(value);
}

const isInteger = (value) => typeof value === "number" || typeof value === "bigint";
const isText = (value) => value !== "" && [...value].length <= MAX_TEXT && !CONTROL.test(value);
const isDigestMap = (map) =>
  map.has("sha-256") && [...map].every(([name, digest]) => ["sha-256", "sm3"].includes(name) && isDigest(digest));
