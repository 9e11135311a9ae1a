// @ts-check

import { LiveStroke } from "./live-stroke.js";
import { same, union } from "./rle.js";

/** @typedef {import("./correction-editor.js").CorrectionEditor} CorrectionEditor */
/** @typedef {import("./zoomable-canvas.js").Point} Point */

/** A round brush that adds to the chosen instance, or begins a new one; as an eraser it takes away. */
export class PaintTool {
  /** @type {Point | null} where it hovers */
  at = null;
  /** @type {number | null} the place of what it goes over */
  place = null;
  /** How many pixels were masked before it. */
  masked = 0;

  /**
   * @param {CorrectionEditor} editor
   * @param {boolean} erases
   */
  constructor(editor, erases) {
    this.editor = editor;
    this.erases = erases;
    this.stroke = {
      begin: (/** @type {Point} */ at) => this.begin(at),
      move: (/** @type {Point} */ at) => this.move(at),
      end: () => this.end(),
      cancel: () => this.cancel(),
    };
  }

  get hint() {
    const { chosen } = this.editor;
    if (this.erases)
      return chosen === null ? "Erase from the instance it begins on." : "Erase from the chosen instance.";
    return chosen === null ? "Paint a new instance." : "Paint on the chosen instance; New begins another one.";
  }

  /** @param {Point | null} at */
  point(at) {
    this.at = at;
    this.editor.viewer.invalidate();
  }

  /** @param {Point} at */
  begin(at) {
    const { editor, erases } = this;
    this.at = at;
    const place = editor.chosen ?? (erases ? editor.itemAt(at) : null);
    if (erases && place === null) {
      editor.panel.say("Nothing lies there. Begin on an instance, or choose one first.");
      return;
    }
    const { picture, size } = editor;
    const { counted } = editor.basis;
    const mask = place === null ? union([], picture.height) : editor.items[place].mask;
    const color = place === null ? editor.colorOf(editor.classId) : editor.view.entries[place].color;
    const others = editor.others(place);
    this.place = place;
    this.masked = editor.coverage.masked;
    editor.lift(place);
    editor.live = new LiveStroke({ mask, others, counted, color, erases, radius: size / 2, picture }, at);
    this.tell();
  }

  /** @param {Point} at */
  move(at) {
    this.at = at;
    this.editor.live?.extend(at);
    this.tell();
  }

  /** Say what the percentage is by now. */
  tell() {
    const { editor } = this;
    if (editor.live) editor.panel.tell(this.masked + editor.live.gained);
    editor.viewer.invalidate();
  }

  end() {
    const { editor, place } = this;
    const { live } = editor;
    if (!live) return;
    editor.live = null;
    const { mask } = live;
    if (place !== null && same(mask, editor.items[place].mask)) this.drop();
    else editor.put(place, mask);
  }

  /** Whether a stroke was dropped. */
  cancel() {
    if (!this.editor.live) return false;
    this.drop();
    return true;
  }

  drop() {
    const { editor } = this;
    editor.live = null;
    editor.view.draw();
    editor.panel.write();
  }

  /** @type {import("./picture-viewer.js").Drawing} */
  draw(pen, view, ratio) {
    if (!this.at) return;
    const { width, height } = pen.canvas;
    const x = (this.at.x - view.x) * view.zoom + width / 2;
    const y = (this.at.y - view.y) * view.zoom + height / 2;
    pen.save();
    pen.beginPath();
    pen.arc(x, y, Math.max(1.5 * ratio, (this.editor.size / 2) * view.zoom), 0, 2 * Math.PI);
    for (const [color, line] of /** @type {Array<[string, number]>} */ ([
      ["rgb(0 0 0 / 70%)", 3],
      ["#fff", 1.25],
    ])) {
      pen.strokeStyle = color;
      pen.lineWidth = line * ratio;
      pen.stroke();
    }
    pen.restore();
  }
}
