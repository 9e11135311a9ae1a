// @ts-check

import { element, one } from "./elements.js";
import { percent } from "./numbers.js";
import { chosenFiles, droppedFiles, isPicture } from "./picture-files.js";
import { paintPreview } from "./preview.js";
import { Sending } from "./sending.js";

/** @typedef {import("./sending.js").Sent} Sent */

const PREVIEW_SIDE = 960;
const THUMBNAIL_SIDE = 128;

/**
 * `<picture-drop>` around the form of the home page: takes pictures that are dropped anywhere on the page (one, many or
 * a folder), pasted, chosen or photographed, shows them at once and sends them to the API with progress. One picture
 * leads to its result, many to their report.
 */
class PictureDrop extends HTMLElement {
  /** @type {Sending | null} */
  sending = null;
  many = false;
  batch = "";
  /** @type {Map<Sent, HTMLElement>} */
  lines = new Map();
  /** @type {IntersectionObserver | undefined} */
  seen;
  depth = 0;

  connectedCallback() {
    /** @type {HTMLInputElement} */ (this.one("#image")).multiple = true; // without JavaScript a form carries one
    for (const input of this.querySelectorAll("input[type=file]")) {
      input.addEventListener("change", () => this.take(chosenFiles(input)));
    }
    this.one(".drop-cancel").addEventListener("click", () => this.cancel());
    this.one("[data-batch-cancel]").addEventListener("click", () => this.sending?.cancelAll());
    this.one("[data-batch-more]").addEventListener("click", () => this.rest());
    this.form.addEventListener("submit", (event) => this.submit(event));
    const model = this.form.querySelector("select");
    model?.addEventListener("change", () => {
      const threshold = /** @type {HTMLInputElement} */ (this.one("[name=score_threshold]"));
      threshold.placeholder = model.selectedOptions[0]?.dataset.threshold ?? "";
    });
    this.listenForDrops();
    document.addEventListener("paste", (event) => {
      if (event.clipboardData?.files.length) this.take([...event.clipboardData.files]);
    });
    addEventListener("pageshow", () => this.sending?.busy || this.rest()); // also when "back" shows the page as it was left
    addEventListener("beforeunload", (event) => {
      if (this.many && this.sending?.busy) event.preventDefault();
    });
  }

  listenForDrops() {
    const lit = (/** @type {boolean} */ on) => document.body.classList.toggle("dragging", on);
    const carriesFile = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
    document.addEventListener("dragenter", (event) => {
      if (carriesFile(event)) lit(++this.depth > 0);
    });
    document.addEventListener("dragleave", (event) => {
      if (carriesFile(event)) lit(--this.depth > 0);
    });
    document.addEventListener("dragover", (event) => {
      if (carriesFile(event)) event.preventDefault();
    });
    document.addEventListener("drop", async (event) => {
      if (!carriesFile(event) || !event.dataTransfer) return;
      event.preventDefault();
      this.depth = 0;
      lit(false);
      this.take(await droppedFiles(event.dataTransfer));
    });
  }

  /** @param {SubmitEvent} event */
  submit(event) {
    const sample = event.submitter instanceof HTMLButtonElement && event.submitter.name === "sample";
    if (sample) {
      this.begin(event.submitter.textContent?.trim() ?? "Sample");
      const thumbnail = event.submitter.querySelector("img");
      if (thumbnail) this.preview(thumbnail);
      this.say("Measuring…", null);
      return; // the browser posts the form and goes to the result
    }
    event.preventDefault();
    this.take(chosenFiles(this.one("#image")));
  }

  /** @param {File[]} files */
  take(files) {
    if (this.sending?.busy && !this.many) return;
    // A folder holds other things too; what was chosen by itself gets the service's own answer.
    const pictures = files.length > 1 ? files.filter(isPicture) : files;
    const passedOver = files.length - pictures.length;
    if (!pictures.length) {
      if (files.length) this.fail(`None of these ${files.length} files is a picture of a kind that is measured.`);
      return;
    }
    if (pictures.length === 1 && !this.sending?.busy && !passedOver) this.takeOne(pictures[0]);
    else this.takeMany(pictures, passedOver);
    for (const input of this.querySelectorAll("input[type=file]")) /** @type {HTMLInputElement} */ (input).value = "";
  }

  // ---- One picture

  /** @param {File} file */
  takeOne(file) {
    this.many = false;
    this.begin(file.name);
    createImageBitmap(file).then(
      (bitmap) => this.preview(bitmap),
      () => this.preview(null), // a format that this browser cannot show; the service may know it all the same
    );
    this.sending = new Sending(
      this.form.dataset.api ?? "",
      () => this.fields(),
      (entry) => this.follow(entry),
    );
    this.sending.add([file]);
  }

  /** @param {Sent} entry */
  follow(entry) {
    if (entry.state === "done") {
      this.say("Done", 1);
      location.assign((this.form.dataset.result ?? "").replace("ID", entry.id));
    } else if (entry.state === "failed") this.fail(entry.message);
    else if (entry.state !== "cancelled") this.say(entry.message || phrase(entry), entry.progress);
  }

  /** @param {string} name */
  begin(name) {
    this.one(".problem").hidden = true;
    this.one(".drop-idle").hidden = true;
    this.one(".batch").hidden = true;
    this.one(".drop-busy").hidden = false;
    this.one(".options").hidden = true;
    this.one(".drop-name").textContent = name;
    this.one(".drop-preview").hidden = true;
    this.one(".drop-cancel").focus();
  }

