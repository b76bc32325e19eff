/**
 * The custody log of a matter: the browser's side of `chopmark.evidence.custody`. Each line is canonical JSON and
 * chained to the one before.
 */

import { toHex } from "./bytes.js";
import { Invalid } from "./errors.js";
import { decode, isObject } from "./jcs.js";
import { isMoment } from "./manifest.js";
import { sha256 } from "./sha256.js";

export const MAX_LOG = 64 * 1024 * 1024;
const MAX_LINE = 16 * 1024;
const MAX_ENTRIES = 100_000;
const MAX_ID = 128;

const ACTION = /^[a-z]+(\.[a-z_]+)+$/;
const ITEM = /^E-[0-9]{3,6}$/;
const NAME = /^[a-z][a-z0-9_]*$/;
const DIGEST = /^[0-9a-f]{64}$/;
const ACTORS = ["person", "program", "worker", "guest"];
const MEMBERS = ["action", "actor", "at", "facts", "prev", "seq"];

/**
 * @param {Uint8Array} data
 * @returns {{head: Uint8Array, entries: number}}
 * @throws {Invalid} `matter.custody_*`, with the line where there is one, counted from 1
 */
export function readCustody(data) {
  const lines = linesOf(data);
  if (data.length > MAX_LOG || lines.length > MAX_ENTRIES) throw new Invalid("matter.custody_too_large", { limit: MAX_ENTRIES });
  if (data.length > 0 && data[data.length - 1] !== 0x0a) throw malformed(lines.length);
  let prev = new Uint8Array(32);
  let before = "";
  lines.forEach((line, seq) => {
    const entry = readLine(line, seq);
    if (entry.seq !== seq || entry.prev !== toHex(prev) || entry.at < before) {
      throw new Invalid("matter.custody_broken", { line: seq + 1 });
    }
    prev = sha256(line);
    before = entry.at;
  });
  return { head: prev, entries: lines.length };
}

const malformed = (seq) => new Invalid("matter.custody_malformed", { line: seq + 1 });

/** What stands before each line feed. */
function linesOf(data) {
  const lines = [];
  let from = 0;
  for (let end = data.indexOf(0x0a); end >= 0; end = data.indexOf(0x0a, from)) {
    lines.push(data.subarray(from, end));
    from = end + 1;
  }
  return lines;
}

function readLine(line, seq) {
  let entry = null;
  try {
    if (line.length <= MAX_LINE) entry = decode(line);
  } catch (error) {
    if (!(error instanceof Invalid)) throw error;
  }
  if (!isEntry(entry)) throw malformed(seq);
  return entry;
}

function isEntry(entry) {
  if (!isObject(entry)) return false;
  const { item, ...rest } = entry;
  if (Object.keys(rest).sort().join() !== MEMBERS.join()) return false;
  const { action, actor, at, facts, prev, seq } = entry;
  const texts = [action, at, prev].every((each) => typeof each === "string");
  if (!texts || !isActor(actor) || !isObject(facts) || typeof seq !== "number") return false;
  if ("item" in entry && (typeof item !== "string" || !ITEM.test(item))) return false;
  if (seq < 0 || seq >= MAX_ENTRIES || !ACTION.test(action) || !DIGEST.test(prev) || !isMoment(at)) return false;
  return Object.entries(facts).every(([name, value]) => NAME.test(name) && isFact(value));
}

function isActor(actor) {
  if (!isObject(actor) || Object.keys(actor).sort().join() !== "id,kind") return false;
  const { id, kind } = actor;
  return typeof id === "string" && id !== "" && Array.from(id).length <= MAX_ID && ACTORS.includes(kind);
}

const isFact = (value) =>
  typeof value === "string" ||
  typeof value === "number" ||
  (Array.isArray(value) && value.every((each) => typeof each === "string"));
