// @ts-check
// What follows the score threshold outside the numbers: addresses, the notes, the model's default.

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
 * Save a threshold as the default of the model, or forget what was saved. Returns the default after that, or null where
 * it was refused; the page says why.
 * @param {Element} page
 * @param {number | null} threshold
 */
export async function saveDefault(page, threshold) {
  const form = one(page, ".threshold-default");
  const url = atThreshold(new URL(form.dataset.defaults ?? "", document.baseURI).href, threshold);
  const method = threshold === null ? "DELETE" : "PUT";
  const answer = await fetch(url, { method, headers: { "Planimeter-Page": "1" } }); // only our own pages can: see origin.py
  const model = await answer.json();
  const said = one(page, "[data-default-note]");
  if (!answer.ok) {
    said.textContent = model.error.message;
    return null;
  }
  one(page, "[data-reset]").hidden = !model.score_threshold_saved;
  const saved = model.score_threshold_saved ? ", saved here" : "";
  said.textContent = `Default of ${model.title}: ${short(model.score_threshold)}${saved}`;
  return /** @type {number} */ (model.score_threshold);
}
