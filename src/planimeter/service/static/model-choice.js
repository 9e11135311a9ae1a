// @ts-check

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
    return chosen;
  };
  const remembered = choices.find((choice) => choice.value === recall());
  if (remembered && !new URLSearchParams(location.search).has("model")) remembered.checked = true;
  for (const choice of choices) {
    choice.addEventListener("change", () => {
      const chosen = follow();
      if (chosen) keep(chosen.value);
    });
  }
  follow();
}

function recall() {
  try {
    return localStorage.getItem(MEMORY);
  } catch {
    return null; // a browser that keeps nothing
  }
}

/** @param {string} name */
function keep(name) {
  try {
    localStorage.setItem(MEMORY, name);
  } catch {
    // it is forgotten with the page
  }
}
