// @ts-check
// A correction that was not saved, kept by the browser until it is.

import { recall, remember } from "./memory.js";

/** @typedef {import("./correction.js").Changes} Changes */
/** @typedef {{after: number, changes: Changes, reason: string}} Draft `after` is the number of the correction it follows */

/**
 * @param {HTMLElement} page of a measurement
 * @returns {{recall: () => Draft | null, keep: (draft: Draft | null) => void}}
 */
export function draftOf(page) {
  const name = `planimeter-correction ${page.dataset.measurement}`;
  return {
    recall: () => {
      try {
        return JSON.parse(recall(name) ?? "null");
      } catch {
        return null; // of an older page
      }
    },
    keep: (draft) => remember(name, draft && JSON.stringify(draft)),
  };
}
