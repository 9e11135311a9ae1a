// @ts-check

import { svg } from "./elements.js";
import { grouped } from "./numbers.js";
import { niceStep } from "./steps.js";

const FEWEST_BINS = 5;
const MOST_BINS = 24;
const HEIGHT = 132;
const FOOT = 20;

/**
 * Draw how many instances have which area. A bar that is clicked calls `limit` with its range.
 * @param {HTMLElement} place
 * @param {number[]} areas
 * @param {{limit: (least: number, most: number) => void, words: (area: number) => string, unit: string}} how `words` writes
 *   an area in the unit
 */
export function drawHistogram(place, areas, { limit, words, unit }) {
  const picture = svg("svg", { class: "chart", width: "100%", height: HEIGHT + FOOT, role: "img" });
  place.replaceChildren(picture);
  if (!areas.length) {
    picture.setAttribute("aria-label", "No instances");
    picture.append(text("No instances", "50%", HEIGHT / 2, "middle"));
    return;
  }
  const { first, width, counts } = bins(areas);
  const most = Math.max(...counts);
  const between = (/** @type {number} */ least, /** @type {number} */ next) =>
    next - least > 1 ? `from ${words(least)} to ${words(next - 1)} ${unit}` : `of ${words(least)} ${unit}`;
  const instances = (/** @type {number} */ count) => `${grouped(count)} instance${count === 1 ? "" : "s"}`;
  picture.setAttribute(
    "aria-label",
    `${instances(areas.length)} by area, ${between(first, first + width * counts.length)}`,
  );
  for (const share of [0.5, 1]) {
    const y = HEIGHT - share * (HEIGHT - 16);
    picture.append(svg("line", { class: "chart-line", x1: "0", x2: "100%", y1: y, y2: y }));
  }
  picture.append(text(grouped(most), "0", 11, "start"));
  // One area has no scale: its bar stands in the middle, no wider than one of several.
  const alone = counts.length === 1;
  const share = alone ? 100 / FEWEST_BINS : 100 / counts.length;
  const left = alone ? (100 - share) / 2 : 0;
  for (const [index, count] of counts.entries()) {
    const height = count ? Math.max(2, (count / most) * (HEIGHT - 16)) : 0;
    const [least, next] = [first + index * width, first + (index + 1) * width];
    const bar = svg("g", { class: "histogram-bin" });
    bar.append(
      svg("title", {}, `${instances(count)} ${between(least, next)}`),
      svg("rect", {
        class: "histogram-space",
        x: `${left + index * share}%`,
        y: 0,
        width: `${share}%`,
        height: HEIGHT,
      }),
      svg("rect", {
        class: "histogram-bar",
        x: `${left + index * share + share * 0.06}%`,
        y: HEIGHT - height,
        width: `${share * 0.88}%`,
        height,
        rx: 1,
      }),
    );
    bar.addEventListener("click", () => limit(least, next - 1));
    picture.append(bar);
  }
  picture.append(svg("line", { class: "chart-axis", x1: "0", x2: "100%", y1: HEIGHT, y2: HEIGHT }));
  const foot = HEIGHT + FOOT - 4;
  if (alone) picture.append(text(`${words(areas[0])} ${unit}`, "50%", foot, "middle"));
  else {
    picture.append(text(words(first), "0", foot, "start"));
    picture.append(text(`${words(first + width * counts.length)} ${unit}`, "100%", foot, "end"));
  }
}

/** @param {number[]} areas */
function bins(areas) {
  const least = Math.min(...areas);
  const most = Math.max(...areas);
  const wanted = Math.min(MOST_BINS, Math.max(FEWEST_BINS, Math.ceil(2 * Math.sqrt(areas.length))));
  const width = Math.max(1, niceStep(Math.max(1, (most - least + 1) / wanted), [1, 2, 5, 10]));
  const first = Math.floor(least / width) * width;
  const counts = new Array(Math.floor((most - first) / width) + 1).fill(0);
  for (const area of areas) counts[Math.floor((area - first) / width)]++;
  return { first, width, counts };
}

/**
 * @param {string} content
 * @param {string} x
 * @param {number} y
 * @param {string} anchor
 */
function text(content, x, y, anchor) {
  return svg("text", { class: "chart-text", x, y, "text-anchor": anchor }, content);
}
