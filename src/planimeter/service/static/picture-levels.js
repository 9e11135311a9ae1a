// @ts-check

import { penOf } from "./pens.js";
import { isPlain, PLAIN, toned } from "./picture-tones.js";

/** @typedef {import("./zoomable-canvas.js").View} View */

const SMALLEST = 1024;

/** A picture, and it halved again and again: what is shown small is drawn from a small one. */
export class PictureLevels {
  /** @type {Array<ImageBitmap | HTMLCanvasElement>} */
  levels = [];
  /** @type {import("./picture-tones.js").Tones} how bright it is shown */
  tones = PLAIN;
  /** @type {Map<number, {tones: object, shown: HTMLCanvasElement}>} levels as they are shown, by their index */
  shown = new Map();

  /**
   * @param {number} width of the picture
   * @param {number} height
   */
  constructor(width, height) {
    this.width = width;
    this.height = height;
  }

  /** @param {string} url */
  async load(url) {
    const source = new Image();
    source.src = url;
    await source.decode();
    /** @type {ImageBitmap | HTMLCanvasElement} */
    let level = await createImageBitmap(source);
    this.levels = [level];
    while (Math.max(level.width, level.height) > SMALLEST) {
      level = halved(level);
      this.levels.push(level);
    }
  }

  /** @param {number} index */
  shownLevel(index) {
    const level = this.levels[index];
    const { tones } = this;
    if (!level || isPlain(tones)) return level;
    const known = this.shown.get(index);
    if (known?.tones === tones) return known.shown;
    const shown = toned(level, tones);
    this.shown.set(index, { tones, shown });
    return shown;
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {View} view
   * @param {number} width of what is drawn on
   * @param {number} height
   */
  draw(pen, view, width, height) {
    const index = Math.min(Math.max(0, Math.floor(Math.log2(1 / view.zoom) + 0.01)), this.levels.length - 1);
    const level = this.shownLevel(index);
    if (!level) return;
    // On whole pixels of the screen: a level that is shown in its own size is then copied, not sampled.
    const x = Math.round(width / 2 - view.x * view.zoom);
    const y = Math.round(height / 2 - view.y * view.zoom);
    const across = (this.width * view.zoom) / level.width;
    const down = (this.height * view.zoom) / level.height;
    const left = Math.max(0, Math.floor(-x / across));
    const top = Math.max(0, Math.floor(-y / down));
    const columns = Math.min(level.width, Math.ceil((width - x) / across)) - left;
    const rows = Math.min(level.height, Math.ceil((height - y) / down)) - top;
    if (columns <= 0 || rows <= 0) return;
    pen.imageSmoothingEnabled = view.zoom < 2 && view.zoom !== level.width / this.width;
    const [toX, toY] = [x + left * across, y + top * down];
    pen.drawImage(level, left, top, columns, rows, toX, toY, columns * across, rows * down);
  }
}

/** @param {ImageBitmap | HTMLCanvasElement} level */
function halved(level) {
  const half = document.createElement("canvas");
  half.width = Math.ceil(level.width / 2);
  half.height = Math.ceil(level.height / 2);
  const pen = penOf(half);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(level, 0, 0, half.width, half.height);
  return half;
}
