// @ts-check
// The columns of the trend: a measurement each, or a stretch of time with many; and the outliers among them.

import { element, svg } from "./elements.js";
import { grouped, short } from "./numbers.js";
import { classesInWords, moment, stretch, withUnit } from "./trend.js";
import { MARGIN } from "./trend-scale.js";
import { areThere, failedMark, verdictsInWords } from "./trend-verdicts.js";

/** @typedef {import("./trend.js").ClassPercent} ClassPercent */
/** @typedef {import("./trend.js").Links} Links */
/** @typedef {import("./trend.js").Point} Point */
/** @typedef {import("./trend.js").Trend} Trend */
/** @typedef {import("./trend-scale.js").Scale} Scale */

/**
 * One column of the chart; `range` is the middle 50 %, where it stands for many, and `failed` how many of them fail.
 * @typedef {{left: number, width: number, top: number, parts: ClassPercent[], range: [number, number] | null,
 *   failed: number, href: string, text: string}} Column
 */

const WIDEST = 28;
/** Pixels from the top of a column to the middle of the mark above it, clear of an outlier's ring. */
const ABOVE = 10;

/** So near to each other, in pixels, columns can still be told apart. */
const NEAREST = 5;
/** So many of them must be at least that far apart for the axis to be true to time. */
const MOST_APART = 0.9;

/**
 * Where measurements stand: true to time where they can be told apart there, else one beside the other.
 * @param {Trend} trend
 * @param {Scale} scale
 * @returns {{middles: number[], width: number, inTime: boolean}}
 */
export function placesOf({ points }, { left, right }) {
  const times = points.map((point) => Date.parse(point.created_at));
  const [first, last] = [times[0] ?? 0, times.at(-1) ?? 0];
  const even = (right - left) / points.length;
  const room = Math.min(even, WIDEST) / 2;
  const middles = times.map(
    (time) => left + room + ((right - left - 2 * room) * (time - first)) / Math.max(1, last - first),
  );
  const gaps = middles.slice(1).map((middle, index) => middle - (middles[index] ?? 0));
  const apart = gaps.filter((gap) => gap >= Math.min(NEAREST, 0.8 * even)).length;
  if (!gaps.length || apart < MOST_APART * gaps.length) {
    return { middles: points.map((_, index) => left + (index + 0.5) * even), width: even, inTime: false };
  }
  const typical = gaps.toSorted((one, other) => one - other)[Math.floor(gaps.length / 10)] ?? even;
  return { middles, width: Math.max(Math.min(typical, even), 3), inTime: true };
}

/**
 * @param {Trend} trend
 * @param {Links} links
 * @param {{middles: number[], width: number}} places
 * @returns {Column[]}
 */
export function columnsOfPoints(trend, links, { middles, width }) {
  const outliers = new Set(trend.outliers.map((point) => point.id));
  return trend.points.map((point, index) => {
    const what = `${withUnit(point.percent_masked)}${classesInWords(point.by_class)}`;
    const verdict = point.verdict ? `, ${point.verdict}` : "";
    const outlier = outliers.has(point.id) ? ", an outlier" : "";
    return {
      left: (middles[index] ?? 0) - width / 2,
      width,
      top: point.percent_masked,
      parts: point.by_class,
      range: null,
      failed: Number(point.verdict === "fail"),
      href: links.measurement(point),
      text: `${point.filename}, ${moment(point.created_at)}: ${what}${verdict}${outlier}`,
    };
  });
}

/**
 * @param {Trend} trend
 * @param {Links} links
 * @param {(time: number) => number} time
 * @returns {Column[]}
 */
export function columnsOfBuckets(trend, links, time) {
  return trend.buckets.map((bucket) => {
    const { count, mean, median, lower_quartile: lower, upper_quartile: upper } = bucket.percent_masked;
    const left = time(Date.parse(bucket.since));
    const what = [
      `mean ${withUnit(mean)}`,
      `median ${withUnit(median)}`,
      `middle 50 %: ${withUnit(lower)} – ${withUnit(upper)}${classesInWords(bucket.by_class)}`,
    ];
    if (areThere(bucket.verdicts)) what.push(verdictsInWords(bucket.verdicts));
    const when = stretch(bucket, trend.bucket_seconds);
    return {
      left,
      width: time(Date.parse(bucket.until)) - left,
      top: mean,
      parts: bucket.by_class,
      range: [lower, upper],
      failed: bucket.verdicts.failed,
      href: links.stretch(bucket),
      text: `${when}, ${grouped(count)} measurement${count === 1 ? "" : "s"}: ${what.join(", ")}`,
    };
  });
}

