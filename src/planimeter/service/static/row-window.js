// @ts-check

import { element } from "./elements.js";

/** Up to so many rows all of them are in the page, where the browser's own search finds them. */
const MOST_WHOLE = 400;
const AROUND = 12;

/**
 * Any number of rows of a table that scrolls, of which only those in view are in the page; the others are empty ones of
 * the same height.
 */
export class RowWindow {
  total = 0;
  rowHeight = 0;
  first = -1;
  last = -1;
  /** While rows change many times a second, only those in view are written. */
  hurried = false;

  /**
   * @param {HTMLElement} scroller
   * @param {HTMLTableElement} table
   * @param {(at: number) => HTMLTableRowElement} write
   */
  constructor(scroller, table, write) {
    this.scroller = scroller;
    this.table = table;
    this.write = write;
    scroller.addEventListener("scroll", () => this.fill(), { passive: true });
  }

  /**
   * Show other rows, or the same anew.
   * @param {number} total
   * @param {boolean} hurried whether others may follow at once
   */
  show(total, hurried = false) {
    this.total = total;
    this.hurried = hurried;
    this.first = -1;
    this.fill();
  }

  /** Put the rows that are in view into the page. */
  fill() {
    const { total, scroller } = this;
    let first = 0;
    let last = total;
    if (total > (this.hurried ? 0 : MOST_WHOLE)) {
      this.rowHeight ||= this.measureRow();
      const top = Math.floor(scroller.scrollTop / this.rowHeight);
      first = Math.max(0, top - AROUND);
      last = Math.min(total, top + Math.ceil(scroller.clientHeight / this.rowHeight) + AROUND);
      if (this.first >= 0 && first >= this.first && last <= this.last) return;
      first = Math.max(0, first - AROUND);
      last = Math.min(total, last + AROUND);
    } else if (this.first === 0 && this.last === total) {
      return;
    }
    this.first = first;
    this.last = last;
    const part = document.createDocumentFragment();
    if (first > 0) part.append(this.spacer(first * this.rowHeight));
    for (let at = first; at < last; at++) {
      const line = this.write(at);
      line.setAttribute("aria-rowindex", String(at + 2));
      part.append(line);
    }
    if (last < total) part.append(this.spacer((total - last) * this.rowHeight));
    this.body.replaceChildren(part);
    this.table.setAttribute("aria-rowcount", String(total + 1));
  }

  measureRow() {
    this.body.replaceChildren(this.write(0));
    return this.body.rows[0].getBoundingClientRect().height || 36;
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

  /** @param {number} height */
  spacer(height) {
    const line = element("tr", "spacer");
    line.setAttribute("aria-hidden", "true");
    const empty = element("td");
    empty.colSpan = this.table.tHead?.rows[0]?.cells.length ?? 1;
    empty.style.height = `${height}px`;
    line.append(empty);
    return line;
  }

  get body() {
    return this.table.tBodies[0];
  }
}
