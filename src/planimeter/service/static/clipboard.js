// @ts-check

/**
 * Show a button that copies a text where the browser offers that: on https, and on this machine.
 * @param {HTMLButtonElement} button
 * @param {() => string} text
 */
export function offerCopy(button, text) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text());
    button.textContent = "Copied";
    setTimeout(() => {
      button.textContent = "Copy";
    }, 1500);
  });
}