/**
 * @param {Column} column
 * @param {Scale} scale
 * @param {Map<string, string>} colors of the classes
 */
export function drawColumn(column, { y }, colors) {
  const link = svg("a", { href: column.href, tabindex: -1, class: "trend-slot" });
  const gap = column.width > 4 ? 1 : 0;
  const width = Math.max(1, Math.min(column.width - gap, WIDEST));
  const x = column.left + (column.width - width) / 2;
  const middle = column.left + column.width / 2;
  const height = y(0) - MARGIN.top;
  link.append(svg("rect", { class: "trend-hit", x: column.left, y: MARGIN.top, width: column.width, height }));
  let below = 0;
  for (const part of column.parts) {
    const high = y(below + part.percent_masked);
    const fill = colors.get(part.class) ?? "";
    link.append(svg("rect", { class: "trend-part", x, y: high, width, height: Math.max(0, y(below) - high), fill }));
    below += part.percent_masked;
  }
  if (column.range) {
    const [y1, y2] = column.range.map(y);
    link.append(svg("line", { class: "trend-range", x1: middle, x2: middle, y1: y1 ?? 0, y2: y2 ?? 0 }));
  }
  const half = Math.max(width, 3) / 2;
  const at = y(column.top);
  link.append(svg("line", { class: "trend-total", x1: middle - half, x2: middle + half, y1: at, y2: at }));
  if (column.failed) link.append(failedMark(middle, Math.max(ABOVE / 2, y(highest(column)) - ABOVE)));
  return link;
}

/** @param {Column} column */
function highest({ top, parts, range }) {
  const sum = parts.reduce((total, part) => total + part.percent_masked, 0);
  return Math.max(top, sum, range?.[1] ?? 0);
}

/**
 * @param {Point} point
 * @param {string} href
 * @param {number} x
 * @param {Scale} scale
 */
export function drawOutlier(point, href, x, scale) {
  const y = scale.y(point.percent_masked);
  const shape =
    point.percent_masked > scale.most
      ? svg("path", { d: `M${x - 5} ${y + 3}h10l-5 -9z` })
      : svg("circle", { cx: x, cy: y, r: 4 });
  shape.append(svg("title", {}, `${point.filename}: ${withUnit(point.percent_masked)}, an outlier`));
  const link = svg("a", { href, tabindex: -1, class: "trend-outlier" });
  link.append(shape);
  return link;
}

/**
 * @param {SVGElement} canvas
 * @param {number} limit
 * @param {Scale} scale
 */
export function drawLimit(canvas, limit, { left, right, most, y }) {
  if (limit > most) return;
  const at = Math.round(y(limit)) + 0.5;
  canvas.append(
    svg("line", { class: "trend-limit", x1: left, x2: right, y1: at, y2: at }),
    svg("text", { class: "chart-text trend-limit-text", x: left + 4, y: at - 5 }, `limit ${short(limit)}\u2009%`),
  );
}

/**
 * @param {SVGElement} canvas
 * @param {[number, number]} ends
 * @param {Scale} scale
 */
export function drawFences(canvas, ends, { left, right, most, y }) {
  for (const value of ends) {
    if (value <= 0 || value >= most) continue;
    const at = Math.round(y(value)) + 0.5;
    canvas.append(svg("line", { class: "trend-fence", x1: left, x2: right, y1: at, y2: at }));
  }
}

/**
 * What the lines of `drawFences` are, in words: no limit, and beside columns there is no room to say so.
 * @param {[number, number]} ends
 */
export function fencesInWords([low, high]) {
  const ends = [low > 0 && `below ${withUnit(low)}`, high < 100 && `above ${withUnit(high)}`].filter(Boolean);
  const entry = element("span", "trend-fact");
  const mark = svg("svg", { class: "trend-fence-mark", width: 24, height: 6, "aria-hidden": "true" });
  mark.append(svg("line", { class: "trend-fence", x1: 0, x2: 24, y1: 3, y2: 3 }));
  if (ends.length) entry.append(mark, `outliers are ${ends.join(" or ")}`);
  return entry;
}
