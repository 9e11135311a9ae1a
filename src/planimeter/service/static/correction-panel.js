// @ts-check

import { one } from "./elements.js";
import { grouped, percent, signed } from "./numbers.js";

/** @typedef {import("./correction-editor.js").CorrectionEditor} CorrectionEditor */
/** @typedef {import("./correction-tools.js").ToolName} ToolName */

/** The bars above and below the picture while it is corrected: tools, what is drawn, and the percentage that comes of it. */
export class CorrectionPanel {
  /** @param {CorrectionEditor} editor */
  constructor(editor) {
    this.editor = editor;
    this.bar = one(editor.view, "[data-correct-bar]");
    this.foot = one(editor.view, "[data-correct-foot]");
    this.listening = new AbortController();
    this.bar.hidden = this.foot.hidden = false;
    this.offerClasses();
    const { signal } = this.listening;
    for (const button of this.tools) {
      const hold = (/** @type {MouseEvent} */ event) => {
        editor.hold(/** @type {ToolName} */ (button.dataset.correctTool));
        if (event.detail) editor.viewer.canvas.focus({ preventScroll: true }); // by a hand: its keys are the picture's
      };
      button.addEventListener("click", hold, { signal });
    }
    this.act("undo", () => editor.undo());
    this.act("redo", () => editor.redo());
    this.act("reject", () => editor.reject());
    this.act("restore", () => editor.restore());
    this.act("new", () => editor.choose(null));
    this.act("finish", () => editor.tool.finish?.());
    this.field("class").addEventListener("change", () => editor.reclass(Number(this.field("class").value)), { signal });
    this.field("size").addEventListener("input", () => editor.resize(sizeAt(Number(this.field("size").value))), {
      signal,
    });
    this.field("tolerance").addEventListener(
      "input",
      () => {
        editor.tolerance = Number(this.field("tolerance").value);
        editor.tools.segment.regrow();
        this.write();
      },
      { signal },
    );
  }

  rest() {
    this.listening.abort();
    this.bar.hidden = this.foot.hidden = true;
  }

  get tools() {
    return /** @type {NodeListOf<HTMLButtonElement>} */ (this.bar.querySelectorAll("[data-correct-tool]"));
  }

  /** @param {string} name */
  button(name) {
    return /** @type {HTMLButtonElement} */ (one(this.editor.view, `[data-correct-act=${name}]`));
  }

  /** @param {string} name */
  field(name) {
    return /** @type {HTMLInputElement | HTMLSelectElement} */ (one(this.bar, `[data-correct-field=${name}]`));
  }

  /** @param {string} name @param {() => void} action */
  act(name, action) {
    this.button(name).addEventListener("click", action, { signal: this.listening.signal });
  }

  offerClasses() {
    const { classes } = this.editor.basis;
    const options = classes.map(
      ({ id, name }, place) => new Option(place < 9 ? `${name} (${place + 1})` : name, String(id)),
    );
    this.field("class").replaceChildren(...options);
    one(this.bar, "[data-correct-shown=class]").hidden = classes.length < 2;
  }

  /** Say something that is no figure; the next change takes its place. @param {string} text */
  say(text) {
    one(this.bar, "[data-correct-hint]").textContent = text || this.editor.tool.hint;
  }

  /** Let all of it follow. */
  write() {
    const { editor } = this;
    const { chosen, ghost, tool, name, stack } = editor;
    for (const button of this.tools) button.setAttribute("aria-pressed", String(button.dataset.correctTool === name));
    this.button("undo").disabled = !stack.canUndo;
    this.button("redo").disabled = !stack.canRedo;
    this.button("reject").disabled = chosen === null;
    this.button("restore").disabled = ghost === null;
    this.button("new").disabled = chosen === null;
    const polygon = name === "polygon";
    this.button("finish").hidden = !polygon;
    const painting = name === "brush" || name === "eraser";
    one(this.bar, "[data-correct-shown=size]").hidden = !painting;
    one(this.bar, "[data-correct-shown=tolerance]").hidden = name !== "segment";
    this.field("size").value = String(placeOf(editor.size));
    one(this.bar, "[data-correct-size]").textContent = `${editor.size} px`;
    this.field("class").value = String(chosen === null ? editor.classId : editor.items[chosen].classId);
    one(this.bar, "[data-correct-swatch]").style.background = editor.colorOf(Number(this.field("class").value));
    one(this.bar, "[data-correct-hint]").textContent = tool.hint;
    this.tell(editor.coverage.masked);
    editor.saving.write();
  }

  /** Write the percentage. @param {number} masked pixels */
  tell(masked) {
    const { pixels, answer } = this.editor.basis;
    const measured = answer.coverage.percent_masked;
    const value = pixels ? (100 * masked) / pixels : null;
    const write = (/** @type {string} */ name, /** @type {string} */ text) => {
      one(this.foot, `[data-correct-figure=${name}]`).textContent = text;
    };
    write("measured", percent(measured));
    write("corrected", percent(value));
    write("masked", grouped(masked));
    write("points", measured === null || value === null ? "" : `${signed(value - measured)} points`);
  }
}

/** Sizes as a slider has them: each step is the same share. */
const STEPS_A_DOUBLING = 8;

/** @param {number} place */
function sizeAt(place) {
  return 2 ** (place / STEPS_A_DOUBLING);
}

/** @param {number} size */
function placeOf(size) {
  return Math.round(STEPS_A_DOUBLING * Math.log2(size));
}
