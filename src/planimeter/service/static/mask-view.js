// @ts-check

/**
 * `<mask-view>` shows a measured picture: switches between its styles without loading the page anew, and frames
 * the instance whose row in the table is pointed at or focused.
 */
class MaskView extends HTMLElement {
  connectedCallback() {
    this.addEventListener("click", (event) => {
      const choice = event.target instanceof Element && event.target.closest("a[data-picture]");
      if (!(choice instanceof HTMLAnchorElement) || event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      this.show(choice);
    });
    document.addEventListener("instance-pointed", (event) => {
      this.frame(/** @type {CustomEvent<number[] | null>} */ (event).detail);
    });
  }

  /** @param {HTMLAnchorElement} choice */
  async show(choice) {
    const image = this.querySelector("img");
    if (!image) return;
    for (const other of this.querySelectorAll("a[data-picture]")) other.removeAttribute("aria-current");
    choice.setAttribute("aria-current", "true");
    history.replaceState(null, "", choice.href);
    const next = new Image();
    next.src = choice.dataset.picture ?? "";
    await next.decode().catch(() => {}); // a picture that fails shows its text instead
    if (choice.hasAttribute("aria-current")) image.src = next.src;
  }

  /** @param {number[] | null} box x, y, width, height in pixels of the picture; null takes the frame away */
  frame(box) {
    const frame = this.querySelector(".stage-box");
    if (!frame) return;
    frame.toggleAttribute("hidden", !box);
    if (!box) return;
    for (const [index, name] of ["x", "y", "width", "height"].entries()) {
      frame.setAttribute(name, String(box[index]));
    }
  }
}

customElements.define("mask-view", MaskView);
