// @ts-check
// The picture of a measurement while something is drawn on it: it and the tool fill the window, and nothing has to be scrolled.

/**
 * @param {HTMLElement} viewer
 * @param {boolean} drawing
 */
export function drawOnStage(viewer, drawing) {
  const stage = viewer.closest("[data-stage]");
  if (!stage || stage.classList.contains("stage-drawing") === drawing) return;
  stage.classList.toggle("stage-drawing", drawing);
  if (drawing) stage.scrollIntoView({ block: "start" });
}
