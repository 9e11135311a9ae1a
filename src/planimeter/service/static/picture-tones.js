// @ts-check
// How bright a picture is shown. Its data, and all that was measured, stay as they are.

import { penOf } from "./pens.js";

/**
 * `brightness` is added (-1 to 1), `contrast` multiplies around the middle, `gamma` above 1 lifts what is dark; `channel` 0, 1
 * or 2 shows one of red, green and blue as grey.
 * @typedef {{brightness: number, contrast: number, gamma: number, channel: number | null}} Tones
 */

/** @type {Readonly<Tones>} */
export const PLAIN = Object.freeze({ brightness: 0, contrast: 1, gamma: 1, channel: null });
/** What lies below and above is cut where tones are chosen automatically. */
const CUT = 0.002;
const STEP = 5;

/** @param {Tones} tones */
export function isPlain({ brightness, contrast, gamma, channel }) {
  return brightness === 0 && contrast === 1 && gamma === 1 && channel === null;
}

/**
 * A picture as it is shown with these tones.
 * @param {ImageBitmap | HTMLCanvasElement} picture
 * @param {Tones} tones
 */
export function toned(picture, tones) {
  const { canvas, pen, image } = drawn(picture);
  const { data } = image;
  const table = tableOf(tones);
  const { channel } = tones;
  for (let at = 0; at < data.length; at += 4) {
    if (channel === null) {
      data[at] = table[data[at] ?? 0] ?? 0;
      data[at + 1] = table[data[at + 1] ?? 0] ?? 0;
      data[at + 2] = table[data[at + 2] ?? 0] ?? 0;
    } else {
      data.fill(table[data[at + channel] ?? 0] ?? 0, at, at + 3);
    }
  }
  pen.putImageData(image, 0, 0);
  return canvas;
}

/**
 * A picture on a canvas of its own size, and its pixels.
 * @param {ImageBitmap | HTMLCanvasElement} picture
 */
function drawn(picture) {
  const canvas = document.createElement("canvas");
  canvas.width = picture.width;
  canvas.height = picture.height;
  const pen = penOf(canvas);
  pen.drawImage(picture, 0, 0);
  return { canvas, pen, image: pen.getImageData(0, 0, canvas.width, canvas.height) };
}

/**
 * What each of the 256 values becomes.
 * @param {Tones} tones
 */
export function tableOf({ brightness, contrast, gamma }) {
  return Uint8ClampedArray.from({ length: 256 }, (_, value) => {
    const lifted = (value / 255) ** (1 / gamma);
    return Math.round(255 * ((lifted - 0.5) * contrast + 0.5 + brightness));
  });
}

/**
 * Tones with which the darkest of a picture is shown black and the brightest white.
 * @param {ImageBitmap | HTMLCanvasElement} picture
 * @param {number | null} channel
 * @returns {Tones}
 */
export function stretched(picture, channel) {
  const { data } = drawn(picture).image;
  const counts = new Uint32Array(256);
  for (let at = 0; at < data.length; at += 4 * STEP) {
    const value = channel === null ? Math.max(data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0) : data[at + channel];
    counts[value ?? 0]++;
  }
  const total = counts.reduce((sum, count) => sum + count, 0);
  const low = valueAt(counts, CUT * total) / 255;
  const high = Math.max(valueAt(counts, (1 - CUT) * total) / 255, low + 1 / 255);
  // low becomes 0 and high 1: (x - 0.5) contrast + 0.5 + brightness
  const contrast = Math.min(1 / (high - low), 20);
  return { brightness: (0.5 - low) * contrast - 0.5, contrast, gamma: 1, channel };
}

/**
 * @param {Uint32Array} counts
 * @param {number} wanted
 */
function valueAt(counts, wanted) {
  let sum = 0;
  return counts.findIndex((count) => {
    sum += count;
    return sum > wanted;
  });
}
