// @ts-check

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
    if (!button || !navigator.clipboard) return; // browsers offer the clipboard on https and on this machine only
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(code.textContent ?? "");
      button.textContent = "Copied";
      setTimeout(() => {
        button.textContent = "Copy";
      }, 1500);
    });
  }
}

customElements.define("command-line", CommandLine);
