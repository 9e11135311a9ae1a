// @ts-check
// Masks as one byte a pixel inside a window of the picture: what hands draw on.

import { ofRuns } from "./rle.js";

/** @typedef {import("./rle.js").Mask} Mask */
/** @typedef {{left: number, top: number, width: number, height: number}} Window in pixels of the picture */
/** @typedef {Window & {pixels: Uint8Array}} Bits column by column, 1 where masked */

/**
 * The smallest window around a mask.
 * @param {Mask} mask
 * @returns {Window}
 */
export function windowAround({ left, top, right, bottom }) {
  return { left, top, width: right - left, height: bottom - top };
}

/**
 * The window from one corner to the other, as far as the picture reaches.
 * @param {number[]} corners left, top, right, bottom
 * @param {{width: number, height: number}} picture
 * @returns {Window}
 */
export function windowWithin([x0, y0, x1, y1], { width, height }) {
  const left = Math.min(Math.max(Math.floor(x0), 0), width);
  const top = Math.min(Math.max(Math.floor(y0), 0), height);
  const right = Math.min(Math.max(Math.ceil(x1), left), width);
  const bottom = Math.min(Math.max(Math.ceil(y1), top), height);
  return { left, top, width: right - left, height: bottom - top };
}

/**
 * @param {Window} window
 * @returns {Bits}
 */
export function blank({ left, top, width, height }) {
  return { left, top, width, height, pixels: new Uint8Array(width * height) };
}

/**
 * Write `value` into a window wherever a mask is.
 * @param {Bits} bits
 * @param {Mask} mask
 * @param {number} height of the picture
 * @param {number} value
 */
export function stamp(bits, mask, height, value = 1) {
  const { left, top, pixels } = bits;
  const bottom = top + bits.height;
  const [from, to] = [left * height, (left + bits.width) * height];
  for (const [run, first] of mask.starts.entries()) {
    const last = Math.min(mask.ends[run], to);
    for (let start = Math.max(first, from); start < last; ) {
      const x = Math.floor(start / height);
      const end = Math.min(last, (x + 1) * height);
      const y0 = Math.max(start - x * height, top);
      const y1 = Math.min(end - x * height, bottom);
      const column = (x - left) * bits.height - top;
      if (y0 < y1) pixels.fill(value, column + y0, column + y1);
      start = end;
    }
  }
  return bits;
}

/**
 * What of a mask lies in a window.
 * @param {Mask} mask
 * @param {Window} window
 * @param {number} height of the picture
 */
export function bitsIn(mask, window, height) {
  return stamp(blank(window), mask, height);
}

/**
 * @param {Bits} bits
 * @param {number} height of the picture
 * @returns {Mask}
 */
export function maskOf({ left, top, height: rows, pixels }, height) {
  /** @type {number[]} */
  const starts = [];
  /** @type {number[]} */
  const ends = [];
  for (let at = pixels.indexOf(1); at >= 0; at = pixels.indexOf(1, at)) {
    const column = Math.floor(at / rows);
    const last = (column + 1) * rows;
    const zero = pixels.indexOf(0, at);
    const end = zero < 0 ? last : Math.min(zero, last);
    const move = (left + column) * height + top - column * rows;
    if (ends.at(-1) === at + move) ends[ends.length - 1] = end + move;
    else {
      starts.push(at + move);
      ends.push(end + move);
    }
    at = end;
  }
  return ofRuns(starts, ends, height);
}
