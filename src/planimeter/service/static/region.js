// @ts-check
// What of a picture counts, drawn: the rest is dim; and polygons while hands draw them.

import { pathOf, rings } from "./outlines.js";
import { toPicture } from "./pens.js";
import { decode } from "./rle.js";

/** @typedef {import("./zoomable-canvas.js").Point} Point */
/** @typedef {import("./zoomable-canvas.js").View} View */
/** @typedef {"include" | "exclude"} Kind */
/** @typedef {{ring: Point[], kind: Kind}} Polygon */
/** @typedef {{polygons: Polygon[], open: Point[], kind: Kind}} Sketch polygons that are closed, and the corners of the next */

const LINE = "#ffd54a";
/** @type {Record<Kind, {color: string, dash: number[]}>} */
const LINES = { include: { color: LINE, dash: [] }, exclude: { color: "#ff8a70", dash: [6, 4] } };
const DIM = "rgb(0 0 0 / 60%)";
const CORNER = 3.5;

/**
 * The outline of the pixels that count.
 * @param {string} counts of their RLE
 * @param {number} height of the picture
 */
export function outlineOf(counts, height) {
  return pathOfPixels(decode(counts, height), height);
}

/**
 * @param {import("./rle.js").Mask} mask the pixels that count
 * @param {number} height of the picture
 */
export function pathOfPixels(mask, height) {
  return pathOf(rings(mask, height));
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
export function drawSketch(pen, { polygons, open, kind }, view, ratio) {
  pen.save();
  toPicture(pen, view);
  pen.lineJoin = "round";
  for (const polygon of polygons) drawRing(pen, polygon, true, ratio / view.zoom);
  drawRing(pen, { ring: open, kind }, false, ratio / view.zoom);
  pen.restore();
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Polygon} polygon
 * @param {boolean} closed an open one shows its corners
 * @param {number} unit pixels of the picture for one of the page's
 */
function drawRing(pen, { ring, kind }, closed, unit) {
  const path = new Path2D();
  for (const [index, { x, y }] of ring.entries()) index ? path.lineTo(x, y) : path.moveTo(x, y);
  if (closed) path.closePath();
  const { color: line, dash } = LINES[kind];
  for (const { color, width } of [
    { color: "rgb(0 0 0 / 75%)", width: 4.5 },
    { color: line, width: 2 },
  ]) {
    pen.strokeStyle = pen.fillStyle = color;
    pen.lineWidth = width * unit;
    pen.setLineDash(color === line ? dash.map((length) => length * unit) : []);
    pen.stroke(path);
    for (const { x, y } of closed ? [] : ring) {
      pen.beginPath();
      pen.arc(x, y, (CORNER + width / 2 - 1) * unit, 0, 2 * Math.PI);
      pen.fill();
    }
  }
}
