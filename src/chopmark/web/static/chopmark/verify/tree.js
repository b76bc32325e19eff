/**
 * The Merkle tree of a transparency log (RFC 6962, RFC 9162): leaf, node and the inclusion check.
 *
 * Indexes and sizes are BigInts, since a size may pass 2^53. Opens nothing and keeps nothing.
 */

import { concat, equal, MAX_INT63 } from "./bytes.js";
import { Invalid } from "./errors.js";
import { sha256 } from "./sha256.js";

export const HASH_SIZE = 32;
const LEAF_PREFIX = Uint8Array.of(0);
const NODE_PREFIX = Uint8Array.of(1);

export const leafHash = (entry) => sha256(concat(LEAF_PREFIX, entry));
export const nodeHash = (left, right) => sha256(concat(NODE_PREFIX, left, right));

/**
 * The root that a path leads to (RFC 9162 section 2.1.3.2).
 * @param {{leaf: Uint8Array, index: bigint, size: bigint, proof: Uint8Array[]}} claim with 0 <= index < size
 * @returns {Uint8Array|null} null when the path has not the length that index and size demand
 */
export function rootFrom({ leaf, index, size, proof }) {
  let [found, last, rest] = [leaf, size - 1n, index];
  for (const sibling of proof) {
    if (last === 0n) return null;
    if ((rest & 1n) === 1n || rest === last) {
      found = nodeHash(sibling, found);
      for (; (rest & 1n) === 0n; rest >>= 1n) last >>= 1n;
    } else {
      found = nodeHash(found, sibling);
    }
    rest >>= 1n;
    last >>= 1n;
  }
  return last === 0n ? found : null;
}

/**
 * Check that a leaf hash stands at `index` in the tree of `size` leaves with this root.
 * @param {{leaf: Uint8Array, index: bigint, size: bigint, proof: Uint8Array[], root: Uint8Array}} claim
 * @throws {Invalid} `ledger.index_outside`, `ledger.proof_wrong`
 */
export function verifyInclusion({ leaf, index, size, proof, root }) {
  if (index < 0n || index >= size || size > MAX_INT63) {
    throw new Invalid("ledger.index_outside", { index: String(index), size: String(size) });
  }
  const hashes = [leaf, root, ...proof];
  const found = hashes.every((hash) => hash.length === HASH_SIZE) ? rootFrom({ leaf, index, size, proof }) : null;
  if (found === null || !equal(found, root)) throw new Invalid("ledger.proof_wrong");
}
