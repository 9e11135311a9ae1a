// @ts-check

import { element, one, svg } from "./elements.js";
import { grouped, percent, short } from "./numbers.js";
import { RowWindow } from "./row-window.js";
import { keepColumns, offerColumns } from "./table-columns.js";
import { verdictMark } from "./verdict.js";

/**
 * A measurement in short, as the API lists it.
 * @typedef {{id: string, created_at: string, filename: string, model: string, batch: string | null, lot: string | null,
 *   sample: string | null, operator: string | null, profile: string | null,
 *   verdict: import("./verdict.js").Verdict | null, percent_masked: number | null,
 *   reviewed: boolean, corrections: number, corrected_percent_masked: number | null,
 *   instance_count: number, score_threshold: number, kept_threshold: number | null,
 *   by_class: {class: string, percent_masked: number}[]}} Line
 */

const PORTION = 250;
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/**
 * `<history-table>` around the table of the history: all that matches in one table that scrolls, however long, its lines
 * fetched as they come into view. What is ticked stays so when it leaves the view.
 */
export class HistoryTable extends HTMLElement {
  /** @type {Map<number, Line>} by their place in the order */
  lines = new Map();
  /** @type {Set<number>} the portions that were asked for */
  asked = new Set();
  /** @type {Set<string>} ids */
  ticked = new Set();
  /** @type {Map<string, string>} of the classes, in the order of their columns */
  colors = new Map(JSON.parse(this.dataset.colors ?? "[]"));
  /** @type {Record<string, string>} */
  titles = JSON.parse(this.dataset.titles ?? "{}");
  full = Number(this.dataset.full);
  name = "history";
  rows = new RowWindow(one(this, ".table-scroll"), this.table, (at) => this.write(at));

  async connectedCallback() {
    offerColumns(this);
    this.form?.addEventListener("formdata", (event) => {
      for (const id of event.formData.getAll("ids")) this.ticked.add(String(id));
      if (!this.ticked.size) return;
      event.formData.delete("ids");
      event.formData.append("ids", [...this.ticked].join(","));
    });
    this.addEventListener("change", (event) => {
      const tick = event.target;
      if (!(tick instanceof HTMLInputElement) || tick.name !== "ids") return;
      if (tick.checked) this.ticked.add(tick.value);
      else this.ticked.delete(tick.value);
    });
    await this.fetch(0);
    if (!this.lines.size) return; // the table as it came stays
    this.classList.add("whole");
    this.rows.show(Number(this.dataset.count));
  }

  /** After other columns were chosen. */
  changed() {
    if (this.lines.size) this.rows.show(this.rows.total);
  }

  /**
   * Fetch the portion that a line is in.
   * @param {number} at
   */
  async fetch(at) {
    const portion = Math.floor(at / PORTION);
    if (this.asked.has(portion)) return;
    this.asked.add(portion);
    const url = new URL(this.dataset.lines ?? "", document.baseURI);
    url.searchParams.set("limit", String(PORTION));
    url.searchParams.set("offset", String(portion * PORTION));
    const answer = await fetch(url).catch(() => null);
    if (!answer?.ok) {
      this.asked.delete(portion); // scrolling asks again
      return;
    }
    const { lines } = /** @type {{lines: Line[]}} */ (await answer.json());
    for (const [index, line] of lines.entries()) this.lines.set(portion * PORTION + index, line);
    if (portion) this.fill(portion);
  }

  /**
   * Tick all that match, or none.
   * @param {boolean} on
   */
  async tickAll(on) {
    this.ticked.clear();
    const portions = on ? Math.ceil(Number(this.dataset.count) / PORTION) : 0;
    for (let portion = 0; portion < portions; portion++) await this.fetch(portion * PORTION);
    if (on) for (const { id } of this.lines.values()) this.ticked.add(id);
    this.rows.show(this.rows.total);
  }

  /**
   * Write the lines of a portion that are in view and still empty.
   * @param {number} portion
   */
  fill(portion) {
    for (const row of this.rows.body.querySelectorAll("tr[data-empty]")) {
      const at = Number(/** @type {HTMLElement} */ (row).dataset.empty);
      if (Math.floor(at / PORTION) === portion && this.lines.has(at)) this.rows.refresh(at);
    }
  }

