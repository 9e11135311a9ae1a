// @ts-check
// Wheel, fingers, mouse and keys on the picture.

/** @typedef {import("./zoomable-canvas.js").Point} Point */
/** @typedef {import("./zoomable-canvas.js").ZoomableCanvas} ZoomableCanvas */

/** @typedef {{begin: (at: Point) => void, move: (at: Point) => void, end: () => void, cancel: () => void}} Stroke */

/**
 * What else hands can mean: to point at what lies under them, to choose it, and, where `stroke` answers one, to draw
 * with one finger. `zooms` says whether two clicks zoom.
 * @typedef {{point: (at: Point | null) => void, choose: (at: Point | null) => void, stroke: () => Stroke | null,
 *   zooms: () => boolean}} Meanings
 */

const STEP = 1.35;

/** Lets hands zoom and pan a picture. Moved by less than a few pixels, a press is a choice. */
export class Gestures {
  /** @type {Map<number, Point>} */
  fingers = new Map();
  moved = 0;
  /** @type {Stroke | null} that is being drawn */
  stroke = null;

  /**
   * @param {ZoomableCanvas} viewer
   * @param {Meanings} meanings
   */
  constructor(viewer, meanings) {
    this.viewer = viewer;
    this.meanings = meanings;
    const { canvas } = viewer;
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    // The middle button moves the picture, and not the page.
    canvas.addEventListener("mousedown", (event) => event.button === 1 && event.preventDefault());
    canvas.addEventListener("pointermove", (event) => this.drag(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", (event) => this.release(event));
    canvas.addEventListener("pointerleave", () => meanings.point(null));
    canvas.addEventListener("dblclick", (event) => meanings.zooms() && viewer.zoomBy(2, viewer.on(event)));
    canvas.addEventListener("keydown", (event) => this.type(event));
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    const { viewer } = this;
    if (event.deltaY > 0 && viewer.goal.zoom <= viewer.fitZoom * 1.0001) return; // then the page scrolls
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 24 : 1;
    const speed = event.ctrlKey ? 0.01 : 0.0016; // two fingers on a touchpad come as Ctrl and small steps
    const notch = Math.abs(event.deltaY) * lines > 50;
    viewer.zoomBy(Math.exp(-event.deltaY * lines * speed), viewer.on(event), notch);
  }

  /** @param {PointerEvent} event */
  press(event) {
    if (event.button > 1) return;
    this.viewer.canvas.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, this.viewer.on(event));
    this.moved = this.fingers.size > 1 ? Number.POSITIVE_INFINITY : 0;
    this.stroke?.cancel(); // a second finger: they move the picture
    this.stroke = event.button === 0 && this.fingers.size === 1 ? this.meanings.stroke() : null;
    this.stroke?.begin(this.viewer.under(event));
  }

  /** @param {PointerEvent} event */
  drag(event) {
    const { viewer } = this;
    const before = this.fingers.get(event.pointerId);
    if (!before) {
      if (event.pointerType !== "touch") this.meanings.point(viewer.under(event));
      return;
    }
    const now = viewer.on(event);
    this.fingers.set(event.pointerId, now);
    if (this.stroke) {
      const between = event.getCoalescedEvents?.() ?? []; // on plain http there are none
      for (const one of between.length ? between : [event]) this.stroke.move(viewer.under(one));
      return;
    }
    this.moved += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
    if (this.fingers.size === 1) {
      viewer.canvas.classList.toggle("viewer-dragged", this.moved > this.slack);
      viewer.panBy(now.x - before.x, now.y - before.y, false);
      return;
    }
    const other = [...this.fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) this.pinch(before, now, other);
  }

  /**
   * @param {Point} before
   * @param {Point} now
   * @param {Point} other the finger that rests
   */
  pinch(before, now, other) {
    const apart = Math.max(1, Math.hypot(before.x - other.x, before.y - other.y));
    const factor = Math.hypot(now.x - other.x, now.y - other.y) / apart;
    this.viewer.zoomBy(factor, { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 }, false);
    this.viewer.panBy((now.x - before.x) / 2, (now.y - before.y) / 2, false);
  }

  /** @param {PointerEvent} event */
  release(event) {
    const held = this.fingers.delete(event.pointerId);
    this.viewer.canvas.classList.remove("viewer-dragged");
    if (held && this.stroke) {
      const { stroke } = this;
      this.stroke = null;
      if (event.type === "pointercancel") stroke.cancel();
      else stroke.end();
      return;
    }
    if (!held || event.type === "pointercancel" || this.moved > this.slack) return;
    this.meanings.choose(this.viewer.under(event));
  }

  /** How far a press may move and still be none but that. */
  get slack() {
    return 4 * this.viewer.ratio;
  }

  /** @param {KeyboardEvent} event */
  type(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { viewer } = this;
    const far = (event.shiftKey ? 400 : 80) * viewer.ratio;
    /** @type {Record<string, () => void>} */
    const actions = {
      "+": () => viewer.zoomBy(STEP),
      "=": () => viewer.zoomBy(STEP),
      "-": () => viewer.zoomBy(1 / STEP),
      0: () => viewer.fit(),
      1: () => viewer.go({ ...viewer.goal, zoom: 1 }),
      ArrowLeft: () => viewer.panBy(far, 0),
      ArrowRight: () => viewer.panBy(-far, 0),
      ArrowUp: () => viewer.panBy(0, far),
      ArrowDown: () => viewer.panBy(0, -far),
      Escape: () => this.meanings.choose(null),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }
}
