// @ts-check

import { button, element, swatch } from "./elements.js";
import { decimals, grouped } from "./numbers.js";

/**
 * One instance as a row. `index` is what the picture calls it.
 * @typedef {{index: number, id: number, className: string, classId: number, color: string, score: number, area: number,
 *   percent: number, box: number[], hidden: boolean}} Row
 */

/**
 * @param {Row} row
 * @param {string} className
 */
export function writeInstance(row, className) {
  const line = element("tr", className);
  line.dataset.index = String(row.index);
  const name = element("th");
  name.scope = "row";
  name.append(swatch(row.color), row.className);
  line.append(
    cell(String(row.id)),
    name,
    cell(decimals(row.score, 3)),
    cell(grouped(row.area)),
    cell(decimals(row.percent, 3)),
    cell(row.box.map((side) => decimals(side, 0)).join(", "), "number quiet wide-cell"),
    eye(row),
  );
  return line;
}

/**
 * The rows as a spreadsheet takes them.
 * @param {Row[]} rows
 */
export function instancesAsText(rows) {
  const head = ["id", "class", "score", "area_px", "percent", "x", "y", "width", "height"];
  const lines = rows.map((row) => [row.id, row.className, row.score, row.area, row.percent, ...row.box]);
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