  /** @param {number} at */
  write(at) {
    const line = this.lines.get(at);
    const row = element("tr");
    if (!line) {
      this.fetch(at);
      row.dataset.empty = String(at);
      const waiting = element("td", "history-waiting", "…");
      waiting.colSpan = this.table.tHead?.rows[0]?.cells.length ?? 1;
      row.append(waiting);
      return row;
    }
    const file = element("th", "history-file");
    file.scope = "row";
    const link = element("a", "", line.filename);
    link.href = this.address("measurement", line);
    file.append(link);
    const masked = element("td", "history-percent number", percent(line.percent_masked));
    masked.append(element("small", "", "\u2009%"));
    const bar = element("td", "history-bar");
    bar.append(this.bar(line));
    row.append(
      this.tick(line),
      this.picture(line),
      file,
      masked,
      bar,
      element("td", "number", grouped(line.instance_count)),
      element("td", "", this.titles[line.model] ?? line.model),
      element("td", "history-date", MOMENT.format(new Date(line.created_at))),
      this.verdict(line),
      this.corrected(line),
      element("td", "", line.profile ?? ""),
      element("td", "number", `${short(line.score_threshold)}${line.kept_threshold === null ? "" : " kept"}`),
      element("td", "", line.batch ?? ""),
      element("td", "", line.lot ?? ""),
      element("td", "", line.sample ?? ""),
      element("td", "", line.operator ?? ""),
      ...[...this.colors.keys()].map((name) => {
        const found = line.by_class.find((entry) => entry.class === name);
        return element("td", "number", found ? percent(found.percent_masked) : "");
      }),
    );
    return row;
  }

  /** @param {Line} line */
  tick(line) {
    const cell = element("td", "history-tick");
    const box = element("input");
    box.type = "checkbox";
    box.name = "ids";
    box.value = line.id;
    box.checked = this.ticked.has(line.id);
    const label = element("label");
    label.append(box, element("span", "visually-hidden", `Select ${line.filename}`));
    cell.append(label);
    return cell;
  }

  /** @param {Line} line */
  verdict(line) {
    const cell = element("td");
    if (line.verdict) cell.append(verdictMark(line.verdict));
    return cell;
  }

  /** @param {Line} line */
  corrected(line) {
    const cell = element("td", "number");
    if (!line.corrections) return cell;
    cell.append(
      percent(line.corrected_percent_masked),
      element("small", "", `\u2009%${line.reviewed ? " reviewed" : ""}`),
    );
    return cell;
  }

  /** @param {Line} line */
  picture(line) {
    const cell = element("td", "history-picture");
    if (!keepColumns(this).has("picture")) return cell; // none is fetched that nobody sees
    const image = element("img");
    image.loading = "lazy";
    image.alt = "";
    image.width = 320;
    image.height = 240;
    image.src = this.address("thumbnail", line);
    cell.append(image);
    return cell;
  }

  /** @param {Line} line */
  bar(line) {
    const drawn = svg("svg", { class: "bar", width: "100%", height: 6, "aria-hidden": "true" });
    drawn.append(svg("rect", { class: "bar-track", width: "100%", height: 6 }));
    let x = 0;
    for (const entry of line.by_class) {
      const width = (100 * entry.percent_masked) / this.full;
      const fill = this.colors.get(entry.class) ?? "#82908c";
      drawn.append(svg("rect", { x: `${x}%`, width: `${width}%`, height: 6, fill }));
      x += width;
    }
    return drawn;
  }

  /**
   * @param {"measurement" | "thumbnail"} what
   * @param {Line} line
   */
  address(what, line) {
    const address = (this.dataset[what] ?? "").replace("ID", line.id);
    return what === "thumbnail" && line.kept_threshold !== null ? `${address}?at=${line.kept_threshold}` : address;
  }

  get form() {
    return this.closest("form");
  }

  get table() {
    return /** @type {HTMLTableElement} */ (one(this, "table"));
  }
}

customElements.define("history-table", HistoryTable);
