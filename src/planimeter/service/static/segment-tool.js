// @ts-check

import { windowWithin } from "./bits.js";
import { liesAt, outlineOf } from "./candidates.js";
import { isNear } from "./drawn-instances.js";
import { grow } from "./grow.js";
import { decimals } from "./numbers.js";
import { penOf, toPicture } from "./pens.js";
import { intersection } from "./rle.js";

/** @typedef {import("./candidates.js").Entry} Entry */
/** @typedef {import("./correction-editor.js").CorrectionEditor} CorrectionEditor */
/** @typedef {import("./zoomable-canvas.js").Point} Point */

/** How far around a click a region grows, in pixels of the picture. */
const REACH = 700;
/** A region that is more than this share of what lies within reach is what surrounds things. */
const MOST = 0.5;
/** What has more in common with an instance than this share of both is that instance. */
const SAME = 0.5;

/**
 * Finds an instance where it is clicked: first what the network saw there and scored below the threshold, by falling
 * score, then what looks alike in the picture. Another click at the same place takes the next of them.
 */
export class SegmentTool {
  /** @type {{at: Point, turn: number, candidates: Entry[], items: import("./correction.js").Items} | null} */
  last = null;
  /** @type {Entry | null} what a click would take */
  hovered = null;

  /** @param {CorrectionEditor} editor */
  constructor(editor) {
    this.editor = editor;
  }

  get hint() {
    const { last } = this;
    if (!this.isLast || !last) return "Click something that was missed.";
    const taken = last.candidates[last.turn];
    const next = this.turns > 1 ? " Click again for another shape." : "";
    return taken
      ? `Seen by the network, with a score of ${decimals(taken.score, 2)}.${next}`
      : `Grown from what looks alike there: set how alike.${next}`;
  }

  /** Whether what was clicked last is still the last change. */
  get isLast() {
    return this.last !== null && this.last.items === this.editor.items;
  }

  /** Whether a region was grown last, so that the tolerance changes it. */
  get grows() {
    return this.isLast && this.last !== null && this.last.turn === this.last.candidates.length;
  }

  get turns() {
    return (this.last?.candidates.length ?? 0) + 1;
  }

  /** @param {Point | null} at */
  point(at) {
    const found = at && this.candidatesAt(at)[0];
    if ((found ?? null) === this.hovered) return;
    this.hovered = found ?? null;
    this.editor.viewer.invalidate();
  }

  /** @param {Point} at */
  click(at) {
    const { editor } = this;
    const { width, height } = editor.picture;
    if (at.x < 0 || at.y < 0 || at.x >= width || at.y >= height) return;
    const near = (6 * editor.viewer.ratio) / editor.viewer.view.zoom;
    const { last } = this;
    if (last && this.isLast && Math.hypot(at.x - last.at.x, at.y - last.at.y) < near) {
      this.take({ ...last, turn: (last.turn + 1) % this.turns }, true);
    } else this.take({ at, turn: 0, candidates: this.candidatesAt(at), items: editor.items }, false);
    this.hovered = null;
  }

  /** Grow the last region anew, with another tolerance. */
  regrow() {
    if (this.last && this.grows) this.take(this.last, true);
  }

  /**
   * @param {NonNullable<SegmentTool["last"]>} wanted
   * @param {boolean} again whether it takes the place of the last change
   */
  take(wanted, again) {
    const { editor } = this;
    const candidate = wanted.candidates[wanted.turn];
    const place = again ? editor.items.length - 1 : null;
    const mask = candidate?.mask ?? this.grown(wanted.at, place);
    if (!mask?.area) {
      editor.panel.say(
        mask
          ? "An instance lies there already."
          : "What looks alike there is most of the picture. Set it less alike, or click something smaller.",
      );
      return;
    }
    if (place !== null) {
      const other = { ...editor.items[place], classId: candidate?.classId ?? editor.classId };
      this.replace(place, other, mask);
    } else if (!editor.put(null, mask, candidate?.classId)) return;
    this.last = { ...wanted, items: editor.items };
    editor.panel.write();
  }

  /**
   * @param {number} place
   * @param {import("./correction.js").Item} item
   * @param {import("./rle.js").Mask} wanted
   */
  replace(place, item, wanted) {
    const { editor } = this;
    const mask = editor.cut(wanted);
    if (mask.area < editor.basis.leastArea) editor.panel.say(editor.tooSmall(mask));
    else editor.change(editor.items.with(place, { ...item, mask }), place, true);
  }

  /**
   * What looks alike around a point; null where that is nearly all.
   * @param {Point} at
   * @param {number | null} place of the instance that it takes the place of
   */
  grown(at, place) {
    const { picture, viewer, tolerance } = this.editor;
    const window = windowWithin([at.x - REACH, at.y - REACH, at.x + REACH, at.y + REACH], picture);
    const canvas = document.createElement("canvas");
    canvas.width = window.width;
    canvas.height = window.height;
    const pen = penOf(canvas);
    pen.drawImage(viewer.levels[0], -window.left, -window.top, picture.width, picture.height);
    const { data } = pen.getImageData(0, 0, window.width, window.height);
    const mask = grow(data, window, at, tolerance, this.editor.others(place), picture.height);
    return mask.area > MOST * window.width * window.height ? null : mask;
  }

  /**
   * What the network saw at a point and that is no instance yet, by falling score.
   * @param {Point} at
   */
  candidatesAt({ x, y }) {
    const { view, items, picture, basis } = this.editor;
    const [column, row] = [Math.floor(x), Math.floor(y)];
    const shown = items.filter(({ gone }) => !gone);
    const known = (/** @type {Entry} */ { mask }) =>
      shown.some((item) => {
        const apart = item.mask.left >= mask.right || mask.left >= item.mask.right;
        if (apart || item.mask.top >= mask.bottom || mask.top >= item.mask.bottom) return false;
        const both = intersection(item.mask, mask, picture.height).area;
        return both > SAME * (item.mask.area + mask.area - both);
      });
    return view.found
      .filter((entry) => entry.score < view.threshold && !entry.leftOut)
      .filter((entry) => liesAt(entry, column, row, picture.height))
      .filter((entry) => basis.classes.some(({ id }) => id === entry.classId) && !known(entry))
      .sort((one, other) => other.score - one.score);
  }

  /** @type {import("./picture-viewer.js").Drawing} */
  draw(pen, view, ratio) {
    if (!this.hovered) return;
    const path = outlineOf(this.hovered, this.editor.picture.height, isNear(view, ratio));
    pen.save();
    toPicture(pen, view);
    for (const [color, width] of /** @type {Array<[string, number]>} */ ([
      ["rgb(0 0 0 / 70%)", 4],
      ["#ffd54a", 2],
    ])) {
      pen.strokeStyle = color;
      pen.lineWidth = (width * ratio) / view.zoom;
      pen.stroke(path);
    }
    pen.restore();
  }
}
