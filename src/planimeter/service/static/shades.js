// @ts-check

/** @typedef {import("./candidates.js").Entry} Entry */
/** @typedef {import("./rle.js").Mask} Mask */
/** @typedef {{id: number, name: string, colors: string[]}} ClassEntry */

const CELL = 64;
const APART = 3;

/**
 * Give instances of a class that touch different shades of its colour, the same ones at every threshold.
 * @param {Entry[]} entries
 * @param {ClassEntry[]} classes
 */
export function giveShades(entries, classes) {
  const byScore = entries.toSorted((one, other) => other.score - one.score);
  const given = new Map(classes.map((known) => [known.id, known.colors.map(() => 0)]));
  /** @type {Map<string, Array<{mask: Mask, shade: number}>>} what has its shade, by the cells of the picture */
  const grid = new Map();
  for (const entry of byScore) {
    const colors = classes.find((known) => known.id === entry.classId)?.colors ?? ["#22d3ee"];
    const used = given.get(entry.classId) ?? [0];
    const cells = cellsOf(entry);
    const near = colors.map(() => 0);
    for (const other of new Set(cells.flatMap((key) => grid.get(key) ?? []))) {
      if (touch(other.mask, entry.mask)) near[other.shade]++;
    }
    let shade = 0;
    for (let next = 1; next < colors.length; next++) {
      if (near[next] < near[shade] || (near[next] === near[shade] && used[next] < used[shade])) shade = next;
    }
    used[shade]++;
    entry.color = colors[shade];
    const placed = { mask: entry.mask, shade };
    for (const key of cells) grid.set(key, [...(grid.get(key) ?? []), placed]);
  }
}

/** @param {Entry} entry */
function cellsOf({ classId, mask: { left, top, right, bottom } }) {
  const cells = [];
  for (let x = Math.floor((left - APART) / CELL); x <= (right + APART) / CELL; x++) {
    for (let y = Math.floor((top - APART) / CELL); y <= (bottom + APART) / CELL; y++)
      cells.push(`${classId} ${x} ${y}`);
  }
  return cells;
}

/**
 * @param {Mask} one
 * @param {Mask} other
 */
function touch(one, other) {
  const across = one.left < other.right + APART && one.right > other.left - APART;
  return across && one.top < other.bottom + APART && one.bottom > other.top - APART;
}
