// @ts-check
// The numbers of a measurement on its page.

import { drawHistogram } from "./area-histogram.js";
import { count } from "./coverage.js";
import { one } from "./elements.js";
import { grouped, percent, quantity, short, signed } from "./numbers.js";

/** @typedef {import("./candidates.js").Entry} Entry */
/** @typedef {import("./shades.js").ClassEntry} ClassEntry */
/** @typedef {import("./units.js").Scale} Scale */

/**
 * What counts: `counted` are the pixels of the picture, `truth` is its true percentage where that is known, `of` what they are called, and
 * `below` how many candidates the threshold leaves out.
 * @typedef {{entries: Entry[], counted: number, threshold: number, truth: number | null, below: number,
 *   of: string, ofClass: {id: number, count: number} | null, scale: Scale | null}} Reading
 * `ofClass` is the class that percentages are of, with the instances of it that count.
 */

const NONE_BELOW = "If you expected something, it may be the wrong model for this picture.";

/**
 * @param {Element} page
 * @param {Reading} reading
 */
export function writeCoverage(page, { entries, counted, threshold, truth, below, scale }) {
  const { masked, overlapping } = count(entries.map((entry) => entry.mask));
  const value = share(masked, counted);
  const number = one(page, ".reading-number").firstChild;
  if (number) number.nodeValue = percent(value);
  one(page, ".scale-value").setAttribute("width", `${value ?? 0}%`);
  for (const end of ["x1", "x2"]) one(page, ".scale-pointer").setAttribute(end, `${value ?? 0}%`);
  document.title = document.title.replace(/^\S+ %/, `${percent(value)} %`);
  write(page, "count", grouped(entries.length));
  write(page, "masked", grouped(masked));
  write(page, "counted", grouped(counted));
  write(page, "overlapping", grouped(overlapping));
  if (scale) {
    write(page, "area", quantity(masked * scale.area));
    write(page, "area-counted", quantity(counted * scale.area));
    write(page, "density", counted ? quantity(entries.length / (counted * scale.mm2)) : "–");
  }
  write(page, "threshold", short(threshold));
  if (truth !== null && value !== null) write(page, "difference", `${signed(value - truth)} points`);
  write(
    page,
    "out",
    below ? `${belowInWords(below)} below the threshold, left out` : "Nothing that was found is left out",
  );
  write(page, "below", below ? `${belowInWords(below)} below it: lower the threshold to see them.` : NONE_BELOW);
  one(page, "[data-empty]").hidden = entries.length > 0;
}

/**
 * @param {Element} page
 * @param {Reading} reading
 * @param {ClassEntry[]} classes
 */
export function writeClasses(page, { entries, counted, below, of, ofClass, scale }, classes) {
  const found = [];
  for (const { id, name } of classes) {
    const masks = entries.filter((entry) => entry.classId === id).map((entry) => entry.mask);
    const itself = ofClass?.id === id;
    const masked = itself ? counted : count(masks).masked;
    const value = share(masked, counted);
    if (masks.length) found.push({ name, masked });
    const instances = itself ? ofClass.count : masks.length;
    const row = one(page, `[data-class="${id}"]`);
    row.classList.toggle("absent", !instances);
    one(row, "[data-count]").textContent = grouped(instances);
    one(row, "[data-pixels]").textContent = scale ? quantity(masked * scale.area) : grouped(masked);
    one(row, "[data-percent]").textContent = percent(value);
    one(row, ".bar-value").setAttribute("width", `${value ?? 0}%`);
  }
  found.sort((one, other) => other.masked - one.masked);
  one(page, ".reading-what").textContent = headline(found[0]?.name, {
    alone: classes.length === 1 || found.length === 1,
    below,
    of,
    nothing: !counted,
  });
}

/**
 * Percent; null where nothing counts.
 * @param {number} pixels
 * @param {number} counted
 */
function share(pixels, counted) {
  return counted ? (100 * pixels) / counted : null;
}

/** @param {number} count */
function belowInWords(count) {
  return `${grouped(count)} candidate${count === 1 ? " scores" : "s score"}`;
}

/**
 * @param {string | undefined} most the class that masks most
 * @param {{alone: boolean, below: number, of: string, nothing: boolean}} said `below` is how many candidates the
 * threshold leaves out, `nothing` whether there is nothing to be a percentage of
 */
function headline(most, { alone, below, of, nothing }) {
  if (nothing) return `no percentage: no ${of} found`;
  if (most === undefined) {
    return below
      ? `of the ${of}: nothing scores high enough, but ${belowInWords(below)} below the threshold`
      : `of the ${of}: nothing was found`;
  }
  return alone ? `of the ${of} is masked as ${most}` : `of the ${of} is masked, most as ${most}`;
}

/**
 * @param {Element} page
 * @param {Reading} reading
 * @param {(least: number, most: number) => void} limit called when a bar of the histogram is clicked
 */
export function writeAreas(page, { entries, scale }, limit) {
  const areas = entries.map((entry) => entry.mask.area);
  const unit = scale ? `${scale.symbol}²` : "px";
  const words = (/** @type {number} */ area) => (scale ? quantity(area * scale.area) : grouped(area));
  drawHistogram(one(page, "[data-areas]"), areas, { limit, words, unit });
  areas.sort((one, other) => one - other);
  /** @type {Record<string, number[]>} */
  const facts = { median: [0.5], quartiles: [0.25, 0.75], range: [0, 1] };
  for (const [name, shares] of Object.entries(facts)) {
    const found = shares.flatMap((share) => quantile(areas, share) ?? []);
    const ends = found.map((area) => words(scale ? area : Math.round(area)));
    write(page, name, ends.length ? `${ends.join(" to ")} ${unit}` : "–");
  }
}

/**
 * Null where there are no values.
 * @param {number[]} values rising
 * @param {number} share
 */
function quantile(values, share) {
  if (!values.length) return null;
  const place = share * (values.length - 1);
  const low = Math.floor(place);
  return values[low] + (values[Math.min(low + 1, values.length - 1)] - values[low]) * (place - low);
}

/**
 * Write a fact wherever the page shows it.
 * @param {Element} page
 * @param {string} name
 * @param {string} text
 */
function write(page, name, text) {
  for (const place of page.querySelectorAll(`[data-fact=${name}]`)) {
    if (place.textContent !== text) place.textContent = text;
  }
}
