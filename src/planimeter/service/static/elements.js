// @ts-check
// Parts of a page: found, and made.

const SVG = "http://www.w3.org/2000/svg";

/**
 * The one part of `whole` that a selector means; the page has it, or is wrong.
 * @param {ParentNode} whole
 * @param {string} selector
 * @returns {HTMLElement}
 */
export function one(whole, selector) {
  const found = whole.querySelector(selector);
  if (!found) throw new Error(`the page lacks ${selector}`);
  return /** @type {HTMLElement} */ (found);
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} [className]
 * @param {string} [text]
 */
export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/**
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 */
export function svg(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}

/**
 * A button that does something at once, and sends no form.
 * @param {string} className
 * @param {string} text
 * @param {() => void} [act]
 */
export function button(className, text, act) {
  const made = element("button", className, text);
  made.type = "button";
  if (act) made.addEventListener("click", act);
  return made;
}

/**
 * The colour of an instance, as a small square.
 * @param {string} color
 */
export function swatch(color) {
  const mark = element("span", "swatch swatch-flat");
  mark.style.background = color;
  return mark;
}
