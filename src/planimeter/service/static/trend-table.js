// @ts-check
// The numbers of the trend, as a table.

import { element } from "./elements.js";
import { grouped, percent } from "./numbers.js";
import { moment, stretch, withUnit } from "./trend.js";
import { areThere } from "./trend-verdicts.js";

/** @typedef {import("./trend.js").Bucket} Bucket */
/** @typedef {import("./trend.js").Links} Links */
/** @typedef {import("./trend.js").Point} Point */
/** @typedef {import("./trend.js").Trend} Trend */

/**
 * A row, whose first cell leads somewhere.
 * @typedef {{href: string, first: string, cells: string[]}} Row
 */

const OF_POINTS = ["Measured", "File", "Masked, %"];
const OF_JUDGED_POINTS = ["Measured", "File", "Verdict", "Masked, %"];
const OF_BUCKETS = ["From", "Measurements", "Mean, %", "Median, %", "Middle 50 %", "Lowest, %", "Highest, %"];
const OF_VERDICTS = ["Pass", "Fail", "Undecided"];

/**
 * @param {Trend} trend
 * @param {Links} links
 */
export function trendTable(trend, links) {
  const few = trend.points.length > 0;
  const judged = areThere(trend.verdicts);
  const names = trend.classes.map((entry) => entry.class);
  const rows = few
    ? trend.points.map((point) => rowOfPoint(point, links, judged))
    : trend.buckets.map((bucket) => rowOfBucket(bucket, links, trend.bucket_seconds, judged));
  const found = (few ? trend.points : trend.buckets).map(
    (entry) => new Map(entry.by_class.map((part) => [part.class, part.percent_masked])),
  );
  for (const [index, row] of rows.entries()) {
    row.cells.push(...names.map((name) => percent(found[index]?.get(name) ?? 0)));
  }
  const scroll = element("div", "table-scroll table-tall");
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "group");
  scroll.setAttribute("aria-label", "Trend in numbers");
  const ofPoints = judged ? OF_JUDGED_POINTS : OF_POINTS;
  const head = few ? ofPoints : [...OF_BUCKETS, ...(judged ? OF_VERDICTS : [])];
  scroll.append(table([...head, ...names], rows, few ? ofPoints.length - 1 : 1));
  const details = element("details", "trend-data");
  details.append(element("summary", "", "The same in numbers"), element("p", "hint", note(trend)), scroll);
  return details;
}

/**
 * @param {Point} point
 * @param {Links} links
 * @param {boolean} judged whether the table tells verdicts
 * @returns {Row}
 */
function rowOfPoint(point, links, judged) {
  const cells = [point.filename, ...(judged ? [point.verdict ?? "–"] : []), percent(point.percent_masked)];
  return { href: links.measurement(point), first: moment(point.created_at), cells };
}

/**
 * @param {Bucket} bucket
 * @param {Links} links
 * @param {number} seconds
 * @param {boolean} judged whether the table tells verdicts
 * @returns {Row}
 */
function rowOfBucket(bucket, links, seconds, judged) {
  const spread = bucket.percent_masked;
  const cells = [
    grouped(spread.count),
    percent(spread.mean),
    percent(spread.median),
    `${percent(spread.lower_quartile)} – ${percent(spread.upper_quartile)}`,
    percent(spread.minimum),
    percent(spread.maximum),
  ];
  const { passed, failed, undecided } = bucket.verdicts;
  if (judged) cells.push(...[passed, failed, undecided].map(grouped));
  return { href: links.stretch(bucket), first: stretch(bucket, seconds), cells };
}

/**
 * @param {string[]} head
 * @param {Row[]} rows
 * @param {number} texts how many columns are words, from the first
 */
function table(head, rows, texts) {
  const kind = (/** @type {number} */ column) => (column < texts ? "" : "number");
  const heading = element("tr");
  for (const [index, name] of head.entries()) {
    const cell = element("th", kind(index), name);
    cell.scope = "col";
    heading.append(cell);
  }
  const header = element("thead");
  header.append(heading);
  const body = element("tbody");
  for (const { href, first, cells } of rows) {
    const link = element("a", "", first);
    link.href = href;
    const start = element("th");
    start.scope = "row";
    start.append(link);
    const row = element("tr");
    row.append(start, ...cells.map((text, index) => element("td", kind(index + 1), text)));
    body.append(row);
  }
  const made = element("table");
  made.append(header, body);
  return made;
}

/** @param {Trend} trend */
function note({ fences }) {
  const ends = fences && `(below ${withUnit(Math.max(0, fences[0]))} or above ${withUnit(fences[1])})`;
  const outliers = "Outliers are outside Tukey's fences: further from the middle 50 % than 1.5 times its width";
  const classes = "Classes may overlap: their sum may be more than what is masked.";
  return `${ends ? `${outliers} ${ends}` : outliers}. ${classes}`;
}
