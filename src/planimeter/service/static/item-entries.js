// @ts-check
// The items of a correction as the page of a measurement draws, lists and counts them.

import { giveShades } from "./shades.js";

/** @typedef {import("./candidates.js").Entry} Entry */
/** @typedef {import("./correction.js").Item} Item */
/** @typedef {import("./correction.js").Items} Items */
/** @typedef {import("./shades.js").ClassEntry} ClassEntry */

/**
 * A function that makes entries of items, place for place. An item that is there again gets the same entry: only what
 * changed is drawn anew.
 * @param {ClassEntry[]} classes
 * @returns {(items: Items) => {entries: Entry[], chosen: number[]}}
 */
export function entriesOfItems(classes) {
  /** @type {WeakMap<Item, Entry>} */
  const known = new WeakMap();
  /** @type {Entry[]} what was there at a place before */
  let before = [];
  return (items) => {
    let next = 1 + Math.max(0, ...items.map(({ id }) => id ?? 0));
    const entries = items.map((item) => {
      const entry = known.get(item) ?? entryOf(item);
      known.set(item, entry);
      entry.id = item.id ?? next++;
      return entry;
    });
    if (!before.length) giveShades(entries, classes);
    for (const [place, entry] of entries.entries()) entry.color ||= colorOf(entry, place, before[place], classes);
    before = entries;
    const chosen = items.flatMap(({ gone }, place) => (gone ? [] : [place]));
    // What was drawn lies over what was found.
    chosen.sort((one, other) => Number(items[one].score !== null) - Number(items[other].score !== null));
    return { entries, chosen };
  };
}

/**
 * @param {Item} item
 * @returns {Entry}
 */
function entryOf({ classId, score, box, mask }) {
  const { left, top, right, bottom } = mask;
  return {
    classId,
    score: score ?? 1,
    rivals: [],
    box: box ?? [left, top, right - left, bottom - top],
    mask,
    color: "",
    drawn: score === null,
  };
}

/**
 * @param {Entry} entry
 * @param {number} place
 * @param {Entry | undefined} before
 * @param {ClassEntry[]} classes
 */
function colorOf(entry, place, before, classes) {
  if (before?.classId === entry.classId) return before.color;
  const colors = classes.find(({ id }) => id === entry.classId)?.colors ?? ["#22d3ee"];
  return colors[place % colors.length];
}
