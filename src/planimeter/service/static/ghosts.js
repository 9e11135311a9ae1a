// @ts-check
// Rejected instances while they can be brought back: dashed outlines.

import { outlineOf } from "./candidates.js";
import { inView, isNear } from "./drawn-instances.js";
import { toPicture } from "./pens.js";

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {import("./correction-editor.js").CorrectionEditor} editor
 * @param {import("./zoomable-canvas.js").View} view
 * @param {number} ratio
 */
export function drawGhosts(pen, { items, ghost, view: page, picture }, view, ratio) {
  const unit = ratio / view.zoom;
  const gone = items.flatMap((item, place) => {
    const entry = page.entries[place];
    return item.gone && entry ? [{ entry, box: entry.box, place }] : [];
  });
  pen.save();
  toPicture(pen, view);
  for (const { entry, place } of inView(gone, view, pen.canvas)) {
    const path = outlineOf(entry, picture.height, isNear(view, ratio));
    const strong = place === ghost;
    pen.setLineDash([]);
    pen.strokeStyle = "rgb(0 0 0 / 60%)";
    pen.lineWidth = (strong ? 5 : 3) * unit;
    pen.stroke(path);
    pen.setLineDash([5 * unit, 4 * unit]);
    pen.strokeStyle = "#fff";
    pen.lineWidth = (strong ? 2.5 : 1.25) * unit;
    pen.stroke(path);
  }
  pen.restore();
}
