// @ts-check

import { loadAnswer } from "./corrected.js";
import { applied, countChanges } from "./correction.js";
import { basisOf } from "./correction-basis.js";
import { draftOf } from "./correction-draft.js";
import { one } from "./elements.js";
import { sentence } from "./sentence.js";
import { UndoStack } from "./undo-stack.js";

/** @typedef {import("./correction-editor.js").CorrectionEditor} CorrectionEditor */

const MEANWHILE = "corrected_meanwhile";
const KEEP_MS = 400;

/** Saves a correction, keeps one that is not saved, and asks before it is dropped. */
export class CorrectionSaving {
  busy = false;
  saved = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  keeping;

  /** @param {CorrectionEditor} editor */
  constructor(editor) {
    this.editor = editor;
    this.draft = draftOf(editor.view);
    this.form = /** @type {HTMLFormElement} */ (one(editor.view, "[data-correct-foot]"));
    this.listening = new AbortController();
    const { signal } = this.listening;
    const on = (/** @type {string} */ name, /** @type {() => void} */ action) =>
      one(this.form, `[data-correct-act=${name}]`).addEventListener("click", action, { signal });
    this.form.addEventListener("submit", (event) => event.preventDefault(), { signal });
    on("save", () => this.save(false));
    on("review", () => this.save(true));
    on("leave", () => this.leave());
    on("theirs", () => this.follow(true));
    on("mine", () => this.follow(false));
    this.reason.addEventListener("input", () => this.keep(), { signal });
    addEventListener("beforeunload", (event) => this.mayLeave || event.preventDefault(), { signal });
    editor.view.addEventListener("view-leaving", (event) => this.leave() || event.preventDefault(), { signal });
  }

  get reason() {
    return /** @type {HTMLInputElement} */ (one(this.form, "[name=reason]"));
  }

  /** The number of the correction that this one follows. */
  get after() {
    return this.editor.basis.number;
  }

  get mayLeave() {
    return this.saved || !this.editor.changed;
  }

  /** Let a correction that was not saved be there again. */
  restore() {
    const { editor } = this;
    const draft = this.draft.recall();
    this.reason.value = draft?.reason ?? "";
    if (!draft) return;
    const items = applied(editor.basis.items, draft.changes, editor.view.classes);
    editor.stack.push(items);
    this.tell(
      draft.after === this.after
        ? "What was not saved is here again; undo takes it back."
        : "What was not saved is here again, on top of what was saved since; undo takes it back.",
    );
  }

  /** Keep what is not saved, once hands rest. */
  keep() {
    clearTimeout(this.keeping);
    this.keeping = setTimeout(() => this.keepNow(), KEEP_MS);
  }

  keepNow() {
    const { changes } = this.editor;
    this.draft.keep(countChanges(changes) ? { after: this.after, changes, reason: this.reason.value } : null);
  }

  /** Whether nothing is changed since a person said that all is right. */
  get isReviewed() {
    return Boolean(this.editor.basis.answer.corrected?.reviewed) && !this.editor.changed;
  }

  /** Let the buttons say what can be saved. */
  write() {
    const { editor, isReviewed } = this;
    const count = countChanges(editor.changes);
    const button = (/** @type {string} */ name) =>
      /** @type {HTMLButtonElement} */ (one(this.form, `[data-correct-act=${name}]`));
    button("save").disabled = this.busy || (!count && !isReviewed);
    button("save").classList.toggle("button-primary", !isReviewed);
    button("save").textContent = isReviewed ? "Not reviewed after all" : "Save correction";
    button("review").disabled = this.busy || isReviewed;
    button("review").textContent = count ? "Save and mark as reviewed" : isReviewed ? "Reviewed" : "Mark as reviewed";
    one(this.form, "[data-correct-count]").textContent = count === 1 ? "1 change" : `${count} changes`;
  }