  rest() {
    this.sending = null;
    this.many = false;
    this.one(".drop-idle").hidden = false;
    this.one(".drop-busy").hidden = true;
    this.one(".batch").hidden = true;
    this.one(".options").hidden = false;
    for (const input of this.querySelectorAll("input[type=file]")) /** @type {HTMLInputElement} */ (input).value = "";
  }

  cancel() {
    this.sending?.cancelAll();
    if (document.readyState === "complete") window.stop(); // a sample that the browser is posting
    this.rest();
    this.one("[data-live]").textContent = "Cancelled";
    this.one("#image").focus();
  }

  /** @param {string} message */
  fail(message) {
    this.rest();
    const error = this.one(".problem");
    error.textContent = message;
    error.hidden = false;
    this.one("#image").focus();
  }

  /**
   * @param {string} status
   * @param {number | null} progress 0 to 1; null while it cannot be known
   */
  say(status, progress) {
    setProgress(/** @type {HTMLProgressElement} */ (this.one(".drop-busy progress")), progress);
    if (this.one(".drop-status").textContent === status) return; // a screen reader hears each step once
    this.one(".drop-status").textContent = status;
    this.one("[data-live]").textContent = status;
  }

  /** @param {ImageBitmap | HTMLImageElement | null} picture */
  preview(picture) {
    const canvas = /** @type {HTMLCanvasElement} */ (this.one(".drop-preview"));
    canvas.hidden = !picture;
    if (picture) paintPreview(canvas, picture, PREVIEW_SIDE);
  }

  // ---- Many pictures

  /**
   * @param {File[]} files
   * @param {number} passedOver how many were no pictures
   */
  takeMany(files, passedOver) {
    if (!this.many || !this.sending) {
      this.many = true;
      this.batch = new Date().toISOString().replace(/[:.]/g, "-");
      this.lines.clear();
      this.one(".batch-list").replaceChildren();
      this.seen?.disconnect();
      this.seen = new IntersectionObserver((entries) => this.see(entries), { rootMargin: "200px" });
      this.sending = new Sending(
        this.form.dataset.api ?? "",
        () => ({ ...this.fields(), batch: this.batch }),
        (entry) => this.update(entry),
      );
      this.one(".problem").hidden = true;
      this.one(".drop-idle").hidden = true;
      this.one(".options").hidden = true;
      this.one(".batch").hidden = false;
      this.one(".batch-title").focus();
    }
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
      /** @type {HTMLTemplateElement} */ (this.querySelector("template")).content.firstElementChild?.cloneNode(true)
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

  /** @param {Sent} entry */
  update(entry) {
    const line = this.lines.get(entry);
    if (!line) return;
    line.dataset.state = entry.state;
    const under = entry.state === "uploading" || entry.state === "measuring";
    const bar = /** @type {HTMLProgressElement} */ (one(line, "progress"));
    bar.hidden = !under;
    setProgress(bar, entry.progress);
    one(line, "[data-cancel]").hidden = !under && entry.state !== "waiting";
    one(line, "[data-again]").hidden = entry.state !== "failed" && entry.state !== "cancelled";
    const status = one(line, ".batch-status");
    if (entry.state === "done" && !status.querySelector("a")) {
      const link = element("a", "", `${percent(entry.percent)} %`);
      link.href = (this.form.dataset.result ?? "").replace("ID", entry.id);
      link.setAttribute("aria-label", `${percent(entry.percent)} percent of ${entry.file.name}`);
      status.replaceChildren(link, ` ${entry.instances} instance${entry.instances === 1 ? "" : "s"}`);
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
    setProgress(
      /** @type {HTMLProgressElement} */ (this.one(".batch-progress")),
      (done + failed + cancelled) / entries.length,
    );
    this.one("[data-batch-cancel]").hidden = !busy;
    this.one("[data-batch-more]").hidden = busy;
    const report = /** @type {HTMLAnchorElement} */ (this.one("[data-batch-report]"));
    report.hidden = done === 0;
    report.href = (this.form.dataset.report ?? "").replace("BATCH", this.batch);
    report.classList.toggle("button-primary", !busy);
    if (!busy) this.one("[data-live]").textContent = text;
  }

  // ---- Parts of the page

  fields() {
    const value = (/** @type {string} */ name) => /** @type {HTMLInputElement} */ (this.one(`[name=${name}]`)).value;
    return { model: value("model"), score_threshold: value("score_threshold") };
  }

  get form() {
    return /** @type {HTMLFormElement} */ (this.querySelector("form"));
  }

  /**
   * @param {string} selector
   * @returns {HTMLElement}
   */
  one(selector) {
    return one(this, selector);
  }
}

/** @param {Sent} entry */
function phrase(entry) {
  if (entry.state === "uploading") return "Uploading…";
  if (entry.state === "measuring") return "Measuring…";
  if (entry.state === "waiting") return "Waiting";
  return entry.state === "cancelled" ? "Cancelled" : "";
}

/**
 * @param {HTMLProgressElement} bar
 * @param {number | null} progress
 */
function setProgress(bar, progress) {
  if (progress === null) bar.removeAttribute("value");
  else bar.value = progress;
}

customElements.define("picture-drop", PictureDrop);
