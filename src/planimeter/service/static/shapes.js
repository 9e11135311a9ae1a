// @ts-check
// The outline of a mask, and the figures of its shape by the names and definitions of skimage.measure.regionprops.

import { windowOf } from "./rle.js";

/** @typedef {import("./rle.js").Mask} Mask */
/** @typedef {[number, number]} Point */
/** @typedef {{perimeter: number, feretDiameterMax: number, circularity: number | null}} Shape */

const LENGTHS = new Float64Array(50);
for (const kind of [5, 7, 15, 17, 25, 27]) LENGTHS[kind] = 1;
for (const kind of [21, 33]) LENGTHS[kind] = Math.SQRT2;
for (const kind of [13, 23]) LENGTHS[kind] = (1 + Math.SQRT2) / 2;

/** Half a pixel: far below what shows before a pixel is several of the screen's. */
const COARSE = 0.55;

/**
 * The rings of a mask along its pixels' edges, as x, y, x, y, … in pixels of the picture; those of holes turn the other
 * way.
 * @param {Mask} mask
 * @param {number} height of the picture
 */
export function rings(mask, height) {
  const { pixels, columns, rows } = windowOf(mask, height);
  /** @type {number[][]} */
  const found = [];
  // Edges leave a corner to the right, down, left or up, with the mask on their right hand.
  const right = 1;
  const down = 2;
  const left = 4;
  const up = 8;
  const edges = new Uint8Array(columns * rows);
  for (let x = 1; x < columns; x++) {
    for (let y = 1; y < rows; y++) {
      const at = x * rows + y;
      const here = pixels[at];
      const above = pixels[at - 1];
      const before = pixels[at - rows];
      if (here && !above) edges[at] |= right;
      if (!here && above) edges[at + rows] |= left;
      if (here && !before) edges[at + 1] |= up;
      if (!here && before) edges[at] |= down;
    }
  }
  /** @type {Record<number, number>} */
  const steps = { [right]: rows, [down]: 1, [left]: -rows, [up]: -1 };
  // Where two edges leave a corner, the one that turns right keeps parts apart that touch at that corner only.
  /** @type {Record<number, number[]>} */
  const turns = {
    [right]: [down, right, up],
    [down]: [left, down, right],
    [left]: [up, left, down],
    [up]: [right, up, left],
  };
  const originX = mask.left - 1;
  const originY = mask.top - 1;
  for (let first = rows; first < edges.length; first++) {
    while (edges[first]) {
      let direction = edges[first] & -edges[first];
      let at = first;
      const ring = [originX + Math.floor(at / rows), originY + (at % rows)];
      for (;;) {
        edges[at] &= ~direction;
        at += steps[direction];
        const next = turns[direction].find((turn) => edges[at] & turn);
        if (!next) break;
        if (next !== direction) ring.push(originX + Math.floor(at / rows), originY + (at % rows));
        direction = next;
      }
      found.push(ring);
    }
  }
  return found;
}

/**
 * Rings as a path, for filling and for lines.
 * @param {number[][]} outlines
 */
export function pathOf(outlines) {
  const path = new Path2D();
  for (const ring of outlines) {
    path.moveTo(ring[0], ring[1]);
    for (let at = 2; at < ring.length; at += 2) path.lineTo(ring[at], ring[at + 1]);
    path.closePath();
  }
  return path;
}

/**
 * A ring with fewer corners: without steps of single pixels (U. Ramer, 1972; D. Douglas, T. Peucker, 1973).
 * @param {number[]} ring
 */
export function coarse(ring) {
  const count = ring.length / 2;
  if (count < 5) return ring;
  const kept = new Uint8Array(count);
  // From the first corner and the one that is farthest from it, so that the ring is two lines.
  let far = 0;
  let distance = -1;
  for (let at = 0; at < count; at++) {
    const length = (ring[2 * at] - ring[0]) ** 2 + (ring[2 * at + 1] - ring[1]) ** 2;
    if (length > distance) [far, distance] = [at, length];
  }
  kept[0] = kept[far] = 1;
  const spans = [
    [0, far],
    [far, count],
  ];
  for (let span = spans.pop(); span; span = spans.pop()) {
    const [first, last] = span;
    const [x0, y0] = [ring[2 * first], ring[2 * first + 1]];
    const [dx, dy] = [ring[(2 * last) % ring.length] - x0, ring[(2 * last + 1) % ring.length] - y0];
    const length = Math.hypot(dx, dy) || 1;
    let worst = 0;
    let most = COARSE;
    for (let at = first + 1; at < last; at++) {
      const off = Math.abs((ring[2 * at] - x0) * dy - (ring[2 * at + 1] - y0) * dx) / length;
      if (off > most) [worst, most] = [at, off];
    }
    if (!worst) continue;
    kept[worst] = 1;
    spans.push([first, worst], [worst, last]);
  }
  const fewer = [];
  for (let at = 0; at < count; at++) if (kept[at]) fewer.push(ring[2 * at], ring[2 * at + 1]);
  return fewer.length < 6 ? ring : fewer;
}

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
