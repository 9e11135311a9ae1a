// @ts-check

import { grouped } from "./numbers.js";

const MOST_BINS = 24;
const HEIGHT = 132;
const FOOT = 20;
const SVG = "http://www.w3.org/2000/svg";

/**
 * Draw how many instances have which area. A bar that is clicked calls `limit` with its range.
 * @param {HTMLElement} place
 * @param {number[]} areas
 * @param {(least: number, most: number) => void} limit
 */
export function drawHistogram(place, areas, limit) {
  const picture = make("svg", { class: "chart", width: "100%", height: HEIGHT + FOOT, role: "img" });
  place.replaceChildren(picture);
  if (!areas.length) {
    picture.setAttribute("aria-label", "No instances");
    picture.append(text("No instances", "50%", HEIGHT / 2, "middle"));
    return;
  }
  const { first, width, counts } = bins(areas);
  const most = Math.max(...counts);
  picture.setAttribute("aria-label", `${grouped(areas.length)} instances by area, from ${grouped(first)} to ${grouped(first + width * counts.length)} pixels`);
  for (const share of [0.5, 1]) {
    const y = HEIGHT - share * (HEIGHT - 16);
    picture.append(make("line", { class: "chart-line", x1: "0", x2: "100%", y1: y, y2: y }));
  }
  picture.append(text(grouped(most), "0", 11, "start"));
  for (const [index, count] of counts.entries()) {
    const height = count ? Math.max(2, (count / most) * (HEIGHT - 16)) : 0;
    const [least, next] = [first + index * width, first + (index + 1) * width];
    const share = 100 / counts.length;
    const bar = make("g", { class: "histogram-bin" });
    const title = make("title", {});
    title.textContent = `${grouped(count)} from ${grouped(least)} to ${grouped(next - 1)} px`;
    bar.append(
      title,
      make("rect", { class: "histogram-space", x: `${index * share}%`, y: 0, width: `${share}%`, height: HEIGHT }),
      make("rect", { class: "histogram-bar", x: `${index * share + share * 0.06}%`, y: HEIGHT - height, width: `${share * 0.88}%`, height, rx: 1 }),
    );
    bar.addEventListener("click", () => limit(least, next - 1));
    picture.append(bar);
  }
  picture.append(make("line", { class: "chart-axis", x1: "0", x2: "100%", y1: HEIGHT, y2: HEIGHT }));
  picture.append(text(grouped(first), "0", HEIGHT + FOOT - 4, "start"));
  picture.append(text(`${grouped(first + width * counts.length)} px`, "100%", HEIGHT + FOOT - 4, "end"));
}

/** @param {number[]} areas */
function bins(areas) {
  const least = Math.min(...areas);
  const most = Math.max(...areas);
  const wanted = Math.min(MOST_BINS, Math.max(5, Math.ceil(2 * Math.sqrt(areas.length))));
  const width = niceStep(Math.max(1, (most - least + 1) / wanted));
  const first = Math.floor(least / width) * width;
  const counts = new Array(Math.floor((most - first) / width) + 1).fill(0);
  for (const area of areas) counts[Math.floor((area - first) / width)]++;
  return { first, width, counts };
}

/**
 * The next of 1, 2, 5, 10, 20, …
 * @param {number} least
 */
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return Math.max(1, ([1, 2, 5, 10].find((step) => step * power >= least) ?? 10) * power);
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 */
function make(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

/**
 * @param {string} content
 * @param {string} x
 * @param {number} y
 * @param {string} anchor
 */
function text(content, x, y, anchor) {
  const made = make("text", { class: "chart-text", x, y, "text-anchor": anchor });
  made.textContent = content;
  return made;
}
