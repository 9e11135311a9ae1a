// @ts-check

import { element } from "./elements.js";

/** `<compare-views>` around pictures of the same size: shows in each where the pointer is in one of them. */
class CompareViews extends HTMLElement {
  connectedCallback() {
    for (const frame of this.frames) {
      frame.addEventListener("pointermove", (event) => this.point(frame, event));
      frame.addEventListener("pointerleave", () => this.clear());
    }
  }

  /**
   * @param {HTMLElement} here
   * @param {PointerEvent} event
   */
  point(here, event) {
    const box = here.getBoundingClientRect();
    const left = `${(100 * (event.clientX - box.left)) / box.width}%`;
    const top = `${(100 * (event.clientY - box.top)) / box.height}%`;
    for (const frame of this.frames) {
      if (frame === here) continue;
      let cross = /** @type {HTMLElement | null} */ (frame.querySelector(".compare-cross"));
      if (!cross) {
        cross = element("span", "compare-cross");
        frame.append(cross);
      }
      cross.style.left = left;
      cross.style.top = top;
    }
  }

  clear() {
    for (const cross of this.querySelectorAll(".compare-cross")) cross.remove();
  }

  get frames() {
    return /** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll(".compare-frame"));
  }
}

customElements.define("compare-views", CompareViews);
