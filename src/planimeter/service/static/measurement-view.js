// @ts-check
// The page of one measurement: everything follows the score threshold at once, counted here as the service counts.

import "./instance-table.js";
import "./picture-viewer.js";
import { drawnOf, entriesOf, rowOf } from "./candidates.js";
import { ChosenInstance } from "./chosen-instance.js";
import { choose } from "./coverage.js";
import { one } from "./elements.js";
import { decimals, short } from "./numbers.js";
import { writeAreas, writeClasses, writeCoverage } from "./readings.js";
import { ScoreStrip } from "./score-strip.js";
import { giveShades } from "./shades.js";
import { addressThreshold, loadNotes, saveDefault } from "./threshold.js";
import { connectTools } from "./viewer-tools.js";

/** @typedef {import("./candidates.js").Answer} Answer */
/** @typedef {import("./candidates.js").Entry} Entry */
/** @typedef {import("./instance-table.js").InstanceTable} InstanceTable */
/** @typedef {import("./picture-viewer.js").PictureViewer} PictureViewer */
/** @typedef {import("./shades.js").ClassEntry} ClassEntry */

const SETTLED_MS = 350;

class MeasurementView extends HTMLElement {
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
  counted = 1;
  instance = new ChosenInstance(this);
  /** @type {ScoreStrip | undefined} */
  scores;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  settling;

  connectedCallback() {
    this.classes = JSON.parse(this.dataset.classes ?? "[]");
    this.threshold = Number(this.dataset.threshold);
    this.counted = Number(this.dataset.counted);
    this.ready = this.start();
  }

  async start() {
    await Promise.all(["picture-viewer", "instance-table"].map((name) => customElements.whenDefined(name)));
    const [answer] = await Promise.all([fetch(this.dataset.candidates ?? ""), this.viewer.ready]);
    if (!answer.ok) throw new Error(`the candidates cannot be loaded: status ${answer.status}`);
    this.take(await answer.json());
    this.listen();
    this.classList.add("ready");
    this.setThreshold(this.threshold);
  }

  /** @param {Answer} answer */
  take(answer) {
    this.height = answer.size[0];
    this.entries = entriesOf(answer);
    giveShades(this.entries, this.classes);
    const floor = Math.floor(Math.min(answer.score_floor, this.threshold) * 100) / 100;
    this.slider.min = String(floor);
    this.slider.hidden = false;
    const scores = this.entries.map((entry) => entry.score);
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
    for (const box of /** @type {NodeListOf<HTMLInputElement>} */ (this.querySelectorAll("[data-show-class]"))) {
      box.addEventListener("change", () => this.showClass(Number(box.dataset.showClass), box.checked));
    }
    for (const button of this.querySelectorAll("[data-save], [data-reset]")) {
      button.addEventListener("click", (event) => this.saveDefault(event, button.hasAttribute("data-reset")));
    }
    connectTools(this, viewer);
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
    this.chosen = choose(this.entries, threshold);
    this.slider.value = String(threshold);
    if (source !== this.field) this.field.value = short(threshold);
    this.write();
    this.draw();
    this.list(changed);
    this.scores?.mark(threshold);
    this.instance.follow();
    if (!changed) return;
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.settle(), SETTLED_MS);
  }

  /** Write the numbers. */
  write() {
    const { threshold, counted, dataset } = this;
    const entries = this.chosen.map((index) => this.entries[index]);
    const below = this.entries.filter((entry) => entry.score < threshold).length;
    const reading = { entries, counted, threshold, below, truth: dataset.true ? Number(dataset.true) : null };
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
    addressThreshold(this, threshold === Number(this.dataset.measured) ? null : threshold);
    const notes = await loadNotes(this.dataset.json ?? "", threshold);
    if (notes && threshold === this.threshold) one(this, "[data-notes]").replaceChildren(...notes);
  }

  /**
   * @param {Event} event
   * @param {boolean} reset
   */
  async saveDefault(event, reset) {
    event.preventDefault();
    const threshold = await saveDefault(this, reset ? null : this.threshold);
    if (reset && threshold !== null) this.setThreshold(threshold);
  }

  // ---- The picture

  /** Hand the viewer what is to be drawn. */
  draw() {
    const { entries, height } = this;
    this.drawn = this.chosen.filter(
      (index) => !entries[index].hidden && !this.hiddenClasses.has(entries[index].classId),
    );
    const ids = new Map(this.chosen.map((index, place) => [index, place + 1]));
    const several = this.classes.length > 1;
    this.viewer.instances = this.drawn.map((index) => {
      const entry = entries[index];
      const label = `${several ? `${this.nameOf(entry.classId)} ` : ""}${ids.get(index)} · ${decimals(entry.score, 2)}`;
      return drawnOf(entry, height, label);
    });
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
    const rows = this.chosen.map((index, place) => {
      const entry = this.entries[index];
      return rowOf(entry, { index, id: place + 1, className: this.nameOf(entry.classId) }, this.counted);
    });
    this.table.show(rows, hurried);
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

  get slider() {
    return /** @type {HTMLInputElement} */ (one(this, ".threshold-slider"));
  }

  get field() {
    return /** @type {HTMLInputElement} */ (one(this, "#threshold"));
  }
}

customElements.define("measurement-view", MeasurementView);
