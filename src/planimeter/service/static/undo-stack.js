// @ts-check

/**
 * The states of something that hands change, of which one is now. States are never copied: they share what did not change.
 * @template State
 */
export class UndoStack {
  /** @param {State} first */
  constructor(first) {
    this.states = [first];
    this.at = 0;
  }

  get now() {
    return this.states[this.at];
  }

  get canUndo() {
    return this.at > 0;
  }

  get canRedo() {
    return this.at < this.states.length - 1;
  }

  /** @param {State} state */
  push(state) {
    this.states.splice(this.at + 1, Number.POSITIVE_INFINITY, state);
    this.at++;
  }

  /**
   * Let another state take the place of the one that is now.
   * @param {State} state
   */
  replace(state) {
    if (this.canUndo) this.at--;
    this.push(state);
  }

  undo() {
    if (this.canUndo) this.at--;
  }

  redo() {
    if (this.canRedo) this.at++;
  }
}