  /** @param {boolean} complete whether all of the picture is right */
  async save(complete) {
    const { editor } = this;
    const { changes } = editor;
    if (this.busy || (!complete && !countChanges(changes) && !this.isReviewed)) return;
    this.busy = true;
    this.tell("");
    this.write();
    const body = { after: this.after, ...changes, reason: this.reason.value, complete };
    const answer = await fetch(editor.view.dataset.corrections ?? "", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json", "Planimeter-Page": "1" },
      body: JSON.stringify(body),
    }).catch(() => null);
    /** @type {{error?: {code: string, message: string}} | null} */
    const said = await (answer?.json().catch(() => null) ?? null);
    this.busy = false;
    if (answer?.status === 201) {
      this.forget();
      location.assign(this.pageOf(location.href));
      return;
    }
    if (said?.error?.code === MEANWHILE) this.meet();
    else if (said?.error) this.tell(sentence(said.error.message), true);
    else this.tell("It could not be saved: the service cannot be reached. Nothing is lost; try again.", true);
    this.write();
  }

  /**
   * The address of the page with what is corrected.
   * @param {string} address
   */
  pageOf(address) {
    const url = new URL(address);
    for (const name of ["figures", "score_threshold"]) url.searchParams.delete(name);
    url.hash = "";
    return url.href;
  }

  /** Somebody else was faster: let the person choose. */
  async meet() {
    const theirs = await loadAnswer(this.editor.view).catch(() => null);
    if (!theirs) {
      this.tell("Somebody else corrected this meanwhile, and it cannot be loaded. Nothing is lost; try again.", true);
      return;
    }
    this.theirs = theirs;
    const by = theirs.corrected?.by ?? "Somebody else";
    this.tell(`${by} corrected this meanwhile. Nothing of yours was saved, and nothing is lost.`, true);
    const ways = one(this.form, "[data-correct-conflict]");
    ways.hidden = false;
    ways.scrollIntoView({ block: "nearest" });
  }

  /** Go on from what others saved. @param {boolean} alone without what was changed here */
  follow(alone) {
    const { editor, theirs } = this;
    if (!theirs) return;
    const { changes } = editor;
    one(this.form, "[data-correct-conflict]").hidden = true;
    editor.basis = basisOf(theirs, editor.view.classes, editor.picture.height);
    editor.stack = new UndoStack(editor.basis.items);
    const mine = applied(editor.basis.items, changes, editor.view.classes);
    // Their state, and mine on it: undo and redo lead from one to the other.
    editor.stack.push(mine);
    if (alone) editor.stack.undo();
    editor.render(null);
    clearTimeout(this.keeping); // mine is kept, also where theirs is shown, until one of them goes on
    this.draft.keep({ after: this.after, changes, reason: this.reason.value });
    this.tell(
      alone
        ? "This is theirs. Redo brings yours back on top of it."
        : "Yours is on top of theirs. Look at it, and save it.",
    );
  }

  /** What was said is over, once it is gone on; but not what is asked. */
  quiet() {
    if (one(this.form, "[data-correct-conflict]").hidden) this.tell("");
  }

  /** @param {string} text @param {boolean} alarming */
  tell(text, alarming = false) {
    const note = one(this.form, "[data-correct-note]");
    note.textContent = text;
    note.hidden = !text;
    note.classList.toggle("problem", alarming);
    note.classList.toggle("note", !alarming);
  }

  /** Whether the page may be left, if need be after asking. */
  ask() {
    const count = countChanges(this.editor.changes);
    const said = count === 1 ? "1 change is" : `${count} changes are`;
    if (!this.mayLeave && !confirm(`${said} not saved. Drop ${count === 1 ? "it" : "them"}?`)) return false;
    this.forget();
    return true;
  }

  /** Leave the tools, if need be after asking; whether they are left. */
  leave() {
    const may = this.ask();
    if (may) this.editor.leave();
    return may;
  }

  forget() {
    this.saved = true;
    clearTimeout(this.keeping);
    this.draft.keep(null);
  }

  rest() {
    clearTimeout(this.keeping);
    this.tell("");
    one(this.form, "[data-correct-conflict]").hidden = true;
    this.reason.value = "";
    this.listening.abort();
  }
}
