// @ts-check
// Which columns a table shows: chosen by a person, remembered by the browser.

import { element, one } from "./elements.js";
import { recall, remember } from "./memory.js";

/**
 * A table whose columns are to be chosen: its heads say what they are called (`data-column`), and which are not shown
 * unless they are asked for (`data-optional`). `name` is a class of the table, and what the browser remembers it by.
 * @typedef {{name: string, changed: () => void} & Element} Columned
 */

/** @type {Map<string, CSSStyleSheet>} what hides the others, by the name of the table */
const sheets = new Map();
/** Without these a line says nothing. */
const ALWAYS = new Set(["file", "class"]);

/**
 * The names of the columns that are shown.
 * @param {Columned} table
 */
export function keepColumns(table) {
  const heads = headsOf(table);
  const remembered = chosen(table.name);
  return new Set(
    heads
      .filter((head) => remembered[head.dataset.column ?? ""] ?? !("optional" in head.dataset))
      .map((head) => head.dataset.column),
  );
}

/**
 * Offer all columns, and show those that are chosen.
 * @param {Columned} table
 */
export function offerColumns(table) {
  const choice = one(table, ".columns-choice");
  for (const head of headsOf(table)) {
    const name = head.dataset.column ?? "";
    if (ALWAYS.has(name)) continue;
    const box = element("input");
    box.type = "checkbox";
    box.checked = keepColumns(table).has(name);
    box.addEventListener("change", () => {
      remember(`planimeter-columns-${table.name}`, JSON.stringify({ ...chosen(table.name), [name]: box.checked }));
      show(table);
      table.changed();
    });
    const label = element("label", "tool");
    label.append(box, element("span", "", name === "bar" ? "Bar" : head.textContent?.trim()));
    choice.append(label);
  }
  show(table);
}

/**
 * Hide the columns that are not chosen, by their place in the table.
 * @param {Columned} table
 */
function show(table) {
  const shown = keepColumns(table);
  const hidden = headsOf(table).filter((head) => !shown.has(head.dataset.column));
  const rules = hidden.map((head) => `.${table.name} :is(th, td):nth-child(${head.cellIndex + 1}) { display: none }`);
  sheetOf(table.name).replaceSync(rules.join("\n"));
}

/** @param {string} name */
function sheetOf(name) {
  const known = sheets.get(name);
  if (known) return known;
  const made = new CSSStyleSheet();
  sheets.set(name, made);
  document.adoptedStyleSheets.push(made);
  return made;
}

/** @param {Columned} table */
function headsOf(table) {
  return [.../** @type {NodeListOf<HTMLTableCellElement>} */ (table.querySelectorAll("th[data-column]"))];
}

/**
 * @param {string} table
 * @returns {Record<string, boolean>}
 */
function chosen(table) {
  try {
    return JSON.parse(recall(`planimeter-columns-${table}`) ?? "{}");
  } catch {
    return {}; // somebody else wrote there
  }
}
