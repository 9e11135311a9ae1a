// @ts-check

import { fillPolygon } from "./polygon-fill.js";
import { union } from "./rle.js";

/** @typedef {import("./correction-editor.js").CorrectionEditor} CorrectionEditor */
/** @typedef {import("./zoomable-canvas.js").Point} Point */

const NEAR = 12;
const LEAST = 3;

/** Draws an instance corner by corner. */
export class PolygonTool {
  /** @type {Point[]} */
  corners = [];

  /** @param {CorrectionEditor} editor */
  constructor(editor) {
    this.editor = editor;
  }

  get hint() {
    if (!this.corners.length)
      return this.editor.chosen === null
        ? "Click the first corner of a new instance."
        : "Click the first corner of what is added to the chosen instance; New begins another one.";
    return this.corners.length < LEAST
      ? "Click the next corner; Backspace takes one back."
      : "Click the next corner, or the first one again or Enter to close it.";
  }

  /** @param {Point | null} at */
  point(at) {
    if (at && this.corners.length) this.sketch([...this.corners, this.editor.viewer.nearest(at)]);
  }

  /** @param {Point} at */
  click(at) {
    const { viewer } = this.editor;
    const corner = viewer.nearest(at);
    const near = (NEAR * viewer.ratio) / viewer.view.zoom;
    const isNear = (/** @type {Point | undefined} */ other) =>
      other !== undefined && Math.hypot(other.x - corner.x, other.y - corner.y) < near;
    if (this.corners.length >= LEAST && isNear(this.corners[0])) {
      this.finish();
      return;
    }
    const last = this.corners.at(-1);
    if (last?.x !== corner.x || last?.y !== corner.y) this.corners.push(corner);
    this.show();
  }

  /** Close the polygon. */
  finish() {
    const { editor, corners } = this;
    if (corners.length < LEAST) return;
    const { chosen, items, picture } = editor;
    const filled = fillPolygon(corners, picture);
    this.corners = [];
    this.show();
    editor.put(chosen, chosen === null ? filled : union([items[chosen].mask, filled], picture.height));
  }

  /** Take the last corner back; whether there was one. */
  back() {
    const begun = this.corners.length > 0;
    this.corners.pop();
    if (begun) this.show();
    return begun;
  }

  /** Whether a polygon was dropped. */
  cancel() {
    const begun = this.corners.length > 0;
    this.corners = [];
    if (begun) this.show();
    return begun;
  }

  show() {
    this.sketch(this.corners);
    this.editor.panel.write();
  }

  /** @param {Point[]} open */
  sketch(open) {
    const { viewer } = this.editor;
    viewer.sketch = open.length ? { polygons: [], open, kind: "include" } : null;
    viewer.invalidate();
  }
}
