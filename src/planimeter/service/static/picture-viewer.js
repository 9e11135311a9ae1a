// @ts-check

import { drawBoxes, drawLabels, drawMark } from "./drawn-instances.js";
import { one } from "./elements.js";
import { Gestures } from "./gestures.js";
import { InstanceLayers } from "./instance-layers.js";
import { penOf } from "./pens.js";
import { PictureLevels } from "./picture-levels.js";
import { drawCounted, drawSketch } from "./region.js";
import { drawBar, drawLegend } from "./scale-bar.js";
import { ZoomableCanvas } from "./zoomable-canvas.js";

/** @typedef {import("./drawn-instances.js").Drawn} Drawn */
/** @typedef {import("./instance-layers.js").Style} Style */
/** @typedef {import("./scale-bar.js").Line} Line */
/** @typedef {import("./zoomable-canvas.js").Point} Point */
/** @typedef {import("./gestures.js").Stroke} Stroke */
/** @typedef {{point: (at: Point | null) => void, choose: (at: Point | null) => void, stroke?: () => Stroke | null}} Placing */
/** @typedef {(pen: CanvasRenderingContext2D, view: import("./zoomable-canvas.js").View, ratio: number) => void} Drawing */

const STAGE = "#0b0f0e";

/**
 * `<picture-viewer>` around an `<img>`: the picture on a canvas that zooms and pans by wheel, fingers, mouse and keys,
 * with instances drawn over it. Tells by the events `instance-pointed` and `instance-chosen`, each with the index of an
 * instance or null, and `view-changed`.
 */
export class PictureViewer extends ZoomableCanvas {
  /** @type {Drawn[]} highest score first */
  instances = [];
  /** @type {Style} */
  style_ = "fill";
  opacity = 0.45;
  labels = false;
  boxes = false;
  /** Where the overlay begins, 0 (all of the view) to 1 (none of it). */
  split = 0;
  /** @type {number | null} */
  pointed = null;
  /** @type {number | null} */
  chosen = null;
  /** @type {(x: number, y: number) => number | null} */
  find = () => null;
  /** @type {Placing | null} takes the points that hands mean, in place of the instances */
  placing = null;
  /** @type {import("./units.js").Scale | null} how large a pixel is, where that is known */
  scale = null;
  /** @type {Line | null} a scale bar that is being drawn */
  bar = null;
  /** @type {Path2D | null} around the pixels that count, where not all do */
  counted = null;
  /** @type {import("./region.js").Sketch | null} a region that is being drawn */
  sketch = null;
  /** @type {Drawing | null} draws over all else */
  over = null;

  /** @type {Promise<HTMLImageElement> | undefined} */
  loading;
  picture = new PictureLevels(0, 0);
  layers = new InstanceLayers(() => this.invalidate());

  connectedCallback() {
    this.ready = this.prepare().then((image) => {
      image.after(this.canvas);
      image.hidden = true;
      this.resize();
    });
  }

  /** Load the picture, also before this is on the page. */
  prepare() {
    this.loading ??= this.load();
    return this.loading;
  }

  async load() {
    const image = /** @type {HTMLImageElement} */ (one(this, "img"));
    this.width = Number(image.getAttribute("width"));
    this.height = Number(image.getAttribute("height"));
    this.picture = new PictureLevels(this.width, this.height);
    const keys = "Arrow keys move, plus and minus zoom, 0 fits, 1 shows it pixel for pixel.";
    this.canvas.className = "viewer-canvas";
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-roledescription", "zoomable picture");
    this.canvas.setAttribute("aria-label", `${image.alt}. ${keys}`);
    new Gestures(this, {
      point: (at) => (this.placing ? this.placing.point(at) : this.point(this.at(at))),
      choose: (at) => (this.placing ? this.placing.choose(at) : this.choose(this.at(at))),
      stroke: () => this.placing?.stroke?.() ?? null,
      zooms: () => !this.placing,
    });
    new ResizeObserver(() => this.resize()).observe(this);
    await this.picture.load(image.dataset.original ?? image.src);
    return image;
  }

  /**
   * Draw before this is on the page, as large as it will be there.
   * @param {{width: number, height: number}} size in device pixels
   */
  predraw({ width, height }) {
    this.canvas.width = width;
    this.canvas.height = height;
    this.fit(false);
    this.paint();
  }

  get levels() {
    return this.picture.levels;
  }

  /**
   * The point of the picture that is nearest, to a tenth of a pixel.
   * @param {Point} at
   * @returns {Point}
   */
  nearest({ x, y }) {
    const round = (/** @type {number} */ value, /** @type {number} */ most) =>
      Math.round(Math.min(Math.max(value, 0), most) * 10) / 10;
    return { x: round(x, this.width), y: round(y, this.height) };
  }

  /** Show other instances, or the same in another way. */
  change() {
    this.layers.forget();
    this.invalidate();
  }

  resize() {
    if (!this.canvas.isConnected) return;
    const ratio = devicePixelRatio;
    const width = Math.max(1, Math.round(this.clientWidth * ratio));
    const height = Math.max(1, Math.round(this.clientHeight * ratio));
    if (this.canvas.width === width && this.canvas.height === height && this.layers.drawn) return;
    this.canvas.width = width;
    this.canvas.height = height;
    if (this.fitted) this.fit(false);
    else this.go(this.goal, false);
    this.change();
  }

  /** @override */
  draw() {
    if (this.levels.length && this.canvas.isConnected) this.paint();
  }

  paint() {
    const { view, ratio, instances } = this;
    const pen = penOf(this.canvas, false);
    const { width, height } = this.canvas;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = STAGE;
    pen.fillRect(0, 0, width, height);
    this.picture.draw(pen, view, width, height);
    if (this.counted) drawCounted(pen, this.counted, this, view, ratio);
    if (this.style_ !== "original") {
      const { picture, style_: style, opacity } = this;
      const from = Math.round(this.split * width);
      pen.save();
      pen.beginPath();
      pen.rect(from, 0, width - from, height);
      pen.clip();
      this.layers.draw(pen, { instances, style, opacity, view, ratio, picture });
      if (this.boxes) drawBoxes(pen, instances, view, ratio);
      if (this.labels) drawLabels(pen, instances, view, ratio);
      pen.restore();
    }
    for (const index of new Set([this.chosen, this.pointed])) {
      const marked = index === null ? undefined : instances[index];
      if (marked) drawMark(pen, marked, view, ratio);
    }
    if (this.scale) drawLegend(pen, this.scale, view, ratio);
    if (this.bar) drawBar(pen, this.bar, view, ratio);
    if (this.sketch) drawSketch(pen, this.sketch, view, ratio);
    this.over?.(pen, view, ratio);
  }

  /** @param {Point | null} point of the picture */
  at(point) {
    return point && this.find(point.x, point.y);
  }

  /** @param {number | null} index */
  point(index) {
    this.canvas.classList.toggle("viewer-on-instance", index !== null);
    if (index !== this.pointed) this.dispatchEvent(new CustomEvent("instance-pointed", { detail: index }));
  }

  /** @param {number | null} index */
  choose(index) {
    this.dispatchEvent(new CustomEvent("instance-chosen", { detail: index }));
  }
}

customElements.define("picture-viewer", PictureViewer);
