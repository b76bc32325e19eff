// The page's side of hash-worker.js: a queue of files, one hashed at a time, each with progress and cancel.
"use strict";

window.chopmark = window.chopmark || {};

window.chopmark.Hasher = class Hasher {
  #worker = null;
  #waiting = [];
  #current = null;
  #next = 1;
  #settings;

  // settings: {worker: url, libraries: [url, …]}
  constructor(settings) {
    this.#settings = settings;
  }

  // Returns a job with cancel(); calls onProgress(bytes, bytesPerSecond) and then onEnd({done} | {cancelled} | {failed}).
  hash(file, sm3, { onProgress, onEnd }) {
    const job = { id: this.#next++, file, sm3, onProgress, onEnd, startedAt: 0 };
    this.#waiting.push(job);
    this.#advance();
    return { cancel: () => this.#cancel(job) };
  }

  #cancel(job) {
    if (this.#current === job) {
      this.#worker.postMessage({ do: "cancel", id: job.id });
    } else if (this.#waiting.includes(job)) {
      this.#waiting.splice(this.#waiting.indexOf(job), 1);
      job.onEnd({ cancelled: true });
    }
  }

  #advance() {
    if (this.#current || this.#waiting.length === 0) return;
    this.#worker ??= this.#start();
    this.#current = this.#waiting.shift();
    this.#current.startedAt = performance.now();
    const { id, file, sm3 } = this.#current;
    this.#worker.postMessage({ do: "hash", id, file, sm3 });
  }

  #start() {
    const worker = new Worker(this.#settings.worker);
    worker.postMessage({ do: "load", libraries: this.#settings.libraries.map((url) => new URL(url, location.href).href) });
    worker.onmessage = ({ data }) => this.#heard(data);
    worker.onerror = () => this.#broken();
    return worker;
  }

  #heard(data) {
    const job = this.#current;
    if (!job || job.id !== data.id) return;
    if (data.progress !== undefined) {
      job.onProgress(data.progress, (data.progress * 1000) / Math.max(1, performance.now() - job.startedAt));
      return;
    }
    this.#current = null;
    job.onEnd(data);
    this.#advance();
  }

  #broken() {
    const job = this.#current;
    this.#worker.terminate();
    this.#worker = null;
    this.#current = null;
    job?.onEnd({ failed: "engine" });
    this.#advance();
  }
};
