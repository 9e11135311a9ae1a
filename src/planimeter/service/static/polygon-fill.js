// @ts-check
// The pixels of a polygon, by the rule of masks/region.py: a pixel is in it where its centre lies inside or exactly on
// the edge. Where a polygon crosses itself, what lies inside an odd number of times is in it.

import { blank, maskOf, windowWithin } from "./bits.js";

/** @typedef {import("./zoomable-canvas.js").Point} Point */

/**
 * @param {Point[]} corners three or more, in pixels of the picture
 * @param {{width: number, height: number}} picture
 * @returns {import("./rle.js").Mask}
 */
export function fillPolygon(corners, picture) {
  const [xs, ys] = [corners.map(({ x }) => x), corners.map(({ y }) => y)];
  const box = [Math.min(...xs) - 1, Math.min(...ys) - 1, Math.max(...xs) + 1, Math.max(...ys) + 1];
  const bits = blank(windowWithin(box, picture));
  const { left, top, width, height, pixels } = bits;
  const turns = new Uint8Array((width + 1) * height); // whether an edge was crossed left of a pixel's centre
  for (const [index, from] of corners.entries()) {
    const to = corners[(index + 1) % corners.length];
    const [low, high] = [Math.min(from.y, to.y), Math.max(from.y, to.y)];
    for (let y = Math.max(top, Math.ceil(low - 0.5)); y + 0.5 <= high && y < top + height; y++) {
      const row = y - top;
      const middle = y + 0.5;
      if (from.y === to.y) {
        const first = Math.max(left, Math.ceil(Math.min(from.x, to.x) - 0.5));
        const last = Math.min(left + width - 1, Math.floor(Math.max(from.x, to.x) - 0.5));
        for (let x = first; x <= last; x++) pixels[(x - left) * height + row] = 1;
        continue;
      }
      const meets = from.x + ((middle - from.y) * (to.x - from.x)) / (to.y - from.y) - 0.5; // whole on a centre
      const column = Math.ceil(meets);
      if (column === meets && column >= left && column < left + width) pixels[(column - left) * height + row] = 1;
      // Of an edge's two ends the upper one belongs to it.
      if (middle < high) turns[Math.min(Math.max(column - left, 0), width) * height + row] ^= 1;
    }
  }
  for (let row = 0; row < height; row++) {
    let inside = 0;
    for (let x = 0; x < width; x++) {
      inside ^= turns[x * height + row];
      pixels[x * height + row] |= inside;
    }
  }
  return maskOf(bits, picture.height);
}
