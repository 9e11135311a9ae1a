// @ts-check
// The call of curl that measures as the form of the home page says.

import { one } from "./elements.js";

/** What a shell takes as it is. */
const PLAIN = /^[\w@%+=:,./-]+$/;
/** What curl itself reads in the content of a field: a file's name, or where the content ends. */
const CURLS = /^[@<]|[,;"]/;

/**
 * Let the command follow what is chosen; `fields` are those that are sent with each picture.
 * @param {ParentNode} page
 * @param {HTMLFormElement} form
 * @param {() => Record<string, string>} fields
 */
export function writeCommand(page, form, fields) {
  const place = one(page, "[data-curl-fields]");
  const write = () => {
    const byDefault = form.querySelector("input[name=model][data-default]:checked") !== null;
    const given = Object.entries(fields()).filter(([name, value]) => value && !(name === "model" && byDefault));
    place.textContent = given.map(([name, value]) => ` -F ${quoted(name, value)}`).join("");
  };
  form.addEventListener("input", write);
  form.addEventListener("change", write);
  write();
}

/**
 * @param {string} name
 * @param {string} value
 */
function quoted(name, value) {
  const content = CURLS.test(value) ? `"${value.replace(/["\\]/g, "\\$&")}"` : value;
  const field = `${name}=${content}`;
  return PLAIN.test(field) ? field : `'${field.replaceAll("'", `'"'"'`)}'`;
}
