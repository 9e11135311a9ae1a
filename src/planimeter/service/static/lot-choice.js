// @ts-check

import { recall, remember } from "./memory.js";

const NAMES = ["lot", "of_sample"];

/**
 * Let the browser remember lot and sample, and say them also where their fields are folded: they count for every picture.
 * @param {HTMLFormElement} form
 */
export function rememberLot(form) {
  const fields = NAMES.map((name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name)));
  const given = form.querySelector("[data-lot-given]");
  const say = () => {
    const said = fields.map((field) => field.value.trim()).filter(Boolean);
    if (given) given.textContent = said.length ? `: ${said.join(", ")}` : "";
  };
  for (const field of fields) {
    if (!field.value) field.value = recall(`planimeter-${field.name}`) ?? "";
    field.addEventListener("input", () => {
      remember(`planimeter-${field.name}`, field.value);
      say();
    });
  }
  say();
}
