// @ts-check

import { recall, remember } from "./memory.js";

const MEMORY = "planimeter-model";

/**
 * Let the browser remember the model that is chosen, and the field of the threshold say the default of that. A model that
 * the address asks for is taken instead.
 * @param {HTMLFormElement} form
 */
export function rememberModel(form) {
  const choices = [.../** @type {NodeListOf<HTMLInputElement>} */ (form.querySelectorAll("input[name=model]"))];
  const threshold = form.querySelector("input[name=score_threshold]");
  const follow = () => {
    const chosen = choices.find((choice) => choice.checked);
    threshold?.setAttribute("placeholder", chosen?.dataset.threshold ?? "");
    offerClasses(form);
    return chosen;
  };
  const remembered = choices.find((choice) => choice.value === recall(MEMORY));
  if (remembered && !new URLSearchParams(location.search).has("model")) remembered.checked = true;
  for (const choice of choices) {
    choice.addEventListener("change", () => {
      const chosen = follow();
      if (chosen) remember(MEMORY, chosen.value);
    });
  }
  follow();
}

/**
 * Let percentages be of the classes of the chosen model only, and say which is chosen also where the list is folded.
 * @param {HTMLFormElement} form
 */
export function offerClasses(form) {
  const model = /** @type {HTMLInputElement | null} */ (form.querySelector("input[name=model]:checked"))?.value;
  const place = form.querySelector(".choice-of");
  const list = place?.querySelector("select");
  if (!(place instanceof HTMLElement) || !list) return;
  const say = () => {
    const given = place.querySelector("[data-of-given]");
    if (given) given.textContent = list.value ? ` the ${list.value}` : "";
  };
  let offered = false;
  for (const group of list.querySelectorAll("optgroup")) {
    const own = group.dataset.model === model;
    offered ||= own;
    group.hidden = group.disabled = !own;
    if (!own && list.selectedOptions[0]?.parentElement === group) list.value = "";
  }
  place.hidden = !offered;
  list.onchange = say;
  say();
}
