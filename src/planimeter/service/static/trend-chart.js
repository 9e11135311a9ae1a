// @ts-check

import { decimals, grouped, percent } from "./numbers.js";

/**
 * @typedef {{class: string, percent_masked: number}} ClassPercent
 * @typedef {{id: string, created_at: string, filename: string, percent_masked: number, by_class: ClassPercent[]}} Point
 * @typedef {{count: number, mean: number, minimum: number, lower_quartile: number, median: number,
 *   upper_quartile: number, maximum: number}} Spread
 * @typedef {{since: string, until: string, percent_masked: Spread, by_class: ClassPercent[]}} Bucket
 * @typedef {{count: number, percent_masked: Spread | null, fences: [number, number] | null, bucket_seconds: number,
 *   buckets: Bucket[], points: Point[], outlier_count: number, outliers: Point[],
 *   classes: {class: string, color: string}[]}} Trend
 */

/**
 * One column of the chart: a measurement, or a stretch of time with many.
 * @typedef {{left: number, width: number, top: number, parts: ClassPercent[], range: [number, number] | null,
 *   href: string, text: string}} Slot
 */

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 220;
const MARGIN = { left: 44, right: 10, top: 12, bottom: 26 };
const WIDEST = 28;
const MOST_STRETCH = 2.5;
const STEPS = [1, 2, 2.5, 5, 10];
const MINUTE = 60_000;
const TICK_STEPS = [1, 5, 15, 30, 60, 180, 360, 720, 1440, 2880, 10_080, 20_160, 43_200, 129_600, 525_600].map(
  (minutes) => minutes * MINUTE,
);

/**
 * `<trend-chart data-trend>` draws the percent masked over time: a column for each measurement where they are few, for
 * each stretch of time where they are many; the classes on top of each other, the outliers ringed. Everything leads
 * to what it shows. The arrow keys walk along, and the same numbers stand in a table below.
 */
class TrendChart extends HTMLElement {
  /** @type {Trend | null} */
  trend = null;
  /** @type {Slot[]} */
  slots = [];
  current = -1;
  drawnWidth = 0;

