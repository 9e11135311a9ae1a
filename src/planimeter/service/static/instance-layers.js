// @ts-check

import { inView, isNear } from "./drawn-instances.js";
import { penOnBlank, toPicture } from "./pens.js";

/** @typedef {import("./drawn-instances.js").Drawn} Drawn */
/** @typedef {import("./picture-levels.js").PictureLevels} PictureLevels */
/** @typedef {import("./zoomable-canvas.js").View} View */

/** @typedef {"fill" | "outline" | "splash" | "original"} Style */

/**
 * What is drawn, and how; `ratio` is device pixels for one of the page's.
 * @typedef {{instances: Drawn[], style: Style, opacity: number, view: View, ratio: number, picture: PictureLevels}} Scene
 */

const MARGIN = 96;
const SETTLE_MS = 120;
/** With more instances than this, a picture in motion shows them as they were drawn a moment ago. */
const MANY = 150;
const MOST_HALOS = 200;
const DIMMED = "rgb(115 115 115)";
const HALO = "rgb(0 0 0 / 45%)";

/** The masks over the picture, a little wider than the view: a view that moves shows what is drawn already. */
export class InstanceLayers {
  fills = document.createElement("canvas");
  lines = document.createElement("canvas");
  /** @type {View | null} what the layers show */
  drawn = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  settling;

  /** @param {() => void} redraw what to call once a picture in motion rests */
  constructor(redraw) {
    this.redraw = redraw;
  }

  /** Other instances are to be shown, or the same in another way. */
  forget() {
    this.drawn = null;
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {Scene} scene
   */
  draw(pen, scene) {
    const { view, style, opacity } = scene;
    if (!this.fit(scene)) {
      if (this.drawn && scene.instances.length > MANY) this.settle();
      else this.drawAnew(scene, pen.canvas);
    }
    if (!this.drawn) return;
    const scale = view.zoom / this.drawn.zoom;
    const width = this.fills.width * scale;
    const height = this.fills.height * scale;
    const x = Math.round((this.drawn.x - view.x) * view.zoom + (pen.canvas.width - width) / 2);
    const y = Math.round((this.drawn.y - view.y) * view.zoom + (pen.canvas.height - height) / 2);
    pen.imageSmoothingEnabled = scale !== 1;
    if (style !== "outline") {
      pen.globalAlpha = style === "splash" ? Math.min(1, 0.4 + opacity * 1.2) : opacity;
      pen.drawImage(this.fills, x, y, width, height);
      pen.globalAlpha = 1;
    }
    pen.drawImage(this.lines, x, y, width, height);
  }

  /**
   * Whether the layers show this zoom, and all of this view.
   * @param {Scene} scene
   */
  fit({ view, ratio }) {
    const { drawn } = this;
    if (!drawn || drawn.zoom !== view.zoom) return false;
    const slack = MARGIN * ratio;
    return Math.abs(drawn.x - view.x) * view.zoom <= slack && Math.abs(drawn.y - view.y) * view.zoom <= slack;
  }

  settle() {
    this.settling ??= setTimeout(() => {
      this.settling = undefined;
      this.forget();
      this.redraw();
    }, SETTLE_MS);
  }

  /**
   * @param {Scene} scene
   * @param {{width: number, height: number}} size of the view
   */
  drawAnew(scene, size) {
    const { view, ratio, style } = scene;
    const margin = Math.round(MARGIN * ratio);
    const width = size.width + 2 * margin;
    const height = size.height + 2 * margin;
    this.drawn = { ...view };
    const fills = penOnBlank(this.fills, width, height);
    const lines = penOnBlank(this.lines, width, height);
    const near = isNear(view, ratio);
    const shown = inView(scene.instances, view, { width, height }).map((entry) => ({
      color: entry.color,
      path: entry.path(near),
    }));
    if (style === "splash") dimPicture(fills, scene);
    for (const pen of [fills, lines]) toPicture(pen, view);
    // The highest score is drawn last, over the others.
    const upwards = shown.toReversed();
    if (style !== "outline") {
      for (const { color, path } of upwards) {
        fills.fillStyle = color;
        fills.fill(path);
      }
    }
    fills.globalCompositeOperation = "source-over";
    const line = Math.max(1, 1.5 * ratio) / view.zoom;
    lines.lineJoin = "bevel"; // round ones take ten times as long
    if (shown.length < MOST_HALOS) {
      lines.strokeStyle = HALO;
      lines.lineWidth = line + (2 * ratio) / view.zoom;
      for (const { path } of shown) lines.stroke(path);
    }
    lines.lineWidth = line;
    for (const { color, path } of upwards) {
      lines.strokeStyle = color;
      lines.stroke(path);
    }
  }
}

/**
 * Cover the layer with the picture, grey and dim; what is filled after this is cut out of it.
 * @param {CanvasRenderingContext2D} pen
 * @param {Scene} scene
 */
function dimPicture(pen, { picture, view }) {
  picture.draw(pen, view, pen.canvas.width, pen.canvas.height);
  pen.globalCompositeOperation = "saturation";
  coverPicture(pen, view, picture, "rgb(128 128 128)");
  pen.globalCompositeOperation = "multiply";
  coverPicture(pen, view, picture, DIMMED);
  pen.globalCompositeOperation = "destination-out";
}

/**
 * Paint over the picture's part of a layer.
 * @param {CanvasRenderingContext2D} pen
 * @param {View} view
 * @param {{width: number, height: number}} picture
 * @param {string} color
 */
function coverPicture(pen, view, picture, color) {
  pen.save();
  toPicture(pen, view);
  pen.fillStyle = color;
  pen.beginPath();
  pen.rect(0, 0, picture.width, picture.height);
  pen.clip();
  pen.fillRect(0, 0, picture.width, picture.height);
  pen.restore();
}
