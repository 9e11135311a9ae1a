// @ts-check

import { element, one } from "./elements.js";
import { percent } from "./numbers.js";
import { paintPreview } from "./preview.js";
import { phrase, setProgress } from "./progress.js";
import { Sending } from "./sending.js";
import { verdictMark } from "./verdict.js";

/** @typedef {import("./sending.js").Sent} Sent */

const THUMBNAIL_SIDE = 128;
/** @type {Record<string, (one: Sent, other: Sent) => number>} what is not measured yet stays in its place */
const ORDERS = {
  sent: () => 0,
  highest: (one, other) => (other.percent ?? -1) - (one.percent ?? -1),
  lowest: (one, other) => (one.percent ?? -1) - (other.percent ?? -1),
  name: (one, other) => one.file.name.localeCompare(other.file.name, undefined, { numeric: true }),
};

/** Many pictures on their way to the API: each with its preview, its progress and its own error, and all in one. */
export class BatchList {
  /** @type {Sending | null} */
  sending = null;
  name = "";
  /** @type {Map<Sent, HTMLElement>} */
  lines = new Map();
  /** @type {IntersectionObserver | undefined} */
  seen;
  /** @type {DOMStringMap} where results and reports are, with ID and BATCH in the place of names */
  addresses = {};

  /** @param {Element} page which has the parts of the list */
  constructor(page) {
    this.page = page;
  }

  get sort() {
    return /** @type {HTMLSelectElement} */ (this.one("[data-batch-sort]"));
  }

  /**
   * Begin a batch; `form` says where pictures, results and reports are.
   * @param {HTMLFormElement} form
   * @param {() => Record<string, string>} fields what is sent with each picture
   */
  begin(form, fields) {
    this.name = new Date().toISOString().replace(/[:.]/g, "-");
    this.addresses = form.dataset;
    this.lines.clear();
    this.one(".batch-list").replaceChildren();
    this.seen?.disconnect();
    this.seen = new IntersectionObserver((entries) => this.see(entries), { rootMargin: "200px" });
    this.sending = new Sending(
      form.dataset.api ?? "",
      () => ({ ...fields(), batch: this.name }),
      (entry) => this.update(entry),
    );
    this.sort.onchange = () => this.arrange();
    this.one(".batch").hidden = false;
    this.one(".batch-title").focus();
    return this.sending;
  }

  /**
   * @param {File[]} files
   * @param {number} passedOver how many were no pictures
   */
  add(files, passedOver) {
    if (!this.sending) return;
    const known = this.sending.entries.length;
    this.sending.add(files);
    for (const entry of this.sending.entries.slice(known)) this.one(".batch-list").append(this.line(entry));
    const note = this.one(".batch-passed");
    note.hidden = !passedOver;
    if (passedOver)
      note.textContent = `${passedOver} other file${passedOver === 1 ? " was" : "s were"} passed over: no picture of a kind that is measured.`;
    this.total();
  }

  /** @param {Sent} entry */
  line(entry) {
    const line = /** @type {HTMLElement} */ (
      /** @type {HTMLTemplateElement} */ (this.one("template")).content.firstElementChild?.cloneNode(true)
    );
    one(line, ".batch-name").textContent = entry.file.webkitRelativePath || entry.file.name;
    one(line, "[data-cancel]").addEventListener("click", () => this.sending?.cancel(entry));
    one(line, "[data-cancel]").setAttribute("aria-label", `Cancel ${entry.file.name}`);
    one(line, "[data-again]").addEventListener("click", () => this.sending?.again(entry));
    one(line, "[data-again]").setAttribute("aria-label", `Try ${entry.file.name} again`);
    this.lines.set(entry, line);
    this.seen?.observe(line);
    this.update(entry);
    return line;
  }

