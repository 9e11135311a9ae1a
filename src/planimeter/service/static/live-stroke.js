// @ts-check
// A mask while a brush or an eraser goes over it: exact pixels, of which only those that change are painted and counted.

import { bitsIn, blank, maskOf, stamp, windowWithin } from "./bits.js";
import { penOf, toPicture } from "./pens.js";

/** @typedef {import("./rle.js").Mask} Mask */
/** @typedef {import("./zoomable-canvas.js").Point} Point */
/** @typedef {import("./zoomable-canvas.js").View} View */

/** How many pixels there is room for around what is drawn, before the window grows. */
const ROOM = 192;

/**
 * `mask` is what there is already, `others` what all others cover, and `counted` the pixels that count, null where all do.
 * @typedef {{mask: Mask, others: Mask, counted: Mask | null, color: string, erases: boolean, radius: number,
 *   picture: {width: number, height: number}}} Stroke
 */

export class LiveStroke {
  canvas = document.createElement("canvas");
  /** By how many pixels the union of all masks has grown. */
  gained = 0;
  bits = blank({ left: 0, top: 0, width: 0, height: 0 });
  /** Where a pixel of this mask counts, and none of another lies. */
  alone = this.bits;
  /** Where a pixel may be masked at all. */
  free = this.bits;

  /**
   * @param {Stroke} stroke
   * @param {Point} at
   */
  constructor(stroke, at) {
    this.stroke = stroke;
    const [red, green, blue] = [1, 3, 5].map((place) => Number.parseInt(stroke.color.slice(place, place + 2), 16));
    this.color = new Uint32Array(new Uint8ClampedArray([red, green, blue, 255]).buffer)[0];
    const { mask } = stroke;
    const own = mask.area ? [mask.left, mask.top, mask.right, mask.bottom] : [at.x, at.y, at.x, at.y];
    this.frame(own, mask);
    this.last = at;
    this.extend(at);
  }

  /**
   * Take another window, in which there is room around a box.
   * @param {number[]} box left, top, right, bottom
   * @param {Mask} mask what is masked by now
   */
  frame([left, top, right, bottom], mask) {
    const { others, counted, picture } = this.stroke;
    const { height } = picture;
    const window = windowWithin([left - ROOM, top - ROOM, right + ROOM, bottom + ROOM], picture);
    this.bits = bitsIn(mask, window, height);
    this.free = counted ? bitsIn(counted, window, height) : blank(window);
    if (!counted) this.free.pixels.fill(1);
    this.alone = stamp({ ...this.free, pixels: this.free.pixels.slice() }, others, height, 0);
    this.canvas.width = Math.max(1, window.width);
    this.canvas.height = Math.max(1, window.height);
    this.show(0, 0, window.width, window.height);
  }

  /**
   * Go on to a point of the picture.
   * @param {Point} to
   */
  extend(to) {
    const { radius, erases, picture } = this.stroke;
    const centre = (/** @type {Point} */ { x, y }) => ({ x: Math.floor(x) + 0.5, y: Math.floor(y) + 0.5 });
    const [one, other] = [centre(this.last), centre(to)];
    this.last = to;
    const [x0, x1] = [Math.min(one.x, other.x) - radius, Math.max(one.x, other.x) + radius];
    const [y0, y1] = [Math.min(one.y, other.y) - radius, Math.max(one.y, other.y) + radius];
    const swept = windowWithin([x0, y0, x1, y1], picture);
    if (!swept.width || !swept.height) return;
    if (!erases) this.makeRoom(swept);
    const { left, top, width, height, pixels } = this.bits;
    const value = erases ? 0 : 1;
    const [firstX, lastX] = [Math.max(swept.left, left), Math.min(swept.left + swept.width, left + width)];
    const [firstY, lastY] = [Math.max(swept.top, top), Math.min(swept.top + swept.height, top + height)];
    const near = nearLine(one, other, radius);
    const rowsAt = rowsAlong(one, other, radius);
    for (let x = firstX; x < lastX; x++) {
      const [above, below] = rowsAt(x + 0.5);
      const end = Math.min(lastY, Math.ceil(below));
      for (let y = Math.max(firstY, Math.floor(above)); y < end; y++) {
        const at = (x - left) * height + y - top;
        if (pixels[at] === value || !near(x + 0.5, y + 0.5) || !this.free.pixels[at]) continue;
        pixels[at] = value;
        if (this.alone.pixels[at]) this.gained += erases ? -1 : 1;
      }
    }
    this.show(firstX - left, firstY - top, lastX - firstX, lastY - firstY);
  }

  /** @param {import("./bits.js").Window} swept */
  makeRoom(swept) {
    const { left, top, width, height } = this.bits;
    const [right, bottom] = [swept.left + swept.width, swept.top + swept.height];
    if (swept.left >= left && swept.top >= top && right <= left + width && bottom <= top + height) return;
    const box = [Math.min(left, swept.left), Math.min(top, swept.top)];
    this.frame([...box, Math.max(left + width, right), Math.max(top + height, bottom)], this.mask);
  }

  /**
   * Paint a part of the window.
   * @param {number} left in the window
   * @param {number} top
   * @param {number} width
   * @param {number} height
   */
  show(left, top, width, height) {
    if (width <= 0 || height <= 0) return;
    const image = new ImageData(width, height);
    const words = new Uint32Array(image.data.buffer);
    for (let x = 0; x < width; x++) {
      for (let y = 0, at = (left + x) * this.bits.height + top; y < height; y++, at++) {
        if (this.bits.pixels[at]) words[y * width + x] = this.color;
      }
    }
    penOf(this.canvas).putImageData(image, left, top);
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {View} view
   * @param {number} opacity
   */
  draw(pen, view, opacity) {
    pen.save();
    toPicture(pen, view);
    pen.imageSmoothingEnabled = false;
    pen.globalAlpha = opacity;
    pen.drawImage(this.canvas, this.bits.left, this.bits.top);
    pen.restore();
  }

  /** What is masked by now. */
  get mask() {
    return maskOf(this.bits, this.stroke.picture.height);
  }
}

/**
 * Between which rows a stroke lies in a column, or a little more.
 * @param {Point} one
 * @param {Point} other
 * @param {number} radius
 */
function rowsAlong(one, other, radius) {
  const [left, right] = one.x < other.x ? [one, other] : [other, one];
  const slope = right.x > left.x ? (right.y - left.y) / (right.x - left.x) : 0;
  return (/** @type {number} */ x) => {
    if (right.x === left.x) return [Math.min(one.y, other.y) - radius, Math.max(one.y, other.y) + radius];
    const [y0, y1] = [x - radius, x + radius].map(
      (near) => left.y + slope * (Math.min(Math.max(near, left.x), right.x) - left.x),
    );
    return [Math.min(y0, y1) - radius, Math.max(y0, y1) + radius];
  };
}

/**
 * Whether a point lies within `radius` of a line.
 * @param {Point} one
 * @param {Point} other
 * @param {number} radius
 */
function nearLine(one, other, radius) {
  const [dx, dy] = [other.x - one.x, other.y - one.y];
  const length = dx * dx + dy * dy;
  return (/** @type {number} */ x, /** @type {number} */ y) => {
    const along = length ? Math.min(1, Math.max(0, ((x - one.x) * dx + (y - one.y) * dy) / length)) : 0;
    return (x - one.x - along * dx) ** 2 + (y - one.y - along * dy) ** 2 <= radius * radius;
  };
}
