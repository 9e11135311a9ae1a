// @ts-check

import { liesAt } from "./candidates.js";
import { changesOf, countChanges, coverageOf, drawn } from "./correction.js";
import { basisOf } from "./correction-basis.js";
import { CorrectionKeys } from "./correction-keys.js";
import { CorrectionPanel } from "./correction-panel.js";
import { CorrectionSaving } from "./correction-saving.js";
import { toolsFor } from "./correction-tools.js";
import { drawGhosts } from "./ghosts.js";
import { entriesOfItems } from "./item-entries.js";
import { intersection, union } from "./rle.js";
import { UndoStack } from "./undo-stack.js";

/** @typedef {import("./correction.js").Answer} Answer */
/** @typedef {import("./correction.js").Item} Item */
/** @typedef {import("./correction.js").Items} Items */
/** @typedef {import("./correction-tools.js").ToolName} ToolName */
/** @typedef {import("./measurement-view.js").MeasurementView} MeasurementView */
/** @typedef {import("./rle.js").Mask} Mask */
/** @typedef {import("./zoomable-canvas.js").Point} Point */

const SMALLEST = 1;
const LARGEST = 400;

/** The correcting of one measurement on its page: what there is by now, which tool is in hand, and what is shown of it. */
export class CorrectionEditor {
  /** How alike pixels must be that a click takes: 0 to 255. */
  tolerance = 24;
  /** @type {number | null} the place of a rejected instance that was chosen */
  ghost = null;
  /** Whether a hand moves the picture, whatever tool it holds. */
  pans = false;
  /** @type {import("./live-stroke.js").LiveStroke | null} */
  live = null;

  /**
   * @param {MeasurementView} view
   * @param {Answer} answer
   * @param {() => void} done called when it is left
   */
  constructor(view, answer, done) {
    this.view = view;
    this.viewer = view.viewer;
    this.done = done;
    this.picture = { width: view.viewer.width, height: view.viewer.height };
    /** Of brush and eraser, in pixels of the picture. */
    this.size = Math.max(3, Math.round(Math.min(this.picture.width, this.picture.height) / 40));
    this.before = view.instead;
    this.split = view.viewer.split;
    this.viewer.split = 0;
    // The tools of region and scale let go of the picture.
    for (const tool of view.querySelectorAll("details[name=stage-tool][open]")) tool.removeAttribute("open");
    this.tools = toolsFor(this);
    /** @type {ToolName} */
    this.name = "choose";
    this.basis = basisOf(answer, view.classes, this.picture.height);
    this.classId = this.basis.classes[0]?.id ?? 0;
    this.stack = new UndoStack(this.basis.items);
    this.entries = entriesOfItems(view.classes);
    this.saving = new CorrectionSaving(this);
    this.panel = new CorrectionPanel(this);
    this.keys = new CorrectionKeys(this);
    view.classList.add("correcting");
    this.marked = () => this.panel.write();
    view.addEventListener("instance-marked", this.marked);
    this.viewer.over = (pen, viewed, ratio) => this.draw(pen, viewed, ratio);
    this.saving.restore();
    this.hold("choose");
    this.render(null);
    this.viewer.canvas.focus({ preventScroll: true });
  }

  // ---- What there is

  /** @returns {Items} */
  get items() {
    return this.stack.now;
  }

  /** The place of the chosen instance. */
  get chosen() {
    const { marked } = this.view.instance;
    return marked !== null && this.items[marked] && !this.items[marked].gone ? marked : null;
  }

  get changes() {
    return changesOf(this.basis.items, this.items, this.picture, this.view.classes);
  }

  get changed() {
    return this.items !== this.basis.items && countChanges(this.changes) > 0;
  }

  /** What the instances cover now. */
  get coverage() {
    return coverageOf(this.items, this.basis.pixels);
  }

  /**
   * The place of the instance on top at a point, or of a rejected one.
   * @param {Point} at
   * @param {boolean} gone
   */
  itemAt({ x, y }, gone = false) {
    const { view, items } = this;
    const [column, row] = [Math.floor(x), Math.floor(y)];
    const places = gone ? items.flatMap((item, place) => (item.gone ? [place] : [])) : view.drawn;
    return places.find((place) => liesAt(view.entries[place], column, row, view.height)) ?? null;
  }

  /** The union of all instances but one. @param {number | null} place */
  others(place) {
    const masks = this.items.filter((item, at) => !item.gone && at !== place).map(({ mask }) => mask);
    return union(masks, this.picture.height);
  }

  // ---- Changing it

  /**
   * @param {Items} items
   * @param {number | null} chosen
   * @param {boolean} again whether it takes the place of the last change
   */
  change(items, chosen = this.chosen, again = false) {
    this.saving.quiet();
    if (again) this.stack.replace(items);
    else this.stack.push(items);
    this.render(chosen);
  }

