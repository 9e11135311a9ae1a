// @ts-check

import { offerCopy } from "./clipboard.js";

/**
 * `<command-line>` around a command in `<code>`: fills in the address of this service as the browser sees it
 * (only the browser knows it behind a proxy or a tunnel), and copies the command.
 */
class CommandLine extends HTMLElement {
  connectedCallback() {
    const code = this.querySelector("code");
    if (!code) return;
    for (const address of code.querySelectorAll("[data-address]")) {
      address.textContent = new URL(address.getAttribute("data-address") ?? "", document.baseURI).href;
    }
    const button = this.querySelector("button");
    if (button) offerCopy(button, () => code.textContent ?? "");
  }
}

customElements.define("command-line", CommandLine);
