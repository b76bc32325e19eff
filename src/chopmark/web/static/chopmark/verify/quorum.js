/**
 * Which institutions a trust policy counts, since when they suffice, and which of several policies judges.
 *
 * A policy may name several keys of one institution in a group of which any one counts. What people are told is the
 * institution; what signs is the key. Takes a policy and times, and checks no signature.
 */

export const NO_QUORUM = "none";

/**
 * The institution of each witness: the group of which any one suffices and whose keys all bear one key name, or else
 * the witness itself.
 * @returns {Map<string, string>}
 */
export function institutions(policy) {
  const keyNames = new Map(policy.witnesses.map(({ name, key }) => [name, key.name]));
  const found = new Map(policy.witnesses.map(({ name }) => [name, name]));
  for (const { name, threshold, members } of policy.groups) {
    const names = new Set(members.map((member) => keyNames.get(member) ?? null));
    if (threshold === 1 && names.size === 1 && !names.has(null)) members.forEach((member) => found.set(member, name));
  }
  return found;
}

/** The witnesses whose cosignatures the quorum counts. @returns {Set<string>} */
export function counted(policy) {
  const groups = new Map(policy.groups.map(({ name, members }) => [name, members]));
  const found = new Set();
  const waiting = policy.quorum === NO_QUORUM ? [] : [policy.quorum];
  while (waiting.length > 0) {
    const name = waiting.pop();
    if (groups.has(name)) waiting.push(...groups.get(name));
    else found.add(name);
  }
  return found;
}

/** Whether these witnesses are the quorum. @param {Iterable<string>} witnesses */
export function suffices(policy, witnesses) {
  const there = new Set(witnesses);
  for (const { name, threshold, members } of policy.groups) {
    if (members.filter((member) => there.has(member)).length >= threshold) there.add(name);
  }
  return policy.quorum === NO_QUORUM || there.has(policy.quorum);
}

/**
 * The smallest time t such that the witnesses with times up to t suffice: a group has cosigned at the k-th smallest of
 * its members' times, k being its threshold.
 * @param {Map<string, number>} times a time of each witness that is to be counted
 * @returns {number|null} null when all of them do not suffice
 */
export function reachedAt(policy, times) {
  const known = new Map(times);
  for (const { name, threshold, members } of policy.groups) {
    const stated = members.filter((member) => known.has(member)).map((member) => known.get(member));
    stated.sort((left, right) => left - right);
    if (stated.length >= threshold) known.set(name, stated[threshold - 1]);
  }
  return known.get(policy.quorum) ?? null;
}

/**
 * Of one log's policies over time, the one that judges a receipt under a checkpoint of a size: the newest that had
 * begun by then; but one without a quorum is passed over once a later one asks for one. Otherwise whoever has the log's
 * keys alone could write a receipt "of the time before". Every entry can be proven under a later checkpoint.
 * @param {{from: number, policy: object}[]} policies by `from`, smallest first
 * @param {bigint|null} size null when a receipt cannot be read; then the newest judges
 * @returns {object|null} null when all of them began later and none asks for a quorum
 */
export function inForce(policies, size) {
  const asks = ({ policy }) => policy.quorum !== NO_QUORUM;
  const begun = policies.filter(({ from }) => size === null || from <= size);
  const newest = begun.at(-1);
  if (newest !== undefined && asks(newest)) return newest.policy;
  return (policies.slice(begun.length).find(asks) ?? newest)?.policy ?? null;
}
