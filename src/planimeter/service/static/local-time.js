// @ts-check

/** `<local-time>` around a `<time>` in UTC: writes it in the reader's own zone and language. */
class LocalTime extends HTMLElement {
  connectedCallback() {
    const time = this.querySelector("time");
    if (!time) return;
    const moment = new Date(time.dateTime);
    time.title = time.textContent ?? "";
    time.textContent = new Intl.DateTimeFormat(undefined, options(moment)).format(moment);
  }
}

/**
 * Today needs no date, and this year no year.
 * @param {Date} moment
 * @returns {Intl.DateTimeFormatOptions}
 */
function options(moment) {
  const now = new Date();
  if (moment.toDateString() === now.toDateString()) return { timeStyle: "short" };
  if (moment.getFullYear() === now.getFullYear()) {
    return { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
  }
  return { dateStyle: "medium", timeStyle: "short" };
}

customElements.define("local-time", LocalTime);
