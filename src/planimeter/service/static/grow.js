// @ts-check
// A region grown from a point: what hangs together with it and looks alike in the picture itself.

import { bitsIn, blank, maskOf, stamp, windowAround } from "./bits.js";

/** @typedef {import("./bits.js").Window} Window */
/** @typedef {import("./rle.js").Mask} Mask */
/** @typedef {import("./zoomable-canvas.js").Point} Point */

/**
 * @param {Uint8ClampedArray} data red, green, blue and alpha of the window, row by row
 * @param {Window} window
 * @param {Point} at in the window, in pixels of the picture
 * @param {number} tolerance how far each of red, green and blue may lie from those around the point, 0 to 255
 * @param {Mask} taken what belongs to others: it does not grow there
 * @param {number} height of the picture
 * @returns {Mask} with its holes filled; empty where the point is another's
 */
export function grow(data, window, at, tolerance, taken, height) {
  const { left, top, width, height: rows } = window;
  const [column, row] = [Math.floor(at.x) - left, Math.floor(at.y) - top];
  const [red, green, blue] = around(data, width, rows, column, row);
  const others = bitsIn(taken, window, height).pixels;
  const alike = (/** @type {number} */ x, /** @type {number} */ y) => {
    const place = 4 * (y * width + x);
    return (
      !others[x * rows + y] &&
      Math.abs(data[place] - red) <= tolerance &&
      Math.abs(data[place + 1] - green) <= tolerance &&
      Math.abs(data[place + 2] - blue) <= tolerance
    );
  };
  const bits = blank(window);
  const first = column * rows + row;
  spread(bits.pixels, width, rows, others[first] ? [] : [first], alike);
  const grown = maskOf(bits, height);
  const part = bitsIn(grown, windowAround(grown), height); // no hole lies outside
  fillHoles(part.pixels, part.width, part.height);
  return maskOf(stamp(part, taken, height, 0), height);
}

/**
 * The mean of the nine pixels around a point: one alone may be noise.
 * @param {Uint8ClampedArray} data
 * @param {number} width
 * @param {number} rows
 * @param {number} column
 * @param {number} row
 */
function around(data, width, rows, column, row) {
  const sum = [0, 0, 0];
  let count = 0;
  for (let y = Math.max(0, row - 1); y <= Math.min(rows - 1, row + 1); y++) {
    for (let x = Math.max(0, column - 1); x <= Math.min(width - 1, column + 1); x++) {
      count++;
      for (const channel of sum.keys()) sum[channel] += data[4 * (y * width + x) + channel];
    }
  }
  return sum.map((value) => value / count);
}

/**
 * Set to 1 what hangs together with the first places, each of which is set whatever it looks like.
 * @param {Uint8Array} pixels column by column
 * @param {number} width
 * @param {number} rows
 * @param {number[]} open places
 * @param {(x: number, y: number) => boolean} belongs
 */
function spread(pixels, width, rows, open, belongs) {
  for (const place of open) pixels[place] = 1;
  const visit = (/** @type {number} */ x, /** @type {number} */ y) => {
    const place = x * rows + y;
    if (pixels[place] || !belongs(x, y)) return;
    pixels[place] = 1;
    open.push(place);
  };
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const x = Math.floor(place / rows);
    const y = place % rows;
    if (x > 0) visit(x - 1, y);
    if (x < width - 1) visit(x + 1, y);
    if (y > 0) visit(x, y - 1);
    if (y < rows - 1) visit(x, y + 1);
  }
}

/**
 * @param {Uint8Array} pixels column by column
 * @param {number} width
 * @param {number} rows
 */
function fillHoles(pixels, width, rows) {
  const outside = new Uint8Array(pixels.length);
  const border = [];
  for (let x = 0; x < width; x++) border.push(x * rows, x * rows + rows - 1);
  for (let y = 0; y < rows; y++) border.push(y, (width - 1) * rows + y);
  const free = border.filter((place) => !pixels[place]);
  spread(outside, width, rows, free, (x, y) => !pixels[x * rows + y]);
  for (let place = 0; place < pixels.length; place++) pixels[place] = outside[place] ? 0 : 1;
}
