// @ts-check

import { union } from "./rle.js";

/** @typedef {import("./correction-editor.js").CorrectionEditor} CorrectionEditor */
/** @typedef {import("./zoomable-canvas.js").Point} Point */

/** Chooses an instance by a click, also a rejected one. */
export class ChooseTool {
  /** @param {CorrectionEditor} editor */
  constructor(editor) {
    this.editor = editor;
  }

  get hint() {
    if (this.editor.ghost !== null) return "Rejected: it does not count.";
    return this.editor.chosen === null
      ? "Click an instance to choose it. Dashed ones were rejected."
      : "Reject it, change its class, or go over it with brush or eraser.";
  }

  /** @param {Point | null} at */
  point(at) {
    const { viewer } = this.editor;
    viewer.point(viewer.at(at));
  }

  /** @param {Point} at */
  click(at) {
    const { editor } = this;
    const place = editor.itemAt(at);
    if (place !== null) editor.choose(place === editor.chosen ? null : place);
    else {
      const ghost = editor.itemAt(at, true);
      editor.choose(ghost === editor.ghost ? null : ghost, ghost !== null && ghost !== editor.ghost);
    }
  }
}

/** Makes one instance of several: the chosen one takes in those that are clicked. */
export class JoinTool {
  /** @param {CorrectionEditor} editor */
  constructor(editor) {
    this.editor = editor;
  }

  get hint() {
    return this.editor.chosen === null
      ? "Click the first of those that are one."
      : "Click another one: both become one instance.";
  }

  /** @param {Point | null} at */
  point(at) {
    const { viewer } = this.editor;
    viewer.point(viewer.at(at));
  }

  /** @param {Point} at */
  click(at) {
    const { editor } = this;
    const { chosen, items, picture } = editor;
    const other = editor.itemAt(at);
    if (other === null) return;
    if (chosen === null || other === chosen) {
      editor.choose(chosen === other ? null : other);
      return;
    }
    const mask = union([items[chosen].mask, items[other].mask], picture.height);
    const outsideOf = [...new Set([...items[chosen].outsideOf, ...items[other].outsideOf])];
    const joined = items
      .with(chosen, { ...items[chosen], mask, box: null, outsideOf })
      .with(other, { ...items[other], gone: true });
    editor.change(joined, chosen);
  }
}
