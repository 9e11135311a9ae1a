// @ts-check

import { offerCopy } from "./clipboard.js";
import { button, element, one, swatch } from "./elements.js";
import { decimals, grouped } from "./numbers.js";

/**
 * One instance as a row. `index` is what the picture calls it.
 * @typedef {{index: number, id: number, className: string, classId: number, color: string, score: number, area: number,
 *   percent: number, box: number[], hidden: boolean}} Row
 */

const COLUMNS = 7;
/** Up to so many rows all of them are in the page, where the browser's own search finds them. */
const MOST_WHOLE = 400;
const AROUND = 12;

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
  /** @type {number | null} */
  pointed = null;
  /** @type {number | null} */
  chosen = null;
  rowHeight = 0;
  first = -1;
  last = -1;
  /** While rows change many times a second, only those in view are written. */
  hurried = false;

  connectedCallback() {
    for (const heading of this.querySelectorAll("th[data-sort]")) {
      const sorter = button("sorter", "", () => this.sortBy(/** @type {HTMLTableCellElement} */ (heading)));
      sorter.append(...heading.childNodes);
      heading.append(sorter);
    }
    this.scroller.addEventListener("scroll", () => this.fill(), { passive: true });
    this.scroller.addEventListener("keydown", (event) => this.type(event));
    this.body.addEventListener("pointerover", (event) => this.tell("instance-pointed", indexOf(event.target)));
    this.body.addEventListener("pointerleave", () => this.tell("instance-pointed", null));
    this.body.addEventListener("click", (event) => this.pick(event));
    this.filter.addEventListener("input", () => this.arrange());
    this.filter.addEventListener("reset", () => setTimeout(() => this.arrange()));
    this.filter.addEventListener("submit", (event) => event.preventDefault());
    offerCopy(/** @type {HTMLButtonElement} */ (one(this, "[data-copy]")), () => this.asText());
    this.querySelector("[data-show-all]")?.addEventListener("click", () => this.tell("instance-hidden", null));
  }

  /**
   * @param {Row[]} rows by falling score
   * @param {boolean} hurried whether other rows may follow at once
   */
  show(rows, hurried = false) {
    this.rows = rows;
    this.hurried = hurried;
    const all = this.querySelector("[data-show-all]");
    if (all instanceof HTMLElement) all.hidden = !rows.some((row) => row.hidden);
    this.arrange();
  }

  /** Filter and sort. */
  arrange() {
    const { classId, least, most } = this.wanted;
    const rows = this.rows.filter(
      (row) => (!classId || row.classId === classId) && row.area >= least && row.area <= most,
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
    this.first = -1;
    this.fill();
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
   * Show the areas from `least` up to `most` only.
   * @param {number} least
   * @param {number} most
   */
  limitAreas(least, most) {
    for (const [name, value] of Object.entries({ least, most })) {
      const field = this.querySelector(`[data-filter=${name}]`);
      if (field instanceof HTMLInputElement) field.value = String(value);
    }
    this.arrange();
  }

  /** Put the rows that are in view into the page, and empty ones of the same height for the others. */
  fill() {
    const total = this.shown.length;
    let first = 0;
    let last = total;
    if (total > (this.hurried ? 0 : MOST_WHOLE)) {
      this.rowHeight ||= this.measureRow();
      const top = Math.floor(this.scroller.scrollTop / this.rowHeight);
      first = Math.max(0, top - AROUND);
      last = Math.min(total, top + Math.ceil(this.scroller.clientHeight / this.rowHeight) + AROUND);
      if (this.first >= 0 && first >= this.first && last <= this.last) return;
      first = Math.max(0, first - AROUND);
      last = Math.min(total, last + AROUND);
    } else if (this.first === 0 && this.last === total) {
      return;
    }
    this.first = first;
    this.last = last;
    const part = document.createDocumentFragment();
    if (first > 0) part.append(spacer(first * this.rowHeight));
    for (let at = first; at < last; at++) part.append(this.write(this.shown[at], at));
    if (last < total) part.append(spacer((total - last) * this.rowHeight));
    this.body.replaceChildren(part);
    this.table.setAttribute("aria-rowcount", String(total + 1));
  }

  measureRow() {
    this.body.replaceChildren(this.write(this.shown[0], 0));
    return this.body.rows[0].getBoundingClientRect().height || 36;
  }

  /**
   * @param {Row} row
   * @param {number} at
   */
  write(row, at) {
    const line = element("tr", classes(row, this.pointed, this.chosen));
    line.dataset.index = String(row.index);
    line.setAttribute("aria-rowindex", String(at + 2));
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
    if (moved && chosen !== null) this.bringIntoView(this.shown.findIndex((row) => row.index === chosen));
  }

  /** @param {number} at */
  bringIntoView(at) {
    if (at < 0) return;
    const { scroller } = this;
    const height = this.rowHeight || this.body.rows[0]?.getBoundingClientRect().height || 36;
    const head = this.table.tHead?.offsetHeight ?? 0;
    const top = at * height;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + height > scroller.scrollTop + scroller.clientHeight - head)
      scroller.scrollTop = top + height + head - scroller.clientHeight;
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

  /** The rows as a spreadsheet takes them. */
  asText() {
    const head = ["id", "class", "score", "area_px", "percent", "x", "y", "width", "height"];
    const lines = this.shown.map((row) => [row.id, row.className, row.score, row.area, row.percent, ...row.box]);
    return [head, ...lines].map((line) => line.join("\t")).join("\n");
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

/**
 * @param {string} text
 * @param {string} className
 */
function cell(text, className = "number") {
  return element("td", className, text);
}

/** @param {number} height */
function spacer(height) {
  const line = element("tr", "spacer");
  line.setAttribute("aria-hidden", "true");
  const empty = element("td");
  empty.colSpan = COLUMNS;
  empty.style.height = `${height}px`;
  line.append(empty);
  return line;
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

customElements.define("instance-table", InstanceTable);
