// @ts-check
// Masks as COCO's compressed run-length encoding: column by column, as pycocotools reads and writes it.

/**
 * @typedef {{starts: Uint32Array, ends: Uint32Array, area: number, left: number, top: number, right: number,
 *   bottom: number}} Mask
 * Runs of masked pixels, `starts` included and `ends` not, as positions `x * height + y`; and the smallest window
 * that holds them, `right` and `bottom` not included.
 */

/**
 * Decode the `counts` of a mask on a picture of `height` pixels.
 * A character holds 5 bits and "more follows", low bits first; numbers are signed, and from the fourth on they are
 * differences to the one two before (`rleFrString` in pycocotools' maskApi.c).
 * @param {string} counts
 * @param {number} height
 * @returns {Mask}
 */
export function decode(counts, height) {
  const lengths = [];
  for (let at = 0; at < counts.length; ) {
    let value = 0;
    let shift = 0;
    let code = 0;
    do {
      code = counts.charCodeAt(at++) - 48;
      value |= (code & 31) << shift;
      shift += 5;
    } while (code & 32);
    if (code & 16 && shift < 32) value |= -1 << shift;
    if (lengths.length > 2) value += lengths[lengths.length - 2];
    lengths.push(value);
  }
  return fromLengths(lengths, height);
}

/**
 * The `counts` of a mask, as `decode` reads them (`rleToString` in pycocotools' maskApi.c).
 * @param {Mask} mask
 * @param {number} pixels of the picture
 */
export function encode(mask, pixels) {
  const lengths = [];
  let position = 0;
  for (const [run, start] of mask.starts.entries()) {
    lengths.push(start - position, mask.ends[run] - start);
    position = mask.ends[run];
  }
  if (position < pixels) lengths.push(pixels - position);
  let counts = "";
  for (const [at, length] of lengths.entries()) {
    let value = at > 2 ? length - lengths[at - 2] : length;
    for (let more = true; more; ) {
      const bits = value & 31;
      value >>= 5;
      more = value !== (bits & 16 ? -1 : 0);
      counts += String.fromCharCode(48 + bits + (more ? 32 : 0));
    }
  }
  return counts;
}

/**
 * @param {number[]} lengths of runs of zeros and ones in turn
 * @param {number} height
 * @returns {Mask}
 */
function fromLengths(lengths, height) {
  const runs = lengths.length >> 1;
  const starts = new Uint32Array(runs);
  const ends = new Uint32Array(runs);
  let position = 0;
  let area = 0;
  let filled = 0;
  let top = height;
  let bottom = 0;
  for (let index = 0; index < runs; index++) {
    const start = position + lengths[2 * index];
    position = start + lengths[2 * index + 1];
    if (position === start) continue;
    starts[filled] = start;
    ends[filled++] = position;
    area += position - start;
    const wraps = Math.floor(start / height) !== Math.floor((position - 1) / height);
    top = Math.min(top, wraps ? 0 : start % height);
    bottom = Math.max(bottom, wraps ? height : ((position - 1) % height) + 1);
  }
  if (!filled)
    return { starts: starts.subarray(0, 0), ends: ends.subarray(0, 0), area, left: 0, top: 0, right: 0, bottom: 0 };
  const left = Math.floor(starts[0] / height);
  const right = Math.floor((ends[filled - 1] - 1) / height) + 1;
  return { starts: starts.subarray(0, filled), ends: ends.subarray(0, filled), area, left, top, right, bottom };
}

/**
 * A mask of runs that rise and do not touch.
 * @param {number[]} starts
 * @param {number[]} ends
 * @param {number} height
 * @returns {Mask}
 */
export function ofRuns(starts, ends, height) {
  const lengths = [];
  let position = 0;
  for (const [run, start] of starts.entries()) {
    lengths.push(start - position, ends[run] - start);
    position = ends[run];
  }
  return fromLengths(lengths, height);
}

/**
 * The pixels under any of some masks.
 * @param {Mask[]} masks
 * @param {number} height of the picture
 */
