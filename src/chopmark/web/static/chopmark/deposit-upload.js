// One resumable upload (tus) of one kept file: start, pause, resume; survives reload and lost network.
//
// The fingerprint that finds an interrupted upload again is the file's digest, so the same bytes go on where
// they stopped even when the file was renamed or chosen from another folder in between.
"use strict";

window.chopmark = window.chopmark || {};

window.chopmark.Upload = class Upload {
  #tus = null;
  #options;
  #running = false;

  // options: {file, endpoint, csrf, fingerprint, metadata, onProgress(sent, total, resumedAt), onDone(url), onTrouble(kind)}
  // kinds of trouble: "changed" (the file on disk is no longer the one hashed), "refused" (with the answer), "network".
  constructor(options) {
    this.#options = options;
    this.#tus = new window.tus.Upload(options.file, {
      endpoint: options.endpoint,
      chunkSize: options.chunk,
      retryDelays: [0, 1000, 3000, 5000, 10000, 20000],
      headers: { "X-CSRFToken": options.csrf },
      metadata: options.metadata,
      fingerprint: async () => options.fingerprint,
      storeFingerprintForResuming: true,
      // Kept until the deposit itself has succeeded: see forget().
      removeFingerprintOnSuccess: false,
      onProgress: (sent, total) => options.onProgress(sent, total),
      onSuccess: () => {
        this.#running = false;
        options.onDone(this.#tus.url);
      },
      onError: (error) => {
        this.#running = false;
        const answer = error.originalResponse;
        if (!answer) options.onTrouble(error.cause?.name === "NotReadableError" ? "changed" : "network");
        else options.onTrouble("refused", { status: answer.getStatus(), body: answer.getBody() });
      },
    });
  }

  get url() {
    return this.#tus.url;
  }

  async start() {
    if (this.#running) return;
    this.#running = true;
    if (!(await readable(this.#options.file))) {
      this.#running = false;
      this.#options.onTrouble("changed");
      return;
    }
    if (!this.#tus.url) {
      const [previous] = await this.#tus.findPreviousUploads();
      if (previous) this.#tus.resumeFromPreviousUpload(previous);
    }
    if (this.#running) this.#tus.start();
  }

  async pause() {
    this.#running = false;
    await this.#tus.abort();
  }

  // Once the deposit is made, an interrupted upload of these bytes is of no use any more.
  async forget() {
    for (const previous of await this.#tus.findPreviousUploads()) {
      await window.tus.defaultOptions.urlStorage.removeUpload(previous.urlStorageKey);
    }
  }
};

async function readable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
