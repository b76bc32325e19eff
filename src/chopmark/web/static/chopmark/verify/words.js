/**
 * Sentences for people: codes and facts become text, times become UTC and Beijing time. The words themselves are given.
 */

import { timeText } from "./verify.js";

const BEIJING = 8 * 3600;

/** `{name}` in the sentence becomes the fact; a fact that is not given stays as it stands. */
export const fill = (sentence, facts) =>
  sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in facts ? factText(facts[name]) : whole));

/** What turns a line's direction or is no sign at all; facts may be a stranger's text. */
const STEERING = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

const factText = (fact) =>
  (Array.isArray(fact) ? fact.join(", ") || "–" : String(fact)).replace(STEERING, "\ufffd");

export const readableTime = (text) => text.replace("T", " ").replace("Z", "");
export const beijingTime = (text) => readableTime(timeText(Date.parse(text) / 1000 + BEIJING));

export class Words {
  /** @param {Record<string, string>} wording code to sentence @param {Record<string, any>} texts the page's own */
  constructor(wording, texts) {
    this.wording = wording;
    this.texts = texts;
  }

  text(name, facts = {}) {
    return fill(this.texts[name], facts);
  }

  /** The sentence of a code; the code itself where the catalogue has none. */
  say(code, facts = {}) {
    return code in this.wording ? fill(this.wording[code], facts) : code;
  }

  /** The sentence of a finding, with names and times in the reader's words. */
  finding({ code, facts }) {
    const shown = { ...facts };
    const { names } = this.texts;
    if ("name" in shown && shown.name in names) shown.name = names[shown.name];
    if ("names" in shown) shown.names = shown.names.map((name) => names[name] ?? name);
    for (const time of ["time", "signed"]) if (time in shown) shown[time] = `${readableTime(shown[time])} UTC`;
    const sentence = this.say(code, shown);
    return facts.cause in this.wording ? `${sentence} ${this.wording[facts.cause]}` : sentence;
  }

  both(text) {
    return { utc: `${readableTime(text)} UTC`, beijing: `${beijingTime(text)} ${this.texts.beijing}` };
  }
}
