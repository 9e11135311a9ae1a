// @ts-check
// What draws on canvases.

/** @typedef {import("./zoomable-canvas.js").View} View */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {boolean} alpha whether something may shine through
 */
export function penOf(canvas, alpha = true) {
  const pen = canvas.getContext("2d", { alpha });
  if (!pen) throw new Error("this browser draws on no canvas");
  return pen;
}

/**
 * A pen on an empty canvas of that size.
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 */
export function penOnBlank(canvas, width, height) {
  const pen = penOf(canvas);
  if (canvas.width === width && canvas.height === height) {
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.globalAlpha = 1;
    pen.clearRect(0, 0, width, height);
  } else {
    canvas.width = width;
    canvas.height = height;
  }
  return pen;
}

/**
 * Let a pen draw in pixels of the picture.
 * @param {CanvasRenderingContext2D} pen
 * @param {View} view
 */
export function toPicture(pen, { zoom, x, y }) {
  const { width, height } = pen.canvas;
  pen.setTransform(zoom, 0, 0, zoom, Math.round(width / 2 - x * zoom), Math.round(height / 2 - y * zoom));
}
