// @ts-check

/**
 * Draw a picture so that its longer side is at most `side`.
 * @param {HTMLCanvasElement} canvas
 * @param {ImageBitmap | HTMLImageElement} picture
 * @param {number} side
 */
export function paintPreview(canvas, picture, side) {
  const natural = picture instanceof HTMLImageElement;
  const [width, height] = natural ? [picture.naturalWidth, picture.naturalHeight] : [picture.width, picture.height];
  const scale = Math.min(1, side / Math.max(width, height));
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  canvas.getContext("2d")?.drawImage(picture, 0, 0, canvas.width, canvas.height);
}
