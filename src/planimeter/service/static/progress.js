// @ts-check
// How far a picture on its way is, in a bar and in a word.

/** @typedef {import("./sending.js").Sent} Sent */

/** @param {Sent} entry */
export function phrase(entry) {
  if (entry.state === "uploading") return "Uploading…";
  if (entry.state === "measuring") return "Measuring…";
  if (entry.state === "waiting") return "Waiting";
  return entry.state === "cancelled" ? "Cancelled" : "";
}

/**
 * @param {Element} bar
 * @param {number | null} progress 0 to 1; null while it cannot be known
 */
export function setProgress(bar, progress) {
  if (progress === null) bar.removeAttribute("value");
  else bar.setAttribute("value", String(progress));
}
