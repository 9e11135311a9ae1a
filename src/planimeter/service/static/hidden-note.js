// @ts-check

import { one } from "./elements.js";
import { grouped } from "./numbers.js";

/**
 * Say what counts though it is not drawn.
 * @param {HTMLElement} page
 * @param {Set<number>} classes those that are not drawn
 * @param {number} hidden how many instances that is, with those that were hidden one by one
 */
export function sayHidden(page, classes, hidden) {
  for (const box of /** @type {NodeListOf<HTMLInputElement>} */ (page.querySelectorAll("[data-show-class]"))) {
    const row = one(page, `[data-class="${box.dataset.showClass}"]`);
    const isHidden = classes.has(Number(box.dataset.showClass));
    box.checked = !isHidden;
    row.classList.toggle("row-hidden", isHidden);
    one(row, ".still-counted").textContent = isHidden ? "hidden, still counted" : "";
  }
  const note = one(page, "[data-hidden]");
  note.hidden = !hidden;
  const text = `${grouped(hidden)} instance${hidden === 1 ? " is" : "s are"} hidden in the picture and still counted.`;
  one(note, "[data-fact=hidden]").textContent = hidden ? text : "";
}
