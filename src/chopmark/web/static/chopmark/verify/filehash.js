/**
 * Digests of files of any size: short ones at once by the browser, long ones in pieces, which never lie in memory whole.
 */

import { bytesOf, crc32 } from "./container.js";
import { sha256, Sha256 } from "./sha256.js";
import { Sm3 } from "./sm3.js";

/** Up to this many bytes the browser's own SHA-256 is asked, which wants them all at once. */
const AT_ONCE = 128 << 20;
const PIECE = 4 << 20;

/**
 * @param {Blob} blob
 * @param {object} asked
 * @param {boolean} asked.sm3 whether SM3 is wanted too
 * @param {(share: number) => void} asked.progress from 0 to 1
 * @param {AbortSignal} asked.signal
 * @param {import("./suite.js").Suite} asked.suite
 * @returns {Promise<{sha256: Uint8Array, sm3: Uint8Array|null, crc: number, size: number}>}
 * @throws {DOMException} when it was cancelled, or the file changed meanwhile
 */
export async function digestsOf(blob, { sm3, progress, signal, suite }) {
  const { size } = blob;
  signal.throwIfAborted();
  if (size <= AT_ONCE && !sm3) {
    const bytes = await bytesOf(blob);
    const digest = suite.subtle ? new Uint8Array(await suite.subtle.digest("SHA-256", bytes)) : sha256(bytes);
    progress(1);
    return { sha256: digest, sm3: null, crc: crc32(bytes), size };
  }
  const [first, second] = [new Sha256(), sm3 ? new Sm3() : null];
  let crc = 0;
  for (let at = 0; at < size; at += PIECE) {
    signal.throwIfAborted();
    const bytes = await bytesOf(blob.slice(at, at + PIECE));
    first.update(bytes);
    second?.update(bytes);
    crc = crc32(bytes, crc);
    progress((at + bytes.length) / size);
  }
  return { sha256: first.digest(), sm3: second?.digest() ?? null, crc, size };
}
