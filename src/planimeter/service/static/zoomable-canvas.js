// @ts-check

/** @typedef {{x: number, y: number}} Point */
/** @typedef {Point & {zoom: number}} View device pixels for one of the picture's, and the picture's point in the middle */

const MOST_ZOOM = 40;
const EASE = 0.35;

/** A canvas on which a picture zooms and pans, towards a goal; those who extend it draw. */
export class ZoomableCanvas extends HTMLElement {
  canvas = document.createElement("canvas");
  /** Of the picture. */
  width = 0;
  height = 0;
  /** @type {View} */
  view = { zoom: 1, x: 0, y: 0 };
  /** @type {View} */
  goal = { zoom: 1, x: 0, y: 0 };
  fitted = true;
  frame = 0;

  /** Draw the view. */
  draw() {}

  invalidate() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.move();
      this.draw();
    });
  }

  get ratio() {
    const { clientWidth } = this.canvas;
    return clientWidth ? this.canvas.width / clientWidth : devicePixelRatio;
  }

  get fitZoom() {
    return Math.min(this.canvas.width / this.width, this.canvas.height / this.height);
  }

  fit(eased = true) {
    this.go({ zoom: this.fitZoom, x: this.width / 2, y: this.height / 2 }, eased);
  }

  /** @param {number} zoom */
  zoomWithin(zoom) {
    return Math.min(Math.max(zoom, Math.min(this.fitZoom, 1)), MOST_ZOOM);
  }

  /**
   * @param {View} goal
   * @param {boolean} eased
   */
  go(goal, eased = true) {
    const zoom = this.zoomWithin(goal.zoom);
    this.fitted = zoom <= this.fitZoom * 1.0001;
    const reachX = Math.max(0, this.width / 2 - this.canvas.width / 2 / zoom);
    const reachY = Math.max(0, this.height / 2 - this.canvas.height / 2 / zoom);
    this.goal = {
      zoom,
      x: Math.min(Math.max(goal.x, this.width / 2 - reachX), this.width / 2 + reachX),
      y: Math.min(Math.max(goal.y, this.height / 2 - reachY), this.height / 2 + reachY),
    };
    if (!eased || matchMedia("(prefers-reduced-motion: reduce)").matches) this.view = this.goal;
    this.canvas.classList.toggle("viewer-zoomed", !this.fitted);
    this.dispatchEvent(new CustomEvent("view-changed", { detail: this.goal.zoom }));
    this.invalidate();
  }

  /**
   * Zoom so that what is under a point of the canvas (in device pixels) stays there.
   * @param {number} factor
   * @param {Point} [at]
   * @param {boolean} eased
   */
  zoomBy(factor, at = { x: this.canvas.width / 2, y: this.canvas.height / 2 }, eased = true) {
    const from = eased ? this.goal : this.view;
    const zoom = this.zoomWithin(from.zoom * factor);
    const dx = at.x - this.canvas.width / 2;
    const dy = at.y - this.canvas.height / 2;
    this.go({ zoom, x: from.x + dx / from.zoom - dx / zoom, y: from.y + dy / from.zoom - dy / zoom }, eased);
  }

  /**
   * @param {number} dx in device pixels
   * @param {number} dy
   * @param {boolean} eased
   */
  panBy(dx, dy, eased = true) {
    const from = eased ? this.goal : this.view;
    this.go({ zoom: from.zoom, x: from.x - dx / from.zoom, y: from.y - dy / from.zoom }, eased);
  }

  /**
   * Bring a box of the picture into view.
   * @param {number[]} box
   */
  reveal([x, y, width, height]) {
    const zoom = Math.min(Math.min(this.canvas.width / width, this.canvas.height / height) / 4, 8);
    this.go({ zoom: Math.max(zoom, this.fitZoom, this.goal.zoom), x: x + width / 2, y: y + height / 2 });
  }

  /** Come one step nearer to the goal. */
  move() {
    const { view, goal } = this;
    const away = (Math.abs(goal.x - view.x) + Math.abs(goal.y - view.y)) * goal.zoom;
    if (Math.abs(Math.log(goal.zoom / view.zoom)) + away * 0.01 < 0.004) {
      this.view = goal;
      return;
    }
    const zoom = view.zoom * (goal.zoom / view.zoom) ** EASE;
    // Along a path on which the point that stays, stays: steps of the middle go with those of 1 / zoom.
    const change = 1 / goal.zoom - 1 / view.zoom;
    const share = Math.abs(change) > 1e-9 ? (1 / zoom - 1 / view.zoom) / change : EASE;
    this.view = { zoom, x: view.x + (goal.x - view.x) * share, y: view.y + (goal.y - view.y) * share };
    this.invalidate();
  }

  /**
   * The picture's point under a point of the page.
   * @param {{clientX: number, clientY: number}} event
   */
  under(event) {
    const at = this.on(event);
    return {
      x: this.view.x + (at.x - this.canvas.width / 2) / this.view.zoom,
      y: this.view.y + (at.y - this.canvas.height / 2) / this.view.zoom,
    };
  }

  /**
   * A point of the page in device pixels of the canvas.
   * @param {{clientX: number, clientY: number}} event
   */
  on(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: (event.clientX - box.left) * this.ratio, y: (event.clientY - box.top) * this.ratio };
  }
}
