/**
 * What is examined, one thing at a time: a bundle, or a file with its receipts.
 */

import { checkBundle } from "../bundle.js";
import { bytesOf } from "../container.js";
import { digestsOf } from "../filehash.js";
import { FIRST_LINE } from "../proof.js";
import { MAX_RECEIPT, sizeOf } from "../reading.js";
import { authoritiesOf } from "../trust.js";
import { FAILED, INDETERMINATE, PASSED, verify } from "../verify.js";

/** Signature of a ZIP file's first local header. */
const ZIP = [0x50, 0x4b, 0x03, 0x04];

export class Desk {
  constructor(suite) {
    this.suite = suite;
    this.files = [];
    this.stop = new AbortController();
  }

  cancel() {
    this.stop.abort(new DOMException("cancelled", "AbortError"));
    this.stop = new AbortController();
  }

  /**
   * @param {File[]} files
   * @param {import("../trust.js").Trust|null} trust
   * @param {number} at in seconds since 1970
   * @param {(name: string, share: number) => void} showProgress
   * @returns {Promise<object|null>} null when there is nothing to examine among them
   * @throws {DOMException} when it was cancelled, or a file cannot be read
   */
  async examine(files, trust, at, showProgress) {
    this.files = files;
    const { signal } = this.stop;
    const [receipts, others] = await sorted(files);
    const [first] = others;
    if (receipts.length > 0) return this.receipt(receipts, first, trust, at, showProgress, signal);
    if (first === undefined) return null;
    const progress = (share) => showProgress(first.name, share);
    progress(0);
    const { report, manifest } = await checkBundle(first, trust, at, { suite: this.suite, progress, signal });
    return { kind: "bundle", report, manifest, name: first.name, size: first.size, at };
  }

  async receipt([receipt], file, trust, at, showProgress, signal) {
    const { suite } = this;
    let digests = null;
    if (file !== undefined) {
      const progress = (share) => showProgress(file.name, share);
      const sm3 = true;
      digests = await digestsOf(file, { sm3, progress, signal, suite });
    }
    const bytes = await bytesOf(receipt);
    const policy = trust === null ? null : trust.policyFor(await sizeOf(bytes, suite));
    const report = await verify(bytes, { digests, policy, at, suite, authorities: authoritiesOf(trust) });
    const shown = file ?? receipt;
    return { kind: "receipt", report, manifest: null, name: shown.name, size: shown.size, at };
  }
}

/** What looks like a receipt is one. @returns {Promise<[File[], File[]]>} receipts and others */
async function sorted(files) {
  const [receipts, others] = [[], []];
  for (const file of files) ((await looksLikeReceipt(file)) ? receipts : others).push(file);
  return [receipts, others];
}

async function looksLikeReceipt(file) {
  if (file.size === 0 || file.size > MAX_RECEIPT) return false;
  if (/\.(tlog-proof|receipt\.cose)$/i.test(file.name)) return true;
  const start = await bytesOf(file.slice(0, FIRST_LINE.length));
  return !ZIP.every((byte, at) => byte === start[at]) && FIRST_LINE.every((byte, at) => byte === start[at]);
}

/** The steps of a receipt's report as rows of the table: each with the worst of its findings. */
export function stepsOf(report) {
  const steps = new Map();
  for (const each of report.findings) steps.set(each.step, [...(steps.get(each.step) ?? []), each]);
  return Array.from(steps, ([step, findings]) => {
    const worst = [FAILED, INDETERMINATE].find((verdict) => findings.some((each) => each.verdict === verdict)) ?? PASSED;
    return { name: `step_${step}`, verdict: worst, findings };
  });
}
