// @ts-check
// Areas and lengths in units, where the page knows how large a pixel is.

import { quantity } from "./numbers.js";

/**
 * How large a pixel is: its area and its side, in the square of the unit and in the unit. Pixels that are not square have
 * no side. `mm2` is the area in square millimetres.
 * @typedef {{area: number, side: number | null, unit: string, symbol: string, mm2: number}} Scale
 */

/**
 * @param {HTMLElement} page
 * @returns {Scale | null}
 */
export function scaleOf(page) {
  return JSON.parse(page.dataset.scale ?? "null");
}

/**
 * An area in pixels, and in units where they are known.
 * @param {number} pixels
 * @param {string} written the same in pixels, for people
 * @param {Scale | null} scale
 */
export function areaInWords(pixels, written, scale) {
  return scale ? `${quantity(pixels * scale.area)} ${scale.symbol}² (${written} px)` : `${written} px`;
}

/**
 * Whether pixels are longer one way than the other: then nothing has a length, in pixels neither.
 * @param {Scale | null} scale
 */
export function isStretched(scale) {
  return scale !== null && scale.side === null;
}

/**
 * An area of so many pixels in the square of the unit, without the noise of floats, as scale.py answers it.
 * @param {number} pixels
 * @param {Scale} scale
 */
export function areaIn(pixels, scale) {
  return Number((pixels * scale.area).toPrecision(12));
}

/**
 * A length of so many pixels, written in the unit; null where that is not known.
 * @param {number} pixels
 * @param {Scale | null} scale
 */
export function lengthIn(pixels, scale) {
  return scale?.side ? quantity(pixels * scale.side) : null;
}
