// @ts-check
// Polygons that are none, by the rules of masks/region.py: told while a polygon is drawn, refused by the service.

/** @typedef {import("./zoomable-canvas.js").Point} Point */

/**
 * Whether the edges of a polygon cross or touch each other, or fold back.
 * @param {Point[]} ring corners, each another point than the one before
 */
export function crossesItself(ring) {
  const count = ring.length;
  const edges = ring.map((start, index) => ({ start, end: ring[(index + 1) % count] }));
  if (edges.some(({ start, end }, index) => foldsBack(edges[(index + count - 1) % count].start, start, end)))
    return true;
  return edges.some((one, index) =>
    edges.some((other, place) => {
      const neighbours = place < index + 2 || (index === 0 && place === count - 1);
      return !neighbours && meet(one, other);
    }),
  );
}

/**
 * Whether the way leads straight back at its middle.
 * @param {Point} before
 * @param {Point} corner
 * @param {Point} after
 */
function foldsBack(before, corner, after) {
  const [inX, inY] = [corner.x - before.x, corner.y - before.y];
  const [outX, outY] = [after.x - corner.x, after.y - corner.y];
  return inX * outY === inY * outX && inX * outX + inY * outY < 0;
}

/** @typedef {{start: Point, end: Point}} Edge */

/**
 * @param {Edge} one
 * @param {Edge} other
 */
function meet(one, other) {
  const apart = (/** @type {"x" | "y"} */ axis) =>
    Math.max(other.start[axis], other.end[axis]) < Math.min(one.start[axis], one.end[axis]) ||
    Math.min(other.start[axis], other.end[axis]) > Math.max(one.start[axis], one.end[axis]);
  if (apart("x") || apart("y")) return false;
  return side(one, other.start) * side(one, other.end) <= 0 && side(other, one.start) * side(other, one.end) <= 0;
}

/**
 * On which side of an edge a point lies: -1, 0 or 1.
 * @param {Edge} edge
 * @param {Point} point
 */
function side({ start, end }, point) {
  return Math.sign((end.x - start.x) * (point.y - start.y) - (end.y - start.y) * (point.x - start.x));
}
