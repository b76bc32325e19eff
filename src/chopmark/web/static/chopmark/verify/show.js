/**
 * Draws a report into the page from its template. Text goes in as text, never as markup.
 */

import { FAILED, INDETERMINATE, PASSED } from "./verify.js";

/**
 * @param {object} report what `verify` returned
 * @param {{receiptName: string, fileName: string, digest: string|null, foot: string}} around what the page knows
 * @param {import("./words.js").Words} words
 * @param {Document} page
 * @returns {HTMLElement}
 */
export function draw(report, around, words, page) {
  const article = page.getElementById("verify-report").content.firstElementChild.cloneNode(true);
  const part = (name) => article.querySelector(`[data-${name}]`);
  article.dataset.state = report.verdict;
  part("icon").append(icon(page, report.verdict));
  part("word").textContent = words.text(report.verdict);
  part("verdict").textContent = report.verdict;
  part("verdict").hidden = words.text(report.verdict).toUpperCase() === report.verdict;
  part("meaning").textContent = words.text(`meaning_${report.verdict}`);
  part("reason").textContent = reasonOf(report, words);
  part("reason").hidden = part("reason").textContent === "";
  drawExisted(part("existed"), report, words, page);
  part("file-name").textContent = around.fileName;
  part("file-digest").textContent = around.digest === null ? "" : `SHA-256 ${around.digest}`;
  part("receipt-name").textContent = around.receiptName;
  part("entry").textContent = report.index === null ? "" : `${report.index} / ${report.size ?? "?"}`;
  part("entry-label").hidden = part("entry").hidden = report.index === null;
  part("signers").append(...signersOf(report, words, page));
  part("findings").append(...stepsOf(shownOf(report), words, page));
  part("unproven").append(...report.not_proven.map((code) => element(page, "li", "", words.say(code))));
  drawStatement(part("statement"), report.statement, words);
  part("foot").textContent = around.foot;
  return article;
}

export function element(page, tag, className, text) {
  const made = page.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

const icon = (page, verdict) => page.getElementById(`verify-icon-${verdict}`).content.cloneNode(true);

/** A time is no help beside a failed check: it is about what was deposited, and that may not be this file. */
const shownOf = ({ verdict, findings }) =>
  verdict === FAILED ? findings.filter(({ code }) => code !== "verify.existed_by") : findings;

/** The first thing that kept the verdict from being better. */
function reasonOf({ verdict, findings }, words) {
  if (verdict !== FAILED && verdict !== INDETERMINATE) return "";
  return words.finding(findings.find((finding) => finding.verdict === verdict));
}

function drawExisted(place, report, words, page) {
  if (report.existed_by === null) {
    place.textContent = words.text("existed_unknown");
    place.classList.add("is-unknown");
    return;
  }
  const { utc, beijing } = words.both(report.existed_by);
  const time = element(page, "time", "", utc);
  time.dateTime = report.existed_by;
  place.append(time, element(page, "span", "verify-beijing", beijing), element(page, "span", "verify-whom", report.existed_by_whom));
}

function signersOf(report, words, page) {
  if (report.signers.length === 0) return [element(page, "li", "verify-quiet", words.text("nobody"))];
  return report.signers.map(({ name, institution, role, algorithm, form, at }) => {
    const item = page.createElement("li");
    const { roles, forms } = words.texts;
    const when = at === null ? words.text("no_time") : words.both(at).utc;
    const key = institution === null || institution === name ? [] : [name];
    const said = [roles[role], ...key, algorithm, forms[form], when];
    item.append(
      element(page, "strong", "", institution ?? name),
      element(page, "span", "verify-quiet", said.join(" · ")),
    );
    return item;
  });
}

/** One item a step, with the worst of its findings as its mark. */
function stepsOf(findings, words, page) {
  const steps = new Map();
  for (const finding of findings) steps.set(finding.step, [...(steps.get(finding.step) ?? []), finding]);
  return Array.from(steps, ([step, found]) => {
    const worst = [FAILED, INDETERMINATE].find((verdict) => found.some((each) => each.verdict === verdict)) ?? PASSED;
    const item = page.createElement("li");
    item.dataset.state = worst;
    const mark = element(page, "span", "verify-icon", "");
    mark.append(icon(page, worst));
    const said = page.createElement("div");
    said.append(
      element(page, "h4", "verify-step", words.text(`step_${step}`)),
      element(page, "span", "visually-hidden", words.text(`finding_${worst}`)),
      ...found.map((finding) => sentenceOf(finding, words, page)),
    );
    item.append(mark, said);
    return item;
  });
}

function sentenceOf(finding, words, page) {
  const sentence = element(page, "p", "", words.finding(finding));
  sentence.dataset.code = finding.code;
  sentence.dataset.state = finding.verdict;
  return sentence;
}

function drawStatement(place, statement, words) {
  place.hidden = statement === null;
  if (statement === null) return;
  for (const field of place.querySelectorAll("[data-said]")) {
    const value = statement[field.dataset.said];
    field.textContent = typeof value === "boolean" ? words.text(value ? "yes" : "no") : (value ?? "–");
  }
}
