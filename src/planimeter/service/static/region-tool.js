// @ts-check
// What of a picture counts and what does not, by polygons that are drawn on it corner by corner.

import { one } from "./elements.js";
import { crossesItself } from "./polygon-fault.js";
import { drawOnStage } from "./stage.js";

/** @typedef {import("./picture-viewer.js").PictureViewer} PictureViewer */
/** @typedef {import("./picture-viewer.js").Placing} Placing */
/** @typedef {import("./region.js").Kind} Kind */
/** @typedef {import("./region.js").Polygon} Polygon */
/** @typedef {import("./zoomable-canvas.js").Point} Point */

const NEAR = 12;
const LEAST = 3;

/**
 * @param {HTMLElement} page
 * @param {PictureViewer} viewer
 */
export function connectRegionTool(page, viewer) {
  new RegionTool(/** @type {HTMLDetailsElement} */ (one(page, ".region-tool")), viewer);
}

class RegionTool {
  /** @type {Polygon[]} */
  polygons = [];
  /** @type {Point[]} */
  open = [];
  /** @type {Placing | null} */
  placing = null;
  /** Whether the open polygon was to be closed, and would cross itself. */
  crosses = false;

  /**
   * @param {HTMLDetailsElement} tool
   * @param {PictureViewer} viewer
   */
  constructor(tool, viewer) {
    this.tool = tool;
    this.viewer = viewer;
    this.button = one(tool, "[data-region-draw]");
    this.button.addEventListener("click", () => (this.placing ? this.end() : this.begin()));
    /** @type {HTMLElement | null} there where a region is that can be added to */
    this.more = tool.querySelector("[data-region-more]");
    this.more?.addEventListener("click", () => this.begin(polygonsOf(tool.dataset.region ?? "{}")));
    this.kinds = [.../** @type {NodeListOf<HTMLInputElement>} */ (tool.querySelectorAll("[name=drawn]"))];
    for (const box of this.kinds) box.addEventListener("change", () => this.write());
    one(tool, "[data-region-close]").addEventListener("click", () => this.close());
    one(tool, "[data-region-undo]").addEventListener("click", () => this.undo());
    tool.addEventListener("toggle", () => tool.open || this.end());
    /** @type {HTMLElement[]} */
    const places = [tool, viewer.canvas];
    for (const place of places) place.addEventListener("keydown", (event) => this.type(event));
    const { drawn } = tool.dataset; // what the service refused, to be drawn on
    if (drawn) this.begin(polygonsOf(drawn));
  }

  /**
   * Escape cancels the drawing, Backspace takes a corner back, Enter on the picture closes the polygon.
   * @param {KeyboardEvent} event
   */
  type(event) {
    if (!this.placing) return;
    if (event.key === "Escape") this.end();
    else if (event.key === "Backspace") this.undo();
    else if (event.key === "Enter" && event.target === this.viewer.canvas) this.close();
    else return;
    event.preventDefault();
  }

  /** Whether what is drawn next counts. @returns {Kind} */
  get kind() {
    return this.kinds.find((box) => box.checked)?.value === "exclude" ? "exclude" : "include";
  }

  /** @param {Polygon[]} polygons that are there already */
  begin(polygons = []) {
    const { viewer } = this;
    this.placing = { point: (at) => this.point(at), choose: (at) => (at ? this.place(at) : this.end()) };
    viewer.placing = this.placing;
    viewer.bar = null;
    viewer.canvas.classList.add("viewer-placing");
    viewer.point(null);
    this.polygons = polygons;
    this.open = [];
    this.crosses = false;
    drawOnStage(viewer, true);
    this.write();
  }

  /** Leave the picture to its instances again. */
  end() {
    const { viewer } = this;
    if (!this.placing) return;
    if (viewer.placing === this.placing) {
      viewer.placing = null;
      viewer.canvas.classList.remove("viewer-placing");
    }
    this.placing = null;
    this.polygons = [];
    this.open = [];
    drawOnStage(viewer, false);
    this.write();
  }

  /** @param {Point | null} at */
  point(at) {
    if (!this.open.length || !at) return;
    const { polygons, kind } = this;
    this.viewer.sketch = { polygons, open: [...this.open, this.viewer.nearest(at)], kind };
    this.viewer.invalidate();
  }

