// @ts-check
// Which columns the table of the history shows: chosen by a person, remembered by the browser.

import { element, one } from "./elements.js";

/** @typedef {import("./history-table.js").HistoryTable} HistoryTable */

const MEMORY = "planimeter-columns";
const rulesOfColumns = new CSSStyleSheet();
document.adoptedStyleSheets.push(rulesOfColumns);
/** Without these a line says nothing. */
const ALWAYS = new Set(["file"]);

/**
 * The names of the columns that are shown.
 * @param {HistoryTable} table
 */
export function keepColumns(table) {
  const heads = headsOf(table);
  const remembered = recall();
  return new Set(
    heads
      .filter((head) => remembered[head.dataset.column ?? ""] ?? !("optional" in head.dataset))
      .map((head) => head.dataset.column),
  );
}

/**
 * Offer all columns, and show those that are chosen.
 * @param {HistoryTable} table
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
      remember(name, box.checked);
      show(table);
      table.rows.show(table.rows.total);
    });
    const label = element("label", "tool");
    label.append(box, element("span", "", name === "bar" ? "Bar" : head.textContent?.trim()));
    choice.append(label);
  }
  show(table);
}

/**
 * Hide the columns that are not chosen, by their place in the table.
 * @param {HistoryTable} table
 */
function show(table) {
  const shown = keepColumns(table);
  const hidden = headsOf(table).filter((head) => !shown.has(head.dataset.column));
  const rules = hidden.map((head) => `.history :is(th, td):nth-child(${head.cellIndex + 1}) { display: none }`);
  rulesOfColumns.replaceSync(rules.join("\n"));
}

/** @param {HistoryTable} table */
function headsOf(table) {
  return [.../** @type {NodeListOf<HTMLTableCellElement>} */ (table.querySelectorAll("th[data-column]"))];
}

/** @returns {Record<string, boolean>} */
function recall() {
  try {
    return JSON.parse(localStorage.getItem(MEMORY) ?? "{}");
  } catch {
    return {}; // a browser that keeps nothing
  }
}

/**
 * @param {string} name
 * @param {boolean} shown
 */
function remember(name, shown) {
  try {
    localStorage.setItem(MEMORY, JSON.stringify({ ...recall(), [name]: shown }));
  } catch {
    // it is forgotten with the page
  }
}
