// @ts-check

import { BatchList } from "./batch-list.js";
import { takeDrops } from "./drops.js";
import { one } from "./elements.js";
import { writeCommand } from "./home-command.js";
import { rememberLot } from "./lot-choice.js";
import { rememberModel } from "./model-choice.js";
import { chosenFiles, isPicture } from "./picture-files.js";
import { paintPreview } from "./preview.js";
import { rememberProfile } from "./profile-choice.js";
import { phrase, setProgress } from "./progress.js";
import { Sending } from "./sending.js";

/** @typedef {import("./sending.js").Sent} Sent */

const PREVIEW_SIDE = 960;

/**
 * `<picture-drop>` around the form of the home page: takes pictures that are dropped anywhere on the page (one, many or
 * a folder), pasted, chosen or photographed, shows them at once and sends them to the API with progress. One picture
 * leads to its result, many to their report.
 */
class PictureDrop extends HTMLElement {
  /** @type {Sending | null} */
  sending = null;
  many = false;
  batch = new BatchList(this);

  connectedCallback() {
    /** @type {HTMLInputElement} */ (this.one("#image")).multiple = true; // without JavaScript a form carries one
    for (const input of this.querySelectorAll("input[type=file]")) {
      input.addEventListener("change", () => this.take(chosenFiles(input)));
    }
    this.one(".drop-cancel").addEventListener("click", () => this.cancel());
    this.one("[data-batch-cancel]").addEventListener("click", () => this.sending?.cancelAll());
    this.one("[data-batch-more]").addEventListener("click", () => this.rest());
    this.form.addEventListener("submit", (event) => this.submit(event));
    rememberModel(this.form);
    rememberLot(this.form);
    rememberProfile(this.form); // after the model: what a profile fixes is shown there
    this.one(".choice-scale").addEventListener("input", () => this.sayScale());
    this.sayScale(); // a browser may have kept what was in the form
    writeCommand(document, this.form, () => this.fields());
    takeDrops((files) => this.take(files));
    addEventListener("pageshow", () => this.sending?.busy || this.rest()); // also when "back" shows the page as it was left
    addEventListener("beforeunload", (event) => {
      if (this.many && this.sending?.busy) event.preventDefault();
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
    } else if (entry.state === "failed") this.fail(`${entry.file.name} was not measured. ${entry.message}`);
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
    setProgress(this.one(".drop-busy progress"), progress);
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
    if (!this.many) {
      this.many = true;
      this.one(".problem").hidden = true;
      this.one(".drop-idle").hidden = true;
      this.one(".options").hidden = true;
      this.sending = this.batch.begin(this.form, () => this.fields());
    }
    this.batch.add(files, passedOver);
  }

  // ---- Parts of the page

  /** Say the size of a pixel that is given also where its fields are folded: it counts for every picture. */
  sayScale() {
    const { pixel_size: size, unit = "" } = this.fields();
    this.one("[data-scale-given]").textContent = size ? `: ${size} ${unit.replace("um", "µm")}` : "";
  }

  fields() {
    const given = new FormData(this.form);
    const text = (/** @type {string} */ name) => String(given.get(name) ?? "").trim();
    /** What is empty is left out: the service takes it for a mistake. @type {Record<string, string>} */
    const fields = {};
    for (const name of ["profile", "model", "score_threshold", "of", "lot", "pixel_size"])
      if (text(name)) fields[name] = text(name);
    if (text("of_sample")) fields.sample = text("of_sample");
    return fields.pixel_size ? { ...fields, unit: text("unit") } : fields;
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

customElements.define("picture-drop", PictureDrop);
