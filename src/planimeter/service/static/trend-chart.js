// @ts-check

import { element, one, svg } from "./elements.js";
import { grouped } from "./numbers.js";
import { duration, linksTo, withUnit } from "./trend.js";
import {
  columnsOfBuckets,
  columnsOfPoints,
  drawColumn,
  drawFences,
  drawLimit,
  drawOutlier,
  fencesInWords,
  placesOf,
} from "./trend-columns.js";
import { controls, foldable, rememberedLimit } from "./trend-controls.js";
import { drawAbove, drawAxis, drawTimes, HEIGHT, scaleOf, ticksOfTime, timeScale } from "./trend-scale.js";
import { trendTable } from "./trend-table.js";
import { areThere, countAtLimit, failedEntry, verdictsInWords } from "./trend-verdicts.js";

/** @typedef {import("./trend.js").Spread} Spread */
/** @typedef {import("./trend.js").Trend} Trend */
/** @typedef {import("./trend-columns.js").Column} Column */

/** Milliseconds after the last key, so that not every digit of a limit is asked about. */
const COUNT_AFTER = 250;

/**
 * `<trend-chart data-trend>` draws the percent masked over time: a column for each measurement where they are few, for
 * each stretch of time where they are many; the classes on top of each other, the outliers ringed, a cross above what
 * fails. Everything leads to what it shows. The arrow keys walk along, and the same numbers stand in a table below.
 */
export class TrendChart extends HTMLElement {
  /** @type {Trend | null} */
  trend = null;
  /** @type {Column[]} */
  columns = [];
  current = -1;
  drawnWidth = 0;
  /** @type {{name: string, title: string}[]} those that measured what matches: the chart shows one at a time */
  models = JSON.parse(this.dataset.models ?? "[]");
  model = this.models[0]?.name ?? "";
  limit = rememberedLimit();
  counting = new AbortController();

  get links() {
    const several = this.models.length > 1;
    return linksTo(this.dataset.measurement ?? "", this.dataset.history ?? "", several ? this.model : "");
  }

  async connectedCallback() {
    await this.load();
    new ResizeObserver(() => this.draw()).observe(this);
  }

