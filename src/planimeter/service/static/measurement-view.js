// @ts-check
// The page of one measurement: everything follows the score threshold at once, counted here as the service counts.

import "./instance-table.js";
import "./picture-viewer.js";
import { entriesOf, prepareOutline } from "./candidates.js";
import { ChosenInstance } from "./chosen-instance.js";
import { loadCorrected, offerCorrecting } from "./corrected.js";
import { choose } from "./coverage.js";
import { one } from "./elements.js";
import { sayHidden } from "./hidden-note.js";
import { drawnInstances, listedInstances } from "./instance-lists.js";
import { short } from "./numbers.js";
import { OfClass } from "./of-class.js";
import { writeAreas, writeClasses, writeCoverage } from "./readings.js";
import { outlineOf, pathOfPixels } from "./region.js";
import { connectRegionTool } from "./region-tool.js";
import { connectScaleTool } from "./scale-tool.js";
import { ScoreStrip } from "./score-strip.js";
import { giveShades } from "./shades.js";
import { addressThreshold, fadeWords, loadWords, offerToKeep, writeWords } from "./threshold.js";
import { scaleOf } from "./units.js";
import { applyTools, connectTools } from "./viewer-tools.js";

/** @typedef {import("./candidates.js").Answer} Answer */
/** @typedef {import("./candidates.js").Entry} Entry */
/** @typedef {import("./instance-table.js").InstanceTable} InstanceTable */
/** @typedef {import("./picture-viewer.js").PictureViewer} PictureViewer */
/** @typedef {import("./shades.js").ClassEntry} ClassEntry */

/**
 * Instances that are shown and counted in place of what was found: `chosen` are indices, of what lies on top first, and
 * `counted` the pixels that count.
 * @typedef {{entries: Entry[], chosen: number[], counted: number}} Instead
 */

const SETTLED_MS = 350;
const AT_ONCE = 20;

export class MeasurementView extends HTMLElement {
  /** @type {ClassEntry[]} */
  classes = [];
  /** @type {Entry[]} */
  entries = [];
  /** @type {number[]} indices of the entries that count, by falling score: id 1, 2, … */
  chosen = [];
  /** @type {Set<number>} class ids that are not drawn */
  hiddenClasses = new Set();
  /** @type {number[]} of those that count, the ones that are drawn */
  drawn = [];
  threshold = 0;
  height = 0;
  /** @type {OfClass | null} the class that percentages are of, where they are of one */
  of = null;
  counted = 1;
  /** @type {import("./units.js").Scale | null} */
  scale = null;
  instance = new ChosenInstance(this);
  /** @type {Entry[]} all that was found */
  found = [];
  /** @type {Instead | null} */
  instead = null;
  /** @type {Promise<Answer> | undefined} */
  loading;
  /** Whether the picture was drawn before this came to the page. */
  predrawn = false;
  /** @type {ScoreStrip | undefined} */
  scores;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  settling;

  connectedCallback() {
    if (this.entries.length) this.classList.add("ready"); // prepared: it is laid out once
    this.ready = this.start();
  }

  async start() {
    const answer = await this.prepare();
    await this.viewer.ready;
    this.classList.add("ready");
    this.begin(answer);
    this.listen();
    this.setThreshold(this.threshold);
  }

  /**
   * Draw the picture before this is on the page, on a canvas of the size that it will have there.
   * @param {{width: number, height: number}} size
   */
  async predraw(size) {
    await this.prepare();
    this.table.body.replaceChildren(); // it writes its own rows
    this.choose();
    for (const [place, index] of this.chosen.entries()) {
      prepareOutline(this.entries[index], this.height);
      if (place % AT_ONCE === 0) await new Promise((resolve) => setTimeout(resolve));
    }
    applyTools(this, this.viewer);
    this.draw();
    this.viewer.predraw(size);
    this.predrawn = true;
  }

  /** Load all that was found and the picture, also before this is on the page. */
  prepare() {
    this.loading ??= this.load();
    return this.loading;
  }

