/**
 * The page's side of the hashing worker: one file at a time, in pieces, off the page's thread.
 *
 * The worker and its libraries are loaded at once, so that nothing has to be fetched after the page is there.
 */

export class Hashing {
  /** @param {{worker: string, libraries: string[]}} settings addresses */
  constructor({ worker, libraries }) {
    this.number = 0;
    this.waiting = null;
    this.broken = false;
    this.worker = new Worker(worker);
    this.worker.onmessage = ({ data }) => this.heard(data);
    this.worker.onerror = () => this.fail();
    this.worker.postMessage({ do: "load", libraries: libraries.map((url) => new URL(url, document.baseURI).href) });
  }

  /**
   * @param {File} file
   * @param {(share: number) => void} onProgress from 0 to 1
   * @returns {Promise<{sha256: string, sm3: string, size: number}|null>} null when another file took its place
   * @throws {Error} with message `changed`, `unreadable` or `engine`
   */
  digest(file, onProgress) {
    this.cancel();
    if (this.broken) return Promise.reject(new Error("engine"));
    const id = (this.number += 1);
    return new Promise((resolve, reject) => {
      this.waiting = { id, size: file.size, onProgress, resolve, reject };
      this.worker.postMessage({ do: "hash", id, file, sm3: true });
    });
  }

  cancel() {
    if (this.waiting === null) return;
    this.worker.postMessage({ do: "cancel", id: this.waiting.id });
    this.waiting.resolve(null);
    this.waiting = null;
  }

  heard(data) {
    const { waiting } = this;
    if (waiting === null || waiting.id !== data.id) return;
    if (data.progress !== undefined) {
      waiting.onProgress(data.progress / Math.max(1, waiting.size));
      return;
    }
    this.waiting = null;
    if (data.done) waiting.resolve(data.done);
    else if (data.cancelled) waiting.resolve(null);
    else waiting.reject(new Error(data.failed));
  }

  fail() {
    this.broken = true;
    this.waiting?.reject(new Error("engine"));
    this.waiting = null;
  }
}
