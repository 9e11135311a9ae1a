// @ts-check

import { one } from "./elements.js";
import { decimals, grouped } from "./numbers.js";
import { drawCurve } from "./training-curves.js";

/**
 * What the API answers of a job, as far as it is shown here.
 * @typedef {{phase: string, step: number, fraction: number, seconds_left?: number | null,
 *   losses: Record<string, number>}} Progress
 * @typedef {{state: string, progress: Progress | null, said: string[],
 *   losses: {step: number, losses: Record<string, number>}[],
 *   validations: {step: number, mean_absolute_error: number}[]}} Job
 */

const EVERY_MS = 2000;
const ACTIVE = ["queued", "running", "stopping"];

/** `<job-progress data-job>` follows a job while it waits or runs, and draws how it learns. */
class JobProgress extends HTMLElement {
  /** @type {number | undefined} */
  timer;

  connectedCallback() {
    this.follow();
  }

  disconnectedCallback() {
    clearTimeout(this.timer);
  }

  async follow() {
    const job = document.hidden ? null : await this.ask();
    if (job) this.show(job);
    if (job && job.state !== this.dataset.state) {
      location.reload(); // what can be done with it is another thing now
      return;
    }
    if (ACTIVE.includes(this.dataset.state ?? "")) this.timer = setTimeout(() => this.follow(), EVERY_MS);
  }

  /** @returns {Promise<Job | null>} null where the service does not answer: it is asked again */
  async ask() {
    try {
      const answer = await fetch(this.dataset.job ?? "", { headers: { Accept: "application/json" } });
      return answer.ok ? await answer.json() : null;
    } catch {
      return null;
    }
  }

  /** @param {Job} job */
  show(job) {
    const { progress } = job;
    if (progress && ACTIVE.includes(job.state)) {
      const phase = progress.phase === "training" ? "" : `: ${progress.phase}`;
      one(this, "[data-word]").textContent = `The training ${words(job.state)}${phase}.`;
    }
    if (progress) {
      const losses = Object.values(progress.losses);
      this.querySelector("progress")?.setAttribute("value", String(progress.fraction));
      this.write("fraction", `${decimals(100 * progress.fraction, 0)} %`);
      this.write("step", grouped(progress.step));
      this.write("left", job.state === "running" ? duration(progress.seconds_left ?? null) : "–");
      if (losses.length) this.write("loss", decimals(sum(losses), 3));
    }
    one(this, "[data-log]").textContent = job.said.join("\n");
    const losses = job.losses.map((entry) => ({ x: entry.step, y: sum(Object.values(entry.losses)) }));
    const errors = job.validations.map((entry) => ({ x: entry.step, y: entry.mean_absolute_error }));
    one(this, "[data-curves]").hidden = losses.length < 2 && errors.length < 2;
    drawCurve(one(this, "[data-curve=losses]"), "Sum of the losses", losses);
    drawCurve(one(this, "[data-curve=validations]"), "Error of the percentage on validation, in points", errors);
  }

  /**
   * @param {string} figure
   * @param {string} text
   */
  write(figure, text) {
    one(this, `[data-figure=${figure}]`).textContent = text;
  }
}

/** @param {string} state */
function words(state) {
  if (state === "queued") return "waits for its turn";
  return state === "stopping" ? "is being stopped" : "is running";
}

/** @param {number[]} values */
function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}

/** @param {number | null} seconds */
function duration(seconds) {
  if (seconds === null) return "–";
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

customElements.define("job-progress", JobProgress);
