// @ts-check

/** `<print-button>` around a button, hidden where there is no JavaScript: prints the page, with all its pictures. */
class PrintButton extends HTMLElement {
  connectedCallback() {
    this.hidden = false;
    this.querySelector("button")?.addEventListener("click", () => this.print());
    addEventListener("beforeprint", () => this.hurry());
  }

  async print() {
    this.hurry();
    await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
    print();
  }

  /** Pictures further down are loaded late, which is too late for paper. */
  hurry() {
    for (const image of document.images) image.loading = "eager";
  }
}

customElements.define("print-button", PrintButton);
