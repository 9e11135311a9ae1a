// @ts-check
// The columns of the trend: a measurement each, or a stretch of time with many; and the outliers among them.

import { svg } from "./elements.js";
import { grouped } from "./numbers.js";
import { classesInWords, moment, stretch, withUnit } from "./trend.js";
import { MARGIN } from "./trend-scale.js";

/** @typedef {import("./trend.js").ClassPercent} ClassPercent */
/** @typedef {import("./trend.js").Links} Links */
/** @typedef {import("./trend.js").Point} Point */
/** @typedef {import("./trend.js").Trend} Trend */
/** @typedef {import("./trend-scale.js").Scale} Scale */

/**
 * One column of the chart; `range` is the middle 50 %, where it stands for many.
 * @typedef {{left: number, width: number, top: number, parts: ClassPercent[], range: [number, number] | null,
 *   href: string, text: string}} Column
 */

const WIDEST = 28;

/**
 * @param {Trend} trend
 * @param {Links} links
 * @param {Scale} scale
 * @returns {Column[]}
 */
export function columnsOfPoints(trend, links, { left, right }) {
  const outliers = new Set(trend.outliers.map((point) => point.id));
  const width = (right - left) / trend.points.length;
  return trend.points.map((point, index) => {
    const what = `${withUnit(point.percent_masked)}${classesInWords(point.by_class)}`;
    return {
      left: left + index * width,
      width,
      top: point.percent_masked,
      parts: point.by_class,
      range: null,
      href: links.measurement(point),
      text: `${point.filename}, ${moment(point.created_at)}: ${what}${outliers.has(point.id) ? ", an outlier" : ""}`,
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
    const when = stretch(bucket, trend.bucket_seconds);
    return {
      left,
      width: time(Date.parse(bucket.until)) - left,
      top: mean,
      parts: bucket.by_class,
      range: [lower, upper],
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
  return link;
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
