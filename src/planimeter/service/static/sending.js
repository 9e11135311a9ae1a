// @ts-check

import { sentence } from "./sentence.js";

/**
 * One picture on its way. `progress` is 0 to 1, or null where it cannot be known; `percent` is what was measured, null
 * where nothing was found of the class that it would be of, and `interval` where the truth lies, as far as it is known.
 * @typedef {{low: number, high: number}} Interval
 * @typedef {"waiting" | "uploading" | "measuring" | "done" | "failed" | "cancelled"} State
 * @typedef {{file: File, state: State, progress: number | null, message: string, id: string, percent: number | null,
 *   interval: Interval | null, verdict: import("./verdict.js").Verdict | null, instances: number, tries: number, request: XMLHttpRequest | null}} Sent
 */

const AT_ONCE = 3;
const MOST_TRIES = 20;

/**
 * Sends pictures to the API, a few at a time and in order. When the service says that its queue is full, all wait for
 * as long as it asks.
 */
export class Sending {
  /** @type {Sent[]} */
  entries = [];
  running = 0;
  /** When the service can be asked again, in milliseconds of this page. */
  resting = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  waking;

  /**
   * @param {string} api address of the measurements
   * @param {() => Record<string, string>} fields what is sent with each picture
   * @param {(entry: Sent) => void} changed
   */
  constructor(api, fields, changed) {
    this.api = api;
    this.fields = fields;
    this.changed = changed;
  }

  /** @param {Iterable<File>} files */
  add(files) {
    for (const file of files) {
      this.entries.push({
        file,
        state: "waiting",
        progress: 0,
        message: "",
        id: "",
        percent: 0,
        interval: null,
        verdict: null,
        instances: 0,
        tries: MOST_TRIES,
        request: null,
      });
    }
    this.next();
  }

  get busy() {
    return this.entries.some((entry) => entry.state === "waiting" || entry.request);
  }

  /** Start as many as may be under way at once. */
  next() {
    clearTimeout(this.waking);
    const rest = this.resting - performance.now();
    if (rest > 0) {
      this.waking = setTimeout(() => this.next(), rest);
      return;
    }
    for (const entry of this.entries) {
      if (this.running >= AT_ONCE) return;
      if (entry.state === "waiting") this.send(entry);
    }
  }

  /** @param {Sent} entry */
  send(entry) {
    const body = new FormData();
    body.append("image", entry.file);
    body.append("mask_format", "none"); // the record keeps the masks
    for (const [name, value] of Object.entries(this.fields())) body.append(name, value);
    const request = new XMLHttpRequest();
    entry.request = request;
    this.running++;
    request.open("POST", this.api);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Planimeter-Page", "1"); // only our own pages can: see origin.py
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) this.tell(entry, "uploading", event.loaded / event.total);
    };
    request.upload.onload = () => this.tell(entry, "measuring", null);
    request.onload = () => this.finish(entry, request);
    request.onerror = () => this.end(entry, "failed", "The service cannot be reached. Is it still running?");
    request.onabort = () => this.end(entry, "cancelled", "Cancelled");
    this.tell(entry, "uploading", 0);
    request.send(body);
  }

  /**
   * @param {Sent} entry
   * @param {XMLHttpRequest} request
   */
  finish(entry, request) {
    /** @type {{id?: string, verdict?: import("./verdict.js").Verdict | null, coverage?: {percent_masked: number | null,
     *   interval: import("./sending.js").Interval | null}, instances?: object[], error?: {message: string}}} */
    let answer = {};
    try {
      answer = JSON.parse(request.responseText);
    } catch {
      // a proxy answered instead of the service
    }
    if (answer.id) {
      entry.id = answer.id;
      entry.percent = answer.coverage?.percent_masked ?? null;
      entry.verdict = answer.verdict ?? null;
      entry.interval = answer.coverage?.interval ?? null;
      entry.instances = answer.instances?.length ?? 0;
      this.end(entry, "done", "");
      return;
    }
    const seconds = Number(request.getResponseHeader("Retry-After"));
    if (request.status === 429 && seconds > 0 && entry.tries-- > 0) {
      this.resting = Math.max(this.resting, performance.now() + 1000 * seconds);
      this.end(entry, "waiting", `Many pictures are waiting. Trying again in ${seconds} s…`);
      return;
    }
    this.end(entry, "failed", sentence(answer.error?.message ?? `The service answered with status ${request.status}.`));
  }

  /**
   * @param {Sent} entry
   * @param {State} state
   * @param {string} message
   */
  end(entry, state, message) {
    entry.request = null;
    entry.message = message;
    this.running--;
    this.tell(entry, state, state === "done" ? 1 : 0);
    this.next();
  }

  /**
   * @param {Sent} entry
   * @param {State} state
   * @param {number | null} progress
   */
  tell(entry, state, progress) {
    if (state === "uploading" || state === "measuring") entry.message = "";
    entry.state = state;
    entry.progress = progress;
    this.changed(entry);
  }

  /** @param {Sent} entry */
  cancel(entry) {
    if (entry.request) entry.request.abort();
    else if (entry.state === "waiting") {
      entry.message = "Cancelled";
      this.tell(entry, "cancelled", 0);
    }
  }

  /** @param {Sent} entry */
  again(entry) {
    if (entry.state !== "failed" && entry.state !== "cancelled") return;
    entry.tries = MOST_TRIES;
    entry.message = "";
    this.tell(entry, "waiting", 0);
    this.next();
  }

  cancelAll() {
    clearTimeout(this.waking);
    for (const entry of this.entries) if (entry.state === "waiting") this.cancel(entry);
    for (const entry of this.entries) this.cancel(entry);
  }
}
