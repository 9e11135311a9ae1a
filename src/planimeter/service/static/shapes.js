// @ts-check
// The figures of a mask's shape by the names and definitions of skimage.measure.regionprops.

import { windowOf } from "./rle.js";

/** @typedef {import("./rle.js").Mask} Mask */
/** @typedef {[number, number]} Point */
/** @typedef {{perimeter: number, feretDiameterMax: number, circularity: number | null}} Shape */

const LENGTHS = new Float64Array(50);
for (const kind of [5, 7, 15, 17, 25, 27]) LENGTHS[kind] = 1;
for (const kind of [21, 33]) LENGTHS[kind] = Math.SQRT2;
for (const kind of [13, 23]) LENGTHS[kind] = (1 + Math.SQRT2) / 2;

/**
 * @param {Mask} mask
 * @param {number} height of the picture
 * @returns {Shape}
 */
export function measureShape(mask, height) {
  if (!mask.area) return { perimeter: 0, feretDiameterMax: 0, circularity: null };
  const { pixels, columns, rows } = windowOf(mask, height);
  const perimeter = perimeterOf(pixels, rows);
  const circularity = perimeter ? (4 * Math.PI * mask.area) / perimeter ** 2 : null;
  return { perimeter, feretDiameterMax: feretDiameterMax(pixels, columns, rows), circularity };
}

/**
 * The diameter of a disc with as many pixels: equivalent_diameter_area.
 * @param {number} area
 */
export function equivalentDiameter(area) {
  return Math.sqrt((4 * area) / Math.PI);
}

/**
 * K. Benkrid, D. Crookes, "Design and FPGA Implementation of a Perimeter Estimator".
 * @param {Uint8Array} pixels
 * @param {number} rows
 */
function perimeterOf(pixels, rows) {
  const border = new Uint8Array(pixels.length);
  for (let at = rows; at < pixels.length - rows; at++) {
    const inner = pixels[at - 1] & pixels[at + 1] & pixels[at - rows] & pixels[at + rows];
    border[at] = pixels[at] & ~inner;
  }
  let length = 0;
  for (let at = rows; at < pixels.length - rows; at++) {
    if (!border[at]) continue;
    const beside = border[at - 1] + border[at + 1] + border[at - rows] + border[at + rows];
    const corners = border[at - rows - 1] + border[at - rows + 1] + border[at + rows - 1] + border[at + rows + 1];
    length += LENGTHS[1 + 2 * beside + 10 * corners];
  }
  return length;
}

/**
 * The largest distance between the middles of outer pixel edges of the convex image.
 * Points are in half pixels, so that all of it is whole numbers.
 * @param {Uint8Array} pixels
 * @param {number} columns
 * @param {number} rows
 */
function feretDiameterMax(pixels, columns, rows) {
  /** @type {Point[]} */
  const middles = [];
  for (let x = 1; x < columns - 1; x++) {
    const column = pixels.subarray(x * rows, (x + 1) * rows);
    const first = column.indexOf(1);
    if (first < 0) continue;
    for (const y of [first, column.lastIndexOf(1)]) {
      middles.push([2 * x - 1, 2 * y], [2 * x + 1, 2 * y], [2 * x, 2 * y - 1], [2 * x, 2 * y + 1]);
    }
  }
  const corners = hull(edgeMiddles(spans(hull(middles), columns), rows));
  let longest = 0;
  for (const [index, one] of corners.entries()) {
    for (const other of corners.slice(index + 1)) {
      longest = Math.max(longest, (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2);
    }
  }
  return Math.sqrt(longest) / 2;
}

/**
 * The first and last row whose centre lies in a hull, for each column.
 * @param {Point[]} corners
 * @param {number} columns
 * @returns {Array<[number, number]>}
 */
function spans(corners, columns) {
  /** @type {Array<[number, number]>} */
  const found = Array.from({ length: columns }, () => [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
  for (const [index, [x0, y0]] of corners.entries()) {
    const [x1, y1] = corners[(index + 1) % corners.length];
    if (x0 === x1) continue;
    const width = Math.abs(x1 - x0);
    for (let x = Math.ceil(Math.min(x0, x1) / 2); 2 * x <= Math.max(x0, x1); x++) {
      const y = (y0 * width + (y1 - y0) * Math.abs(2 * x - x0)) / (2 * width);
      const span = found[x];
      if (x1 > x0) span[0] = Math.max(span[0], Math.ceil(y));
      else span[1] = Math.min(span[1], Math.floor(y));
    }
  }
  return found;
}

/**
 * @param {Array<[number, number]>} columns first and last row of a convex image
 * @param {number} rows
 * @returns {Point[]}
 */
function edgeMiddles(columns, rows) {
  /** @type {Point[]} */
  const middles = [];
  const left = new Int32Array(rows).fill(-1);
  const right = new Int32Array(rows).fill(-1);
  for (const [x, [first, last]] of columns.entries()) {
    if (!Number.isFinite(first) || first > last) continue;
    middles.push([2 * x, 2 * first - 1], [2 * x, 2 * last + 1]);
    for (let y = first; y <= last; y++) {
      if (left[y] < 0) left[y] = x;
      right[y] = x;
    }
  }
  for (let y = 0; y < rows; y++) {
    if (left[y] >= 0) middles.push([2 * left[y] - 1, 2 * y], [2 * right[y] + 1, 2 * y]);
  }
  return middles;
}

/**
 * The corners of the convex hull (A. M. Andrew, 1979), turning from columns to rows.
 * @param {Point[]} points
 * @returns {Point[]}
 */
function hull(points) {
  const ordered = points.sort((one, other) => one[0] - other[0] || one[1] - other[1]);
  return [...chain(ordered).slice(0, -1), ...chain(ordered.toReversed()).slice(0, -1)];
}

/** @param {Point[]} points */
function chain(points) {
  /** @type {Point[]} */
  const kept = [];
  for (const point of points) {
    while (kept.length > 1 && turn(kept[kept.length - 2], kept[kept.length - 1], point) <= 0) kept.pop();
    kept.push(point);
  }
  return kept;
}

/**
 * @param {Point} one
 * @param {Point} two
 * @param {Point} three
 */
function turn(one, two, three) {
  return (two[0] - one[0]) * (three[1] - one[1]) - (two[1] - one[1]) * (three[0] - one[0]);
}
