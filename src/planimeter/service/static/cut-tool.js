// @ts-check

import { drawn } from "./correction.js";
import { cut } from "./cut.js";
import { toPicture } from "./pens.js";

/** @typedef {import("./correction-editor.js").CorrectionEditor} CorrectionEditor */
/** @typedef {import("./zoomable-canvas.js").Point} Point */

/** Cuts the instances that a line goes all through: the chosen one, or else each of them. */
export class CutTool {
  /** @type {Point[]} */
  line = [];

  /** @param {CorrectionEditor} editor */
  constructor(editor) {
    this.editor = editor;
    this.stroke = {
      begin: (/** @type {Point} */ at) => this.extend(at),
      move: (/** @type {Point} */ at) => this.line.length && this.extend(at),
      end: () => this.end(),
      cancel: () => this.cancel(),
    };
  }

  get hint() {
    return this.editor.chosen === null
      ? "Draw a line through an instance, from one side to the other."
      : "Draw a line through the chosen instance, from one side to the other.";
  }

  /** @param {Point} at */
  extend(at) {
    this.line.push(at);
    this.editor.viewer.invalidate();
  }

  end() {
    const { editor, line } = this;
    const { chosen, items, picture } = editor;
    this.line = [];
    if (!line.length) return; // it was dropped
    const [xs, ys] = [line.map(({ x }) => x), line.map(({ y }) => y)];
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const made = [...items];
    let pieces = 0;
    for (const [place, item] of items.entries()) {
      const { mask } = item;
      const near = mask.left <= right && mask.right >= left && mask.top <= bottom && mask.bottom >= top;
      if (item.gone || !near || (chosen !== null && place !== chosen)) continue;
      const [first, ...others] = cut(mask, line, picture.height);
      if (!others.length) continue;
      pieces += 1 + others.length;
      made[place] = { ...item, mask: first, box: null };
      const enough = others.filter(({ area }) => area >= editor.basis.leastArea); // smaller ones do not count
      made.push(...enough.map((other) => drawn(item.classId, other, item.outsideOf)));
    }
    if (pieces) editor.change(made, chosen);
    else editor.viewer.invalidate();
    editor.panel.say(pieces ? `Cut into ${pieces} instances.` : "The line goes through no instance from side to side.");
  }

  /** Whether a line was dropped. */
  cancel() {
    const begun = this.line.length > 0;
    this.line = [];
    this.editor.viewer.invalidate();
    return begun;
  }

  /** @type {import("./picture-viewer.js").Drawing} */
  draw(pen, view, ratio) {
    if (this.line.length < 2) return;
    pen.save();
    toPicture(pen, view);
    pen.lineJoin = pen.lineCap = "round";
    pen.beginPath();
    for (const { x, y } of this.line) pen.lineTo(x, y);
    for (const [color, width] of /** @type {Array<[string, number]>} */ ([
      ["rgb(0 0 0 / 75%)", 4.5],
      ["#ff8a70", 2],
    ])) {
      pen.strokeStyle = color;
      pen.lineWidth = (width * ratio) / view.zoom;
      pen.stroke();
    }
    pen.restore();
  }
}
