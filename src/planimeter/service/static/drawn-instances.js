// @ts-check
// Instances as they are drawn: which are in view, their boxes, labels and marks.

import { toPicture } from "./pens.js";

/** @typedef {import("./zoomable-canvas.js").View} View */

/**
 * One drawn instance: its outline in pixels of the picture, exactly or for a view from afar; `box` is x, y, width, height.
 * @typedef {{path: (near: boolean) => Path2D, box: number[], color: string, label: string}} Drawn
 */

const NEAR = 2.5;
const MOST_LABELS = 150;

/**
 * Whether a view is so near that outlines must follow every pixel.
 * @param {View} view
 * @param {number} ratio device pixels for one of the page's
 */
export function isNear(view, ratio) {
  return view.zoom > NEAR * ratio;
}

/**
 * @template {{box: number[]}} Boxed
 * @param {Boxed[]} instances
 * @param {View} view
 * @param {{width: number, height: number}} size of the view, in device pixels
 */
export function inView(instances, { zoom, x, y }, { width, height }) {
  const [left, right] = [x - width / 2 / zoom, x + width / 2 / zoom];
  const [top, bottom] = [y - height / 2 / zoom, y + height / 2 / zoom];
  return instances.filter(
    ({ box }) => box[0] < right && box[0] + box[2] > left && box[1] < bottom && box[1] + box[3] > top,
  );
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Drawn[]} instances
 * @param {View} view
 * @param {number} ratio
 */
export function drawBoxes(pen, instances, view, ratio) {
  pen.save();
  toPicture(pen, view);
  pen.lineWidth = ratio / view.zoom;
  for (const { box, color } of inView(instances, view, pen.canvas)) {
    pen.strokeStyle = color;
    pen.strokeRect(box[0], box[1], box[2], box[3]);
  }
  pen.restore();
}

/**
 * Write a label at each instance that has room for one; higher scores choose first.
 * @param {CanvasRenderingContext2D} pen
 * @param {Drawn[]} instances highest score first
 * @param {View} view
 * @param {number} ratio
 */
export function drawLabels(pen, instances, view, ratio) {
  const { width: right, height: bottom } = pen.canvas;
  const size = 11 * ratio;
  pen.font = `500 ${size}px ${getComputedStyle(pen.canvas).fontFamily}`;
  pen.textBaseline = "middle";
  const height = size * 1.5;
  /** @type {number[][]} */
  const taken = [];
  for (const { box, color, label } of inView(instances, view, pen.canvas)) {
    if (taken.length >= MOST_LABELS) break;
    const width = pen.measureText(label).width + size * 0.7;
    if (box[2] * view.zoom < width * 0.5) continue;
    const middle = (box[0] + box[2] / 2 - view.x) * view.zoom + right / 2;
    const above = (box[1] - view.y) * view.zoom + bottom / 2 - height - 2;
    const left = Math.min(Math.max(middle - width / 2, 0), right - width);
    const top = above < 0 ? above + height + 4 : above;
    const place = [left, top, left + width, top + height];
    if (taken.some((other) => overlap(place, other))) continue;
    taken.push(place);
    pen.fillStyle = color;
    pen.beginPath();
    pen.roundRect(left, top, width, height, size / 4);
    pen.fill();
    pen.fillStyle = isBright(color) ? "#000" : "#fff";
    pen.fillText(label, left + size * 0.35, top + height / 2 + ratio / 2);
  }
}

/**
 * Draw around an instance that is pointed at or chosen.
 * @param {CanvasRenderingContext2D} pen
 * @param {Drawn} instance
 * @param {View} view
 * @param {number} ratio
 */
export function drawMark(pen, instance, view, ratio) {
  const path = instance.path(isNear(view, ratio));
  pen.save();
  toPicture(pen, view);
  pen.lineJoin = "round";
  for (const { color, width } of [
    { color: "rgb(0 0 0 / 70%)", width: 5.5 },
    { color: "#fff", width: 2.5 },
  ]) {
    pen.strokeStyle = color;
    pen.lineWidth = (width * ratio) / view.zoom;
    pen.stroke(path);
  }
  pen.restore();
}

/**
 * @param {number[]} one left, top, right, bottom
 * @param {number[]} other
 */
function overlap(one, other) {
  return one[0] < other[2] && one[2] > other[0] && one[1] < other[3] && one[3] > other[1];
}

/** @param {string} color as "#rrggbb" */
function isBright(color) {
  const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
  return (77 * red + 150 * green + 29 * blue) >> 8 > 110;
}
