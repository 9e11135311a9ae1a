// @ts-check
// The class that percentages are of: at a score threshold only its pixels count, as the service cuts masks to them.

import { intersection, union } from "./rle.js";

/** @typedef {import("./candidates.js").Entry} Entry */
/** @typedef {import("./rle.js").Mask} Mask */

export class OfClass {
  /** The pixels of the class, at the threshold that was asked for last. @type {Mask} */
  counted;
  /** How many instances of it these are. */
  count = 0;
  /** What tells them from others. */
  key = "";

  /**
   * @param {Entry[]} entries all that was found
   * @param {{classId: number, leastArea: number, height: number}} of
   */
  constructor(entries, { classId, leastArea, height }) {
    this.entries = entries;
    this.classId = classId;
    this.leastArea = leastArea;
    this.height = height;
    this.wholes = entries.map(({ mask, box }) => ({ mask, box }));
    this.counted = union([], height);
  }

  /**
   * Cut the masks to the class, and return which of what is chosen counts; tell whether others did before.
   * @param {number[]} chosen indices of what scores enough
   * @returns {{chosen: number[], changed: boolean}}
   */
  within(chosen) {
    const own = chosen.filter((index) => this.entries[index].classId === this.classId);
    const key = own.join();
    const changed = key !== this.key || !own.length;
    if (changed) this.cut(own);
    this.key = key;
    const counts = (/** @type {Entry} */ { classId, mask }) =>
      classId !== this.classId && mask.area > 0 && mask.area >= this.leastArea;
    return { chosen: chosen.filter((index) => counts(this.entries[index])), changed };
  }

  /** @param {number[]} own indices of the instances of the class */
  cut(own) {
    const { entries, wholes, height } = this;
    this.count = own.length;
    this.counted = union(
      own.map((index) => wholes[index].mask),
      height,
    );
    for (const [index, entry] of entries.entries()) {
      if (entry.classId === this.classId) continue;
      const { mask, box } = wholes[index];
      const cut = intersection(mask, this.counted, height);
      const same = cut.area === mask.area;
      entry.mask = same ? mask : cut;
      entry.box = same ? box : [cut.left, cut.top, cut.right - cut.left, cut.bottom - cut.top];
      entry.outline = entry.near = entry.far = entry.shape = undefined;
    }
  }
}
