// @ts-check
// What follows the score threshold outside the numbers: addresses, the notes, the forms that keep it.

import { element, one } from "./elements.js";
import { short } from "./numbers.js";
import { sentence } from "./sentence.js";

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

/**
 * The notes of a measurement at a threshold, or null where they cannot be loaded.
 * @param {string} json address of the measurement
 * @param {number} threshold
 */
export async function loadNotes(json, threshold) {
  const url = new URL(atThreshold(new URL(json, document.baseURI).href, threshold));
  url.searchParams.set("mask_format", "none");
  const answer = await fetch(url).catch(() => null);
  if (!answer?.ok) return null;
  const { notes } = /** @type {{notes: {code: string, message: string}[]}} */ (await answer.json());
  return notes.map((note) => element("p", "note", sentence(note.message)));
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
}
