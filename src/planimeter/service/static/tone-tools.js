// @ts-check
// Brightness, contrast, gamma and channel of the view.

import { one } from "./elements.js";
import { isPlain, PLAIN, stretched } from "./picture-tones.js";

/** @typedef {import("./picture-viewer.js").PictureViewer} PictureViewer */
/** @typedef {import("./picture-tones.js").Tones} Tones */

/** @type {Tones} what a hand has set, for the pictures that follow on the same page */
let kept = PLAIN;

/**
 * Let the picture be shown as it was set for the one before.
 * @param {Element} page
 * @param {PictureViewer} viewer
 */
export function applyTones(page, viewer) {
  viewer.picture.tones = kept;
  const field = fieldsOf(page);
  field("brightness").value = String(kept.brightness);
  field("contrast").value = String(Math.log2(kept.contrast));
  field("gamma").value = String(Math.log2(kept.gamma));
  field("channel").value = kept.channel === null ? "" : String(kept.channel);
  one(page, "[data-tones-changed]").hidden = isPlain(kept);
}

/**
 * @param {Element} page
 * @param {PictureViewer} viewer
 */
export function connectTones(page, viewer) {
  const field = fieldsOf(page);
  const set = (/** @type {Tones} */ tones) => {
    kept = tones;
    applyTones(page, viewer);
    viewer.change();
  };
  const read = () => {
    const channel = field("channel").value;
    set({
      brightness: Number(field("brightness").value),
      contrast: 2 ** Number(field("contrast").value),
      gamma: 2 ** Number(field("gamma").value),
      channel: channel === "" ? null : Number(channel),
    });
  };
  for (const name of ["brightness", "contrast", "gamma", "channel"]) field(name).addEventListener("input", read);
  one(page, "[data-tones=reset]").addEventListener("click", () => set(PLAIN));
  one(page, "[data-tones=auto]").addEventListener("click", () => {
    const smallest = viewer.levels.at(-1);
    if (smallest) set(stretched(smallest, kept.channel));
  });
}

/**
 * @param {Element} page
 * @returns {(name: string) => HTMLInputElement}
 */
function fieldsOf(page) {
  return (name) => /** @type {HTMLInputElement} */ (one(page, `[data-tone=${name}]`));
}
