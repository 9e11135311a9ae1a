// @ts-check
// The keys while a measurement is corrected.

/** @typedef {import("./correction-editor.js").CorrectionEditor} CorrectionEditor */
/** @typedef {import("./correction-tools.js").ToolName} ToolName */

const TYPING = "input:not([type=range], [type=checkbox]), select, textarea";
/** @type {Record<string, ToolName>} */
const TOOLS = { v: "choose", s: "segment", b: "brush", e: "eraser", p: "polygon", c: "cut", m: "join" };
const STEP = 1.25;

export class CorrectionKeys {
  /** @param {CorrectionEditor} editor */
  constructor(editor) {
    this.editor = editor;
    this.listening = new AbortController();
    const { signal } = this.listening;
    // Before the picture's own keys: 1 is then a class, not a zoom.
    document.addEventListener("keydown", (event) => this.type(event), { capture: true, signal });
    document.addEventListener("keyup", (event) => this.release(event), { capture: true, signal });
  }

  rest() {
    this.listening.abort();
  }

  /** @param {KeyboardEvent} event */
  type(event) {
    const at = event.target instanceof Element ? event.target : document.body;
    if (at.closest(TYPING) || event.altKey) return;
    const action = event.ctrlKey || event.metaKey ? this.withControl(event) : this.alone(event, at);
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {(() => void) | undefined}
   */
  withControl(event) {
    const { editor } = this;
    const key = event.key.toLowerCase();
    if (key === "z") return () => (event.shiftKey ? editor.redo() : editor.undo());
    if (key === "y") return () => editor.redo();
    if (key === "s") return () => editor.saving.save(false);
    return undefined;
  }

  /**
   * @param {KeyboardEvent} event
   * @param {Element} at
   * @returns {(() => void) | undefined}
   */
  alone(event, at) {
    const { editor } = this;
    const key = event.key.toLowerCase();
    if (key in TOOLS) return () => editor.hold(TOOLS[key]);
    const known = editor.basis.classes[Number(key) - 1];
    if (known && editor.basis.classes.length > 1) return () => editor.reclass(known.id);
    const onOwn = at.closest(".viewer-canvas, .table-scroll, input");
    const onButton = at.closest("button, summary, a[href], input");
    /** @type {Record<string, (() => void) | undefined>} */
    const actions = {
      "[": () => editor.resize(Math.min(editor.size - 1, editor.size / STEP)),
      "]": () => editor.resize(Math.max(editor.size + 1, editor.size * STEP)),
      n: () => editor.choose(null),
      r: editor.ghost === null ? undefined : () => editor.restore(),
      delete: () => editor.reject(),
      backspace: () => editor.tool.back?.() || editor.reject(),
      enter: onButton ? undefined : () => editor.tool.finish?.(),
      escape: () => editor.escape(),
      // They lead to other pictures in a review: not by mistake.
      arrowleft: onOwn ? undefined : () => {},
      arrowright: onOwn ? undefined : () => {},
      " ": onButton ? undefined : () => this.pan(true),
    };
    return actions[key];
  }

  /** @param {KeyboardEvent} event */
  release(event) {
    if (event.key === " " && this.editor.pans) this.pan(false);
  }

  /** While the space bar is held, a hand moves the picture. @param {boolean} pans */
  pan(pans) {
    this.editor.pans = pans;
    this.editor.viewer.canvas.classList.toggle("viewer-panning", pans);
  }
}