  async load() {
    const url = new URL(this.dataset.trend ?? "", document.baseURI);
    if (this.model) url.searchParams.set("model", this.model);
    try {
      const answer = await fetch(url, { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      this.trend = /** @type {Trend} */ (await answer.json());
    } catch {
      if (!this.isConnected || document.visibilityState === "hidden") return; // the page is being left
      this.textContent = "The trend could not be loaded.";
      return;
    }
    this.hidden = this.trend.count < 2 && this.models.length < 2; // one measurement is no trend
    this.drawnWidth = 0;
    this.current = -1;
    if (!this.hidden) this.build(this.trend);
    this.draw();
    this.count();
  }

  /** @param {Trend} trend */
  build(trend) {
    const spread = trend.percent_masked;
    const head = element("div", "trend-head");
    const title = element("h2", "", "Percent masked over time");
    title.append(element("span", "count trend-each"));
    head.append(title, legend(trend));
    const bar = controls(this);
    if (!spread) {
      const why = trend.without_percent ? "None of them has a percentage." : "This model measured none of them.";
      this.replaceChildren(...foldable(head, [bar, element("p", "empty", why)]));
      return;
    }
    const facts = element("p", "trend-facts");
    facts.append(
      fact("median", withUnit(spread.median)),
      fact("middle 50 %", `${withUnit(spread.lower_quartile)} – ${withUnit(spread.upper_quartile)}`),
      fact("highest", withUnit(spread.maximum)),
      fact(trend.outlier_count === 1 ? "outlier" : "outliers", grouped(trend.outlier_count)),
    );
    if (trend.fences) facts.append(fencesInWords(trend.fences));
    if (areThere(trend.verdicts)) facts.append(fact("verdicts", verdictsInWords(trend.verdicts)));
    if (trend.without_percent) facts.append(fact("without a percentage", grouped(trend.without_percent)));
    const above = element("span", "trend-fact trend-at-limit");
    above.setAttribute("role", "status");
    facts.append(above);
    const data = trendTable(trend, this.links);
    this.replaceChildren(...foldable(head, [bar, facts, this.buildPlot(trend, spread), data]));
  }

  /**
   * @param {Trend} trend
   * @param {Spread} spread
   */
  buildPlot({ count, verdicts }, spread) {
    const plot = element("div", "trend-plot");
    plot.tabIndex = 0;
    plot.setAttribute("role", "group");
    plot.setAttribute("aria-roledescription", "chart");
    const judged = areThere(verdicts) ? `; ${verdictsInWords(verdicts)}` : "";
    const what = `Percent masked of ${count} measurements, median ${withUnit(spread.median)}${judged}.`;
    plot.setAttribute(
      "aria-label",
      `${what} Arrow keys walk along, Enter opens; the same numbers are in the table below.`,
    );
    const tip = element("p", "trend-tip");
    tip.setAttribute("role", "status");
    tip.hidden = true;
    const canvas = { class: "chart trend-svg", height: HEIGHT, "aria-hidden": "true", focusable: "false" };
    plot.append(svg("svg", canvas), tip);
    plot.addEventListener("keydown", (event) => this.walk(event));
    plot.addEventListener("blur", () => this.point(-1));
    plot.addEventListener("pointermove", (event) => this.point(this.columnAt(event)));
    plot.addEventListener("pointerleave", () => this.point(-1));
    return plot;
  }

  get plot() {
    return /** @type {HTMLElement | null} */ (this.querySelector(".trend-plot"));
  }

  /** @param {number | null} limit */
  setLimit(limit) {
    this.limit = limit;
    this.drawnWidth = 0;
    this.draw();
    this.count();
  }

  /** Say how many are above the limit; of several asked for quickly, only the last. */
  async count() {
    this.counting.abort();
    this.counting = new AbortController();
    const { signal } = this.counting;
    const place = this.querySelector(".trend-at-limit");
    if (!place) return;
    place.replaceChildren();
    const { statistics } = this.dataset;
    if (this.limit === null || !statistics) return;
    try {
      await new Promise((done) => setTimeout(done, COUNT_AFTER));
      const { name, value } = await countAtLimit(statistics, this.model, this.limit, signal);
      if (!signal.aborted) place.replaceChildren(...fact(name, value).childNodes);
    } catch {
      if (!signal.aborted) place.textContent = "what is above the limit could not be counted";
    }
  }

  /** @param {string} model */
  setModel(model) {
    this.model = model;
    this.load();
  }

  draw() {
    const { trend, plot, limit } = this;
    const width = Math.floor(plot?.clientWidth ?? 0);
    if (!trend || width === this.drawnWidth || width < 100) return;
    this.drawnWidth = width;
    const canvas = /** @type {SVGSVGElement} */ (this.querySelector(".trend-svg"));
    canvas.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    canvas.setAttribute("width", String(width));
    canvas.replaceChildren();
    const scale = scaleOf(trend, width, limit);
    const time = trend.points.length ? null : timeScale(trend, scale);
    const places = placesOf(trend, scale);
    this.columns = time ? columnsOfBuckets(trend, this.links, time) : columnsOfPoints(trend, this.links, places);
    const order = places.inTime
      ? "each measurement"
      : "each measurement, one beside the other: not to the scale of time";
    one(this, ".trend-each").textContent = time ? ` means of ${duration(trend.bucket_seconds)}` : ` ${order}`;
    const room = Math.max(2, Math.floor((scale.right - scale.left) / 110));
    drawAxis(canvas, scale);
    drawTimes(canvas, scale, time ? ticksOfTime(trend, time, room) : this.ticksOfPoints(trend, room));
    const colors = new Map(trend.classes.map((entry) => [entry.class, entry.color]));
    for (const column of this.columns) canvas.append(drawColumn(column, scale, colors));
    if (trend.fences) drawFences(canvas, trend.fences, scale);
    const middles = new Map(trend.points.map((point, index) => [point.id, middle(this.columns[index])]));
    for (const point of trend.outliers) {
      const x = time ? time(Date.parse(point.created_at)) : (middles.get(point.id) ?? 0);
      canvas.append(drawOutlier(point, this.links.measurement(point), x, scale));
    }
    if (trend.outliers.some((point) => point.percent_masked > scale.most)) drawAbove(canvas, scale);
    if (limit !== null) drawLimit(canvas, limit, scale);
  }

  /**
   * Of every so many measurements, when it was.
   * @param {Trend} trend
   * @param {number} room how many fit
   */
  ticksOfPoints(trend, room) {
    const apart = (this.plot?.clientWidth ?? 0) / (room + 1);
    let last = Number.NEGATIVE_INFINITY;
    return trend.points
      .map((point, index) => ({ x: middle(this.columns[index]), at: Date.parse(point.created_at) }))
      .filter(({ x }) => {
        if (x - last < apart) return false;
        last = x;
        return true;
      });
  }

  // ---- Hands

  /** @param {PointerEvent} event */
  columnAt(event) {
    const x = event.clientX - (this.plot?.getBoundingClientRect().left ?? 0);
    return this.columns.findIndex((column) => x >= column.left && x < column.left + column.width);
  }

  /** @param {KeyboardEvent} event */
  walk(event) {
    const last = this.columns.length - 1;
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
    } else if (event.key === "Enter" && this.columns[this.current]) {
      location.assign(this.columns[this.current]?.href ?? "");
    } else if (event.key === "Escape") {
      this.point(-1);
    }
  }

  /** @param {number} index of the column pointed at; -1 is none */
  point(index) {
    if (index === this.current) return;
    const drawn = this.querySelectorAll(".trend-slot");
    drawn[this.current]?.classList.remove("trend-pointed");
    this.current = index;
    const tip = one(this, ".trend-tip");
    const column = this.columns[index];
    tip.hidden = !column;
    if (!column) return;
    drawn[index]?.classList.add("trend-pointed");
    tip.textContent = column.text;
    const width = this.plot?.clientWidth ?? 0;
    const half = Math.min(tip.offsetWidth, width) / 2;
    tip.style.left = `${Math.min(Math.max(middle(column), half), width - half)}px`;
  }
}

/** @param {Column | undefined} column */
function middle(column) {
  return column ? column.left + column.width / 2 : 0;
}

/** @param {Trend} trend */
function legend(trend) {
  const made = element("ul", "trend-legend");
  for (const { class: name, color } of trend.classes) {
    const mark = svg("svg", { class: "swatch", viewBox: "0 0 12 12", "aria-hidden": "true" });
    mark.append(svg("rect", { width: 12, height: 12, rx: 3, fill: color }));
    const entry = element("li");
    entry.append(mark, name);
    made.append(entry);
  }
  if (trend.verdicts.failed) made.append(failedEntry(trend.points.length > 0));
  return made;
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

customElements.define("trend-chart", TrendChart);
