// @ts-check
// What counts at a score threshold, and how much of the picture that covers: as the service counts it.

/** @typedef {import("./rle.js").Mask} Mask */
/** @typedef {{classId: number, score: number, mask: Mask, rivals: number[], leftOut?: boolean}} Candidate */
/** @typedef {{masked: number, overlapping: number}} Counts */

/**
 * The indices of what counts at `threshold`, by falling score. First come, first chosen: a candidate counts unless
 * a rival before it does (the same object, seen in another tile of a large picture). What is left out for good, outside
 * the region or by its class or size, is never among them.
 * @param {Candidate[]} candidates in the order in which the service chooses
 * @param {number} threshold
 */
export function choose(candidates, threshold) {
  const counts = candidates.map(() => false);
  /** @type {number[]} */
  const chosen = [];
  for (const [index, candidate] of candidates.entries()) {
    counts[index] = candidate.score >= threshold && !candidate.rivals.some((rival) => counts[rival]);
    if (counts[index] && !candidate.leftOut) chosen.push(index);
  }
  return chosen.sort((one, other) => candidates[other].score - candidates[one].score);
}

/**
 * The pixels under one mask or more, and under two or more. All runs at once, from left to right: how large the
 * picture is does not matter.
 * @param {Mask[]} masks
 * @returns {Counts}
 */
export function count(masks) {
  const runs = masks.reduce((sum, mask) => sum + mask.starts.length, 0);
  const starts = new Uint32Array(runs);
  const ends = new Uint32Array(runs);
  let filled = 0;
  for (const mask of masks) {
    starts.set(mask.starts, filled);
    ends.set(mask.ends, filled);
    filled += mask.starts.length;
  }
  starts.sort();
  ends.sort();
  let masked = 0;
  let overlapping = 0;
  let depth = 0;
  let last = 0;
  for (let start = 0, end = 0; end < runs; ) {
    const opens = start < runs && starts[start] < ends[end];
    const position = opens ? starts[start] : ends[end];
    if (depth > 0) masked += position - last;
    if (depth > 1) overlapping += position - last;
    last = position;
    if (opens) {
      depth++;
      start++;
    } else {
      depth--;
      end++;
    }
  }
  return { masked, overlapping };
}
