// @ts-check

const PREVIEW_SIDE = 960;
const MOST_TRIES = 20;

/**
 * `<picture-drop>` around the form of the home page: takes a picture that is dropped anywhere on the page, pasted,
 * chosen or photographed, shows it at once, sends it to the API with progress, and goes to its result.
 */
class PictureDrop extends HTMLElement {
  /** @type {XMLHttpRequest | null} */
  request = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  retry;
  depth = 0;

  connectedCallback() {
    for (const input of this.querySelectorAll("input[type=file]")) {
      input.addEventListener("change", () => this.take(/** @type {HTMLInputElement} */ (input).files));
    }
    this.one(".drop-cancel").addEventListener("click", () => this.cancel());
    this.form.addEventListener("submit", (event) => this.submit(event));
    const model = this.form.querySelector("select");
    model?.addEventListener("change", () => {
      const threshold = /** @type {HTMLInputElement} */ (this.one("[name=score_threshold]"));
      threshold.placeholder = model.selectedOptions[0]?.dataset.threshold ?? "";
    });
    this.listenForDrops();
    document.addEventListener("paste", (event) => {
      if (event.clipboardData?.files.length) this.take(event.clipboardData.files);
    });
    addEventListener("pageshow", () => this.rest()); // also when the browser's "back" shows the page as it was left
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
    document.addEventListener("drop", (event) => {
      if (!carriesFile(event)) return;
      event.preventDefault();
      this.depth = 0;
      lit(false);
      this.take(event.dataTransfer?.files ?? null);
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
    this.take(/** @type {HTMLInputElement} */ (this.one("#image")).files);
  }

  /** @param {FileList | null} files */
  take(files) {
    const file = files?.[0];
    if (!file || this.request || this.retry) return;
    if (files.length > 1) {
      this.fail(`${files.length} pictures at once: give one after the other, or measure a folder with the command line.`);
      return;
    }
    this.begin(file.name);
    createImageBitmap(file).then(
      (bitmap) => this.preview(bitmap),
      () => this.preview(null), // a format that this browser cannot show; the service may know it all the same
    );
    this.send(file, MOST_TRIES);
  }

  /**
   * @param {File} file
   * @param {number} tries
   */
  send(file, tries) {
    const body = new FormData();
    body.append("image", file);
    body.append("mask_format", "none"); // the record keeps the masks
    for (const name of ["model", "score_threshold"]) {
      body.append(name, /** @type {HTMLInputElement} */ (this.one(`[name=${name}]`)).value);
    }
    const request = new XMLHttpRequest();
    this.request = request;
    request.open("POST", this.form.dataset.api ?? "");
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Planimeter-Page", "1"); // only our own pages can: see origin.py
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) this.say("Uploading…", event.loaded / event.total);
    };
    request.upload.onload = () => this.say("Measuring…", null);
    request.onerror = () => this.fail("The service cannot be reached. Is it still running?");
    request.onload = () => this.finish(request, file, tries);
    this.say("Uploading…", 0);
    request.send(body);
  }

  /**
   * @param {XMLHttpRequest} request
   * @param {File} file
   * @param {number} tries
   */
  finish(request, file, tries) {
    this.request = null;
    /** @type {{id?: string, error?: {message: string}}} */
    let answer = {};
    try {
      answer = JSON.parse(request.responseText);
    } catch {
      // a proxy answered instead of the service
    }
    if (answer.id) {
      this.say("Done", 1);
      location.assign((this.form.dataset.result ?? "").replace("ID", answer.id));
      return;
    }
    const seconds = Number(request.getResponseHeader("Retry-After"));
    if (request.status === 429 && seconds > 0 && tries > 0) {
      this.say(`Many pictures are waiting. Trying again in ${seconds} s…`, null);
      this.retry = setTimeout(() => {
        this.retry = undefined;
        this.send(file, tries - 1);
      }, 1000 * seconds);
      return;
    }
    this.fail(answer.error?.message ?? `The service answered with status ${request.status}.`);
  }

  /** @param {string} name */
  begin(name) {
    this.one(".drop-error").hidden = true;
    this.one(".drop-idle").hidden = true;
    this.one(".drop-busy").hidden = false;
    this.one(".options").hidden = true;
    this.one(".drop-name").textContent = name;
    this.one(".drop-preview").hidden = true;
    this.one(".drop-cancel").focus();
  }

  rest() {
    this.one(".drop-idle").hidden = false;
    this.one(".drop-busy").hidden = true;
    this.one(".options").hidden = false;
    for (const input of this.querySelectorAll("input[type=file]")) /** @type {HTMLInputElement} */ (input).value = "";
  }

  cancel() {
    this.request?.abort();
    this.request = null;
    clearTimeout(this.retry);
    this.retry = undefined;
    if (document.readyState === "complete") window.stop(); // a sample that the browser is posting
    this.rest();
    this.one("[data-live]").textContent = "Cancelled";
    this.one("#image").focus();
  }

  /** @param {string} message */
  fail(message) {
    this.request = null;
    this.rest();
    const error = this.one(".drop-error");
    error.textContent = sentence(message);
    error.hidden = false;
    this.one("#image").focus();
  }

  /**
   * @param {string} status
   * @param {number | null} progress 0 to 1; null while it cannot be known
   */
  say(status, progress) {
    const bar = /** @type {HTMLProgressElement} */ (this.one("progress"));
    if (progress === null) bar.removeAttribute("value");
    else bar.value = progress;
    if (this.one(".drop-status").textContent === status) return; // a screen reader hears each step once
    this.one(".drop-status").textContent = status;
    this.one("[data-live]").textContent = status;
  }

  /** @param {ImageBitmap | HTMLImageElement | null} picture */
  preview(picture) {
    const canvas = /** @type {HTMLCanvasElement} */ (this.one(".drop-preview"));
    canvas.hidden = !picture;
    if (!picture) return;
    const scale = Math.min(1, PREVIEW_SIDE / Math.max(picture.width, picture.height));
    const natural = picture instanceof HTMLImageElement;
    const width = natural ? picture.naturalWidth : picture.width * scale;
    const height = natural ? picture.naturalHeight : picture.height * scale;
    canvas.width = Math.max(1, Math.round(width));
    canvas.height = Math.max(1, Math.round(height));
    canvas.getContext("2d")?.drawImage(picture, 0, 0, canvas.width, canvas.height);
  }

  get form() {
    return /** @type {HTMLFormElement} */ (this.querySelector("form"));
  }

  /**
   * @param {string} selector
   * @returns {HTMLElement}
   */
  one(selector) {
    const found = this.querySelector(selector);
    if (!(found instanceof HTMLElement)) throw new Error(`the page lacks ${selector}`);
    return found;
  }
}

/**
 * The service writes its messages for programs too, which put something before them: here they stand alone.
 * @param {string} message
 */
function sentence(message) {
  const isName = /^\S*_/.test(message);
  return (isName ? message : message.charAt(0).toUpperCase() + message.slice(1)) + (/[.!?…]$/.test(message) ? "" : ".");
}

customElements.define("picture-drop", PictureDrop);
