/**
 * Something outside the log that a checkpoint was tied to: a time stamp (RFC 3161), OpenTimestamps, an EVM chain.
 *
 * Only the form is read here. The path is checked by `verify.js`, and so is a time stamp's token when it is said whose count.
 */

import { fromUtf8, toUtf8 } from "./bytes.js";
import { Checkpoint } from "./checkpoint.js";
import { isBytes, isDigest } from "./cose.js";
import { Invalid } from "./errors.js";

export const RFC3161 = "rfc3161";

const KINDS = [RFC3161, "ots", "evm"];
const MAX_AUTHORITY = 255;
const MAX_TOKEN = 65_535;
const MAX_PATH = 63;

const CONTROL = /[\0-\x1f\x7f]/;

export class Anchor {
  constructor({ kind, authority, text, checkpoint, path, token }) {
    this.kind = kind;
    this.authority = authority;
    this.text = text;
    this.checkpoint = checkpoint;
    this.path = path;
    this.token = token;
  }

  /**
   * From the array `[kind, authority, text, [hash, ...], token]`.
   * @throws {Invalid} `evidence.anchor_malformed`, `ledger.checkpoint_*`
   */
  static of(value) {
    const malformed = new Invalid("evidence.anchor_malformed");
    if (!Array.isArray(value) || value.length !== 5) throw malformed;
    const [kind, authority, text, path, token] = value;
    if (!isBytes(text) || !isBytes(token) || !Array.isArray(path)) throw malformed;
    if (!KINDS.includes(kind) || typeof authority !== "string" || !isAuthority(authority)) throw malformed;
    if (path.length > MAX_PATH || !path.every(isDigest) || token.length < 1 || token.length > MAX_TOKEN) throw malformed;
    const lines = fromUtf8(text);
    if (lines === null) throw malformed;
    return new Anchor({ kind, authority, text, checkpoint: Checkpoint.parse(lines), path, token });
  }
}

const isAuthority = (name) => name !== "" && toUtf8(name).length <= MAX_AUTHORITY && !CONTROL.test(name);
