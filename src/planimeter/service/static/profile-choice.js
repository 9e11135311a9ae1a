// @ts-check

import { one } from "./elements.js";
import { recall, remember } from "./memory.js";
import { offerClasses } from "./model-choice.js";

const MEMORY = "planimeter-profile";

/**
 * Let the browser remember the profile that is chosen, here or by the address. What it fixes cannot be chosen beside it. An
 * address that asks for a model takes no profile. One that is gone is named until another is chosen.
 * @param {HTMLFormElement} form
 */
export function rememberProfile(form) {
  const choice = /** @type {HTMLSelectElement | null} */ (form.querySelector("select[name=profile]"));
  const gone = one(form, "[data-profile-gone]");
  const asked = new URLSearchParams(location.search);
  const remembered = asked.has("model") ? null : recall(MEMORY);
  if (asked.get("profile")) {
    if (gone.hidden) remember(MEMORY, choice?.value ?? "");
  } else if (choice && [...choice.options].some((option) => option.value === remembered)) {
    choice.value = remembered ?? "";
  } else if (remembered) {
    one(gone, "[data-profile-gone-name]").textContent = remembered;
    gone.hidden = false;
  }
  const choose = () => {
    gone.hidden = true;
    remember(MEMORY, choice?.value ?? "");
    follow(form, choice);
  };
  choice?.addEventListener("change", choose);
  one(gone, "[data-profile-without]").addEventListener("click", choose);
  follow(form, choice);
}

/**
 * @param {HTMLFormElement} form
 * @param {HTMLSelectElement | null} choice null where there are no profiles
 */
function follow(form, choice) {
  const { model, threshold, size, of, says } = choice?.selectedOptions[0]?.dataset ?? {};
  for (const radio of /** @type {NodeListOf<HTMLInputElement>} */ (form.querySelectorAll("input[name=model]"))) {
    radio.disabled = Boolean(model);
    if (model) radio.checked = radio.value === model;
  }
  able(form, "score_threshold", threshold === undefined);
  able(form, "pixel_size", size === undefined);
  able(form, "unit", size === undefined);
  offerClasses(form);
  able(form, "of", of === undefined);
  const words = /** @type {HTMLElement | null} */ (form.querySelector("[data-profile-says]"));
  if (!words) return;
  words.textContent = says ?? "";
  words.hidden = !says;
}

/**
 * @param {HTMLFormElement} form
 * @param {string} name
 * @param {boolean} can
 */
function able(form, name, can) {
  const field = /** @type {HTMLInputElement | HTMLSelectElement | null} */ (form.elements.namedItem(name));
  if (!field) return;
  field.disabled = !can;
  const box = field.closest("details");
  if (box) box.hidden = !can;
}
