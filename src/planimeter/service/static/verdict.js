// @ts-check
// Verdicts by the rules of a profile: shown here, decided by the service only.

import { element, one } from "./elements.js";
import { grouped, percent, quantity } from "./numbers.js";
import { sentence } from "./sentence.js";

/** @typedef {"pass" | "fail" | "undecided"} Verdict */
/** @typedef {{figure: string, unit: string | null, value: number | null, verdict: Verdict, reason: string | null}} Rule */
/** @typedef {{verdict: Verdict | null, rules: Rule[]}} Ruling */

const CLASSES = { pass: "passed", fail: "failed", undecided: "undecided" };
/** @type {Record<string, string>} */
const SYMBOLS = { um: "µm" };

/** @param {Verdict} verdict */
export function verdictMark(verdict) {
  return element("span", `verdict ${CLASSES[verdict]}`, verdict);
}

/**
 * What was decided at another threshold stands no longer: until the service has answered, nothing is.
 * @param {Element} page
 */
export function fadeRuling(page) {
  const ruling = /** @type {HTMLElement | null} */ (page.querySelector("[data-ruling]"));
  if (!ruling) return;
  ruling.dataset.stale = "";
  const word = ruling.querySelector("[data-ruling-word]");
  if (word) {
    word.className = "ruling-word";
    word.textContent = "…";
  }
  for (const mark of ruling.querySelectorAll("[data-rule-verdict]")) {
    mark.className = "verdict";
    mark.textContent = "…";
  }
}

/**
 * Write what the service decides.
 * @param {Element} page
 * @param {Ruling} ruling
 */
export function writeRuling(page, { verdict, rules }) {
  const place = /** @type {HTMLElement | null} */ (page.querySelector("[data-ruling]"));
  if (!place) return;
  delete place.dataset.stale;
  const word = place.querySelector("[data-ruling-word]");
  if (word && verdict) {
    word.className = `ruling-word ${CLASSES[verdict]}`;
    word.textContent = verdict.toUpperCase();
  }
  for (const [index, row] of place.querySelectorAll("[data-rule]").entries()) {
    const rule = rules[index];
    if (!rule) continue;
    const mark = one(row, "[data-rule-verdict]");
    mark.className = `verdict ${CLASSES[rule.verdict]}`;
    mark.textContent = rule.verdict;
    one(row, "[data-rule-value]").textContent = valueInWords(rule);
    one(row, "[data-rule-reason]").textContent = rule.reason ? sentence(rule.reason) : "";
  }
}

/** @param {Rule} rule */
function valueInWords({ figure, unit, value }) {
  if (value === null) return "–";
  if (figure === "percent_masked") return `${percent(value)} %`;
  if (figure === "count") return grouped(Math.round(value));
  if (figure === "instances_per_mm2") return quantity(value);
  if (!unit) return `${quantity(value)} px`;
  return `${quantity(value)} ${SYMBOLS[unit] ?? unit}${figure === "largest_area" ? "²" : ""}`;
}
