// @ts-check

import { one } from "./elements.js";

/** @typedef {import("./measurement-view.js").MeasurementView} MeasurementView */

/**
 * Another page of the review, ready to take the place of this one.
 * @typedef {{title: string, nav: HTMLElement, view: MeasurementView}} Prepared
 */

/** Where the arrow keys mean something else. */
const OWN_ARROWS = "input, select, textarea, .viewer-canvas, .table-scroll, .segments";
const TYPING = "input:not([type=range], [type=checkbox]), select, textarea";
/** @type {Record<string, "next" | "previous">} */
const LETTERS = { j: "next", k: "previous" };
/** @type {Record<string, "next" | "previous">} */
const ARROWS = { ArrowRight: "next", ArrowLeft: "previous" };

/**
 * `<review-deck>` around the list of what is reviewed and the measurement that is looked at: J, K and the arrows put
 * the next one in its place. Both neighbours are fetched and counted beforehand, so that it is there at once.
 */
class ReviewDeck extends HTMLElement {
  /** @type {Map<string, Promise<Prepared>>} by address */
  prepared = new Map();
  going = false;
  /** Whether both neighbours are ready. */
  ahead = false;
  /** @type {"next" | "previous" | null} what was asked for while another one was on its way */
  asked = null;

  connectedCallback() {
    document.addEventListener("keydown", (event) => this.type(event));
    this.addEventListener("click", (event) => this.follow(event));
    this.settle();
  }

  /** @param {KeyboardEvent} event */
  type(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.defaultPrevented) return;
    const at = event.target instanceof Element ? event.target : this;
    const step = at.closest(TYPING)
      ? undefined
      : (LETTERS[event.key.toLowerCase()] ?? (at.closest(OWN_ARROWS) ? undefined : ARROWS[event.key]));
    if (!step) return;
    event.preventDefault();
    this.step(step);
  }

  /** @param {MouseEvent} event */
  follow(event) {
    const link = event.target instanceof Element ? event.target.closest("a[data-step], .review-line") : null;
    if (!(link instanceof HTMLAnchorElement) || !link.href) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey) return; // a window of its own
    event.preventDefault();
    this.go(link.href);
  }

  /** @param {"next" | "previous"} step */
  step(step) {
    const { href } = this.way(step);
    if (this.going) this.asked = step;
    else if (href) this.go(href);
  }

  /** @param {string} url */
  async go(url) {
    // Who corrects what is looked at is asked first.
    if (!this.view.dispatchEvent(new CustomEvent("view-leaving", { cancelable: true }))) return;
    this.going = true;
    this.ahead = false;
    try {
      this.show(url, await this.prepare(url));
    } catch {
      location.assign(url); // the browser says what is wrong
      return;
    }
    this.going = false;
    const { asked } = this;
    this.asked = null;
    if (asked) this.step(asked);
    else this.settle();
  }

  /**
   * @param {string} url
   * @param {Prepared} prepared
   */
  show(url, { title, nav, view }) {
    this.prepared.delete(url);
    const held = document.activeElement;
    const place = held instanceof HTMLElement && this.contains(held) ? held.dataset.step : undefined;
    history.replaceState(null, "", url); // "back" leads to where the review began
    document.title = title;
    this.nav.replaceWith(nav);
    this.view.replaceWith(view);
    this.bringIntoView();
    if (place) this.way(place === "next" ? "next" : "previous").focus({ preventScroll: true });
    for (const { href } of [this.way("next"), this.way("previous")]) this.prepared.delete(href);
  }

  /** Once the picture is there: fetch what may come next. */
  async settle() {
    this.bringIntoView();
    const { view } = this;
    await view.ready;
    if (view !== this.view) return;
    for (const step of /** @type {const} */ (["next", "previous"])) {
      const { href } = this.way(step);
      if (href) await this.prepare(href).catch(() => null);
    }
    this.ahead = view === this.view;
  }

  /** @param {string} url */
  prepare(url) {
    const known = this.prepared.get(url);
    if (known) return known;
    const fresh = this.load(url);
    fresh.catch(() => this.prepared.delete(url));
    this.prepared.set(url, fresh);
    return fresh;
  }

  /**
   * @param {string} url
   * @returns {Promise<Prepared>}
   */
  async load(url) {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const image of page.querySelectorAll("img[data-original]")) {
      image.setAttribute("src", image.getAttribute("data-original") ?? ""); // the drawn picture is not needed
    }
    const nav = document.adoptNode(one(page, ".review"));
    const view = /** @type {MeasurementView} */ (document.adoptNode(one(page, "measurement-view")));
    customElements.upgrade(view);
    await view.predraw(this.view.viewer.canvas);
    return { title: page.title, nav, view };
  }

  /** Scroll the list, and nothing else, to the one that is looked at. */
  bringIntoView() {
    const list = one(this, ".review-list");
    const line = list.querySelector("[aria-current]");
    if (!(line instanceof HTMLElement)) return;
    const [box, around] = [line.getBoundingClientRect(), list.getBoundingClientRect()];
    list.scrollTop += box.top + box.height / 2 - around.top - around.height / 2;
    list.scrollLeft += box.left + box.width / 2 - around.left - around.width / 2;
  }

  /** @param {"next" | "previous"} step */
  way(step) {
    return /** @type {HTMLAnchorElement} */ (one(this, `[data-step=${step}]`));
  }

  get nav() {
    return one(this, ".review");
  }

  get view() {
    return /** @type {MeasurementView} */ (one(this, "measurement-view"));
  }
}

customElements.define("review-deck", ReviewDeck);
