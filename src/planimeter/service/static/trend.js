// @ts-check
// The percent masked over time, as the API answers it, and the words for its parts.

import { percent } from "./numbers.js";

/**
 * @typedef {{class: string, percent_masked: number}} ClassPercent
 * @typedef {{passed: number, failed: number, undecided: number, without: number}} Verdicts
 * @typedef {{id: string, created_at: string, filename: string, percent_masked: number, by_class: ClassPercent[],
 *   verdict: "pass" | "fail" | "undecided" | null}} Point
 * @typedef {{count: number, mean: number, minimum: number, lower_quartile: number, median: number,
 *   upper_quartile: number, maximum: number}} Spread
 * @typedef {{since: string, until: string, percent_masked: Spread, by_class: ClassPercent[], verdicts: Verdicts}} Bucket
 * @typedef {{count: number, percent_masked: Spread | null, fences: [number, number] | null, bucket_seconds: number,
 *   buckets: Bucket[], points: Point[], outlier_count: number, outliers: Point[],
 *   classes: {class: string, color: string}[], verdicts: Verdicts, without_percent: number}} Trend
 */

/**
 * Where the parts of a chart lead: to a measurement, or to the history of a stretch of time.
 * @typedef {{measurement: (point: Point) => string, stretch: (bucket: Bucket) => string}} Links
 */

const DAY = 86_400;
/** @type {Array<[string, number]>} */
const UNITS = [
  ["year", 31_536_000],
  ["week", 604_800],
  ["day", DAY],
  ["hour", 3600],
  ["minute", 60],
];

/**
 * @param {string} measurement address of a measurement with ID in it
 * @param {string} history address of the history, narrowed down as the chart is
 * @param {string} model the one that the chart shows, where there are several
 * @returns {Links}
 */
export function linksTo(measurement, history, model) {
  return {
    measurement: (point) => measurement.replace("ID", point.id),
    stretch: (bucket) => {
      const [path, query] = history.split("?");
      const parameters = new URLSearchParams(query);
      for (const name of ["from", "to", "offset"]) parameters.delete(name);
      parameters.set("since", bucket.since);
      parameters.set("until", bucket.until);
      if (model) parameters.set("model", model);
      return `${path}?${parameters}`;
    },
  };
}

/** @param {number} value */
export function withUnit(value) {
  return `${percent(value)}\u2009%`;
}

/**
 * The classes of a measurement, to follow its percentage.
 * @param {ClassPercent[]} found
 */
export function classesInWords(found) {
  if (found.length < 2) return found[0] ? `, ${found[0].class}` : "";
  return `; ${found.map((part) => `${part.class} ${withUnit(part.percent_masked)}`).join(", ")}`;
}

/** @param {string} iso */
export function moment(iso) {
  return new Date(iso).toLocaleString(undefined, {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
  });
}

/**
 * @param {Bucket} bucket
 * @param {number} seconds
 */
export function stretch(bucket, seconds) {
  if (seconds < DAY) return moment(bucket.since);
  const since = new Date(bucket.since);
  const day = since.toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
  return seconds === DAY ? day : `${duration(seconds)} from ${day}`;
}

/** @param {number} seconds */
export function duration(seconds) {
  for (const [name, length] of UNITS) {
    if (seconds % length === 0) {
      const count = seconds / length;
      return `${count} ${name}${count === 1 ? "" : "s"}`;
    }
  }
  return `${seconds} s`;
}