  async connectedCallback() {
    try {
      const answer = await fetch(this.dataset.trend ?? "", { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      this.trend = /** @type {Trend} */ (await answer.json());
    } catch (error) {
      if (!this.isConnected || document.visibilityState === "hidden") return; // the page is being left
      this.textContent = "The trend could not be loaded.";
      return;
    }
    if (this.trend.count < 2) {
      this.hidden = true; // one measurement is no trend
      return;
    }
    this.build(this.trend);
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  /** @param {Trend} trend */
  build(trend) {
    const spread = /** @type {Spread} */ (trend.percent_masked);
    const few = trend.points.length > 0;
    const each = few ? "each measurement" : `means of ${duration(trend.bucket_seconds)}`;
    const head = element("div", "trend-head");
    const title = element("h2", "", "Percent masked over time");
    title.append(element("span", "count", ` ${each}`));
    const legend = element("ul", "trend-legend");
    for (const { class: name, color } of trend.classes) {
      const entry = element("li", "");
      const swatch = svg("svg", { class: "swatch", viewBox: "0 0 12 12", "aria-hidden": "true" });
      swatch.append(svg("rect", { width: 12, height: 12, rx: 3, fill: color }));
      entry.append(swatch, name);
      legend.append(entry);
    }
    head.append(title, legend);
    const facts = element("p", "trend-facts");
    facts.append(
      fact("median", withUnit(spread.median)),
      fact("middle half", `${withUnit(spread.lower_quartile)} – ${withUnit(spread.upper_quartile)}`),
      fact("highest", withUnit(spread.maximum)),
      fact(trend.outlier_count === 1 ? "outlier" : "outliers", grouped(trend.outlier_count)),
    );
    const plot = element("div", "trend-plot");
    plot.tabIndex = 0;
    plot.setAttribute("role", "group");
    plot.setAttribute("aria-roledescription", "chart");
    plot.setAttribute(
      "aria-label",
      `Percent masked of ${trend.count} measurements, median ${withUnit(spread.median)}. Arrow keys walk along, Enter opens; the same numbers are in the table below.`,
    );
    const tip = element("p", "trend-tip");
    tip.setAttribute("role", "status");
    tip.hidden = true;
    plot.append(svg("svg", { class: "chart trend-svg", height: HEIGHT, "aria-hidden": "true", focusable: "false" }), tip);
    plot.addEventListener("keydown", (event) => this.walk(event));
    plot.addEventListener("blur", () => this.point(-1));
    plot.addEventListener("pointermove", (event) => this.point(this.slotAt(event)));
    plot.addEventListener("pointerleave", () => this.point(-1));
    this.replaceChildren(head, facts, plot, this.table(trend));
  }

  get plot() {
    return /** @type {HTMLElement} */ (this.querySelector(".trend-plot"));
  }

  draw() {
    const trend = this.trend;
    const width = Math.floor(this.plot.clientWidth);
    if (!trend || width === this.drawnWidth || width < 100) return;
    this.drawnWidth = width;
    const few = trend.points.length > 0;
    const most = scaleEnd(trend);
    const inner = width - MARGIN.left - MARGIN.right;
    const x0 = MARGIN.left;
    const tall = HEIGHT - MARGIN.top - MARGIN.bottom;
    const y = (/** @type {number} */ value) => HEIGHT - MARGIN.bottom - Math.min(1, value / most) * tall;
    const canvas = /** @type {SVGSVGElement} */ (this.querySelector(".trend-svg"));
    canvas.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    canvas.setAttribute("width", String(width));
    canvas.replaceChildren();
    this.axis(canvas, most, y, x0, width - MARGIN.right);
    const time = few ? null : timeScale(trend, x0, inner);
    this.slots = few ? this.slotsOfPoints(trend, x0, inner) : this.slotsOfBuckets(trend, time ?? (() => 0));
    this.times(canvas, trend, time, inner);
    const colors = new Map(trend.classes.map((entry) => [entry.class, entry.color]));
    for (const slot of this.slots) canvas.append(column(slot, y, colors));
    if (trend.fences) fences(canvas, trend.fences, most, y, x0, width - MARGIN.right);
    const marks = new Map(trend.points.map((point, index) => [point.id, this.slots[index]]));
    for (const point of trend.outliers) {
      const slot = marks.get(point.id);
      const x = time ? time(Date.parse(point.created_at)) : (slot?.left ?? 0) + (slot?.width ?? 0) / 2;
      canvas.append(this.mark(point, x, y(point.percent_masked), point.percent_masked > most));
    }
    if (trend.outliers.some((point) => point.percent_masked > most)) {
      const above = `\u25b2 above ${axisNumber(most, niceStep(most / 4))}`;
      canvas.append(svg("text", { class: "chart-text trend-above", x: width - MARGIN.right, y: 8, "text-anchor": "end" }, above));
    }
  }

  /**
   * @param {SVGElement} canvas
   * @param {number} most
   * @param {(value: number) => number} y
   * @param {number} left
   * @param {number} right
   */
  axis(canvas, most, y, left, right) {
    const step = niceStep(most / 4);
    for (let value = 0; value <= most * 1.0001; value += step) {
      const at = Math.round(y(value)) + 0.5;
      canvas.append(
        svg("line", { class: value ? "chart-line" : "chart-axis", x1: left, x2: right, y1: at, y2: at }),
        svg("text", { class: "chart-text", x: left - 8, y: at + 4, "text-anchor": "end" }, axisNumber(value, step)),
      );
    }
  }

  /**
   * @param {Trend} trend
   * @param {number} left
   * @param {number} inner
   * @returns {Slot[]}
   */
  slotsOfPoints(trend, left, inner) {
    const outliers = new Set(trend.outliers.map((point) => point.id));
    const width = inner / trend.points.length;
    return trend.points.map((point, index) => ({
      left: left + index * width,
      width,
      top: point.percent_masked,
      parts: point.by_class,
      range: null,
      href: this.measurement(point),
      text: `${point.filename}, ${moment(point.created_at)}: ${withUnit(point.percent_masked)}${parts(point.by_class)}${outliers.has(point.id) ? ", an outlier" : ""}`,
    }));
  }

  /**
   * @param {Trend} trend
   * @param {(time: number) => number} x
   * @returns {Slot[]}
   */
  slotsOfBuckets(trend, x) {
    return trend.buckets.map((bucket) => {
      const { count, mean, median, lower_quartile: lower, upper_quartile: upper } = bucket.percent_masked;
      const left = x(Date.parse(bucket.since));
      const many = `${grouped(count)} measurement${count === 1 ? "" : "s"}`;
      return {
        left,
        width: x(Date.parse(bucket.until)) - left,
        top: mean,
        parts: bucket.by_class,
        range: [lower, upper],
        href: this.stretch(bucket),
        text: `${stretch(bucket, trend.bucket_seconds)}, ${many}: mean ${withUnit(mean)}, median ${withUnit(median)}, middle half ${withUnit(lower)} – ${withUnit(upper)}${parts(bucket.by_class)}`,
      };
    });
  }

  /**
   * @param {SVGElement} canvas
   * @param {Trend} trend
   * @param {((time: number) => number) | null} time
   * @param {number} inner
   */
  times(canvas, trend, time, inner) {
    const room = Math.max(2, Math.floor(inner / 110));
    /** @type {[number, number][]} where, and which moment */
    let ticks = [];
    if (time) {
      const first = Date.parse(trend.buckets[0]?.since ?? "");
      const last = Date.parse(trend.buckets.at(-1)?.until ?? "");
      ticks = moments(first, last, room).map((at) => [time(at), at]);
    } else {
      const step = Math.max(1, Math.ceil(this.slots.length / room));
      for (let index = 0; index < this.slots.length; index += step) {
        const slot = this.slots[index];
        const point = trend.points[index];
        if (slot && point) ticks.push([slot.left + slot.width / 2, Date.parse(point.created_at)]);
      }
    }
    const long = ticks.length > 1 && (ticks.at(-1)?.[1] ?? 0) - (ticks[0]?.[1] ?? 0) > 48 * 60 * MINUTE;
    let day = "";
    for (const [x, at] of ticks) {
      const here = new Date(at);
      const name = here.toLocaleDateString(undefined, { day: "numeric", month: "short" });
      const clock = here.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
      const text = long ? (name === day ? "" : name) : name === day ? clock : `${name}, ${clock}`;
      day = name;
      const anchor = x < MARGIN.left + 30 ? "start" : x > inner + MARGIN.left - 30 ? "end" : "middle";
      canvas.append(
        svg("line", { class: "chart-axis", x1: x, x2: x, y1: HEIGHT - MARGIN.bottom, y2: HEIGHT - MARGIN.bottom + 4 }),
        svg("text", { class: "chart-text", x, y: HEIGHT - 6, "text-anchor": anchor }, text),
      );
    }
  }

  /**
   * @param {Point} point
   * @param {number} x
   * @param {number} y
   * @param {boolean} isAbove the end of the scale
   */
  mark(point, x, y, isAbove) {
    const link = svg("a", { href: this.measurement(point), tabindex: -1, class: "trend-outlier" });
    const shape = isAbove
      ? svg("path", { d: `M${x - 5} ${y + 3}h10l-5 -9z` })
      : svg("circle", { cx: x, cy: y, r: 4 });
    shape.append(svg("title", {}, `${point.filename}: ${withUnit(point.percent_masked)}, an outlier`));
    link.append(shape);
    return link;
  }

  /** @param {Trend} trend */
  table(trend) {
    const details = element("details", "trend-data");
    details.append(element("summary", "", "The same in numbers"));
    const few = trend.points.length > 0;
    const scroll = element("div", "table-scroll table-tall");
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "group");
    scroll.setAttribute("aria-label", "Trend in numbers");
    const table = element("table", "");
    const head = few ? ["Measured", "File", "Masked, %"] : ["From", "Measurements", "Mean, %", "Median, %", "Middle half, %", "Lowest, %", "Highest, %"];
    const names = trend.classes.map((entry) => entry.class);
    const heading = element("tr", "");
    const texts = few ? 2 : 1;
    for (const [index, name] of [...head, ...names].entries()) {
      const cell = element("th", index < texts ? "" : "number", name);
      cell.setAttribute("scope", "col");
      heading.append(cell);
    }
    const header = element("thead", "");
    header.append(heading);
    const body = element("tbody", "");
    for (const entry of few ? trend.points : trend.buckets) {
      const row = element("tr", "");
      const link = document.createElement("a");
      const first = element("th", "");
      first.setAttribute("scope", "row");
      first.append(link);
      /** @type {string[]} */
      let cells;
      if ("filename" in entry) {
        link.href = this.measurement(entry);
        link.textContent = moment(entry.created_at);
        cells = [entry.filename, percent(entry.percent_masked)];
      } else {
        const one = entry.percent_masked;
        link.href = this.stretch(entry);
        link.textContent = stretch(entry, trend.bucket_seconds);
        cells = [
          grouped(one.count),
          ...[one.mean, one.median].map(percent),
          `${percent(one.lower_quartile)} – ${percent(one.upper_quartile)}`,
          ...[one.minimum, one.maximum].map(percent),
        ];
      }
      const found = new Map(entry.by_class.map((part) => [part.class, part.percent_masked]));
      cells.push(...names.map((name) => percent(found.get(name) ?? 0)));
      row.append(first, ...cells.map((text, index) => element("td", index + 1 < texts ? "" : "number", text)));
      body.append(row);
    }
    table.append(header, body);
    scroll.append(table);
    const note = element("p", "hint");
    note.textContent =
      "Outliers are outside Tukey's fences: further from the middle half than 1.5 times its width" +
      (trend.fences ? ` (below ${withUnit(Math.max(0, trend.fences[0]))} or above ${withUnit(trend.fences[1])})` : "") +
      ". Classes may overlap: their sum may be more than what is masked.";
    details.append(note, scroll);
    return details;
  }

  /** @param {{id: string}} point */
  measurement(point) {
    return (this.dataset.measurement ?? "").replace("ID", point.id);
  }

  /** @param {Bucket} bucket */
  stretch(bucket) {
    const [path, query] = (this.dataset.history ?? "").split("?");
    const parameters = new URLSearchParams(query);
    for (const name of ["from", "to", "offset"]) parameters.delete(name);
    parameters.set("since", bucket.since);
    parameters.set("until", bucket.until);
    return `${path}?${parameters}`;
  }

  /** @param {PointerEvent} event */
  slotAt(event) {
    const x = event.clientX - this.plot.getBoundingClientRect().left;
    return this.slots.findIndex((slot) => x >= slot.left && x < slot.left + slot.width);
  }

  /** @param {KeyboardEvent} event */
  walk(event) {
    const last = this.slots.length - 1;
    /** @type {Record<string, number>} */
    const targets = {
      ArrowLeft: this.current < 0 ? last : this.current - 1,
      ArrowRight: this.current < 0 ? 0 : this.current + 1,
      Home: 0,
      End: last,
    };
    const target = targets[event.key];
    if (target !== undefined) {
      event.preventDefault();
      this.point(Math.min(Math.max(target, 0), last));
    } else if (event.key === "Enter" && this.slots[this.current]) {
      location.assign(this.slots[this.current]?.href ?? "");
    } else if (event.key === "Escape") {
      this.point(-1);
    }
  }

  /** @param {number} index of the slot pointed at; -1 is none */
  point(index) {
    if (index === this.current) return;
    const links = this.querySelectorAll(".trend-slot");
    links[this.current]?.classList.remove("trend-pointed");
    this.current = index;
    const tip = /** @type {HTMLElement} */ (this.querySelector(".trend-tip"));
    const slot = this.slots[index];
    tip.hidden = !slot;
    if (!slot) return;
    links[index]?.classList.add("trend-pointed");
    tip.textContent = slot.text;
    const width = this.plot.clientWidth;
    const middle = slot.left + slot.width / 2;
    const half = Math.min(tip.offsetWidth, width) / 2;
    tip.style.left = `${Math.min(Math.max(middle, half), width - half)}px`;
  }
}

/**
 * @param {Slot} slot
 * @param {(value: number) => number} y
 * @param {Map<string, string>} colors
 */
function column(slot, y, colors) {
  const link = svg("a", { href: slot.href, tabindex: -1, class: "trend-slot" });
  const gap = slot.width > 4 ? 1 : 0;
  const width = Math.max(1, Math.min(slot.width - gap, WIDEST));
  const left = slot.left + (slot.width - width) / 2;
  const middle = slot.left + slot.width / 2;
  const base = y(0);
  link.append(svg("rect", { class: "trend-hit", x: slot.left, y: MARGIN.top, width: slot.width, height: base - MARGIN.top }));
  let below = 0;
  for (const part of slot.parts) {
    const high = y(below + part.percent_masked);
    const height = Math.max(0, y(below) - high);
    link.append(svg("rect", { class: "trend-part", x: left, y: high, width, height, fill: colors.get(part.class) ?? "" }));
    below += part.percent_masked;
  }
  if (slot.range) {
    link.append(svg("line", { class: "trend-range", x1: middle, x2: middle, y1: y(slot.range[0]), y2: y(slot.range[1]) }));
  }
  const tick = Math.max(width, 3);
  link.append(svg("line", { class: "trend-total", x1: middle - tick / 2, x2: middle + tick / 2, y1: y(slot.top), y2: y(slot.top) }));
  return link;
}

/**
 * @param {SVGElement} canvas
 * @param {[number, number]} ends
 * @param {number} most
 * @param {(value: number) => number} y
 * @param {number} left
 * @param {number} right
 */
function fences(canvas, ends, most, y, left, right) {
  for (const value of ends) {
    if (value <= 0 || value >= most) continue;
    const at = Math.round(y(value)) + 0.5;
    canvas.append(svg("line", { class: "trend-fence", x1: left, x2: right, y1: at, y2: at }));
  }
}

/**
 * @param {Trend} trend
 * @param {number} left
 * @param {number} inner
 * @returns {(time: number) => number}
 */
function timeScale(trend, left, inner) {
  const first = Date.parse(trend.buckets[0]?.since ?? "");
  const last = Date.parse(trend.buckets.at(-1)?.until ?? "");
  return (time) => left + (inner * (time - first)) / Math.max(1, last - first);
}

/**
 * Round moments of the reader's own time between two.
 * @param {number} first
 * @param {number} last
 * @param {number} room how many fit
 */
function moments(first, last, room) {
  const step = TICK_STEPS.find((candidate) => (last - first) / candidate <= room) ?? TICK_STEPS.at(-1) ?? MINUTE;
  const zone = new Date(first).getTimezoneOffset() * MINUTE;
  const found = [];
  for (let at = Math.ceil((first - zone) / step) * step + zone; at <= last; at += step) found.push(at);
  return found;
}

/**
 * @param {{by_class: ClassPercent[], percent_masked: number | Spread}} entry
 * @param {number} [least]
 */
function top(entry, least = 0) {
  const sum = entry.by_class.reduce((total, part) => total + part.percent_masked, 0);
  const own = typeof entry.percent_masked === "number" ? entry.percent_masked : entry.percent_masked.mean;
  return Math.max(sum, own, least);
}

/**
 * Where the scale ends: above all, unless outliers would press everything else flat; then they stand at its end.
 * @param {Trend} trend
 */
function scaleEnd(trend) {
  const outside = new Set(trend.outliers.map((point) => point.id));
  const usual = trend.points.length
    ? trend.points.filter((point) => !outside.has(point.id)).map((point) => top(point))
    : trend.buckets.map((bucket) => top(bucket, bucket.percent_masked.upper_quartile));
  const inner = Math.max(0.01, ...usual, Math.min(trend.fences?.[1] ?? 0, 100) * 1.05);
  const outer = Math.max(inner, ...trend.outliers.map((point) => point.percent_masked), ...trend.points.map((point) => top(point)));
  return niceAbove(outer > MOST_STRETCH * inner ? inner : outer);
}

/** @param {number} least */
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * (STEPS.find((step) => step * power >= least * 0.9999) ?? 10);
}

/** @param {number} most */
function niceAbove(most) {
  const step = niceStep(most / 4);
  return Math.ceil(most / step - 1e-9) * step;
}

/** @param {number} value */
function withUnit(value) {
  return `${percent(value)}\u2009%`;
}

/**
 * @param {number} value
 * @param {number} step
 */
function axisNumber(value, step) {
  const places = Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) + (String(step).includes("25") && step < 10 ? 1 : 0);
  return `${decimals(value, Math.min(places, 4))}\u2009%`;
}

