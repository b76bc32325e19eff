// Hashes files off the page's thread, chunk by chunk, in constant memory.
//
// In:  {do: "load", libraries: [url, …]}      once, before anything else
//      {do: "hash", id, file, sm3: bool}      one file; the page sends the next when this one is done
//      {do: "cancel", id}
// Out: {id, progress: bytes}  {id, done: {sha256, sm3, size}}  {id, cancelled: true}  {id, failed: "changed" | "unreadable" | "engine"}
//
// Nothing is sent anywhere: this file opens no connection.
"use strict";

const CHUNK = 4 * 1024 * 1024;
const REPORT_EVERY_MS = 120;
const cancelled = new Set();

async function hash({ id, file, sm3 }) {
  const size = file.size;
  let hashers;
  try {
    hashers = [await self.hashwasm.createSHA256()];
    if (sm3) hashers.push(await self.hashwasm.createSM3());
  } catch {
    return { id, failed: "engine" };
  }
  hashers.forEach((hasher) => hasher.init());
  let done = 0;
  let reported = 0;
  while (done < size) {
    if (cancelled.delete(id)) return { id, cancelled: true };
    let bytes;
    try {
      bytes = new Uint8Array(await file.slice(done, done + CHUNK).arrayBuffer());
    } catch (error) {
      // A browser refuses to read a File whose bytes on disk are no longer those that were chosen.
      return { id, failed: error.name === "NotReadableError" ? "changed" : "unreadable" };
    }
    if (bytes.length === 0) return { id, failed: "changed" };
    hashers.forEach((hasher) => hasher.update(bytes));
    done += bytes.length;
    const now = performance.now();
    if (now - reported > REPORT_EVERY_MS) {
      reported = now;
      self.postMessage({ id, progress: done });
    }
  }
  const [sha256, second] = hashers.map((hasher) => hasher.digest("hex"));
  return { id, done: { sha256, sm3: second ?? null, size } };
}

self.onmessage = async ({ data }) => {
  if (data.do === "load") self.importScripts(...data.libraries);
  else if (data.do === "cancel") cancelled.add(data.id);
  else if (data.do === "hash") {
    const answer = await hash(data);
    cancelled.delete(data.id);
    self.postMessage(answer);
  }
};