  async load() {
    this.classes = JSON.parse(this.dataset.classes ?? "[]");
    this.threshold = Number(this.dataset.threshold);
    this.counted = Number(this.dataset.counted);
    this.scale = scaleOf(this);
    await Promise.all(["picture-viewer", "instance-table"].map((name) => customElements.whenDefined(name)));
    this.table.scale = this.viewer.scale = this.scale;
    const [found] = await Promise.all([fetch(this.dataset.candidates ?? ""), this.viewer.prepare()]);
    if (!found.ok) throw new Error(`the candidates cannot be loaded: status ${found.status}`);
    const answer = /** @type {Answer} */ (await found.json());
    this.height = answer.size[0];
    this.found = this.entries = entriesOf(answer);
    if (answer.counted) this.viewer.counted = outlineOf(answer.counted, this.height);
    if (answer.of !== null) {
      const of = { classId: answer.of, leastArea: answer.least_area, height: this.height };
      this.of = new OfClass(this.entries, of);
    }
    giveShades(this.entries, this.classes);
    if (this.dataset.corrected !== undefined) this.instead = await loadCorrected(this);
    return answer;
  }

  /** @param {Answer} answer */
  begin(answer) {
    const floor = Math.floor(Math.min(answer.score_floor, this.threshold) * 100) / 100;
    this.slider.min = String(floor);
    this.slider.hidden = false;
    const scores = this.entries.filter((entry) => !entry.leftOut).map((entry) => entry.score);
    this.scores = new ScoreStrip(one(this, ".threshold-scores"), scores, floor);
  }

  listen() {
    const { viewer, table } = this;
    this.slider.addEventListener("input", () => this.setThreshold(Number(this.slider.value)));
    this.field.addEventListener("input", () => {
      const value = Number(this.field.value);
      if (this.field.value !== "" && value >= 0 && value <= 1) this.setThreshold(value, this.field);
    });
    one(this, ".threshold").addEventListener("submit", (event) => event.preventDefault());
    for (const box of this.boxes) {
      box.addEventListener("change", () => this.showClass(Number(box.dataset.showClass), box.checked));
    }
    one(this, "[data-back]").addEventListener("click", () => this.setThreshold(Number(this.dataset.counting)));
    one(this, "[data-draw-all]").addEventListener("click", () => this.drawAll());
    if (!this.predrawn) applyTools(this, viewer);
    connectTools(this, viewer);
    connectScaleTool(this, viewer);
    connectRegionTool(this, viewer);
    offerCorrecting(this);
    this.instance.listen();
    table.addEventListener("instance-hidden", (event) => this.hide(/** @type {CustomEvent} */ (event).detail));
  }

  // ---- The threshold

