// @ts-check
// A line in the picture whose length is known.

import { toPicture } from "./pens.js";

/** @typedef {import("./zoomable-canvas.js").Point} Point */
/** @typedef {import("./zoomable-canvas.js").View} View */
/** @typedef {{from: Point, to: Point}} Line in pixels of the picture */

const TICK = 7;

/** @param {Line} line */
export function lengthOf({ from, to }) {
  return Math.hypot(to.x - from.x, to.y - from.y);
}

/**
 * The line with the end that is nearer to a point moved there.
 * @param {Line} line
 * @param {Point} at
 * @returns {Line}
 */
export function withNearerEnd({ from, to }, at) {
  return lengthOf({ from, to: at }) < lengthOf({ from: to, to: at }) ? { from: at, to } : { from, to: at };
}

/**
 * Draw a line with a tick across each end, bright on dark.
 * @param {CanvasRenderingContext2D} pen
 * @param {Line} line
 * @param {View} view
 * @param {number} ratio device pixels for one of the page's
 */
export function drawBar(pen, { from, to }, view, ratio) {
  const unit = ratio / view.zoom;
  const length = lengthOf({ from, to }) || 1;
  const across = { x: (-(to.y - from.y) / length) * TICK * unit, y: ((to.x - from.x) / length) * TICK * unit };
  pen.save();
  toPicture(pen, view);
  pen.lineCap = "round";
  for (const { color, width } of [
    { color: "rgb(0 0 0 / 75%)", width: 5 },
    { color: "#ffd54a", width: 2 },
  ]) {
    pen.strokeStyle = color;
    pen.lineWidth = width * unit;
    pen.beginPath();
    pen.moveTo(from.x, from.y);
    pen.lineTo(to.x, to.y);
    for (const end of [from, to]) {
      pen.moveTo(end.x - across.x, end.y - across.y);
      pen.lineTo(end.x + across.x, end.y + across.y);
    }
    pen.stroke();
  }
  pen.restore();
}