export function union(masks, height) {
  const count = masks.reduce((sum, mask) => sum + mask.starts.length, 0);
  const [opens, closes] = [new Uint32Array(count), new Uint32Array(count)];
  let filled = 0;
  for (const mask of masks) {
    opens.set(mask.starts, filled);
    closes.set(mask.ends, filled);
    filled += mask.starts.length;
  }
  opens.sort();
  closes.sort();
  /** @type {number[]} */
  const starts = [];
  /** @type {number[]} */
  const ends = [];
  for (let open = 0, close = 0; open < count; ) {
    starts.push(opens[open]);
    // Until as many runs have ended as have begun; one that begins where another ends goes on with it.
    for (let depth = 0; depth > 0 || starts.length > ends.length; ) {
      if (open < count && opens[open] <= closes[close]) {
        depth++;
        open++;
      } else if (--depth === 0) ends.push(closes[close++]);
      else close++;
    }
  }
  return ofRuns(starts, ends, height);
}

/**
 * The pixels under both of two masks.
 * @param {Mask} one
 * @param {Mask} other
 * @param {number} height of the picture
 */
export function intersection(one, other, height) {
  /** @type {number[]} */
  const starts = [];
  /** @type {number[]} */
  const ends = [];
  for (let run = 0, beside = 0; run < one.starts.length && beside < other.starts.length; ) {
    const start = Math.max(one.starts[run], other.starts[beside]);
    const end = Math.min(one.ends[run], other.ends[beside]);
    if (start < end) {
      starts.push(start);
      ends.push(end);
    }
    if (one.ends[run] < other.ends[beside]) run++;
    else beside++;
  }
  return ofRuns(starts, ends, height);
}

/**
 * The pixels under one mask and not under another.
 * @param {Mask} one
 * @param {Mask} other
 * @param {number} height of the picture
 */
export function difference(one, other, height) {
  /** @type {number[]} */
  const starts = [];
  /** @type {number[]} */
  const ends = [];
  let beside = 0;
  for (const [run, end] of one.ends.entries()) {
    let start = one.starts[run];
    while (beside < other.ends.length && other.ends[beside] <= start) beside++;
    for (let next = beside; start < end; next++) {
      const from = next < other.starts.length ? Math.min(other.starts[next], end) : end;
      if (from > start) {
        starts.push(start);
        ends.push(from);
      }
      start = from < end ? other.ends[next] : end;
    }
  }
  return ofRuns(starts, ends, height);
}

/**
 * Whether two masks are of the same pixels.
 * @param {Mask} one
 * @param {Mask} other
 */
export function same(one, other) {
  return (
    one === other ||
    (one.starts.length === other.starts.length &&
      one.starts.every((start, run) => start === other.starts[run] && one.ends[run] === other.ends[run]))
  );
}

/**
 * Whether a mask holds a position `x * height + y`.
 * @param {Mask} mask
 * @param {number} position
 */
export function holds(mask, position) {
  let low = 0;
  let high = mask.starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (mask.starts[middle] <= position) low = middle + 1;
    else high = middle;
  }
  return low > 0 && position < mask.ends[low - 1];
}

/**
 * The pixels of a mask in its window with an empty border of one pixel around: column by column, 1 where masked.
 * @param {Mask} mask
 * @param {number} height of the picture
 * @returns {{pixels: Uint8Array, columns: number, rows: number}} with the border
 */
export function windowOf(mask, height) {
  const columns = mask.right - mask.left + 2;
  const rows = mask.bottom - mask.top + 2;
  const pixels = new Uint8Array(columns * rows);
  for (let run = 0; run < mask.starts.length; run++) {
    for (let start = mask.starts[run]; start < mask.ends[run]; ) {
      const x = Math.floor(start / height);
      const end = Math.min(mask.ends[run], (x + 1) * height);
      const from = (x - mask.left + 1) * rows + 1 - mask.top - x * height;
      pixels.fill(1, start + from, end + from);
      start = end;
    }
  }
  return { pixels, columns, rows };
}
