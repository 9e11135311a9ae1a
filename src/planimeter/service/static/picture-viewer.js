// @ts-check

/**
 * One drawn instance: its outline in pixels of the picture, exactly or for a view from afar; `box` is x, y, width, height.
 * @typedef {{path: (near: boolean) => Path2D, box: number[], color: string, label: string}} Drawn
 * @typedef {"fill" | "outline" | "splash" | "original"} Style
 */

const MOST_ZOOM = 40;
const STEP = 1.35;
const EASE = 0.35;
const MARGIN = 96;
const SETTLE_MS = 120;
/** With more instances than this, a picture in motion shows them as they were drawn a moment ago. */
const MANY = 150;
const SMALLEST_LEVEL = 1024;
const MOST_HALOS = 200;
const MOST_LABELS = 150;
const STAGE = "#0b0f0e";
const DIMMED = "rgb(115 115 115)";
const NEAR = 2.5;
const HALO = "rgb(0 0 0 / 45%)";

/**
 * `<picture-viewer>` around an `<img>`: the picture on a canvas that zooms and pans by wheel, fingers, mouse and keys,
 * with instances drawn over it. Tells by the events `instance-pointed` and `instance-chosen`, each with the index of an
 * instance or null, and `view-changed`.
 */
export class PictureViewer extends HTMLElement {
  canvas = document.createElement("canvas");
  /** @type {Array<ImageBitmap | HTMLCanvasElement>} the picture, and it halved again and again */
  levels = [];
  width = 0;
  height = 0;
  /** Device pixels for one of the picture's, and the picture's point in the middle. */
  view = { zoom: 1, x: 0, y: 0 };
  goal = { zoom: 1, x: 0, y: 0 };
  fitted = true;

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

  fills = document.createElement("canvas");
  lines = document.createElement("canvas");
  /** @type {{zoom: number, x: number, y: number} | null} what the layers show */
  drawn = null;
  frame = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  settling;
  /** @type {Map<number, {x: number, y: number}>} */
  fingers = new Map();
  moved = 0;

  connectedCallback() {
    const image = this.querySelector("img");
    if (!image) return;
    this.width = Number(image.getAttribute("width"));
    this.height = Number(image.getAttribute("height"));
    this.canvas.className = "viewer-canvas";
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-roledescription", "zoomable picture");
    this.canvas.setAttribute("aria-label", `${image.alt}. Arrow keys move, plus and minus zoom, 0 fits, 1 shows it pixel for pixel.`);
    this.listen();
    new ResizeObserver(() => this.resize()).observe(this);
    this.ready = this.load(image.dataset.original ?? image.src).then(() => {
      image.after(this.canvas);
      image.hidden = true;
      this.resize();
    });
  }

  /** @param {string} url */
  async load(url) {
    const source = new Image();
    source.src = url;
    await source.decode();
    /** @type {ImageBitmap | HTMLCanvasElement} */
    let level = await createImageBitmap(source);
    this.levels = [level];
    while (Math.max(level.width, level.height) > SMALLEST_LEVEL) {
      const half = document.createElement("canvas");
      half.width = Math.ceil(level.width / 2);
      half.height = Math.ceil(level.height / 2);
      const pen = context(half);
      pen.imageSmoothingQuality = "high";
      pen.drawImage(level, 0, 0, half.width, half.height);
      this.levels.push((level = half));
    }
  }

  /** Show other instances, or the same in another way. */
  change() {
    this.drawn = null;
    this.invalidate();
  }

