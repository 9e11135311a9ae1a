// @ts-check
// What of a picture counts, by polygons that are drawn on it corner by corner.

import { one } from "./elements.js";

/** @typedef {import("./picture-viewer.js").PictureViewer} PictureViewer */
/** @typedef {import("./picture-viewer.js").Placing} Placing */
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
  /** @type {Point[][]} */
  polygons = [];
  /** @type {Point[]} */
  open = [];
  /** @type {Placing | null} */
  placing = null;

  /**
   * @param {HTMLDetailsElement} tool
   * @param {PictureViewer} viewer
   */
  constructor(tool, viewer) {
    this.tool = tool;
    this.viewer = viewer;
    this.button = one(tool, "[data-region-draw]");
    this.button.addEventListener("click", () => (this.placing ? this.end() : this.begin()));
    one(tool, "[data-region-close]").addEventListener("click", () => this.close());
    tool.addEventListener("toggle", () => tool.open || this.end());
    tool.addEventListener("keydown", (event) => event.key === "Escape" && this.end());
  }

  begin() {
    const { viewer } = this;
    this.placing = { point: (at) => this.point(at), choose: (at) => (at ? this.place(at) : this.end()) };
    viewer.placing = this.placing;
    viewer.bar = null;
    viewer.canvas.classList.add("viewer-placing");
    viewer.point(null);
    this.polygons = [];
    this.open = [];
    viewer.scrollIntoView({ block: "nearest" });
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
    this.write();
  }

  /** @param {Point | null} at */
  point(at) {
    if (!this.open.length || !at) return;
    this.viewer.sketch = { polygons: this.polygons, open: [...this.open, this.viewer.nearest(at)] };
    this.viewer.invalidate();
  }

  /** @param {Point} at */
  place(at) {
    const corner = this.viewer.nearest(at);
    const { open, viewer } = this;
    const near = (NEAR * viewer.ratio) / viewer.view.zoom;
    const isNear = (/** @type {Point | undefined} */ other) =>
      other !== undefined && Math.hypot(other.x - corner.x, other.y - corner.y) < near;
    if (open.length >= LEAST && isNear(open[0])) this.close();
    else if (!isNear(open.at(-1))) open.push(corner);
    this.write();
  }

  /** Let the next corner begin another polygon. */
  close() {
    if (this.open.length < LEAST) return;
    this.polygons.push(this.open);
    this.open = [];
    this.write();
  }

  /** Let the form say what is drawn, and ask for what is missing. */
  write() {
    const { tool, viewer, polygons, open } = this;
    const drawing = this.placing !== null;
    this.button.setAttribute("aria-pressed", String(drawing));
    this.button.textContent = drawing ? "Cancel the region" : "Draw a region";
    const hint = one(tool, "[data-region-hint]");
    hint.hidden = !drawing;
    if (open.length) hint.textContent = "Click the next corner; click the first one again to close the polygon.";
    else if (polygons.length)
      hint.textContent = "Closed. Count only this, or click the first corner of another polygon.";
    else hint.textContent = "Click the first corner of what counts.";
    one(tool, "[data-region-close]").hidden = open.length < LEAST;
    one(tool, "[data-region-set]").hidden = !polygons.length || open.length > 0;
    const include = polygons.map((ring) => ring.map(({ x, y }) => [x, y]));
    const field = /** @type {HTMLInputElement} */ (one(tool, "[name=region]"));
    field.value = include.length ? JSON.stringify({ include }) : "";
    viewer.sketch = drawing ? { polygons, open } : null;
    viewer.invalidate();
  }
}
