// @ts-check

import { one } from "./elements.js";
import { sentence } from "./sentence.js";

const TYPING = "input:not([type=range], [type=checkbox]), select, textarea";

/**
 * `<review-verdict>` in the bar of a review: one key says that all of the picture is right and goes on to the next one,
 * one begins to correct it, one skips it. While it is corrected, all keys are those of the tools.
 */
class ReviewVerdict extends HTMLElement {
  listening = new AbortController();
  busy = false;

  connectedCallback() {
    this.listening = new AbortController();
    const { signal } = this.listening;
    document.addEventListener("keydown", (event) => this.type(event), { signal });
    const right = this.querySelector("[data-right]");
    right?.addEventListener("click", () => this.right(), { signal });
  }

  disconnectedCallback() {
    this.listening.abort();
  }

  /** @param {KeyboardEvent} event */
  type(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.defaultPrevented) return;
    if (event.target instanceof Element && event.target.closest(TYPING)) return;
    if (document.querySelector("[data-correct-foot]:not([hidden])")) return;
    const key = event.key.toLowerCase();
    if (key !== "a" && key !== "c") return;
    event.preventDefault();
    if (key === "a") this.right();
    else this.correct();
  }

  /** Say that all of the picture is right, and go on. */
  async right() {
    if (this.busy || !this.dataset.url) return;
    this.busy = true;
    this.tell("");
    const answer = await fetch(this.dataset.url, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json", "Planimeter-Page": "1" },
      body: JSON.stringify({ after: Number(this.dataset.after), complete: true }),
    }).catch(() => null);
    const said = answer?.ok ? null : await (answer?.json().catch(() => null) ?? null);
    this.busy = false;
    if (!answer?.ok) {
      this.tell(
        said?.error ? sentence(said.error.message) : "The service cannot be reached. Nothing is lost; try again.",
      );
      return;
    }
    this.tell("Reviewed.");
    const button = this.querySelector("[data-right]");
    if (button instanceof HTMLButtonElement) button.disabled = true;
    const next = document.querySelector("[data-step=next][href]");
    if (next instanceof HTMLElement) next.click();
    else this.tell("Reviewed. That was the last one.");
  }

  correct() {
    const begin = document.querySelector("[data-correct-begin]");
    if (begin instanceof HTMLButtonElement && !begin.disabled) begin.click();
  }

  /** @param {string} text */
  tell(text) {
    one(this, "[data-said]").textContent = text;
  }
}

customElements.define("review-verdict", ReviewVerdict);
