/**
 * Whom somebody trusts, as one file from outside the bundle: the browser's side of `chopmark.evidence.trust`.
 *
 * One canonical form; what does not print back is refused. Nothing of it may come from the bundle that is judged.
 */

import { compare, fromBase64, toUtf8 } from "./bytes.js";
import { Malformed, read } from "./der.js";
import { Invalid } from "./errors.js";
import { decode, isObject } from "./jcs.js";
import { byCodePoints } from "./manifest.js";
import { Policy } from "./policy.js";
import { inForce } from "./quorum.js";

const SCHEMA = "urn:chopmark:trust:1";
const MAX_TRUST = 4 * 1024 * 1024;
const [MAX_ROOTS, MAX_POLICIES, MAX_NAME] = [500, 1000, 64];
const USES = ["notary", "seal", "tsa"];

const malformed = () => new Invalid("bundle.trust_malformed");

export class Trust {
  constructor(policies, roots) {
    this.policies = policies;
    this.roots = roots;
  }

  /**
   * @param {Uint8Array} data
   * @param {import("./suite.js").Suite} suite
   * @throws {Invalid} `bundle.trust_malformed`; what `Policy.parse` throws
   */
  static parse(data, suite) {
    if (data.length > MAX_TRUST) throw malformed();
    let written;
    try {
      written = decode(data);
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      throw malformed();
    }
    if (!isObject(written) || Object.keys(written).join() !== "$schema,policies,roots") throw malformed();
    if (written.$schema !== SCHEMA || !Array.isArray(written.policies) || !Array.isArray(written.roots)) throw malformed();
    if (written.policies.length > MAX_POLICIES || written.roots.length > MAX_ROOTS) throw malformed();
    const roots = written.roots.map(readRoot);
    if (!isAscending(roots, inOrder)) throw malformed();
    const policies = written.policies.map(readPolicy);
    if (!isAscending(policies, (left, right) => left.from - right.from)) throw malformed();
    return new Trust(policies.map(({ from, text }) => ({ from, text, policy: Policy.parse(toUtf8(text), suite) })), roots);
  }

  /** The policy that judges what is under a checkpoint of a size, or null. */
  policyFor(size) {
    return inForce(this.policies, size);
  }

  /** The roots trusted for any of these uses. */
  certificates(...uses) {
    return this.roots.filter(({ use }) => uses.includes(use));
  }
}

function readPolicy(entry) {
  if (!isObject(entry) || Object.keys(entry).join() !== "from,text") throw malformed();
  if (typeof entry.from !== "number" || entry.from < 0 || typeof entry.text !== "string") throw malformed();
  return entry;
}

function readRoot(entry) {
  if (!isObject(entry) || Object.keys(entry).join() !== "certificate,name,own,use") throw malformed();
  const { name, use, own } = entry;
  if (typeof name !== "string" || typeof own !== "boolean" || !USES.includes(use)) throw malformed();
  const certificate = typeof entry.certificate === "string" ? fromBase64(entry.certificate) : null;
  if (certificate === null || !isName(name)) throw malformed();
  try {
    read(certificate);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    throw malformed();
  }
  return { name, use, own, certificate };
}

/** Printable, at most 64 characters, without blanks around. */
const isName = (name) =>
  name !== "" && Array.from(name).length <= MAX_NAME && name.trim() === name && !/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.test(name);

/** By use, name, bytes, and last whether it is one's own. */
const inOrder = (left, right) =>
  byCodePoints(left.use, right.use) ||
  byCodePoints(left.name, right.name) ||
  compare(left.certificate, right.certificate) ||
  Number(left.own) - Number(right.own);

const isAscending = (values, order) => values.every((each, at) => at === 0 || order(values[at - 1], each) < 0);

/**
 * The authorities whose time-stamps count, of nobody's trust none: one for each name and whether it is one's own.
 * Own ones come first: what any entry calls own is own.
 */
export function authoritiesOf(trust) {
  const grouped = new Map();
  const roots = trust === null ? [] : trust.certificates("tsa");
  for (const { name, own, certificate } of [...roots].sort((left, right) => Number(right.own) - Number(left.own))) {
    const key = `${own}:${name}`;
    if (!grouped.has(key)) grouped.set(key, { name, own, certificates: [] });
    grouped.get(key).certificates.push(certificate);
  }
  return [...grouped.values()];
}
