// @ts-check
// The size of a pixel, by a scale bar that is drawn on the picture: two points and what lies between them.

import { one } from "./elements.js";
import { decimals } from "./numbers.js";
import { lengthOf, withNearerEnd } from "./scale-bar.js";
import { drawOnStage } from "./stage.js";

/** @typedef {import("./picture-viewer.js").PictureViewer} PictureViewer */
/** @typedef {import("./scale-bar.js").Line} Line */
/** @typedef {import("./zoomable-canvas.js").Point} Point */

const SHORTEST = 2;

/**
 * @param {HTMLElement} page
 * @param {PictureViewer} viewer
 */
export function connectScaleTool(page, viewer) {
  const tool = /** @type {HTMLDetailsElement} */ (one(page, ".scale-tool"));
  new ScaleTool(tool, viewer);
}

class ScaleTool {
  /** @type {Point | null} */
  first = null;
  /** @type {Line | null} */
  line = null;
  /** @type {import("./picture-viewer.js").Placing | null} */
  placing = null;

  /**
   * @param {HTMLDetailsElement} tool
   * @param {PictureViewer} viewer
   */
  constructor(tool, viewer) {
    this.tool = tool;
    this.viewer = viewer;
    this.button = one(tool, "[data-scale-draw]");
    this.button.addEventListener("click", () => (this.placing ? this.end() : this.begin()));
    tool.addEventListener("toggle", () => tool.open || this.end());
    tool.addEventListener("keydown", (event) => event.key === "Escape" && this.end());
    const [x0, y0, x1, y1] = (tool.dataset.drawn ?? "").split(",").map(Number);
    if (![x0, y0, x1, y1].every(Number.isFinite)) return;
    this.begin(); // with the bar that the service refused
    this.line = viewer.bar = { from: { x: x0, y: y0 }, to: { x: x1, y: y1 } };
    this.write();
  }

  begin() {
    const { viewer } = this;
    this.placing = { point: (at) => this.point(at), choose: (at) => (at ? this.place(at) : this.end()) };
    viewer.placing = this.placing;
    viewer.canvas.classList.add("viewer-placing");
    viewer.point(null);
    this.first = this.line = null;
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
    this.placing = viewer.bar = null;
    this.first = this.line = null;
    drawOnStage(viewer, false);
    this.write();
  }

  /** @param {Point | null} at */
  point(at) {
    if (!this.first || this.line || !at) return;
    this.viewer.bar = { from: this.first, to: this.viewer.nearest(at) };
    this.viewer.invalidate();
  }

  /** @param {Point} at */
  place(at) {
    const end = this.viewer.nearest(at);
    if (this.line) this.line = withNearerEnd(this.line, end);
    else if (!this.first) this.first = end;
    else if (lengthOf({ from: this.first, to: end }) >= SHORTEST) this.line = { from: this.first, to: end };
    this.viewer.bar = this.line ?? (this.first && { from: this.first, to: this.first });
    this.write();
  }

  /** Let the form say what is drawn, and ask for what is missing. */
  write() {
    const { tool, viewer, line } = this;
    const placing = this.placing !== null;
    this.button.setAttribute("aria-pressed", String(placing));
    this.button.textContent = placing ? "Cancel the scale bar" : "Draw a scale bar";
    const hint = one(tool, "[data-scale-hint]");
    hint.hidden = !placing;
    if (line) hint.textContent = `${decimals(lengthOf(line), 1)} pixels long. Another click moves the nearer end.`;
    else if (this.first) hint.textContent = "Now click the other end.";
    else hint.textContent = "Click one end of something in the picture whose length you know. Zoom in to be exact.";
    field(tool, "line").value = line ? [line.from.x, line.from.y, line.to.x, line.to.y].join(",") : "";
    one(tool, "[data-scale-by=unit]").hidden = placing && !line;
    const by = { length: Boolean(line), size: !placing };
    for (const [name, shown] of Object.entries(by)) {
      const label = one(tool, `[data-scale-by=${name}]`);
      const input = /** @type {HTMLInputElement} */ (one(label, "input"));
      label.hidden = input.disabled = !shown;
      input.required = shown;
      if (name === "length" && shown && document.activeElement !== input) input.focus({ preventScroll: true });
    }
    one(tool, "[type=submit]:not([name])").hidden = placing && !line;
    viewer.invalidate();
  }
}

/**
 * @param {Element} form
 * @param {string} name
 */
function field(form, name) {
  return /** @type {HTMLInputElement} */ (one(form, `[name=${name}]`));
}
