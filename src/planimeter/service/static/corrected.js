// @ts-check
// A measurement as people corrected it: shown in place of what was measured, and the way to correct it.

import { basisOf } from "./correction-basis.js";
import { draftOf } from "./correction-draft.js";
import { entriesOfItems } from "./item-entries.js";

/** @typedef {import("./correction.js").Answer} Answer */
/** @typedef {import("./measurement-view.js").MeasurementView} MeasurementView */

/**
 * What the API answers of a measurement at the threshold at which it counts.
 * @param {MeasurementView} view
 * @returns {Promise<Answer>}
 */
export async function loadAnswer(view) {
  const url = new URL(view.dataset.json ?? "", document.baseURI);
  url.searchParams.delete("score_threshold");
  const answer = await fetched(url.href);
  if (!answer.corrected) return { ...answer, rejected: [] };
  const list = new URL(view.dataset.corrections ?? "", document.baseURI);
  list.search = String(new URLSearchParams({ masks: "rejected", limit: "1" }));
  const { rejected } = await fetched(list.href);
  return { ...answer, rejected };
}

/** @param {string} url */
async function fetched(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`the measurement cannot be loaded: status ${answer.status}`);
  return answer.json();
}

/** @param {MeasurementView} view */
export async function loadCorrected(view) {
  const { items, pixels } = basisOf(await loadAnswer(view), view.classes, view.height);
  return { ...entriesOfItems(view.classes)(items), counted: pixels };
}

/**
 * Let the button begin a correction, or go on with one that was not saved.
 * @param {MeasurementView} view
 */
export function offerCorrecting(view) {
  const button = view.querySelector("[data-correct-begin]");
  if (!(button instanceof HTMLButtonElement)) return; // a reader
  if (draftOf(view).recall()) button.textContent = "Go on correcting";
  button.disabled = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    const loading = Promise.all([import("./correction-editor.js"), loadAnswer(view)]);
    const loaded = await loading.catch(() => null);
    if (loaded) {
      const [{ CorrectionEditor }, answer] = loaded;
      new CorrectionEditor(view, answer, () => {
        button.disabled = false;
        button.textContent = "Correct";
        button.focus();
      });
      return;
    }
    button.disabled = false;
    button.textContent = "Not loaded: try again";
  });
}
