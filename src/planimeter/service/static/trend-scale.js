// @ts-check
// The scales of the trend: percent upwards, time to the right.

import { svg } from "./elements.js";
import { decimals } from "./numbers.js";
import { niceStep } from "./steps.js";

/** @typedef {import("./trend.js").ClassPercent} ClassPercent */
/** @typedef {import("./trend.js").Spread} Spread */
/** @typedef {import("./trend.js").Trend} Trend */

/**
 * What the chart is drawn on: its inner left and right, where the scale ends, and where a percentage is.
 * @typedef {{left: number, right: number, most: number, y: (percent: number) => number}} Scale
 */

/**
 * @typedef {{x: number, at: number}} Tick where, and which moment
 */

/** Pixels of a letter of the chart, on average and rounded up. */
const LETTER = 6;
export const HEIGHT = 220;
export const MARGIN = { left: 44, right: 10, top: 12, bottom: 26 };
const MOST_STRETCH = 2.5;
const MINUTE = 60_000;
const LONG = 48 * 60 * MINUTE;
const TICK_STEPS = [1, 5, 15, 30, 60, 180, 360, 720, 1440, 2880, 10_080, 20_160, 43_200, 129_600, 525_600].map(
  (minutes) => minutes * MINUTE,
);

/**
 * @param {Trend} trend
 * @param {number} width
 * @param {number | null} limit
 * @returns {Scale}
 */
export function scaleOf(trend, width, limit) {
  const most = scaleEnd(trend, limit);
  const tall = HEIGHT - MARGIN.top - MARGIN.bottom;
  return {
    left: MARGIN.left,
    right: width - MARGIN.right,
    most,
    y: (value) => HEIGHT - MARGIN.bottom - Math.min(1, value / most) * tall,
  };
}

/**
 * Where the scale ends: above all, unless outliers would press everything else flat; then they stand at its end. A limit
 * that is not far above is on it.
 * @param {Trend} trend
 * @param {number | null} limit
 */
function scaleEnd(trend, limit) {
  const outside = new Set(trend.outliers.map((point) => point.id));
  const usual = trend.points.length
    ? trend.points.filter((point) => !outside.has(point.id)).map((point) => top(point))
    : trend.buckets.map((bucket) => top(bucket, bucket.percent_masked.upper_quartile));
  const inner = Math.max(0.01, ...usual, Math.min(trend.fences?.[1] ?? 0, 100) * 1.05);
  const outliers = trend.outliers.map((point) => point.percent_masked);
  const outer = Math.max(inner, ...outliers, ...trend.points.map((point) => top(point)));
  const own = outer > MOST_STRETCH * inner ? inner : outer;
  const most = limit !== null && limit < MOST_STRETCH * own ? Math.max(own, limit * 1.05) : own;
  const step = niceStep(most / 4);
  return Math.ceil(most / step - 1e-9) * step;
}

/**
 * @param {{by_class: ClassPercent[], percent_masked: number | Spread}} entry
 * @param {number} [least]
 */
function top(entry, least = 0) {
  const sum = entry.by_class.reduce((total, part) => total + part.percent_masked, 0);
  const own = typeof entry.percent_masked === "number" ? entry.percent_masked : entry.percent_masked.mean;
  return Math.max(sum, own, least);
}

/**
 * @param {SVGElement} canvas
 * @param {Scale} scale
 */
export function drawAxis(canvas, { left, right, most, y }) {
  const step = niceStep(most / 4);
  for (let value = 0; value <= most * 1.0001; value += step) {
    const at = Math.round(y(value)) + 0.5;
    canvas.append(
      svg("line", { class: value ? "chart-line" : "chart-axis", x1: left, x2: right, y1: at, y2: at }),
      svg("text", { class: "chart-text", x: left - 8, y: at + 4, "text-anchor": "end" }, axisNumber(value, step)),
    );
  }
}

/**
 * Say that something is above the end of the scale.
 * @param {SVGElement} canvas
 * @param {Scale} scale
 */
export function drawAbove(canvas, { right, most }) {
  const text = `\u25b2 above ${axisNumber(most, niceStep(most / 4))}`;
  canvas.append(svg("text", { class: "chart-text trend-above", x: right, y: 8, "text-anchor": "end" }, text));
}

/**
 * @param {number} value
 * @param {number} step
 */
function axisNumber(value, step) {
  const quarter = String(step).includes("25") && step < 10 ? 1 : 0;
  const places = Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) + quarter;
  return `${decimals(value, Math.min(places, 4))}\u2009%`;
}

/**
 * Where a moment is, for a trend of stretches.
 * @param {Trend} trend
 * @param {Scale} scale
 * @returns {(time: number) => number}
 */
export function timeScale(trend, { left, right }) {
  const first = Date.parse(trend.buckets[0]?.since ?? "");
  const last = Date.parse(trend.buckets.at(-1)?.until ?? "");
  return (time) => left + ((right - left) * (time - first)) / Math.max(1, last - first);
}

/**
 * Round moments for a trend of stretches.
 * @param {Trend} trend
 * @param {(time: number) => number} time
 * @param {number} room how many fit
 * @returns {Tick[]}
 */
export function ticksOfTime(trend, time, room) {
  const first = Date.parse(trend.buckets[0]?.since ?? "");
  const last = Date.parse(trend.buckets.at(-1)?.until ?? "");
  return moments(first, last, room).map((at) => ({ x: time(at), at }));
}

/**
 * Round moments of the reader's own time between two.
 * @param {number} first
 * @param {number} last
 * @param {number} room how many fit
 */
function moments(first, last, room) {
  const step = TICK_STEPS.find((candidate) => (last - first) / candidate <= room) ?? TICK_STEPS.at(-1) ?? MINUTE;
  const zone = new Date(first).getTimezoneOffset() * MINUTE;
  const found = [];
  for (let at = Math.ceil((first - zone) / step) * step + zone; at <= last; at += step) found.push(at);
  return found;
}

/**
 * @param {SVGElement} canvas
 * @param {Scale} scale
 * @param {Tick[]} ticks
 */
export function drawTimes(canvas, { left, right }, ticks) {
  const long = (ticks.at(-1)?.at ?? 0) - (ticks[0]?.at ?? 0) > LONG;
  const short = (ticks.at(-1)?.at ?? 0) - (ticks[0]?.at ?? 0) < 10 * MINUTE;
  /** @type {Intl.DateTimeFormatOptions} */
  const precise = { hour: "2-digit", minute: "2-digit", ...(short ? { second: "2-digit" } : {}) };
  const base = HEIGHT - MARGIN.bottom;
  let day = "";
  let free = Number.NEGATIVE_INFINITY; // where the next text may begin
  for (const { x, at } of ticks) {
    const here = new Date(at);
    const name = here.toLocaleDateString(undefined, { day: "numeric", month: "short" });
    const clock = here.toLocaleTimeString(undefined, precise);
    const onlyDay = name === day ? "" : name;
    const text = long ? onlyDay : [onlyDay, clock].filter(Boolean).join(", ");
    const anchor = x < left + 30 ? "start" : x > right - 30 ? "end" : "middle";
    canvas.append(svg("line", { class: "chart-axis", x1: x, x2: x, y1: base, y2: base + 4 }));
    const width = LETTER * text.length;
    const begin = anchor === "start" ? x : anchor === "end" ? x - width : x - width / 2;
    if (begin < free) continue;
    day = name;
    free = begin + width + LETTER;
    canvas.append(svg("text", { class: "chart-text", x, y: HEIGHT - 6, "text-anchor": anchor }, text));
  }
}
