// @ts-check

import { liesAt } from "./candidates.js";
import { one } from "./elements.js";
import { showInstance } from "./instance-card.js";

/** @typedef {import("./candidates.js").Entry} Entry */
/** @typedef {import("./instance-table.js").InstanceTable} InstanceTable */
/** @typedef {import("./picture-viewer.js").PictureViewer} PictureViewer */

/**
 * What the page of a measurement shows: `entries` are all that was found, `chosen` the indices of those that count and
 * `drawn` of those that are drawn, both by falling score.
 * @typedef {{entries: Entry[], chosen: number[], drawn: number[], height: number, counted: number, scale: import("./units.js").Scale | null,
 *   viewer: PictureViewer, table: InstanceTable, nameOf: (classId: number) => string,
 *   idOf: (index: number, place: number) => number} & Element} Shown
 */

/** The one instance that is pointed at or chosen, the same in picture, table and card. */
export class ChosenInstance {
  /** @type {number | null} */
  marked = null;

  /** @param {Shown} shown */
  constructor(shown) {
    this.shown = shown;
  }

  /** Let hands on the picture and on the table choose. */
  listen() {
    const { viewer, table } = this.shown;
    viewer.find = (x, y) => this.findAt(x, y);
    viewer.addEventListener("instance-pointed", (event) => this.point(this.entryOf(detail(event))));
    viewer.addEventListener("instance-chosen", (event) => this.mark(this.entryOf(detail(event))));
    table.addEventListener("instance-pointed", (event) => this.point(detail(event)));
    table.addEventListener("instance-chosen", (event) => this.mark(detail(event), true));
    for (const place of [".viewer-card", ".viewer-canvas"]) {
      one(this.shown, place).addEventListener("keydown", (event) => {
        if (event.key === "Escape") this.mark(null);
      });
    }
  }

  /** After others count: whether the one that was chosen still does. */
  follow() {
    if (this.marked !== null && !this.shown.chosen.includes(this.marked)) this.mark(null);
    else this.describe();
  }

  /**
   * The instance that lies at a point of the picture, as the viewer counts; where several do, the highest score.
   * @param {number} x
   * @param {number} y
   */
  findAt(x, y) {
    const { drawn, entries, height } = this.shown;
    const [column, row] = [Math.floor(x), Math.floor(y)];
    const place = drawn.findIndex((index) => liesAt(entries[index], column, row, height));
    return place < 0 ? null : place;
  }

  /** @param {number | null} place in the viewer */
  entryOf(place) {
    return place === null ? null : this.shown.drawn[place];
  }

  /** @param {number | null} index */
  placeOf(index) {
    const place = index === null ? -1 : this.shown.drawn.indexOf(index);
    return place < 0 ? null : place;
  }

  /** @param {number | null} index */
  point(index) {
    const { viewer, table } = this.shown;
    viewer.pointed = this.placeOf(index);
    viewer.invalidate();
    table.mark(index, this.marked);
  }

  /**
   * @param {number | null} index
   * @param {boolean} reveal whether to bring it into view
   */
  mark(index, reveal = false) {
    const { viewer, table, entries } = this.shown;
    this.marked = index === this.marked && !reveal ? null : index;
    viewer.chosen = this.placeOf(this.marked);
    viewer.invalidate();
    table.mark(table.pointed, this.marked);
    if (reveal && this.marked !== null) viewer.reveal(entries[this.marked].box);
    this.describe();
  }

  /** Show the numbers of the chosen instance. */
  describe() {
    const { shown, marked } = this;
    shown.dispatchEvent(new CustomEvent("instance-marked"));
    const card = one(shown, ".viewer-card");
    card.hidden = marked === null;
    if (marked === null) {
      card.replaceChildren();
      return;
    }
    const entry = shown.entries[marked];
    const name = `${shown.nameOf(entry.classId)} ${shown.idOf(marked, shown.chosen.indexOf(marked))}`;
    showInstance(card, entry, name, shown, () => {
      this.mark(null);
      one(shown, ".viewer-canvas").focus({ preventScroll: true });
    });
  }
}

/** @param {Event} event */
function detail(event) {
  return /** @type {CustomEvent} */ (event).detail;
}
