// @ts-check
// The page of one measurement: everything follows the score threshold at once, counted here as the service counts.

import { drawHistogram } from "./area-histogram.js";
import { choose, count } from "./coverage.js";
import "./instance-table.js";
import { decimals, grouped, percent, short, signed } from "./numbers.js";
import "./picture-viewer.js";
import { decode, holds } from "./rle.js";
import { coarse, measureShape, pathOf, rings } from "./shapes.js";

/** @typedef {import("./coverage.js").Candidate} Candidate */
/** @typedef {import("./picture-viewer.js").PictureViewer} PictureViewer */
/** @typedef {import("./instance-table.js").InstanceTable} InstanceTable */
/** @typedef {{id: number, name: string, colors: string[]}} ClassEntry */
/** @typedef {Candidate & {box: number[], color: string, outline?: number[][], near?: Path2D, far?: Path2D, hidden?: boolean}} Entry */

const SETTLED_MS = 350;
const SCORE_BINS = 48;

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
  /** @type {number | null} */
  marked = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  settling;

  connectedCallback() {
    this.classes = JSON.parse(this.dataset.classes ?? "[]");
    this.threshold = Number(this.dataset.threshold);
    this.counted = Number(this.dataset.counted);
    this.ready = this.start();
  }

  async start() {
    await Promise.all([customElements.whenDefined("picture-viewer"), customElements.whenDefined("instance-table")]);
    const [answer] = await Promise.all([fetch(this.dataset.candidates ?? ""), this.viewer.ready]);
    if (!answer.ok) throw new Error(`the candidates cannot be loaded: status ${answer.status}`);
    this.take(await answer.json());
    this.listen();
    this.classList.add("ready");
    this.setThreshold(this.threshold);
    this.setStyle(this.one(".segment[aria-current]").dataset.style ?? "fill");
  }

  /** @param {{size: [number, number], score_floor: number, candidates: Array<{class_id: number, score: number, bbox: number[], counts: string, rivals: number[]}>}} found */
  take(found) {
    this.height = found.size[0];
    this.entries = found.candidates.map((entry) => ({
      classId: entry.class_id,
      score: entry.score,
      rivals: entry.rivals,
      box: entry.bbox,
      mask: decode(entry.counts, this.height),
      color: "",
    }));
    this.color();
    const floor = Math.floor(Math.min(found.score_floor, this.threshold) * 100) / 100;
    this.slider.min = String(floor);
    this.slider.hidden = false;
    this.drawScores(floor);
  }

  /** Give instances of a class that touch different shades, the same ones at every threshold. */
  color() {
    const byScore = this.entries.map((_, index) => index).sort((one, other) => this.entries[other].score - this.entries[one].score);
    const given = new Map(this.classes.map((entry) => [entry.id, entry.colors.map(() => 0)]));
    const grid = new Map();
    const cell = 64;
    for (const index of byScore) {
      const entry = this.entries[index];
      const colors = this.classes.find((known) => known.id === entry.classId)?.colors ?? ["#22d3ee"];
      const used = given.get(entry.classId) ?? [0];
      const near = colors.map(() => 0);
      const { left, top, right, bottom } = entry.mask;
      const cells = [];
      for (let x = Math.floor((left - 3) / cell); x <= (right + 3) / cell; x++) {
        for (let y = Math.floor((top - 3) / cell); y <= (bottom + 3) / cell; y++) cells.push(`${entry.classId} ${x} ${y}`);
      }
      for (const other of new Set(cells.flatMap((key) => grid.get(key) ?? []))) {
        const { mask, shade } = other;
        if (mask.left < right + 3 && mask.right > left - 3 && mask.top < bottom + 3 && mask.bottom > top - 3) near[shade]++;
      }
      let shade = 0;
      for (let next = 1; next < colors.length; next++) {
        if (near[next] < near[shade] || (near[next] === near[shade] && used[next] < used[shade])) shade = next;
      }
      used[shade]++;
      entry.color = colors[shade];
      for (const key of cells) grid.set(key, [...(grid.get(key) ?? []), { mask: entry.mask, shade }]);
    }
  }

  listen() {
    const { viewer, table } = this;
    this.slider.addEventListener("input", () => this.setThreshold(Number(this.slider.value)));
    this.field.addEventListener("input", () => {
      const value = Number(this.field.value);
      if (this.field.value !== "" && value >= 0 && value <= 1) this.setThreshold(value, this.field);
    });
    this.one(".threshold").addEventListener("submit", (event) => event.preventDefault());
    for (const segment of this.querySelectorAll("a[data-style]")) {
      segment.addEventListener("click", (event) => this.pickStyle(/** @type {MouseEvent} */ (event)));
    }
    for (const box of this.querySelectorAll("[data-show-class]")) {
      box.addEventListener("change", () => this.showClass(/** @type {HTMLInputElement} */ (box)));
    }
    this.listenToTools();
    viewer.find = (x, y) => this.findAt(x, y);
    viewer.addEventListener("instance-pointed", (event) => this.point(this.entryOf(detail(event))));
    viewer.addEventListener("instance-chosen", (event) => this.mark(this.entryOf(detail(event))));
    viewer.addEventListener("view-changed", (event) => this.showZoom(detail(event)));
    table.addEventListener("instance-pointed", (event) => this.point(detail(event)));
    table.addEventListener("instance-chosen", (event) => this.mark(detail(event), true));
    table.addEventListener("instance-hidden", (event) => this.hide(detail(event)));
    for (const button of this.querySelectorAll("[data-save], [data-reset]")) {
      button.addEventListener("click", (event) => this.saveDefault(event, button.hasAttribute("data-reset")));
    }
    const canvas = this.one(".viewer-canvas");
    this.one(".viewer-card").addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.mark(null);
    });
    canvas.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.mark(null);
    });
  }

  listenToTools() {
    const { viewer } = this;
    const tool = (/** @type {string} */ name) => /** @type {HTMLInputElement} */ (this.one(`[data-tool=${name}]`));
    const split = /** @type {HTMLInputElement} */ (this.one(".viewer-split"));
    tool("opacity").addEventListener("input", () => {
      viewer.opacity = Number(tool("opacity").value);
      viewer.invalidate();
    });
    for (const name of /** @type {const} */ (["labels", "boxes"])) {
      tool(name).addEventListener("change", () => {
        viewer[name] = tool(name).checked;
        viewer.invalidate();
      });
    }
    const divide = () => {
      split.hidden = !tool("split").checked;
      viewer.split = split.hidden ? 0 : Number(split.value);
      this.one(".stage-picture").style.setProperty("--split", String(100 * viewer.split));
      this.one(".stage-picture").classList.toggle("divided", !split.hidden);
      viewer.invalidate();
    };
    tool("split").addEventListener("change", divide);
    split.addEventListener("input", divide);
    this.one(".viewer-zoom").hidden = false;
    const actions = { in: () => viewer.zoomBy(1.5), out: () => viewer.zoomBy(1 / 1.5), fit: () => viewer.fit(), one: () => viewer.go({ ...viewer.goal, zoom: 1 }) };
    for (const [name, action] of Object.entries(actions)) this.one(`[data-zoom=${name}]`).addEventListener("click", action);
    this.showZoom(viewer.goal.zoom);
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
    this.markScores(Number(this.slider.min));
    if (this.marked !== null && !this.chosen.includes(this.marked)) this.mark(null);
    else this.describe();
    if (!changed) return;
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.settle(), SETTLED_MS);
  }

  /** Write the numbers. */
  write() {
    const masks = this.chosen.map((index) => this.entries[index].mask);
    const { masked, overlapping } = count(masks);
    const value = (100 * masked) / this.counted;
    const number = this.one(".reading-number").firstChild;
    if (number) number.nodeValue = percent(value);
    this.one(".scale-value").setAttribute("width", `${value}%`);
    for (const end of ["x1", "x2"]) this.one(".scale-pointer").setAttribute(end, `${value}%`);
    document.title = document.title.replace(/^\S+ %/, `${percent(value)} %`);
    this.fact("count", grouped(this.chosen.length));
    this.fact("masked", grouped(masked));
    this.fact("overlapping", grouped(overlapping));
    this.fact("threshold", short(this.threshold));
    if (this.dataset.true) this.fact("difference", `${signed(value - Number(this.dataset.true))} points`);
    const out = this.entries.filter((entry) => entry.score < this.threshold).length;
    this.fact("out", out ? `${grouped(out)} found below the threshold, left out` : "Nothing that was found is left out");
    this.one("[data-empty]").hidden = this.chosen.length > 0;
    this.writeClasses();
    this.writeAreas();
  }

  writeClasses() {
    const found = [];
    for (const known of this.classes) {
      const masks = this.chosen.map((index) => this.entries[index]).filter((entry) => entry.classId === known.id).map((entry) => entry.mask);
      const { masked } = count(masks);
      const value = (100 * masked) / this.counted;
      if (masks.length) found.push({ name: known.name, masked });
      const row = this.one(`[data-class="${known.id}"]`);
      row.classList.toggle("absent", !masks.length);
      const write = (/** @type {string} */ name, /** @type {string} */ text) => {
        const cell = row.querySelector(name);
        if (cell) cell.textContent = text;
      };
      write("[data-count]", grouped(masks.length));
      write("[data-pixels]", grouped(masked));
      write("[data-percent]", percent(value));
      row.querySelector(".bar-value")?.setAttribute("width", `${value}%`);
    }
    found.sort((one, other) => other.masked - one.masked);
    const what = this.one(".reading-what");
    if (!found.length) what.textContent = "of the picture: nothing was found";
    else if (this.classes.length === 1 || found.length === 1) what.textContent = `of the picture is masked as ${found[0].name}`;
    else what.textContent = `of the picture is masked, most as ${found[0].name}`;
  }

  writeAreas() {
    const areas = this.chosen.map((index) => this.entries[index].mask.area);
    drawHistogram(this.one("[data-areas]"), areas, (least, most) => {
      this.table.limitAreas(least, most);
      this.one("#instances-title").scrollIntoView({ block: "nearest" });
    });
    areas.sort((one, other) => one - other);
    const at = (/** @type {number} */ share) => {
      const place = share * (areas.length - 1);
      const low = Math.floor(place);
      return areas[low] + (areas[Math.min(low + 1, areas.length - 1)] - areas[low]) * (place - low);
    };
    const whole = (/** @type {number} */ value) => grouped(Math.round(value));
    this.fact("median", areas.length ? `${whole(at(0.5))} px` : "–");
    this.fact("quartiles", areas.length ? `${whole(at(0.25))} to ${whole(at(0.75))} px` : "–");
    this.fact("range", areas.length ? `${whole(areas[0])} to ${whole(areas[areas.length - 1])} px` : "–");
  }

  /**
   * Draw how the candidates score above the slider, as strokes: those that count in colour.
   * @param {number} floor
   */
  drawScores(floor) {
    const picture = this.one(".threshold-scores");
    const counts = new Array(SCORE_BINS).fill(0);
    for (const entry of this.entries) counts[scoreBin(entry.score, floor)]++;
    const most = Math.max(1, ...counts);
    const bars = counts.map((number, index) => {
      const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      const height = number ? Math.max(2, 28 * Math.sqrt(number / most)) : 0;
      const share = 100 / SCORE_BINS;
      for (const [name, value] of Object.entries({ x: `${index * share + share * 0.1}%`, width: `${share * 0.8}%`, y: 28 - height, height })) bar.setAttribute(name, String(value));
      return bar;
    });
    picture.replaceChildren(...bars);
  }

  /** @param {number} floor */
  markScores(floor) {
    const first = scoreBin(this.threshold, floor);
    for (const [index, bar] of [...this.one(".threshold-scores").children].entries()) {
      bar.setAttribute("class", index >= first ? "score-in" : "score-out");
    }
  }

  /** Once the threshold rests: the whole table, the address, the downloads and the notes follow. */
  async settle() {
    const { threshold } = this;
    this.list();
    const own = threshold === Number(this.dataset.measured);
    const here = new URL(location.href);
    if (own) here.searchParams.delete("score_threshold");
    else here.searchParams.set("score_threshold", short(threshold));
    history.replaceState(null, "", here);
    const links = this.querySelectorAll("a[data-at-threshold], a[data-style]");
    for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (links)) {
      const url = new URL(link.href);
      if (own) url.searchParams.delete("score_threshold");
      else url.searchParams.set("score_threshold", short(threshold));
      link.href = url.href;
    }
    const numbers = /** @type {HTMLAnchorElement} */ (this.one("a[data-at-threshold][href*='mask']"));
    numbers.dataset.threshold = short(threshold);
    const url = new URL(this.dataset.json ?? "", document.baseURI);
    url.searchParams.set("score_threshold", short(threshold));
    url.searchParams.set("mask_format", "none");
    const answer = await fetch(url).catch(() => null);
    if (!answer?.ok || threshold !== this.threshold) return;
    const { notes } = await answer.json();
    this.one("[data-notes]").replaceChildren(...notes.map(note));
  }

  /**
   * @param {Event} event
   * @param {boolean} reset
   */
  async saveDefault(event, reset) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (this.one(".threshold-default"));
    const url = new URL(form.dataset.defaults ?? "", document.baseURI);
    if (!reset) url.searchParams.set("score_threshold", short(this.threshold));
    const answer = await fetch(url, { method: reset ? "DELETE" : "PUT", headers: { "Planimeter-Page": "1" } });
    const said = this.one("[data-default-note]");
    const model = await answer.json();
    if (!answer.ok) {
      said.textContent = model.error.message;
      return;
    }
    this.dataset.default = String(model.score_threshold);
    this.one("[data-reset]").hidden = !model.score_threshold_saved;
    said.textContent = `Default of ${model.name}: ${short(model.score_threshold)}${model.score_threshold_saved ? ", saved here" : ""}`;
    if (reset) this.setThreshold(model.score_threshold);
  }

  // ---- The picture

  /** Hand the viewer what is to be drawn. */
  draw() {
    this.drawn = this.chosen.filter((index) => !this.entries[index].hidden && !this.hiddenClasses.has(this.entries[index].classId));
    const ids = new Map(this.chosen.map((index, place) => [index, place + 1]));
    const several = this.classes.length > 1;
    this.viewer.instances = this.drawn.map((index) => {
      const entry = this.entries[index];
      const { left, top, right, bottom } = entry.mask;
      const name = several ? `${this.nameOf(entry.classId)} ` : "";
      return { path: (near) => this.pathOf(entry, near), box: [left, top, right - left, bottom - top], color: entry.color, label: `${name}${ids.get(index)} · ${decimals(entry.score, 2)}` };
    });
    this.viewer.pointed = null;
    this.viewer.chosen = this.placeOf(this.marked);
    this.viewer.change();
  }

  /**
   * The outline of an instance: exactly along the pixels, or, as long as those are small, with fewer corners.
   * @param {Entry} entry
   * @param {boolean} near
   */
  pathOf(entry, near) {
    entry.outline ??= rings(entry.mask, this.height);
    if (near) return (entry.near ??= pathOf(entry.outline));
    return (entry.far ??= pathOf(entry.outline.map(coarse)));
  }

  /** @param {MouseEvent} event */
  pickStyle(event) {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    const segment = /** @type {HTMLAnchorElement} */ (event.currentTarget);
    for (const other of this.querySelectorAll("a[data-style]")) other.removeAttribute("aria-current");
    segment.setAttribute("aria-current", "true");
    history.replaceState(null, "", segment.href);
    this.setStyle(segment.dataset.style ?? "fill");
  }

  /** @param {string} style */
  setStyle(style) {
    this.viewer.style_ = /** @type {import("./picture-viewer.js").Style} */ (style);
    this.viewer.dataset.style = style;
    this.viewer.change();
  }

  /** @param {HTMLInputElement} box */
  showClass(box) {
    const id = Number(box.dataset.showClass);
    if (box.checked) this.hiddenClasses.delete(id);
    else this.hiddenClasses.add(id);
    this.draw();
  }

  /** @param {number | null} index null draws all of them again */
  hide(index) {
    if (index === null) for (const entry of this.entries) entry.hidden = false;
    else this.entries[index].hidden = !this.entries[index].hidden;
    this.draw();
    this.list();
    this.describe();
  }

  /** @param {number} zoom device pixels for one of the picture's */
  showZoom(zoom) {
    this.one("[data-zoom-shown]").textContent = `${zoom < 0.1 ? decimals(100 * zoom, 1) : Math.round(100 * zoom)} %`;
  }

  /**
   * The instance that lies at a point of the picture, as the viewer counts; where several do, the highest score.
   * @param {number} x
   * @param {number} y
   */
  findAt(x, y) {
    const [column, row] = [Math.floor(x), Math.floor(y)];
    if (row < 0 || row >= this.height) return null;
    const position = column * this.height + row;
    const place = this.drawn.findIndex((index) => {
      const { mask } = this.entries[index];
      return column >= mask.left && column < mask.right && row >= mask.top && row < mask.bottom && holds(mask, position);
    });
    return place < 0 ? null : place;
  }

  /** @param {number | null} place in the viewer */
  entryOf(place) {
    return place === null ? null : this.drawn[place];
  }

  /** @param {number | null} index */
  placeOf(index) {
    const place = index === null ? -1 : this.drawn.indexOf(index);
    return place < 0 ? null : place;
  }

  // ---- One instance

  /** @param {number | null} index */
  point(index) {
    this.viewer.pointed = this.placeOf(index);
    this.viewer.invalidate();
    this.table.mark(index, this.marked);
  }

  /**
   * @param {number | null} index
   * @param {boolean} reveal whether to bring it into view
   */
  mark(index, reveal = false) {
    this.marked = index === this.marked && !reveal ? null : index;
    this.viewer.chosen = this.placeOf(this.marked);
    this.viewer.invalidate();
    this.table.mark(this.table.pointed, this.marked);
    if (reveal && this.marked !== null && !this.viewer.fitted) this.viewer.reveal(this.entries[this.marked].box);
    this.describe();
  }

  /** Show the numbers of the chosen instance. */
  describe() {
    const card = this.one(".viewer-card");
    card.hidden = this.marked === null;
    if (this.marked === null) {
      card.replaceChildren();
      return;
    }
    const entry = this.entries[this.marked];
    const shape = measureShape(entry.mask, this.height);
    const head = document.createElement("p");
    head.className = "viewer-card-head";
    const mark = document.createElement("span");
    mark.className = "swatch swatch-flat";
    mark.style.background = entry.color;
    head.append(mark, `${this.nameOf(entry.classId)} ${this.chosen.indexOf(this.marked) + 1}`, this.closer());
    const facts = document.createElement("dl");
    facts.className = "facts";
    for (const [name, value, key] of [
      ["Area", `${grouped(entry.mask.area)} px`, "area"],
      ["Percent of the picture", `${decimals((100 * entry.mask.area) / this.counted, 3)}`, "percent"],
      ["Score", decimals(entry.score, 3), "score"],
      ["Box x, y, w, h", entry.box.map((side) => decimals(side, 0)).join(", "), "bbox"],
      ["Perimeter", `${decimals(shape.perimeter, 1)} px`, "perimeter"],
      ["Longest diameter", `${decimals(shape.feretDiameterMax, 1)} px`, "feret_diameter_max"],
      ["Circularity", shape.circularity === null ? "–" : decimals(shape.circularity, 3), "circularity"],
    ]) {
      const line = document.createElement("div");
      const term = document.createElement("dt");
      const definition = document.createElement("dd");
      term.textContent = name;
      definition.textContent = value;
      definition.dataset.figure = key;
      line.append(term, definition);
      facts.append(line);
    }
    card.replaceChildren(head, facts);
  }

  closer() {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "viewer-card-close";
    button.setAttribute("aria-label", "Close");
    button.textContent = "×";
    button.addEventListener("click", () => {
      this.mark(null);
      this.one(".viewer-canvas").focus({ preventScroll: true });
    });
    return button;
  }

  /**
   * Hand the table its rows.
   * @param {boolean} hurried whether others may follow at once
   */
  list(hurried = false) {
    this.table.show(
      this.chosen.map((index, place) => {
        const entry = this.entries[index];
        return {
          index,
          id: place + 1,
          className: this.nameOf(entry.classId),
          classId: entry.classId,
          color: entry.color,
          score: entry.score,
          area: entry.mask.area,
          percent: (100 * entry.mask.area) / this.counted,
          box: entry.box,
          hidden: Boolean(entry.hidden),
        };
      }),
      hurried,
    );
  }

  /** @param {number} id */
  nameOf(id) {
    return this.classes.find((known) => known.id === id)?.name ?? String(id);
  }

  // ---- Parts of the page

  get viewer() {
    return /** @type {PictureViewer} */ (this.one("picture-viewer"));
  }

  get table() {
    return /** @type {InstanceTable} */ (this.one("instance-table"));
  }

  get slider() {
    return /** @type {HTMLInputElement} */ (this.one(".threshold-slider"));
  }

  get field() {
    return /** @type {HTMLInputElement} */ (this.one("#threshold"));
  }

  /**
   * @param {string} name
   * @param {string} text
   */
  fact(name, text) {
    for (const place of this.querySelectorAll(`[data-fact=${name}]`)) if (place.textContent !== text) place.textContent = text;
  }

  /**
   * @param {string} selector
   * @returns {HTMLElement}
   */
  one(selector) {
    const found = this.querySelector(selector);
    if (!found) throw new Error(`the page lacks ${selector}`);
    return /** @type {HTMLElement} */ (found);
  }
}

/**
 * @param {number} score
 * @param {number} floor the lowest score there can be
 */
function scoreBin(score, floor) {
  return Math.min(SCORE_BINS - 1, Math.max(0, Math.floor(((score - floor) / (1 - floor || 1)) * SCORE_BINS)));
}

/** @param {Event} event */
function detail(event) {
  return /** @type {CustomEvent} */ (event).detail;
}

/** @param {string} message */
function note(message) {
  const line = document.createElement("p");
  line.className = "note";
  line.textContent = `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
  return line;
}

customElements.define("measurement-view", MeasurementView);