  /** @param {Point} at */
  place(at) {
    const corner = this.viewer.nearest(at);
    const { open, viewer } = this;
    const near = (NEAR * viewer.ratio) / viewer.view.zoom;
    const isNear = (/** @type {Point | undefined} */ other) =>
      other !== undefined && Math.hypot(other.x - corner.x, other.y - corner.y) < near;
    this.crosses = false;
    if (open.length >= LEAST && isNear(open[0])) this.close();
    else if (!isNear(open.at(-1))) open.push(corner);
    this.write();
  }

  /** Let the next corner begin another polygon, unless this one crosses itself: it stays open, to be put right. */
  close() {
    if (this.open.length < LEAST) return;
    this.crosses = crossesItself(this.open);
    if (!this.crosses) {
      this.polygons.push({ ring: this.open, kind: this.kind });
      this.open = [];
    }
    this.write();
  }

  /** Take the last corner back; the last one of a closed polygon opens it again. */
  undo() {
    const last = this.open.length ? undefined : this.polygons.pop();
    if (last) {
      this.open = last.ring;
      for (const box of this.kinds) box.checked = box.value === last.kind;
    } else this.open.pop();
    this.crosses = false;
    this.write();
  }

  /**
   * @param {"undo" | "close" | "set"} name of a button
   * @param {boolean} shown
   * @param {boolean} possible
   */
  offer(name, shown, possible) {
    const button = /** @type {HTMLButtonElement} */ (one(this.tool, `[data-region-${name}]`));
    button.hidden = !shown;
    button.disabled = !possible;
  }

  /** Let the form say what is drawn, and ask for what is missing. */
  write() {
    const { tool, viewer, polygons, open, kind } = this;
    const drawing = this.placing !== null;
    this.button.setAttribute("aria-pressed", String(drawing));
    if (this.more) this.more.hidden = drawing;
    this.button.textContent = drawing ? "Cancel the region" : "Draw a region";
    const hint = one(tool, "[data-region-hint]");
    hint.hidden = !drawing;
    hint.classList.toggle("region-fault", this.crosses);
    if (this.crosses) hint.textContent = "The polygon crosses itself: take corners back with Undo.";
    else if (open.length) hint.textContent = "Click the next corner; click the first one again to close the polygon.";
    else if (polygons.length)
      hint.textContent = "Closed. Count only this, or click the first corner of another polygon.";
    else hint.textContent = `Click the first corner of what ${kind === "include" ? "counts" : "does not count"}.`;
    // Nothing comes and goes between two clicks: the picture would move away under the hand.
    one(tool, "[data-region-kind]").hidden = !drawing;
    for (const box of this.kinds) box.disabled = !drawing;
    this.offer("undo", drawing, open.length + polygons.length > 0);
    this.offer("close", drawing, open.length >= LEAST);
    this.offer("set", true, !drawing || (polygons.length > 0 && !open.length));
    for (const part of /** @type {NodeListOf<HTMLElement>} */ (tool.querySelectorAll("[data-region-fields]")))
      part.hidden = drawing;
    const field = /** @type {HTMLInputElement} */ (one(tool, "[name=region]"));
    const of = (/** @type {Kind} */ wanted) =>
      polygons.filter((polygon) => polygon.kind === wanted).map(({ ring }) => ring.map(({ x, y }) => [x, y]));
    field.value = polygons.length ? JSON.stringify({ include: of("include"), exclude: of("exclude") }) : "";
    viewer.sketch = drawing ? { polygons, open, kind } : null;
    viewer.invalidate();
  }
}

/**
 * The polygons of a region as it is kept.
 * @param {string} region as JSON
 * @returns {Polygon[]}
 */
function polygonsOf(region) {
  /** @type {Partial<Record<Kind, [number, number][][]>>} */
  const { include = [], exclude = [] } = JSON.parse(region);
  const of = (/** @type {[number, number][][]} */ rings, /** @type {Kind} */ kind) =>
    rings.map((ring) => ({ ring: ring.map(([x, y]) => ({ x, y })), kind }));
  return [...of(include, "include"), ...of(exclude, "exclude")];
}
