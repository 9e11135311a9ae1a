// @ts-check

import { itemOf } from "./correction.js";
import { decode, intersection } from "./rle.js";

/** @typedef {import("./correction.js").Answer} Answer */
/** @typedef {import("./shades.js").ClassEntry} ClassEntry */

/**
 * What a correction begins with: the items as they are saved, the pixels that count (null where all do) and how many,
 * how many of them an instance must have, and the classes that something can be corrected to.
 * @typedef {{answer: Answer, number: number, items: import("./correction.js").Items, counted: import("./rle.js").Mask | null,
 *   pixels: number, leastArea: number, classes: ClassEntry[]}} Basis
 */

/**
 * @param {Answer} answer
 * @param {ClassEntry[]} known
 * @param {number} height of the picture
 * @returns {Basis}
 */
export function basisOf(answer, known, height) {
  const { counting } = answer.options;
  const { coverage, instances } = answer.corrected ?? answer;
  const counted = coverage.counted && decode(coverage.counted.counts, height);
  const leastArea = Math.max(1, counting?.least_area ?? 0);
  // Those of the class that percentages are of are not listed, and those that were not asked for do not count.
  const classes = known.filter(({ name }) => name !== counting?.of && (counting?.classes?.includes(name) ?? true));
  const rejected = answer.rejected.map((instance) => {
    const item = itemOf(instance, true);
    return counted ? { ...item, mask: intersection(item.mask, counted, height) } : item;
  });
  const possible = rejected.filter(
    ({ mask, classId }) => mask.area >= leastArea && classes.some(({ id }) => id === classId),
  );
  return {
    answer,
    number: answer.corrected?.number ?? 0,
    items: [...instances.map((instance) => itemOf(instance)), ...possible],
    counted,
    pixels: coverage.pixels_counted,
    leastArea,
    classes,
  };
}
