// @ts-check
// What of a picture counts, drawn: the rest is dim; and polygons while hands draw them.

import { pathOf, rings } from "./outlines.js";
import { toPicture } from "./pens.js";
import { decode } from "./rle.js";

/** @typedef {import("./zoomable-canvas.js").Point} Point */
/** @typedef {import("./zoomable-canvas.js").View} View */
/** @typedef {{polygons: Point[][], open: Point[]}} Sketch polygons that are closed, and the corners of the next */

const LINE = "#ffd54a";
const DIM = "rgb(0 0 0 / 60%)";
const CORNER = 3.5;

/**
 * The outline of the pixels that count.
 * @param {string} counts of their RLE
 * @param {number} height of the picture
 */
export function outlineOf(counts, height) {
  return pathOf(rings(decode(counts, height), height));
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Path2D} counted
 * @param {{width: number, height: number}} picture
 * @param {View} view
 * @param {number} ratio device pixels for one of the page's
 */
export function drawCounted(pen, counted, picture, view, ratio) {
  const rest = new Path2D(counted);
  rest.rect(0, 0, picture.width, picture.height);
  pen.save();
  toPicture(pen, view);
  pen.fillStyle = DIM;
  pen.fill(rest, "evenodd");
  pen.strokeStyle = LINE;
  pen.lineWidth = (1.5 * ratio) / view.zoom;
  pen.stroke(counted);
  pen.restore();
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Sketch} sketch
 * @param {View} view
 * @param {number} ratio
 */
export function drawSketch(pen, { polygons, open }, view, ratio) {
  const unit = ratio / view.zoom;
  const path = new Path2D();
  for (const ring of [...polygons, open]) {
    for (const [index, { x, y }] of ring.entries()) index ? path.lineTo(x, y) : path.moveTo(x, y);
    if (ring !== open) path.closePath();
  }
  pen.save();
  toPicture(pen, view);
  pen.lineJoin = "round";
  for (const { color, width } of [
    { color: "rgb(0 0 0 / 75%)", width: 4.5 },
    { color: LINE, width: 2 },
  ]) {
    pen.strokeStyle = pen.fillStyle = color;
    pen.lineWidth = width * unit;
    pen.stroke(path);
    for (const { x, y } of open) {
      pen.beginPath();
      pen.arc(x, y, (CORNER + width / 2 - 1) * unit, 0, 2 * Math.PI);
      pen.fill();
    }
  }
  pen.restore();
}
