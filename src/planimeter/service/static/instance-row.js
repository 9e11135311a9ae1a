// @ts-check

import { button, element, swatch } from "./elements.js";
import { decimals, grouped, quantity } from "./numbers.js";
import { areaIn, isStretched, lengthIn } from "./units.js";

/** @typedef {import("./units.js").Scale} Scale */
/**
 * One instance as a row. `index` is what the picture calls it; one that was drawn has no score.
 * @typedef {{index: number, id: number, className: string, classId: number, color: string, score: number,
 *   drawn: boolean, area: number, percent: number, box: number[], hidden: boolean, perimeter: number,
 *   feretDiameterMax: number, equivalentDiameter: number, circularity: number}} Row
 */

/**
 * @param {Row} row
 * @param {string} className
 * @param {Set<string | undefined>} shown names of columns: figures of shapes take time, and are computed where they are seen
 * @param {Scale | null} scale
 */
export function writeInstance(row, className, shown, scale) {
  const stretched = isStretched(scale);
  const length = (/** @type {number} */ pixels) => (stretched ? "–" : (lengthIn(pixels, scale) ?? decimals(pixels, 1)));
  const line = element("tr", className);
  line.dataset.index = String(row.index);
  const name = element("th");
  name.scope = "row";
  name.append(swatch(row.color), row.className);
  line.append(
    cell(String(row.id)),
    name,
    cell(row.drawn ? "–" : decimals(row.score, 3)),
    cell(grouped(row.area)),
    ...(scale ? [cell(quantity(row.area * scale.area))] : []),
    cell(decimals(row.percent, 3)),
    cell(shown.has("perimeter") ? length(row.perimeter) : ""),
    cell(shown.has("diameter") ? length(row.feretDiameterMax) : ""),
    cell(shown.has("equivalent-diameter") ? length(row.equivalentDiameter) : ""),
    cell(stretched ? "–" : shown.has("circularity") && row.perimeter ? decimals(row.circularity, 3) : ""),
    cell(row.box.map((side) => decimals(side, 0)).join(", "), "number quiet wide-cell"),
    eye(row),
  );
  return line;
}

/**
 * The rows as a spreadsheet takes them.
 * @param {Row[]} rows
 * @param {Scale | null} scale
 */
export function instancesAsText(rows, scale) {
  const area = scale ? [`area_${scale.unit}2`] : [];
  const head = ["id", "class", "score", "area_px", ...area, "percent", "x", "y", "width", "height"];
  const lines = rows.map((row) => {
    const inUnits = scale ? [areaIn(row.area, scale)] : [];
    return [row.id, row.className, row.drawn ? "" : row.score, row.area, ...inUnits, row.percent, ...row.box];
  });
  return [head, ...lines].map((line) => line.join("\t")).join("\n");
}

/**
 * @param {string} text
 * @param {string} className
 */
function cell(text, className = "number") {
  return element("td", className, text);
}

/** @param {Row} row */
function eye(row) {
  const holder = cell("", "eye-cell");
  const toggle = button("eye", "");
  toggle.setAttribute("aria-pressed", String(!row.hidden));
  toggle.setAttribute("aria-label", `Draw instance ${row.id}`);
  holder.append(toggle);
  return holder;
}
