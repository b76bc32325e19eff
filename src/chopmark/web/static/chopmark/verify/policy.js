/**
 * Whose signatures count: a trust policy (C2SP tlog-policy).
 *
 *     log      <vkey> [<url>]
 *     witness  <name> <vkey> [<url>]
 *     group    <name> all|any|<k> <name>...
 *     quorum   <name>|none
 *
 * A checkpoint is accepted when one of the logs signed it under its own origin and the quorum cosigned it.
 * Names are opaque bytes: while the file is read, each byte stands as one character.
 */

import { fromUtf8, parseDecimal, toHex } from "./bytes.js";
import { openCheckpoint } from "./checkpoint.js";
import { Invalid } from "./errors.js";
import { ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, VerifierKey } from "./keys.js";
import { NO_QUORUM, suffices } from "./quorum.js";

const MAX_SIZE = 1024 * 1024;
const MAX_LINES = 1000;

const LOG_TYPES = [ED25519, MLDSA44_COSIGNATURE];
const WITNESS_TYPES = [ED25519_COSIGNATURE, MLDSA44_COSIGNATURE];

const CONTROL = /[\x00-\x08\x0b-\x1f\x7f]/;
const NOT_IN_WORDS = /[\x00- \x7f]/;

class Wrong extends Error {}

const must = (holds) => {
  if (!holds) throw new Wrong();
};

/** One character a byte. */
function toCharacters(data) {
  const pieces = [];
  for (let at = 0; at < data.length; at += 0x8000) pieces.push(String.fromCharCode(...data.subarray(at, at + 0x8000)));
  return pieces.join("");
}

const toBytes = (characters) => Uint8Array.from(characters, (character) => character.charCodeAt(0));

/** What a person reads for an opaque name. */
export const readable = (characters) => new TextDecoder("utf-8").decode(toBytes(characters));

export class Policy {
  constructor() {
    this.logs = [];
    this.witnesses = [];
    this.groups = [];
    this.quorum = null;
  }

  /**
   * @param {Uint8Array} data a policy file
   * @param {import("./suite.js").Suite} suite
   * @throws {Invalid} `ledger.policy_malformed` with the line's number, `ledger.policy_too_large`,
   *   `ledger.policy_without_quorum`
   */
  static parse(data, suite) {
    const lines = toCharacters(data).split("\n");
    if (data.length > MAX_SIZE || lines.length > MAX_LINES + 1) {
      throw new Invalid("ledger.policy_too_large", { limit: MAX_SIZE, lines: MAX_LINES });
    }
    const reading = new Reading(suite);
    lines.forEach((line, at) => {
      try {
        reading.take(line);
      } catch (error) {
        if (error instanceof Wrong || error instanceof Invalid) {
          throw new Invalid("ledger.policy_malformed", { line: at + 1 });
        }
        throw error;
      }
    });
    if (reading.policy.quorum === null) throw new Invalid("ledger.policy_without_quorum");
    return reading.policy;
  }

  /** Every key the policy names. */
  get keys() {
    return [...this.logs, ...this.witnesses].map(({ key }) => key);
  }

  /**
   * Weigh the true signatures on one checkpoint.
   * @returns {{logs: object[], witnesses: Map<string, object>, quorumReached: boolean}}
   */
  judge(signatures) {
    const logs = new Set(this.logs.map(({ key }) => key.text()));
    const names = new Map(this.witnesses.map(({ name, key }) => [key.text(), name]));
    const witnesses = new Map();
    const rank = ({ at }) => at ?? Infinity;
    for (const signature of [...signatures].sort((left, right) => (rank(left) < rank(right) ? -1 : rank(left) > rank(right) ? 1 : 0))) {
      const name = names.get(signature.key.text());
      if (name !== undefined && !witnesses.has(name)) witnesses.set(name, signature);
    }
    return {
      logs: signatures.filter(({ key, origin }) => logs.has(key.text()) && key.name === origin),
      witnesses,
      quorumReached: suffices(this, witnesses.keys()),
    };
  }

  /** Read a signed checkpoint and judge it; a missing quorum is no error. */
  async open(note, suite) {
    const { checkpoint, signatures } = await openCheckpoint(note, this.keys, suite);
    return { checkpoint, judgement: this.judge(signatures) };
  }
}

/** The lines of a file, taken one by one; a name is usable only after its line. */
class Reading {
  constructor(suite) {
    this.suite = suite;
    this.policy = new Policy();
    this.taken = new Set([NO_QUORUM]);
    this.known = new Set();
    this.free = new Set();
    this.logKeys = new Set();
    this.witnessKeys = new Set();
    this.ids = new Map();
  }

  take(line) {
    must(!CONTROL.test(line));
    const words = line.replace(/^[ \t]+|[ \t]+$/g, "").split(/[ \t]+/);
    if (words[0] === "" || words[0].startsWith("#")) return;
    const [verb, ...rest] = words;
    if (verb === "log") this.log(rest);
    else if (verb === "witness") this.witness(rest);
    else if (verb === "group") this.group(rest);
    else if (verb === "quorum") this.quorum(rest);
    else throw new Wrong();
  }

  key(vkey, types, seen) {
    const text = fromUtf8(toBytes(vkey));
    must(text !== null);
    const key = VerifierKey.parse(text, this.suite);
    must(types.includes(key.type) && !seen.has(toHex(key.public)));
    seen.add(toHex(key.public));
    // A signature line tells its key by name and 4 bytes: whoever chose a twin could stand in another's place.
    const id = `${key.name}+${toHex(key.keyId)}`;
    must((this.ids.get(id) ?? text) === text);
    this.ids.set(id, text);
    return key;
  }

  log(words) {
    must(words.length === 1 || words.length === 2);
    const [vkey, url = null] = words;
    must(url === null || !NOT_IN_WORDS.test(url));
    this.policy.logs.push({ key: this.key(vkey, LOG_TYPES, this.logKeys), url });
  }

  witness(words) {
    must(words.length === 2 || words.length === 3);
    const [name, vkey, url = null] = words;
    must(url === null || !NOT_IN_WORDS.test(url));
    this.policy.witnesses.push({ name, key: this.key(vkey, WITNESS_TYPES, this.witnessKeys), url });
    this.define(name);
  }

  group(words) {
    must(words.length >= 2);
    const [name, count, ...members] = words;
    const threshold = count === "any" ? 1 : count === "all" ? members.length : Number(parseDecimal(count) ?? 0);
    must(new Set(members).size === members.length && threshold >= 1 && threshold <= members.length);
    must(members.every((member) => this.free.has(member)));
    members.forEach((member) => this.free.delete(member));
    this.define(name);
    this.policy.groups.push({ name, threshold, members });
  }

  quorum(words) {
    must(words.length === 1 && this.policy.quorum === null);
    must(words[0] === NO_QUORUM || this.known.has(words[0]));
    [this.policy.quorum] = words;
  }

  define(name) {
    must(!NOT_IN_WORDS.test(name) && !this.taken.has(name));
    this.taken.add(name);
    this.known.add(name);
    this.free.add(name);
  }
}
