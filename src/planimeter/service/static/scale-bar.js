// @ts-check
// A line in the picture whose length is known.

import { grouped } from "./numbers.js";
import { toPicture } from "./pens.js";
import { niceStep } from "./steps.js";

/** @typedef {import("./units.js").Scale} Scale */
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

const SHORTEST_LEGEND = 60;
const MARGIN = 14;

/**
 * The round length that a legend shows: in the unit, and in pixels of the page.
 * @param {number} side of a pixel, in the unit
 * @param {number} zoom pixels of the page for one of the picture's
 */
export function legendOf(side, zoom) {
  const length = niceStep((SHORTEST_LEGEND / zoom) * side, [1, 2, 5, 10]);
  return { length, width: (length / side) * zoom };
}

/**
 * Draw how long a round length is in the view, at the bottom left.
 * @param {CanvasRenderingContext2D} pen
 * @param {Scale} scale
 * @param {View} view
 * @param {number} ratio
 */
export function drawLegend(pen, { side, symbol }, view, ratio) {
  if (side === null) return;
  const { length, width } = legendOf(side, view.zoom / ratio);
  const text = `${length < 1000 ? Number(length.toPrecision(3)) : grouped(length)} ${symbol}`;
  const [left, bottom] = [MARGIN * ratio, pen.canvas.height - MARGIN * ratio];
  const room = 6 * ratio;
  pen.save();
  pen.font = `500 ${12 * ratio}px ${getComputedStyle(pen.canvas).fontFamily}`;
  const box = Math.max(width * ratio, pen.measureText(text).width) + 2 * room;
  pen.fillStyle = "rgb(11 15 14 / 72%)";
  pen.beginPath();
  pen.roundRect(left - room, bottom - 24 * ratio, box, 24 * ratio + room, 4 * ratio);
  pen.fill();
  pen.fillStyle = "#fff";
  pen.fillText(text, left, bottom - 8 * ratio);
  pen.fillRect(left, bottom - 3 * ratio, width * ratio, 3 * ratio);
  pen.restore();
}
