// @ts-check

import { offerCopy } from "./clipboard.js";
import { button, one } from "./elements.js";
import { instancesAsText, writeInstance } from "./instance-row.js";
import { grouped } from "./numbers.js";
import { RowWindow } from "./row-window.js";
import { keepColumns, offerColumns } from "./table-columns.js";
import { areaIn } from "./units.js";

/** @typedef {import("./instance-row.js").Row} Row */

/**
 * `<instance-table>` around a table: sorts, filters and shows any number of rows, of which only those in view are in
 * the page. Tells by the events `instance-pointed` and `instance-chosen`, with the index of an instance or null, and
 * `instance-hidden`.
 */
export class InstanceTable extends HTMLElement {
  /** @type {Row[]} */
  rows = [];
  /** @type {Row[]} */
  shown = [];
  /** @type {keyof Row} */
  order = "id";
  descending = false;
  name = "instances";
  /** @type {import("./units.js").Scale | null} */
  scale = null;
  columns = keepColumns(this);
  /** @type {number | null} */
  pointed = null;
  /** @type {number | null} */
  chosen = null;
  window = new RowWindow(this.scroller, this.table, (at) => {
    const row = this.shown[at];
    return writeInstance(row, classes(row, this.pointed, this.chosen), this.columns, this.scale);
  });

  connectedCallback() {
    for (const heading of this.querySelectorAll("th[data-sort]")) {
      const sorter = button("sorter", "", () => this.sortBy(/** @type {HTMLTableCellElement} */ (heading)));
      sorter.append(...heading.childNodes);
      heading.append(sorter);
    }
    offerColumns(this);
    this.scroller.addEventListener("keydown", (event) => this.type(event));
    this.body.addEventListener("pointerover", (event) => this.tell("instance-pointed", indexOf(event.target)));
    this.body.addEventListener("pointerleave", () => this.tell("instance-pointed", null));
    this.body.addEventListener("click", (event) => this.pick(event));
    this.filter.addEventListener("input", () => this.arrange());
    this.filter.addEventListener("reset", () => setTimeout(() => this.arrange()));
    this.filter.addEventListener("submit", (event) => event.preventDefault());
    offerCopy(/** @type {HTMLButtonElement} */ (one(this, "[data-copy]")), () =>
      instancesAsText(this.shown, this.scale),
    );
  }

  /**
   * @param {Row[]} rows by falling score
   * @param {boolean} hurried whether other rows may follow at once
   */
  show(rows, hurried = false) {
    this.rows = rows;
    this.arrange(hurried);
  }

  /** After other columns were chosen. */
  changed() {
    this.columns = keepColumns(this);
    this.arrange();
  }

  /**
   * Filter and sort.
   * @param {boolean} hurried
   */
  arrange(hurried = false) {
    const { classId, least, most } = this.wanted;
    const rows = this.rows.filter(
      (row) => (!classId || row.classId === classId) && this.inUnit(row.area) >= least && this.inUnit(row.area) <= most,
    );
    const sign = this.descending ? -1 : 1;
    const { order } = this;
    if (order === "className")
      rows.sort((one, other) => sign * one.className.localeCompare(other.className) || one.id - other.id);
    else rows.sort((one, other) => sign * (Number(one[order]) - Number(other[order])) || one.id - other.id);
    this.shown = rows;
    const filtered =
      rows.length !== this.rows.length || Boolean(classId) || least > 0 || most < Number.POSITIVE_INFINITY;
    const note = one(this, ".table-shown");
    const text = filtered ? `${grouped(rows.length)} of ${grouped(this.rows.length)}` : "";
    if (note.textContent !== text) note.textContent = text;
    one(this, "[type=reset]").hidden = !filtered;
    this.window.show(rows.length, hurried);
  }

  get wanted() {
    const value = (/** @type {string} */ name) => {
      const field = this.querySelector(`[data-filter=${name}]`);
      return field instanceof HTMLInputElement || field instanceof HTMLSelectElement ? field.value : "";
    };
    return {
      classId: Number(value("class")),
      least: Number(value("least")),
      most: Number(value("most") || Number.POSITIVE_INFINITY),
    };
  }

  /**
   * An area as the fields of the filter mean it: in the unit where there is one, as the service writes it.
   * @param {number} pixels
   */
  inUnit(pixels) {
    return this.scale ? areaIn(pixels, this.scale) : pixels;
  }

  /**
   * Show the areas from `least` up to `most` pixels only.
   * @param {number} least
   * @param {number} most
   */
  limitAreas(least, most) {
    for (const [name, value] of Object.entries({ least, most })) {
      const field = this.querySelector(`[data-filter=${name}]`);
      if (field instanceof HTMLInputElement) field.value = String(this.inUnit(value));
    }
    this.arrange();
  }

  /**
   * Mark rows without writing them anew.
   * @param {number | null} pointed
   * @param {number | null} chosen
   */
  mark(pointed, chosen) {
    if (pointed === this.pointed && chosen === this.chosen) return;
    const moved = chosen !== this.chosen;
    this.pointed = pointed;
    this.chosen = chosen;
    for (const line of this.body.rows) {
      line.classList.toggle("row-pointed", line.dataset.index === String(pointed));
      line.classList.toggle("row-chosen", line.dataset.index === String(chosen));
    }
    if (moved && chosen !== null) this.window.bringIntoView(this.shown.findIndex((row) => row.index === chosen));
  }

  /** @param {HTMLTableCellElement} heading */
  sortBy(heading) {
    const order = /** @type {keyof Row} */ (heading.dataset.sort);
    this.descending = heading.getAttribute("aria-sort") === "ascending";
    this.order = order;
    for (const other of this.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", this.descending ? "descending" : "ascending");
    this.scroller.scrollTop = 0;
    this.arrange();
  }

  /** @param {KeyboardEvent} event */
  type(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.target !== this.scroller || !this.shown.length) return;
    event.preventDefault();
    const at = this.shown.findIndex((row) => row.index === this.chosen);
    const next = at < 0 ? 0 : Math.min(Math.max(at + step, 0), this.shown.length - 1);
    this.tell("instance-chosen", this.shown[next].index);
  }

  /** @param {MouseEvent} event */
  pick(event) {
    const index = indexOf(event.target);
    if (index === null) return;
    const onEye = event.target instanceof Element && event.target.closest(".eye");
    this.tell(onEye ? "instance-hidden" : "instance-chosen", index);
  }

  /**
   * @param {string} name
   * @param {number | null} index
   */
  tell(name, index) {
    if (name === "instance-pointed" && index === this.pointed) return;
    this.dispatchEvent(new CustomEvent(name, { detail: index }));
  }

  get scroller() {
    return one(this, ".table-scroll");
  }

  get table() {
    return /** @type {HTMLTableElement} */ (one(this, "table"));
  }

  get body() {
    return this.table.tBodies[0];
  }

  get filter() {
    return /** @type {HTMLFormElement} */ (one(this, ".table-filter"));
  }
}

/** @param {EventTarget | null} target */
function indexOf(target) {
  const line = target instanceof Element ? target.closest("tr[data-index]") : null;
  return line instanceof HTMLElement ? Number(line.dataset.index) : null;
}

/**
 * @param {Row} row
 * @param {number | null} pointed
 * @param {number | null} chosen
 */
function classes(row, pointed, chosen) {
  return [row.index === pointed && "row-pointed", row.index === chosen && "row-chosen", row.hidden && "row-hidden"]
    .filter(Boolean)
    .join(" ");
}

customElements.define("instance-table", InstanceTable);
