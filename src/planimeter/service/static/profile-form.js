// @ts-check

import { one } from "./elements.js";

/** Signs of the figures that have no unit to choose. */
const SIGNS = /** @type {Record<string, string>} */ ({ percent_masked: "%" });

/**
 * `<profile-form>` around the form of a profile: rows of rules are added and removed, and only the classes of the chosen
 * model can be chosen.
 */
class ProfileForm extends HTMLElement {
  connectedCallback() {
    const rows = [...this.querySelectorAll("[data-rule]")];
    this.blank = /** @type {HTMLElement} */ (rows.at(-1)?.cloneNode(true)); // the last one is always empty
    const filled = rows.filter((row) => limitOf(row).value);
    for (const row of rows) if (!filled.includes(row)) row.remove();
    if (!filled.length) this.add();
    one(this, "[data-rule-add]").addEventListener("click", () => {
      this.add().querySelector("select")?.focus();
    });
    this.addEventListener("click", ({ target }) => {
      if (!(target instanceof HTMLElement) || !("ruleRemove" in target.dataset)) return;
      target.closest("[data-rule]")?.remove();
      one(this, "[data-rule-add]").focus();
    });
    this.addEventListener("change", () => this.follow());
    this.follow();
  }

  add() {
    const row = /** @type {HTMLElement} */ (this.blank?.cloneNode(true));
    one(this, "[data-rules]").append(row);
    this.follow();
    return row;
  }

  /** Let classes follow the model, and units their figures. */
  follow() {
    const model = /** @type {HTMLSelectElement} */ (one(this, "[data-model]")).value;
    for (const part of /** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll("[data-models]"))) {
      const known = !model || (part.dataset.models ?? "").split(" ").includes(model);
      const chosen = part instanceof HTMLOptionElement ? part.selected : part.querySelector(":checked") !== null;
      part.hidden = !known && !chosen; // what is chosen stays in sight: the service says what is wrong with it
    }
    for (const row of this.querySelectorAll("[data-rule]")) {
      const figure = /** @type {HTMLSelectElement} */ (one(row, "[name=rule_figure]"));
      const inUnits = figure.selectedOptions[0]?.dataset.inUnits !== undefined;
      const unit = /** @type {HTMLSelectElement} */ (one(row, "[name=rule_unit]"));
      unit.hidden = !inUnits;
      const square = figure.value === "largest_area" ? "²" : "";
      for (const option of unit.options) {
        if (option.dataset.symbol) option.textContent = `${option.dataset.symbol}${square}`;
      }
      const sign = one(row, "[data-rule-sign]");
      sign.hidden = inUnits;
      sign.textContent = SIGNS[figure.value] ?? "";
    }
  }
}

/** @param {Element} row */
function limitOf(row) {
  return /** @type {HTMLInputElement} */ (one(row, "[name=rule_limit]"));
}

customElements.define("profile-form", ProfileForm);
