// @ts-check
// A correction: what a person makes of the instances of a measurement, and how the API is told.

import { count } from "./coverage.js";
import { decode, encode, same } from "./rle.js";

/** @typedef {import("./rle.js").Mask} Mask */

/**
 * One instance as a correction knows it; it never changes, another takes its place. `id` is the API's, null for one that
 * it does not know yet; `score` is null for one that was drawn, and `box` where it is that of the mask. One that is
 * `gone` was rejected, and can come back. `mask` is cut to what counts; `outsideOf` has the ids of those instances whose
 * pixels outside of that belong to it too.
 * @typedef {Readonly<{id: number | null, classId: number, score: number | null, box: number[] | null, mask: Mask, gone: boolean,
 *   outsideOf: readonly number[]}>} Item
 */
/** @typedef {readonly Item[]} Items in an order that stays: items are told apart by their place */
/** @typedef {{size: [number, number], counts: string}} Rle */
/** @typedef {{id: number, class_id: number, score: number, bbox: number[], mask: Rle, origin?: string}} Instance */
/** @typedef {{percent_masked: number | null, pixels_masked: number, pixels_counted: number, counted: Rle | null}} Coverage */
/** @typedef {{number: number, by: string | null, reviewed: boolean, coverage: Coverage, instances: Instance[]}} Corrected */
/** @typedef {{of: string | null, classes: string[] | null, least_area: number}} Counting */
/**
 * What the API answers of a measurement, and, beside it, what of it is rejected.
 * @typedef {{coverage: Coverage, instances: Instance[], corrected: Corrected | null, options: {counting: Counting | null},
 *   rejected: Array<Omit<Instance, "bbox">>}} Answer
 */

/**
 * The body of a request that saves a correction.
 * @typedef {{reject: number[], restore: number[], reclass: Array<{id: number, class: string}>,
 *   add: Array<{class: string, mask: Rle, outside_of?: readonly number[]}>,
 *   replace: Array<{id: number, mask: Rle, outside_of?: readonly number[]}>}} Changes
 */

/** @typedef {{width: number, height: number}} Picture */
/** @typedef {Array<{id: number, name: string}>} Classes */

/**
 * An instance of an answer, and one that is rejected.
 * @param {Omit<Instance, "bbox"> & {bbox?: number[]}} instance
 * @param {boolean} gone
 * @returns {Item}
 */
export function itemOf({ id, class_id: classId, score, bbox, mask, origin }, gone = false) {
  const drawnScore = origin === "added" ? null : score;
  const decoded = decode(mask.counts, mask.size[0]);
  return { id, classId, score: drawnScore, box: bbox ?? null, mask: decoded, gone, outsideOf: [id] };
}

/**
 * An instance that the API does not know yet.
 * @param {number} classId
 * @param {Mask} mask
 * @param {readonly number[]} outsideOf
 * @returns {Item}
 */
export function drawn(classId, mask, outsideOf = []) {
  return { id: null, classId, score: null, box: null, mask, gone: false, outsideOf };
}

/**
 * What tells the API how to come from the first items to the second.
 * @param {Items} before
 * @param {Items} after the same, and others after them
 * @param {Picture} picture
 * @param {Classes} classes
 * @returns {Changes}
 */
export function changesOf(before, after, { width, height }, classes) {
  /** @type {Changes} */
  const changes = { reject: [], restore: [], reclass: [], add: [], replace: [] };
  const rle = (/** @type {Mask} */ mask) => ({
    size: /** @type {[number, number]} */ ([height, width]),
    counts: encode(mask, width * height),
  });
  const nameOf = (/** @type {number} */ id) => classes.find((known) => known.id === id)?.name ?? "";
  for (const [place, item] of after.entries()) {
    const { id, classId, mask, gone, outsideOf } = item;
    const was = before[place];
    if (was === item) continue;
    if (!was || id === null) {
      if (!gone) changes.add.push({ class: nameOf(classId), mask: rle(mask), outside_of: outsideOf });
      continue;
    }
    if (gone !== was.gone) changes[gone ? "reject" : "restore"].push(id);
    if (gone) continue;
    if (classId !== was.classId) changes.reclass.push({ id, class: nameOf(classId) });
    if (outsideOf !== was.outsideOf || !same(mask, was.mask))
      changes.replace.push({ id, mask: rle(mask), outside_of: outsideOf });
  }
  return changes;
}

/** @param {Changes} changes */
export function countChanges(changes) {
  return Object.values(changes).reduce((sum, kind) => sum + kind.length, 0);
}

/**
 * Make changes on items, also on others than those that they were made of: what was replaced and is not there any more
 * is added.
 * @param {Items} items
 * @param {Changes} changes
 * @param {Classes} classes
 * @returns {Items}
 */
export function applied(items, changes, classes) {
  const made = [...items];
  const idOf = (/** @type {string} */ name) => classes.find((known) => known.name === name)?.id ?? 0;
  const add = (/** @type {Changes["replace"][0] | Changes["add"][0]} */ shape, /** @type {number} */ classId) => {
    made.push(drawn(classId, decode(shape.mask.counts, shape.mask.size[0]), shape.outside_of));
  };
  const change = (/** @type {number} */ id, /** @type {Partial<Item>} */ other) => {
    const place = made.findIndex((item) => item.id === id);
    if (place >= 0) made[place] = { ...made[place], ...other };
    return place >= 0;
  };
  for (const id of changes.reject) change(id, { gone: true });
  for (const id of changes.restore) change(id, { gone: false });
  for (const { id, class: name } of changes.reclass) change(id, { classId: idOf(name) });
  for (const shape of changes.replace) {
    const { id, mask, outside_of: outsideOf = [id] } = shape;
    const named = changes.reclass.find((other) => other.id === id);
    const classId = named ? idOf(named.class) : (classes[0]?.id ?? 0);
    const other = { mask: decode(mask.counts, mask.size[0]), box: null, gone: false, outsideOf };
    if (!change(id, other)) add(shape, classId);
  }
  for (const shape of changes.add) add(shape, idOf(shape.class));
  return made;
}

/**
 * How much of what counts the items cover.
 * @param {Items} items
 * @param {number} counted pixels
 */
export function coverageOf(items, counted) {
  const { masked } = count(items.filter(({ gone }) => !gone).map(({ mask }) => mask));
  return { masked, percent: counted ? (100 * masked) / counted : null };
}