  /**
   * Show the previews of what is in sight.
   * @param {IntersectionObserverEntry[]} entries
   */
  async see(entries) {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      this.seen?.unobserve(target);
      const sent = [...this.lines].find(([, line]) => line === target)?.[0];
      const bitmap = sent && (await createImageBitmap(sent.file).catch(() => null));
      if (!bitmap) continue;
      paintPreview(/** @type {HTMLCanvasElement} */ (one(target, "canvas")), bitmap, THUMBNAIL_SIDE);
      bitmap.close();
    }
  }

  /** Put the lines in the order that is chosen; what failed comes first in any. */
  arrange() {
    const orders = ORDERS[this.sort.value] ?? ORDERS.sent;
    const failed = (/** @type {Sent} */ entry) => Number(entry.state === "failed");
    const sorted = [...this.lines].sort(([one], [other]) => failed(other) - failed(one) || orders(one, other));
    this.one(".batch-list").append(...sorted.map(([, line]) => line));
  }

  /** @param {Sent} entry */
  update(entry) {
    const line = this.lines.get(entry);
    if (!line) return;
    if (entry.state === "failed" && line.dataset.state !== "failed") queueMicrotask(() => this.arrange());
    line.dataset.state = entry.state;
    const under = entry.state === "uploading" || entry.state === "measuring";
    const bar = one(line, "progress");
    bar.hidden = !under;
    setProgress(bar, entry.progress);
    one(line, "[data-cancel]").hidden = !under && entry.state !== "waiting";
    one(line, "[data-again]").hidden = entry.state !== "failed" && entry.state !== "cancelled";
    const status = one(line, ".batch-status");
    if (entry.state === "done" && !status.querySelector("a")) {
      const link = element("a", "", `${percent(entry.percent)} %`);
      link.href = this.address("review", entry);
      link.setAttribute("aria-label", `${percent(entry.percent)} percent of ${entry.file.name}`);
      const instances = `${entry.instances} instance${entry.instances === 1 ? "" : "s"}`;
      const { interval } = entry;
      status.replaceChildren(
        link,
        ...(entry.verdict ? [" ", verdictMark(entry.verdict)] : []),
        interval ? ` ${percent(interval.low)} to ${percent(interval.high)} %, ${instances}` : ` ${instances}`,
      );
    } else if (entry.state !== "done") {
      status.textContent = entry.message || phrase(entry);
    }
    this.total();
  }

  /** Say how far all of them are. */
  total() {
    if (!this.sending) return;
    const { entries, busy } = this.sending;
    const count = (/** @type {import("./sending.js").State} */ state) =>
      entries.filter((entry) => entry.state === state).length;
    const [done, failed, cancelled] = [count("done"), count("failed"), count("cancelled")];
    const parts = [
      `${done} of ${entries.length} measured`,
      failed && `${failed} failed`,
      cancelled && `${cancelled} cancelled`,
    ];
    const text = parts.filter(Boolean).join(", ");
    const title = this.one(".batch-title");
    if (title.textContent !== text) title.textContent = text;
    setProgress(this.one(".batch-progress"), (done + failed + cancelled) / entries.length);
    this.one("[data-batch-cancel]").hidden = !busy;
    this.one(".batch-sort").hidden = busy || entries.length < 2;
    this.one("[data-batch-more]").hidden = busy;
    const report = /** @type {HTMLAnchorElement} */ (this.one("[data-batch-report]"));
    report.hidden = done === 0;
    report.href = this.address("report");
    const review = /** @type {HTMLAnchorElement} */ (this.one("[data-batch-review]"));
    const first = entries.find((entry) => entry.state === "done");
    review.hidden = !first;
    if (first) review.href = this.address("review", first);
    review.classList.toggle("button-primary", !busy);
    // From now on the address of the page is that of the batch: reloading and "back" find it again.
    if (first) history.replaceState(null, "", this.address("batch"));
    if (!busy) this.one("[data-live]").textContent = text;
  }

  /**
   * @param {string} place
   * @param {Sent} [entry]
   */
  address(place, entry) {
    return (this.addresses[place] ?? "").replace("BATCH", this.name).replace("ID", entry?.id ?? "");
  }

  /**
   * @param {string} selector
   * @returns {HTMLElement}
   */
  one(selector) {
    return one(this.page, selector);
  }
}