  /**
   * Let a mask be that of an instance, or of a new one; without enough pixels it is none. Returns whether it is one.
   * @param {number | null} place
   * @param {Mask} whole
   * @param {number} classId of a new one
   */
  put(place, whole, classId = this.classId) {
    const { items } = this;
    const mask = this.cut(whole);
    const enough = mask.area >= this.basis.leastArea;
    if (place !== null) {
      const other = enough ? { ...items[place], mask, box: null } : { ...items[place], gone: true };
      this.change(items.with(place, other), enough ? place : null);
    } else if (enough) this.change([...items, drawn(classId, mask)], items.length);
    else this.view.draw();
    if (!enough) this.panel.say(this.tooSmall(mask));
    return enough;
  }

  /** What of a mask counts. @param {Mask} whole */
  cut(whole) {
    return this.basis.counted ? intersection(whole, this.basis.counted, this.picture.height) : whole;
  }

  /** @param {Mask} mask */
  tooSmall({ area }) {
    if (!area) return this.basis.counted ? "None of it lies in what counts." : "Nothing is left of it.";
    return `Too small to count: ${area} of at least ${this.basis.leastArea} pixels.`;
  }

  reject() {
    const { chosen, items } = this;
    if (chosen !== null) this.change(items.with(chosen, { ...items[chosen], gone: true }), null);
  }

  /** Bring back the rejected instance that was chosen. */
  restore() {
    const { ghost, items } = this;
    if (ghost !== null) this.change(items.with(ghost, { ...items[ghost], gone: false }), ghost);
  }

  /** Let what is chosen, or what is drawn next, be of a class. @param {number} classId */
  reclass(classId) {
    const { chosen, items } = this;
    this.classId = classId;
    if (chosen !== null && items[chosen].classId !== classId)
      this.change(items.with(chosen, { ...items[chosen], classId }));
    else this.panel.write();
  }

  undo() {
    this.step(() => this.stack.undo());
  }

  redo() {
    this.step(() => this.stack.redo());
  }

  /** @param {() => void} move */
  step(move) {
    this.tool.cancel?.();
    const { marked } = this.view.instance;
    move();
    this.render(marked !== null && marked < this.items.length ? marked : null);
  }

  // ---- Showing it

  /** @param {number | null} chosen */
  render(chosen) {
    const { view } = this;
    this.live = null;
    this.ghost = null;
    view.instance.marked = chosen !== null && !this.items[chosen]?.gone ? chosen : null;
    view.showInstead({ ...this.entries(this.items), counted: this.basis.pixels });
    this.panel.write();
    this.saving.keep();
  }

  /** @param {number | null} place @param {boolean} ghost whether it is a rejected one */
  choose(place, ghost = false) {
    const { instance } = this.view;
    this.ghost = ghost ? place : null;
    if (ghost || place === null) instance.mark(null);
    else if (instance.marked !== place) instance.mark(place);
    if (place !== null && !ghost) this.classId = this.items[place].classId;
    this.panel.write();
    this.viewer.invalidate();
  }

  /** Draw all instances but one, which is being drawn. @param {number | null} place */
  lift(place) {
    const { view, viewer } = this;
    viewer.instances = viewer.instances.filter((_, at) => view.drawn[at] !== place);
    viewer.chosen = viewer.pointed = null;
    viewer.change();
  }

  /** @type {import("./picture-viewer.js").Drawing} */
  draw(pen, view, ratio) {
    drawGhosts(pen, this, view, ratio);
    this.live?.draw(pen, view, Math.max(0.5, this.viewer.opacity));
    this.tool.draw?.(pen, view, ratio);
  }

  // ---- The tool in hand

  get tool() {
    return this.tools[this.name];
  }

  /** @param {ToolName} name */
  hold(name) {
    this.tool.cancel?.();
    this.name = name;
    const { viewer, tool } = this;
    viewer.placing = {
      point: (at) => tool.point?.(at),
      choose: (at) => (at ? tool.click?.(at) : this.escape()),
      stroke: () => (this.pans ? null : (tool.stroke ?? null)),
    };
    viewer.canvas.classList.toggle("viewer-placing", name !== "choose");
    viewer.canvas.classList.toggle("viewer-drawing", Boolean(tool.stroke));
    this.panel.say("");
    this.panel.write();
    viewer.invalidate();
  }

  /** Take back what is begun; then what is chosen; then the tool. */
  escape() {
    if (this.tool.cancel?.()) this.panel.write();
    else if (this.chosen !== null || this.ghost !== null) this.choose(null);
    else this.hold("choose");
  }

  /** The colour of a class. @param {number} classId */
  colorOf(classId) {
    return this.basis.classes.find(({ id }) => id === classId)?.colors[0] ?? "#22d3ee";
  }

  /** @param {number} size */
  resize(size) {
    this.size = Math.min(Math.max(Math.round(size), SMALLEST), LARGEST);
    this.panel.write();
    this.viewer.invalidate();
  }

  /** Leave the page as it was. */
  leave() {
    const { view, viewer } = this;
    this.tool.cancel?.();
    this.keys.rest();
    this.saving.rest();
    view.removeEventListener("instance-marked", this.marked);
    view.classList.remove("correcting");
    viewer.split = this.split;
    viewer.placing = viewer.over = viewer.sketch = null;
    viewer.canvas.classList.remove("viewer-placing", "viewer-drawing");
    this.panel.rest();
    view.instance.marked = null;
    view.showInstead(this.before);
    this.done();
  }
}
