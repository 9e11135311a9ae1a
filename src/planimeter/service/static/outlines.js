// @ts-check
// The outline of a mask: as rings along its pixels' edges, with fewer corners, and as a path to draw.

import { windowOf } from "./rle.js";

/** @typedef {import("./rle.js").Mask} Mask */

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