  invalidate() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.move();
      this.draw();
    });
  }

  // ---- The view

  get ratio() {
    return this.canvas.width / Math.max(1, this.canvas.clientWidth);
  }

  get fitZoom() {
    return Math.min(this.canvas.width / this.width, this.canvas.height / this.height);
  }

  resize() {
    if (!this.canvas.isConnected) return;
    const ratio = devicePixelRatio;
    const width = Math.max(1, Math.round(this.clientWidth * ratio));
    const height = Math.max(1, Math.round(this.clientHeight * ratio));
    if (this.canvas.width === width && this.canvas.height === height && this.drawn) return;
    this.canvas.width = width;
    this.canvas.height = height;
    if (this.fitted) this.fit(false);
    else this.go(this.goal, false);
    this.change();
  }

  fit(eased = true) {
    this.go({ zoom: this.fitZoom, x: this.width / 2, y: this.height / 2 }, eased);
  }

  /**
   * @param {{zoom: number, x: number, y: number}} goal
   * @param {boolean} eased
   */
  go(goal, eased = true) {
    const zoom = Math.min(Math.max(goal.zoom, Math.min(this.fitZoom, 1)), MOST_ZOOM);
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
   * @param {{x: number, y: number}} [at]
   * @param {boolean} eased
   */
  zoomBy(factor, at = { x: this.canvas.width / 2, y: this.canvas.height / 2 }, eased = true) {
    const from = eased ? this.goal : this.view;
    const zoom = Math.min(Math.max(from.zoom * factor, Math.min(this.fitZoom, 1)), MOST_ZOOM);
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
    const rest = Math.abs(Math.log(goal.zoom / view.zoom)) + (Math.abs(goal.x - view.x) + Math.abs(goal.y - view.y)) * goal.zoom * 0.01;
    if (rest < 0.004) {
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

  // ---- Drawing

  draw() {
    if (!this.levels.length || !this.canvas.isConnected) return;
    const pen = context(this.canvas, false);
    const { width, height } = this.canvas;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = STAGE;
    pen.fillRect(0, 0, width, height);
    this.drawPicture(pen, this.view, width, height);
    if (this.style_ !== "original") {
      pen.save();
      const from = Math.round(this.split * width);
      pen.beginPath();
      pen.rect(from, 0, width - from, height);
      pen.clip();
      this.drawLayers(pen);
      if (this.boxes) this.drawBoxes(pen);
      if (this.labels) this.drawLabels(pen);
      pen.restore();
    }
    for (const index of new Set([this.chosen, this.pointed])) if (index !== null) this.drawMarked(pen, index);
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {{zoom: number, x: number, y: number}} view
   * @param {number} width
   * @param {number} height
   */
  drawPicture(pen, view, width, height) {
    const index = Math.min(Math.max(0, Math.floor(Math.log2(1 / view.zoom) + 0.01)), this.levels.length - 1);
    const level = this.levels[index];
    // On whole pixels of the screen: a level that is shown in its own size is then copied, not sampled.
    const x = Math.round(width / 2 - view.x * view.zoom);
    const y = Math.round(height / 2 - view.y * view.zoom);
    const [wide, high] = [this.width * view.zoom, this.height * view.zoom];
    const scale = level.width / this.width;
    const [across, down] = [wide / level.width, high / level.height];
    const left = Math.max(0, Math.floor(-x / across));
    const top = Math.max(0, Math.floor(-y / down));
    const right = Math.min(level.width, Math.ceil((width - x) / across));
    const bottom = Math.min(level.height, Math.ceil((height - y) / down));
    if (right <= left || bottom <= top) return;
    pen.imageSmoothingEnabled = view.zoom < 2 && view.zoom !== scale;
    pen.drawImage(
      level,
      left,
      top,
      right - left,
      bottom - top,
      x + left * across,
      y + top * down,
      (right - left) * across,
      (bottom - top) * down,
    );
  }

  /** @param {CanvasRenderingContext2D} pen */
  drawLayers(pen) {
    if (!this.layersFit()) {
      if (this.drawn && this.instances.length > MANY) {
        this.settling ??= setTimeout(() => {
          this.settling = undefined;
          this.change();
        }, SETTLE_MS);
      } else {
        this.drawLayersAnew();
      }
    }
    if (!this.drawn) return;
    const scale = this.view.zoom / this.drawn.zoom;
    const width = this.fills.width * scale;
    const height = this.fills.height * scale;
    const x = Math.round((this.drawn.x - this.view.x) * this.view.zoom + (this.canvas.width - width) / 2);
    const y = Math.round((this.drawn.y - this.view.y) * this.view.zoom + (this.canvas.height - height) / 2);
    pen.imageSmoothingEnabled = scale !== 1;
    if (this.style_ !== "outline") {
      pen.globalAlpha = this.style_ === "splash" ? Math.min(1, 0.4 + this.opacity * 1.2) : this.opacity;
      pen.drawImage(this.fills, x, y, width, height);
      pen.globalAlpha = 1;
    }
    pen.drawImage(this.lines, x, y, width, height);
  }

  /** Whether the layers show this zoom, and all of this view. */
  layersFit() {
    const { drawn, view } = this;
    if (!drawn || drawn.zoom !== view.zoom) return false;
    const slack = MARGIN * this.ratio;
    return Math.abs(drawn.x - view.x) * view.zoom <= slack && Math.abs(drawn.y - view.y) * view.zoom <= slack;
  }

  drawLayersAnew() {
    const margin = Math.round(MARGIN * this.ratio);
    const width = this.canvas.width + 2 * margin;
    const height = this.canvas.height + 2 * margin;
    this.drawn = { ...this.view };
    const fills = blank(this.fills, width, height);
    const lines = blank(this.lines, width, height);
    const near = this.view.zoom > NEAR * this.ratio;
    const shown = this.inView(width, height).map((entry) => ({ color: entry.color, path: entry.path(near) }));
    if (this.style_ === "splash") {
      this.drawPicture(fills, this.view, width, height);
      fills.globalCompositeOperation = "saturation";
      this.coverPicture(fills, "rgb(128 128 128)", width, height);
      fills.globalCompositeOperation = "multiply";
      this.coverPicture(fills, DIMMED, width, height);
      fills.globalCompositeOperation = "destination-out";
    }
    for (const pen of [fills, lines]) this.toPicture(pen, width, height);
    if (this.style_ !== "outline") {
      for (const entry of shown.toReversed()) {
        fills.fillStyle = entry.color;
        fills.fill(entry.path);
      }
    }
    fills.globalCompositeOperation = "source-over";
    const line = Math.max(1, 1.5 * this.ratio) / this.view.zoom;
    lines.lineJoin = "bevel"; // round ones take ten times as long
    if (shown.length < MOST_HALOS) {
      lines.strokeStyle = HALO;
      lines.lineWidth = line + (2 * this.ratio) / this.view.zoom;
      for (const entry of shown) lines.stroke(entry.path);
    }
    lines.lineWidth = line;
    for (const entry of shown.toReversed()) {
      lines.strokeStyle = entry.color;
      lines.stroke(entry.path);
    }
  }

  /**
   * Paint over the picture's part of a layer.
   * @param {CanvasRenderingContext2D} pen
   * @param {string} color
   * @param {number} width
   * @param {number} height
   */
  coverPicture(pen, color, width, height) {
    pen.save();
    this.toPicture(pen, width, height);
    pen.fillStyle = color;
    pen.beginPath();
    pen.rect(0, 0, this.width, this.height);
    pen.clip();
    pen.fillRect(0, 0, this.width, this.height);
    pen.restore();
  }

  /**
   * Let a pen draw in pixels of the picture.
   * @param {CanvasRenderingContext2D} pen
   * @param {number} width
   * @param {number} height
   */
  toPicture(pen, width = this.canvas.width, height = this.canvas.height) {
    const { zoom, x, y } = this.view;
    pen.setTransform(zoom, 0, 0, zoom, Math.round(width / 2 - x * zoom), Math.round(height / 2 - y * zoom));
  }

  /**
   * @param {number} width of the view, in device pixels
   * @param {number} height
   */
  inView(width, height) {
    const { zoom, x, y } = this.view;
    const [left, right] = [x - width / 2 / zoom, x + width / 2 / zoom];
    const [top, bottom] = [y - height / 2 / zoom, y + height / 2 / zoom];
    return this.instances.filter(
      ({ box }) => box[0] < right && box[0] + box[2] > left && box[1] < bottom && box[1] + box[3] > top,
    );
  }

  /** @param {CanvasRenderingContext2D} pen */
  drawBoxes(pen) {
    pen.save();
    this.toPicture(pen);
    pen.lineWidth = this.ratio / this.view.zoom;
    for (const { box, color } of this.inView(this.canvas.width, this.canvas.height)) {
      pen.strokeStyle = color;
      pen.strokeRect(box[0], box[1], box[2], box[3]);
    }
    pen.restore();
  }

  /**
   * Write a label at each instance that has room for one; higher scores choose first.
   * @param {CanvasRenderingContext2D} pen
   */
  drawLabels(pen) {
    const size = 11 * this.ratio;
    pen.font = `500 ${size}px ${getComputedStyle(this).fontFamily}`;
    pen.textBaseline = "middle";
    /** @type {number[][]} */
    const taken = [];
    for (const { box, color, label } of this.inView(this.canvas.width, this.canvas.height)) {
      if (taken.length >= MOST_LABELS) break;
      const width = pen.measureText(label).width + size * 0.7;
      const height = size * 1.5;
      const extent = box[2] * this.view.zoom;
      if (extent < width * 0.5) continue;
      const middle = (box[0] + box[2] / 2 - this.view.x) * this.view.zoom + this.canvas.width / 2;
      const above = (box[1] - this.view.y) * this.view.zoom + this.canvas.height / 2 - height - 2;
      const left = Math.min(Math.max(middle - width / 2, 0), this.canvas.width - width);
      const top = above < 0 ? above + height + 4 : above;
      const place = [left, top, left + width, top + height];
      if (taken.some((other) => place[0] < other[2] && place[2] > other[0] && place[1] < other[3] && place[3] > other[1])) continue;
      taken.push(place);
      pen.fillStyle = color;
      pen.beginPath();
      pen.roundRect(left, top, width, height, size / 4);
      pen.fill();
      pen.fillStyle = isBright(color) ? "#000" : "#fff";
      pen.fillText(label, left + size * 0.35, top + height / 2 + this.ratio / 2);
    }
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {number} index
   */
  drawMarked(pen, index) {
    const entry = this.instances[index];
    if (!entry) return;
    const path = entry.path(this.view.zoom > NEAR * this.ratio);
    pen.save();
    this.toPicture(pen);
    pen.lineJoin = "round";
    pen.strokeStyle = "rgb(0 0 0 / 70%)";
    pen.lineWidth = (5.5 * this.ratio) / this.view.zoom;
    pen.stroke(path);
    pen.strokeStyle = "#fff";
    pen.lineWidth = (2.5 * this.ratio) / this.view.zoom;
    pen.stroke(path);
    pen.restore();
  }

  // ---- Hands

  listen() {
    const { canvas } = this;
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.drag(event));
    for (const kind of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(kind, (event) => this.release(/** @type {PointerEvent} */ (event)));
    }
    canvas.addEventListener("pointerleave", () => this.point(null));
    canvas.addEventListener("dblclick", (event) => this.zoomBy(2, this.on(event)));
    canvas.addEventListener("keydown", (event) => this.type(event));
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    if (event.deltaY > 0 && this.goal.zoom <= this.fitZoom * 1.0001) return; // then the page scrolls
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 24 : 1;
    const speed = event.ctrlKey ? 0.01 : 0.0016; // two fingers on a touchpad come as Ctrl and small steps
    const notch = Math.abs(event.deltaY) * lines > 50;
    this.zoomBy(Math.exp(-event.deltaY * lines * speed), this.on(event), notch);
  }

  /** @param {PointerEvent} event */
  press(event) {
    if (event.button > 1) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, this.on(event));
    this.moved = this.fingers.size > 1 ? Number.POSITIVE_INFINITY : 0;
  }

  /** @param {PointerEvent} event */
  drag(event) {
    const before = this.fingers.get(event.pointerId);
    if (!before) {
      const at = this.under(event);
      if (event.pointerType !== "touch") this.point(this.find(at.x, at.y));
      return;
    }
    const now = this.on(event);
    this.fingers.set(event.pointerId, now);
    this.moved += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
    if (this.fingers.size === 1) {
      if (this.moved > 4 * this.ratio) this.canvas.classList.add("viewer-dragged");
      this.panBy(now.x - before.x, now.y - before.y, false);
      return;
    }
    const other = [...this.fingers.entries()].find(([id]) => id !== event.pointerId)?.[1];
    if (!other) return;
    const factor = Math.hypot(now.x - other.x, now.y - other.y) / Math.max(1, Math.hypot(before.x - other.x, before.y - other.y));
    this.zoomBy(factor, { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 }, false);
    this.panBy((now.x - before.x) / 2, (now.y - before.y) / 2, false);
  }

  /** @param {PointerEvent} event */
  release(event) {
    const held = this.fingers.delete(event.pointerId);
    this.canvas.classList.remove("viewer-dragged");
    if (!held || event.type === "pointercancel" || this.moved > 4 * this.ratio) return;
    const at = this.under(event);
    this.choose(this.find(at.x, at.y));
  }

  /** @param {KeyboardEvent} event */
  type(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const far = (event.shiftKey ? 400 : 80) * this.ratio;
    const action = {
      "+": () => this.zoomBy(STEP),
      "=": () => this.zoomBy(STEP),
      "-": () => this.zoomBy(1 / STEP),
      0: () => this.fit(),
      1: () => this.go({ ...this.goal, zoom: 1 }),
      ArrowLeft: () => this.panBy(far, 0),
      ArrowRight: () => this.panBy(-far, 0),
      ArrowUp: () => this.panBy(0, far),
      ArrowDown: () => this.panBy(0, -far),
      Escape: () => this.choose(null),
    }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
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

/**
 * @param {HTMLCanvasElement} canvas
 * @param {boolean} alpha whether something may shine through
 */
function context(canvas, alpha = true) {
  const pen = canvas.getContext("2d", { alpha });
  if (!pen) throw new Error("this browser draws on no canvas");
  return pen;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 */
function blank(canvas, width, height) {
  const pen = context(canvas);
  if (canvas.width === width && canvas.height === height) {
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.globalAlpha = 1;
    pen.clearRect(0, 0, width, height);
  } else {
    canvas.width = width;
    canvas.height = height;
  }
  return pen;
}

/** @param {string} color as "#rrggbb" */
function isBright(color) {
  const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
  return (77 * red + 150 * green + 29 * blue) >> 8 > 110;
}

customElements.define("picture-viewer", PictureViewer);