/** @param {ClassPercent[]} found */
function parts(found) {
  if (found.length < 2) return found[0] ? `, ${found[0].class}` : "";
  return `; ${found.map((part) => `${part.class} ${withUnit(part.percent_masked)}`).join(", ")}`;
}

/** @param {string} iso */
function moment(iso) {
  return new Date(iso).toLocaleString(undefined, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
}

/**
 * @param {Bucket} bucket
 * @param {number} seconds
 */
function stretch(bucket, seconds) {
  const since = new Date(bucket.since);
  if (seconds < 86_400) return moment(bucket.since);
  const day = since.toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
  return seconds === 86_400 ? day : `${duration(seconds)} from ${day}`;
}

/** @param {number} seconds */
function duration(seconds) {
  for (const [name, length] of /** @type {[string, number][]} */ ([["year", 31_536_000], ["week", 604_800], ["day", 86_400], ["hour", 3600], ["minute", 60]])) {
    if (seconds % length === 0) {
      const count = seconds / length;
      return `${count} ${name}${count === 1 ? "" : "s"}`;
    }
  }
  return `${seconds} s`;
}

/**
 * @param {string} name
 * @param {string} value
 */
function fact(name, value) {
  const entry = element("span", "trend-fact", `${name} `);
  entry.append(element("strong", "", value));
  return entry;
}

/**
 * @param {string} tag
 * @param {string} className
 * @param {string} [text]
 */
function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 */
function svg(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}

customElements.define("trend-chart", TrendChart);
