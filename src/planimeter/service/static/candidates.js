// @ts-check
// All that the network found in a picture, as the API answers it, ready to be counted and drawn.

import { coarse, pathOf, rings } from "./outlines.js";
import { decode, holds } from "./rle.js";
import { equivalentDiameter, measureShape } from "./shapes.js";

/** @typedef {import("./coverage.js").Candidate} Candidate */
/**
 * `id` is the instance's own, where it is not called by its place, and `drawn` whether a person drew it: it has no score.
 * @typedef {Candidate & {box: number[], color: string, outline?: number[][], near?: Path2D, far?: Path2D, hidden?: boolean, shape?: Shape,
 *   id?: number, drawn?: boolean}} Entry
 */
/** @typedef {{class_id: number, score: number, bbox: number[], counts: string, rivals: number[],
 *   left_out: boolean}} Found */
/** @typedef {import("./drawn-instances.js").Drawn} Drawn */
/** @typedef {import("./instance-row.js").Row} Row */
/** @typedef {import("./shapes.js").Shape} Shape */
/** @typedef {{size: [number, number], score_floor: number, candidates: Found[], counted: string | null,
 *   of: number | null, least_area: number}} Answer */

/**
 * @param {Answer} answer
 * @returns {Entry[]}
 */
export function entriesOf(answer) {
  return answer.candidates.map((found) => ({
    classId: found.class_id,
    score: found.score,
    rivals: found.rivals,
    leftOut: found.left_out,
    box: found.bbox,
    mask: decode(found.counts, answer.size[0]),
    color: "",
  }));
}

/**
 * An entry as the viewer draws it.
 * @param {Entry} entry
 * @param {number} height of the picture
 * @param {string} label
 * @returns {Drawn}
 */
export function drawnOf(entry, height, label) {
  const { left, top, right, bottom } = entry.mask;
  const box = [left, top, right - left, bottom - top];
  return { path: (near) => outlineOf(entry, height, near), box, color: entry.color, label };
}

/**
 * An entry as a row of the table; the figures of its shape are computed when they are asked for.
 * @param {Entry} entry
 * @param {{index: number, id: number, className: string}} named
 * @param {{counted: number, height: number}} picture
 * @returns {Row}
 */
export function rowOf(entry, named, { counted, height }) {
  const { classId, color, score, box, mask, hidden, drawn } = entry;
  const { area } = mask;
  const shape = () => {
    entry.shape ??= measureShape(mask, height);
    return entry.shape;
  };
  return {
    ...named,
    ...{
      classId,
      color,
      score,
      drawn: Boolean(drawn),
      area,
      percent: (100 * area) / counted,
      box,
      hidden: Boolean(hidden),
    },
    equivalentDiameter: equivalentDiameter(area),
    get perimeter() {
      return shape().perimeter;
    },
    get feretDiameterMax() {
      return shape().feretDiameterMax;
    },
    get circularity() {
      return shape().circularity ?? 0;
    },
  };
}

/**
 * Compute what drawing an instance will need first.
 * @param {Entry} entry
 * @param {number} height of the picture
 */
export function prepareOutline(entry, height) {
  outlineOf(entry, height, false);
}

/**
 * The outline of an instance: exactly along the pixels, or, as long as those are small, with fewer corners.
 * @param {Entry} entry
 * @param {number} height of the picture
 * @param {boolean} near
 */
export function outlineOf(entry, height, near) {
  entry.outline ??= rings(entry.mask, height);
  if (near) {
    entry.near ??= pathOf(entry.outline);
    return entry.near;
  }
  entry.far ??= pathOf(entry.outline.map(coarse));
  return entry.far;
}

/**
 * Whether an instance lies at a pixel of the picture.
 * @param {Entry} entry
 * @param {number} column
 * @param {number} row
 * @param {number} height of the picture
 */
export function liesAt({ mask }, column, row, height) {
  const within = column >= mask.left && column < mask.right && row >= mask.top && row < mask.bottom;
  return within && holds(mask, column * height + row);
}
