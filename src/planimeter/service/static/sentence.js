// @ts-check

/**
 * A message of the service as a sentence of the page: it writes them for programs too, which put something before them.
 * @param {string} message
 */
export function sentence(message) {
  const isName = /^\S*_/.test(message);
  const start = isName ? message : message.charAt(0).toUpperCase() + message.slice(1);
  return start + (/[.!?…]$/.test(message) ? "" : ".");
}
