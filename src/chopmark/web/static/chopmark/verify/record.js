/**
 * Evidence records (RFC 4998): the browser's side of `chopmark.evidence.evidence_record`, of reading and of verifying.
 *
 * A record is about one group: the files that it was made for, none more. Files are known by their digests only.
 */

import { algorithmOf, digest as digestOf, HASHES } from "./algorithms.js";
import { compare, concat, equal, fromHex, toHex } from "./bytes.js";
import { INTEGER, integer, Malformed, OCTET_STRING, OID, read, Reader, SEQUENCE } from "./der.js";
import { Invalid } from "./errors.js";
import { isoText, parseToken, verifyStatement } from "./token.js";

const MAX_RECORD = 16 << 20;
const MAX_GROUP = 20_000;
const MAX_STAMPS = 200;
const MAX_LEVELS = 40;

// ---- reading -------------------------------------------------------------------------------------------------------

/** @returns {object[][]} chains of archive time-stamps @throws {Invalid} `evidence.record_malformed` */
export function parseRecord(data) {
  const malformed = new Invalid("evidence.record_malformed");
  if (data.length > MAX_RECORD) throw malformed;
  let chains;
  try {
    chains = readChains(new Reader(read(data).content));
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    throw malformed;
  }
  if (!equal(print(chains), data)) throw malformed;
  return chains;
}

function readChains(parts) {
  if (integer(parts.take(INTEGER)) !== 1n) throw new Malformed("another version");
  parts.take(SEQUENCE); // the digest algorithms; they are printed anew
  const sequence = parts.take(SEQUENCE);
  parts.end();
  const chains = new Reader(sequence.content).rest().map(({ content }) => new Reader(content).rest().map(readStamp));
  const stamps = chains.reduce((sum, { length }) => sum + length, 0);
  if (chains.length === 0 || chains.some(({ length }) => length === 0) || stamps > MAX_STAMPS) throw new Malformed("chains");
  if (chains.some((chain) => chain.some(({ algorithm }) => algorithm !== chain[0].algorithm))) {
    throw new Malformed("a chain has one digest algorithm");
  }
  return chains;
}

function readStamp(element) {
  if (element.tag !== SEQUENCE) throw new Malformed("not an archive time-stamp");
  const parts = new Reader(element.content);
  const named = parts.take(0xa0);
  const tree = parts.maybe(0xa2);
  const token = parts.take(SEQUENCE).raw;
  parts.end();
  const levels = tree === null ? [] : new Reader(tree.content).rest();
  if (levels.length > MAX_LEVELS || (tree !== null && levels.length === 0)) throw new Malformed("levels of a tree");
  return { algorithm: algorithmOf(named), named: new Reader(named.content).take(OID).raw, tree: levels.map(readLevel), token };
}

function readLevel({ tag, content }) {
  const found = new Reader(content).rest();
  const digests = found.every((each) => each.tag === OCTET_STRING);
  if (tag !== SEQUENCE || found.length < 1 || found.length > MAX_GROUP || !digests) throw new Malformed("a list of digests");
  const values = found.map((each) => each.content);
  if (values.some((each, at) => at > 0 && compare(values[at - 1], each) >= 0)) throw new Malformed("not ascending");
  return values;
}

// ---- printing ------------------------------------------------------------------------------------------------------

function element(tag, ...parts) {
  const content = concat(...parts);
  if (content.length < 0x80) return concat(Uint8Array.of(tag, content.length), content);
  const hex = content.length.toString(16);
  const digits = fromHex(hex.length % 2 === 0 ? hex : `0${hex}`);
  return concat(Uint8Array.of(tag, 0x80 | digits.length), digits, content);
}

const sequence = (parts) => element(SEQUENCE, ...parts);

function printStamp({ named, tree, token }) {
  const lists = tree.map((level) => sequence(level.map((each) => element(OCTET_STRING, each))));
  return sequence([element(0xa0, named), lists.length > 0 ? element(0xa2, ...lists) : new Uint8Array(0), token]);
}

