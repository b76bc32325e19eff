/**
 * Draws what the verifier of bundles found. Text goes in as text, never as markup; a verdict is a word and a sign,
 * never a colour alone.
 */

import { toHex } from "../bytes.js";
import { FAILED, INDETERMINATE, PASSED } from "../verify.js";
import { beijingTime, readableTime, Words } from "../words.js";
import { stepsOf } from "./desk.js";
import { TEXTS } from "./texts.js";

const SIGNS = { [PASSED]: "✓", [FAILED]: "✗", [INDETERMINATE]: "?" };

/**
 * @param {Document} page
 * @param {Record<string, {zh: string, en: string}>} wording code to sentences
 */
export class View {
  constructor(page, wording) {
    this.page = page;
    this.wording = wording;
    this.speak("zh");
  }

  /** @param {"zh"|"en"} language */
  speak(language) {
    this.language = language;
    const sentences = Object.entries(this.wording).map(([code, said]) => [code, said[language]]);
    this.words = new Words(Object.fromEntries(sentences), { ...TEXTS[language], names: {} });
  }

  text(name, facts) {
    return this.words.text(name, facts);
  }

  make(tag, attributes = {}, ...children) {
    const made = this.page.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children.filter((child) => child !== null));
    return made;
  }

  /** Word and sign. */
  mark(verdict) {
    const sign = this.make("span", { "aria-hidden": "true", class: "sign" }, SIGNS[verdict]);
    return this.make("span", { class: "mark", "data-state": verdict }, sign, ` ${this.text(verdict)}`);
  }

  banner(verdict, meaning, reason) {
    return this.make(
      "div",
      { class: "banner", "data-state": verdict },
      this.make("span", { class: "big", "aria-hidden": "true" }, SIGNS[verdict]),
      this.make(
        "div",
        {},
        this.make("h2", { id: "verdict", tabindex: "-1" }, this.text(verdict), " ", this.make("small", {}, verdict)),
        this.make("p", {}, meaning),
        reason ? this.make("p", { class: "reason" }, reason) : null,
      ),
    );
  }

  /** @param {{title: string, verdict: string, findings: {code: string, verdict: string, facts: object}[]}[]} rows */
  table(rows) {
    const head = ["claim", "verdict", "found"].map((name) => this.make("th", { scope: "col" }, this.text(name)));
    const body = rows.map(({ title, verdict, findings }) => {
      const said = findings.map((finding) => this.sentence(finding));
      return this.make(
        "tr",
        { "data-state": verdict },
        this.make("th", { scope: "row" }, title),
        this.make("td", {}, this.mark(verdict)),
        this.make("td", {}, ...said),
      );
    });
    return this.make(
      "table",
      { class: "claims" },
      this.make("thead", {}, this.make("tr", {}, ...head)),
      this.make("tbody", {}, ...body),
    );
  }

  sentence(finding) {
    return this.make("p", { "data-code": finding.code, "data-state": finding.verdict }, this.words.finding(finding));
  }

  /** The name of a claim: `signature:1` and such have a part of their own. */
  claimTitle(claim) {
    const [kind, ...which] = claim.split(":");
    return this.text(`claim_${kind}`, { which: which.join(":") });
  }

  unproven(codes) {
    const list = codes.map((code) => this.make("li", {}, this.words.say(code)));
    return this.section("unproven", this.make("ul", {}, ...list));
  }

  section(name, ...children) {
    return this.make("section", { class: "card" }, this.make("h2", {}, this.text(name)), ...children);
  }

  facts(pairs) {
    const rows = pairs.filter(([, value]) => value).flatMap(([name, value]) => [
      this.make("dt", {}, this.text(name)),
      this.make("dd", {}, value),
    ]);
    return this.make("dl", {}, ...rows);
  }

  /** What the manifest says is in the bundle. */
  contents(manifest) {
    const said = (text) => text[this.language];
    const { matter, depositor, platform } = manifest;
    const head = ["item", "item_title", "item_purpose", "item_files"].map((name) =>
      this.make("th", { scope: "col" }, this.text(name)),
    );
    const rows = manifest.items.map(({ id, title, purpose, files }) => {
      const list = files.map(({ path, bytes, sha256 }) =>
        this.make("li", {}, scrub(path), ` (${bytes} ${this.text("bytes")})`, this.make("code", {}, sha256)),
      );
      const cells = [scrub(said(title)), scrub(said(purpose)), this.make("ul", {}, ...list)];
      return this.make(
        "tr",
        {},
        this.make("th", { scope: "row" }, id),
        ...cells.map((cell) => this.make("td", {}, cell)),
      );
    });
    return this.section(
      "contents",
      this.facts([
        ["bundle", manifest.bundle],
        ["created", `${readableTime(manifest.created)} UTC`],
        ["matter", scrub(`${matter.id} · ${said(matter.title)}`)],
        ["depositor", scrub(depositor.name)],
        ["agent", depositor.agent && scrub(depositor.agent)],
        ["platform", scrub(`${platform.operator} · ${platform.software} · ${platform.origin}`)],
        ["independence", scrub(said(platform.independence))],
      ]),
      this.scrolling(
        "contents",
        this.make("table", {}, this.make("thead", {}, this.make("tr", {}, ...head)), this.make("tbody", {}, ...rows)),
      ),
    );
  }

  scrolling(name, child) {
    return this.make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": this.text(name) }, child);
  }

  /** @param {import("../trust.js").Trust|null} trust */
  trust(trust, origin, prints) {
    if (trust === null) return [this.make("p", { class: "note" }, this.text("trust_none"))];
    const head = ["trust_name", "trust_use", "trust_print"].map((name) => this.make("th", { scope: "col" }, this.text(name)));
    const rows = trust.roots.map((root, at) =>
      this.make(
        "tr",
        {},
        this.make("th", { scope: "row" }, scrub(root.name)),
        this.make("td", {}, this.text(`use_${root.use}`), root.own ? this.text("use_own") : ""),
        this.make("td", {}, this.make("code", {}, prints[at])),
      ),
    );
    const policies = trust.policies.map(({ from, text }) =>
      this.make(
        "details",
        {},
        this.make("summary", {}, this.text("trust_policy", { from })),
        this.make("pre", { tabindex: "0" }, text),
      ),
    );
    return [
      this.make("p", { class: "note" }, origin),
      this.scrolling(
        "trust_print",
        this.make("table", {}, this.make("thead", {}, this.make("tr", {}, ...head)), this.make("tbody", {}, ...rows)),
      ),
      ...policies,
    ];
  }

  /** All that is shown of what was examined. */
  outcome({ kind, report, manifest, name, size, at }) {
    const { verdict } = report;
    const rows =
      kind === "bundle"
        ? report.claims.map((claim) => ({ ...claim, title: scrub(this.claimTitle(claim.claim)) }))
        : stepsOf(report).map((step) => ({ ...step, title: this.text(step.name) }));
    const decisive = rows.flatMap(({ findings }) => findings).find((finding) => finding.verdict === verdict);
    const reason = verdict === PASSED ? null : this.words.finding(decisive);
    const own = kind === "receipt" && verdict !== INDETERMINATE ? "receipt" : "meaning";
    return [
      this.banner(verdict, this.text(`${own}_${verdict}`), reason),
      this.section("claims", this.table(rows)),
      this.unproven(report.not_proven),
      ...(manifest === null ? [] : [this.contents(manifest)]),
      this.foot(at, name, size),
    ];
  }

  foot(at, name, size) {
    const time = new Date(at * 1000).toISOString().replace(/\.\d+Z$/, "Z");
    const facts = { time: readableTime(time), beijing: beijingTime(time), name: scrub(name), size };
    return this.make("p", { class: "foot" }, this.text("foot", facts));
  }
}

/** The fingerprint of a certificate, in pairs. */
export const printed = (digest) => toHex(digest).toUpperCase().match(/../g).join(":");

/** What turns a line's direction is no part of a stranger's text. */
const STEERING = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
export const scrub = (text) => String(text).replace(STEERING, "\ufffd");
