// @ts-check
// Curves of a training: one figure over the steps.

import { element, svg } from "./elements.js";
import { decimals, grouped } from "./numbers.js";
import { niceStep } from "./steps.js";

/** @typedef {{x: number, y: number}} Point */

const HEIGHT = 180;
const MARGIN = { left: 48, right: 12, top: 8, bottom: 26 };

/**
 * A curve with its title; nothing where there are too few points for one.
 * @param {HTMLElement} place
 * @param {string} title
 * @param {Point[]} points by rising x
 */
export function drawCurve(place, title, points) {
  place.hidden = points.length < 2;
  if (place.hidden) return;
  const width = Math.max(240, Math.floor(place.clientWidth));
  const canvas = svg("svg", {
    class: "chart job-curve",
    viewBox: `0 0 ${width} ${HEIGHT}`,
    height: HEIGHT,
    role: "img",
    "aria-label": inWords(title, points),
  });
  const most = Math.max(1e-9, ...points.map((point) => point.y));
  const step = niceStep(most / 4);
  const top = Math.ceil(most / step - 1e-9) * step;
  const [first, last] = [points[0]?.x ?? 0, points.at(-1)?.x ?? 1];
  const right = width - MARGIN.right;
  const bottom = HEIGHT - MARGIN.bottom;
  /** @param {number} x */
  const across = (x) => MARGIN.left + ((x - first) / Math.max(1, last - first)) * (right - MARGIN.left);
  /** @param {number} y */
  const up = (y) => bottom - (y / top) * (bottom - MARGIN.top);
  for (let value = 0; value <= top * 1.0001; value += step) {
    const y = Math.round(up(value)) + 0.5;
    const kind = value ? "chart-line" : "chart-axis";
    canvas.append(svg("line", { class: kind, x1: MARGIN.left, x2: right, y1: y, y2: y }));
    canvas.append(
      svg("text", { class: "chart-text", x: MARGIN.left - 8, y: y + 4, "text-anchor": "end" }, short(value)),
    );
  }
  for (const { x, anchor } of [
    { x: first, anchor: "start" },
    { x: last, anchor: "end" },
  ]) {
    const text = `step ${grouped(x)}`;
    canvas.append(svg("text", { class: "chart-text", x: across(x), y: HEIGHT - 6, "text-anchor": anchor }, text));
  }
  const places = points.map((point) => `${across(point.x).toFixed(1)},${up(point.y).toFixed(1)}`);
  canvas.append(svg("polyline", { class: "job-line", points: places.join(" ") }));
  if (points.length <= 60) {
    for (const point of points) {
      canvas.append(svg("circle", { class: "job-point", cx: across(point.x), cy: up(point.y), r: 3 }));
    }
  }
  place.replaceChildren(element("h3", "", title), canvas);
}

/**
 * @param {string} title
 * @param {Point[]} points
 */
function inWords(title, points) {
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last) return title;
  return `${title}: ${short(first.y)} at step ${grouped(first.x)}, ${short(last.y)} at step ${grouped(last.x)}`;
}

/** @param {number} value */
function short(value) {
  return decimals(value, value >= 10 ? 0 : 2);
}
