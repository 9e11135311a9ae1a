// @ts-check

import { droppedFiles } from "./picture-files.js";

/**
 * Take the files that are dropped anywhere on the page, in folders too, or pasted.
 * @param {(files: File[]) => void} take
 */
export function takeDrops(take) {
  let depth = 0;
  const lit = (/** @type {boolean} */ on) => document.body.classList.toggle("dragging", on);
  const carriesFile = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
  document.addEventListener("dragenter", (event) => {
    if (carriesFile(event)) lit(++depth > 0);
  });
  document.addEventListener("dragleave", (event) => {
    if (carriesFile(event)) lit(--depth > 0);
  });
  document.addEventListener("dragover", (event) => {
    if (carriesFile(event)) event.preventDefault();
  });
  document.addEventListener("drop", async (event) => {
    if (!carriesFile(event) || !event.dataTransfer) return;
    event.preventDefault();
    depth = 0;
    lit(false);
    take(await droppedFiles(event.dataTransfer));
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) take([...event.clipboardData.files]);
  });
}
