// @ts-check

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
    if (!field.value) field.value = recall(field.name);
    field.addEventListener("input", () => {
      keep(field.name, field.value);
      say();
    });
  }
  say();
}

/** @param {string} name */
function recall(name) {
  try {
    return localStorage.getItem(`planimeter-${name}`) ?? "";
  } catch {
    return ""; // a browser that keeps nothing
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
function keep(name, value) {
  try {
    localStorage.setItem(`planimeter-${name}`, value);
  } catch {
    // it is forgotten with the page
  }
}
