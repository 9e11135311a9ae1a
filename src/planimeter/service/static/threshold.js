// @ts-check
// What follows the score threshold outside the numbers: addresses, the notes, the forms that keep it.

import { element, one } from "./elements.js";
import { between, short } from "./numbers.js";
import { sentence } from "./sentence.js";
import { fadeRuling, writeRuling } from "./verdict.js";

const UNLIKE = "unlike_training";

/**
 * Let the page's address, its links and its downloads ask for a threshold; null is that of the measurement itself.
 * @param {Element} page
 * @param {number | null} threshold
 */
export function addressThreshold(page, threshold) {
  history.replaceState(null, "", atThreshold(location.href, threshold));
  const links = page.querySelectorAll("a[data-at-threshold], a[data-style]");
  for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (links))
    link.href = atThreshold(link.href, threshold);
}

/**
 * @param {string} address
 * @param {number | null} threshold
 */
function atThreshold(address, threshold) {
  const url = new URL(address);
  if (threshold === null) url.searchParams.delete("score_threshold");
  else url.searchParams.set("score_threshold", short(threshold));
  return url.href;
}

/** @typedef {{code: string, message: string}} Note */
/** @typedef {{low: number, high: number}} Interval */

/**
 * What the service says of a measurement at a threshold beside the numbers, or null where it cannot be loaded.
 * @param {string} json address of the measurement
 * @param {number} threshold
 */
export async function loadWords(json, threshold) {
  const url = new URL(atThreshold(new URL(json, document.baseURI).href, threshold));
  url.searchParams.set("mask_format", "none");
  const answer = await fetch(url).catch(() => null);
  if (!answer?.ok) return null;
  const { notes, coverage, verdict, rules } =
    /** @type {{notes: Note[], coverage: {interval: Interval | null}} & import("./verdict.js").Ruling} */ (
      await answer.json()
    );
  return { notes, interval: coverage.interval, ruling: { verdict, rules } };
}

/**
 * Write the notes, the verdict, and between which percentages the truth lies.
 * @param {HTMLElement} page
 * @param {{notes: Note[], interval: Interval | null, ruling: import("./verdict.js").Ruling}} words
 */
export function writeWords(page, { notes, interval, ruling }) {
  writeRuling(page, ruling);
  const below = notes.filter((note) => note.code !== UNLIKE);
  one(page, "[data-notes]").replaceChildren(...below.map((note) => element("p", "note", sentence(note.message))));
  const trust = one(page, "[data-trust]");
  delete trust.dataset.stale;
  // A picture that is unlike those of the training is so at every threshold, and a model without intervals has none.
  if (trust.querySelector("[data-unlike]") || notes.some((note) => note.code === "interval_unknown")) return;
  const band = one(page, ".scale-interval");
  band.setAttribute("x", `${interval?.low ?? 0}%`);
  band.setAttribute("width", `${interval ? interval.high - interval.low : 0}%`);
  if (!interval) {
    trust.replaceChildren();
    return;
  }
  const sentenceOf = element("p", "reading-error", "The truth lies ");
  sentenceOf.append(
    element("strong", "", `between ${between(interval.low, interval.high)}\u2009%`),
    ", 9\u00a0times\u00a0in\u00a010.",
  );
  trust.replaceChildren(sentenceOf);
}

/**
 * What was said of another threshold fades until the service has answered.
 * @param {HTMLElement} page
 */
export function fadeWords(page) {
  one(page, "[data-trust]").dataset.stale = "";
  fadeRuling(page);
}

/**
 * Let the forms that keep a threshold, or save it as a default, mean the one that is shown.
 * @param {HTMLElement} page
 * @param {number} threshold
 */
export function offerToKeep(page, threshold) {
  const text = short(threshold);
  for (const field of page.querySelectorAll("[data-follows]")) field.setAttribute("value", text);
  const save = page.querySelector("[data-save]");
  if (save) save.textContent = `Save ${text} as default for everybody`;
  one(page, "[data-keep]").hidden = threshold === Number(page.dataset.counting);
  const departs = /** @type {HTMLElement | null} */ (page.querySelector("[data-departs]"));
  if (departs) departs.hidden = threshold === Number(departs.dataset.departs);
}
