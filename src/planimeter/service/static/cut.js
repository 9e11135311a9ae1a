// @ts-check
// A mask cut along a line. The line lies between pixels: none is lost, and the area stays as it is.

import { bitsIn, blank, maskOf, windowAround } from "./bits.js";

/** @typedef {import("./bits.js").Bits} Bits */
/** @typedef {import("./rle.js").Mask} Mask */
/** @typedef {import("./zoomable-canvas.js").Point} Point */

/** What the line parts: a pixel from the one on its right, and from the one below. */
const RIGHT = 1;
const BELOW = 2;

/**
 * The pieces of a mask, the largest first: one where the line does not go all through it. What the line does not touch
 * stays with the largest.
 * @param {Mask} mask
 * @param {Point[]} line
 * @param {number} height of the picture
 * @returns {Mask[]}
 */
export function cut(mask, line, height) {
  const bits = bitsIn(mask, windowAround(mask), height);
  const walls = blank(bits);
  for (let at = 1; at < line.length; at++) {
    raise(walls, line[at - 1], line[at], RIGHT);
    raise(walls, line[at - 1], line[at], BELOW);
  }
  const { labels, areas, touched } = labelled(bits, walls.pixels);
  const order = areas.map((_, label) => label).filter((label) => touched[label]);
  order.sort((one, other) => areas[other] - areas[one]);
  if (order.length < 2) return [mask];
  return order.map((label, place) => {
    const pixels = labels.map((found) => Number(found && (found === label + 1 || (!place && !touched[found - 1]))));
    return maskOf({ ...bits, pixels: Uint8Array.from(pixels) }, height);
  });
}

/**
 * Part the pixels between whose centres a line goes.
 * @param {Bits} walls
 * @param {Point} from
 * @param {Point} to
 * @param {number} kind the pixels on the right, or those below
 */
function raise({ left, top, width, height, pixels }, from, to, kind) {
  const across = kind === RIGHT; // along each row of centres, or along each column
  const [a0, b0] = across ? [from.y - top, from.x - left] : [from.x - left, from.y - top];
  const [a1, b1] = across ? [to.y - top, to.x - left] : [to.x - left, to.y - top];
  const [most, breadth] = across ? [height, width] : [width, height];
  const [low, high] = [Math.min(a0, a1), Math.max(a0, a1)];
  for (let at = Math.max(0, Math.ceil(low - 0.5)); at + 0.5 < high && at < most; at++) {
    const before = Math.floor(b0 + ((at + 0.5 - a0) * (b1 - b0)) / (a1 - a0) - 0.5);
    if (before < 0 || before >= breadth - 1) continue;
    pixels[across ? before * height + at : at * height + before] |= kind;
  }
}

/**
 * Number the parts of what is masked, from 1: pixels that share a side, unless they are parted.
 * @param {Bits} bits
 * @param {Uint8Array} walls
 */
function labelled({ height, pixels }, walls) {
  const labels = new Uint32Array(pixels.length);
  /** @type {number[]} */
  const areas = [];
  /** @type {boolean[]} whether the line goes along a part */
  const touched = [];
  const open = [];
  for (let first = pixels.indexOf(1); first >= 0; first = pixels.indexOf(1, first + 1)) {
    if (labels[first]) continue;
    const label = areas.push(0);
    touched.push(false);
    labels[first] = label;
    open.push(first);
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      areas[label - 1]++;
      const row = at % height;
      /** @type {Array<[number, boolean, number]>} */
      const beside = [
        [at - height, at >= height, at >= height ? walls[at - height] & RIGHT : 0],
        [at + height, at + height < pixels.length, walls[at] & RIGHT],
        [at - 1, row > 0, row > 0 ? walls[at - 1] & BELOW : 0],
        [at + 1, row < height - 1, walls[at] & BELOW],
      ];
      for (const [next, lies, wall] of beside) {
        if (!lies || !pixels[next]) continue;
        if (wall) touched[label - 1] = true;
        else if (!labels[next]) {
          labels[next] = label;
          open.push(next);
        }
      }
    }
  }
  return { labels, areas, touched };
}