  /**
   * Let everything follow a score threshold. `source` is the field that is being typed in.
   * @param {number} threshold
   * @param {HTMLInputElement} [source]
   */
  setThreshold(threshold, source) {
    const changed = threshold !== this.threshold;
    this.threshold = threshold;
    this.choose();
    this.slider.value = String(threshold);
    if (source !== this.field) this.field.value = short(threshold);
    this.write();
    if (this.predrawn) this.predrawn = false;
    else this.draw();
    this.list(changed);
    this.scores?.mark(threshold);
    offerToKeep(this, threshold);
    this.instance.follow();
    if (!changed) return;
    fadeWords(this);
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.settle(), SETTLED_MS);
  }

  /** Let count what scores enough, in the pixels that count; or what is shown in place of it. */
  choose() {
    this.entries = this.found;
    this.chosen = choose(this.entries, this.threshold);
    if (this.of) {
      const { chosen, changed } = this.of.within(this.chosen);
      this.chosen = chosen;
      this.counted = this.of.counted.area;
      if (changed) this.viewer.counted = pathOfPixels(this.of.counted, this.height);
    }
    if (this.instead) ({ entries: this.entries, chosen: this.chosen, counted: this.counted } = this.instead);
  }

  /**
   * Show and count other instances in place of what was found, at the threshold at which the measurement counts.
   * @param {Instead | null} instead null shows again what was found
   */
  showInstead(instead) {
    clearTimeout(this.settling);
    this.instead = instead;
    if (this.threshold !== Number(this.dataset.counting)) addressThreshold(this, null);
    this.threshold = Number(this.dataset.counting);
    this.setThreshold(this.threshold);
  }

  /** Write the numbers. */
  write() {
    const { threshold, counted, dataset } = this;
    const entries = this.chosen.map((index) => this.entries[index]);
    const below = this.instead ? 0 : this.found.filter((entry) => entry.score < threshold && !entry.leftOut).length;
    const truth = dataset.true ? Number(dataset.true) : null;
    const of = dataset.of ?? "picture";
    const ofClass = this.of && { id: this.of.classId, count: this.of.count };
    const reading = { entries, counted, threshold, below, truth, of, ofClass, scale: this.scale };
    writeCoverage(this, reading);
    writeClasses(this, reading, this.classes);
    writeAreas(this, reading, (least, most) => {
      this.table.limitAreas(least, most);
      one(this, "#instances-title").scrollIntoView({ block: "nearest" });
    });
  }

  /** Once the threshold rests: the whole table, the address, the downloads and the notes follow. */
  async settle() {
    const { threshold } = this;
    this.list();
    if (!this.isConnected) return; // another picture is in its place
    addressThreshold(this, threshold === Number(this.dataset.counting) ? null : threshold);
    const words = await loadWords(this.dataset.json ?? "", threshold);
    if (words && threshold === this.threshold) writeWords(this, words);
  }

  // ---- The picture

  /** Hand the viewer what is to be drawn. */
  draw() {
    const { entries } = this;
    this.drawn = this.chosen.filter(
      (index) => !entries[index].hidden && !this.hiddenClasses.has(entries[index].classId),
    );
    this.viewer.instances = drawnInstances(this);
    sayHidden(this, this.hiddenClasses, this.chosen.length - this.drawn.length);
    this.viewer.pointed = null;
    this.viewer.chosen = this.instance.placeOf(this.instance.marked);
    this.viewer.change();
  }

  /**
   * @param {number} id
   * @param {boolean} shown
   */
  showClass(id, shown) {
    if (shown) this.hiddenClasses.delete(id);
    else this.hiddenClasses.add(id);
    this.draw();
  }

  drawAll() {
    this.hiddenClasses.clear();
    this.hide(null);
  }

  /** @param {number | null} index null draws all of them again */
  hide(index) {
    if (index === null) for (const entry of this.entries) entry.hidden = false;
    else this.entries[index].hidden = !this.entries[index].hidden;
    this.draw();
    this.list();
    this.instance.describe();
  }

  /**
   * Hand the table its rows.
   * @param {boolean} hurried whether others may follow at once
   */
  list(hurried = false) {
    this.table.show(listedInstances(this), hurried);
  }

  /**
   * What an instance is called: by falling score, where it has no name of its own.
   * @param {number} index
   * @param {number} place among those that count
   */
  idOf(index, place) {
    return this.entries[index].id ?? place + 1;
  }

  /** @param {number} id */
  nameOf(id) {
    return this.classes.find((known) => known.id === id)?.name ?? String(id);
  }

  // ---- Parts of the page

  get viewer() {
    return /** @type {PictureViewer} */ (one(this, "picture-viewer"));
  }

  get table() {
    return /** @type {InstanceTable} */ (one(this, "instance-table"));
  }

  get boxes() {
    return /** @type {NodeListOf<HTMLInputElement>} */ (this.querySelectorAll("[data-show-class]"));
  }

  get slider() {
    return /** @type {HTMLInputElement} */ (one(this, ".threshold-slider"));
  }

  get field() {
    return /** @type {HTMLInputElement} */ (one(this, "#threshold"));
  }
}

customElements.define("measurement-view", MeasurementView);
