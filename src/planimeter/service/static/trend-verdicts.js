// @ts-check
// Verdicts in the trend: those of the rules that pictures were measured by, and how many are above the page's limit.

import { element, svg } from "./elements.js";
import { grouped, short } from "./numbers.js";

/** @typedef {import("./trend.js").Verdicts} Verdicts */

const CROSS = 3.5;

/** @param {Verdicts} verdicts */
export function areThere({ passed, failed, undecided }) {
  return passed + failed + undecided > 0;
}

/**
 * How many pass and fail; what there is nobody of is left out, but for these two.
 * @param {Verdicts} verdicts
 */
export function verdictsInWords({ passed, failed, undecided, without }) {
  const parts = [`${grouped(passed)} pass`, `${grouped(failed)} fail`];
  if (undecided) parts.push(`${grouped(undecided)} undecided`);
  if (without) parts.push(`${grouped(without)} without`);
  return parts.join(", ");
}

/**
 * A cross: what fails is told by its shape, not by its colour alone.
 * @param {number} x its middle
 * @param {number} y
 */
export function failedMark(x, y) {
  const path = `M${x - CROSS} ${y - CROSS}l${2 * CROSS} ${2 * CROSS}m0 ${-2 * CROSS}l${-2 * CROSS} ${2 * CROSS}`;
  const mark = svg("g", { class: "trend-failed" });
  mark.append(svg("path", { class: "trend-failed-rim", d: path }), svg("path", { d: path }));
  return mark;
}

/**
 * What the cross means, for the legend.
 * @param {boolean} few whether each column is one measurement
 */
export function failedEntry(few) {
  const mark = svg("svg", { class: "swatch", viewBox: "0 0 12 12", "aria-hidden": "true" });
  mark.append(failedMark(6, 6));
  const entry = element("li", "trend-legend-failed");
  entry.append(mark, few ? "fails" : "some fail");
  return entry;
}

/**
 * How many are above a limit, counted by the service as in statistics and reports.
 * @param {string} address of the statistics
 * @param {string} model the one that the chart shows; empty for all
 * @param {number} limit
 * @param {AbortSignal} signal
 */
export async function countAtLimit(address, model, limit, signal) {
  const url = new URL(address, document.baseURI);
  if (model) url.searchParams.set("model", model);
  url.searchParams.set("limit_percent", String(limit));
  const answer = await fetch(url, { headers: { Accept: "application/json" }, signal });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const counts = await answer.json();
  return { name: `at ≤ ${short(limit)}\u2009%`, value: verdictsInWords({ ...counts, without: 0 }) };
}