/** ArchiveTimeStampSequence. */
const printChains = (chains) => sequence(chains.map((chain) => sequence(chain.map(printStamp))));

function print(chains) {
  const algorithms = new Map(chains.map(([{ algorithm, named }]) => [algorithm, named]));
  const listed = sequence([...algorithms.values()].map((named) => sequence([named])));
  return sequence([Uint8Array.of(INTEGER, 1, 1), listed, printChains(chains)]);
}

// ---- checking ------------------------------------------------------------------------------------------------------

/**
 * Whether the record is about exactly these files, and holds from its first token to the last (RFC 4998 5.3).
 * @param {object[][]} chains
 * @param {Map<string, Uint8Array[]>} group the digests of the files, by algorithm
 * @param {object[]} authorities whose tokens count
 * @param {bigint} at in microseconds
 * @returns {Promise<{existedBy: bigint, until: bigint, stamps: object[]}>}
 * @throws {Invalid} `evidence.record_*`; what `verifyStatement` throws of any token
 */
export async function verifyRecord(chains, group, authorities, at, suite) {
  const stamps = [];
  for (const [number, chain] of chains.entries()) {
    const [{ algorithm }] = chain;
    if (!HASHES.has(algorithm) || !group.has(algorithm)) throw new Invalid("evidence.record_algorithm", { algorithm });
    let wanted = group.get(algorithm);
    if (number > 0) wanted = await renewed(algorithm, wanted, chains.slice(0, number), suite);
    for (const [place, each] of chain.entries()) {
      const wrong = new Invalid(number > 0 || place > 0 ? "evidence.record_broken" : "evidence.record_other_data");
      await mustBeOver(each, wanted, wrong, suite);
      const stamp = await verifyStatement(each.token, authorities, at, suite);
      const before = stamps.at(-1);
      if (before !== undefined && !(before.time <= stamp.time && stamp.time <= before.signerUntil)) {
        throw new Invalid("evidence.record_late", { time: isoText(stamp.time) });
      }
      stamps.push(stamp);
      wanted = [await digestOf(algorithm, each.token, suite)];
    }
  }
  const until = stamps.at(-1).signerUntil;
  if (at > until) throw new Invalid("evidence.record_over", { until: isoText(until) });
  return { existedBy: stamps[0].time, until, stamps };
}

/** H(h(i) + ha(i)): the digest of each file and that of all that was known of it before. */
async function renewed(algorithm, digests, chains, suite) {
  const before = await digestOf(algorithm, printChains(chains), suite);
  return Promise.all(digests.map((each) => digestOf(algorithm, concat(each, before), suite)));
}

/** The token is over what is wanted and, where that is several digests, over these alone as a group. */
async function mustBeOver(each, digests, wrong, suite) {
  const wanted = new Set(digests.map(toHex));
  let first = each.tree.length > 0 ? each.tree[0].map(toHex) : [...wanted];
  if (wanted.size === 1) first = first.filter((digest) => wanted.has(digest));
  const same = first.length === wanted.size && first.every((digest) => wanted.has(digest));
  if (!same || (each.tree.length === 0 && wanted.size !== 1)) throw wrong;
  const { info } = parseToken(each.token);
  const root = await rootOf(each, fromHex([...wanted].sort()[0]), suite);
  if (info.algorithm !== each.algorithm || !equal(info.imprint, root)) throw wrong;
}

/** What the token must be over; `alone` is the one digest where there is no tree. */
async function rootOf({ algorithm, tree }, alone, suite) {
  let value = null;
  for (const level of tree) value = await nodeOf(algorithm, value === null ? level : [...level, value], suite);
  return value ?? alone;
}

/** The digest of several in binary ascending order; one alone stands for itself. */
async function nodeOf(algorithm, values, suite) {
  return values.length === 1 ? values[0] : digestOf(algorithm, concat(...[...values].sort(compare)), suite);
}
