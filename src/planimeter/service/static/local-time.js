// @ts-check

/**
 * For paper, which is read later and elsewhere.
 * @type {Intl.DateTimeFormatOptions}
 */
const FULL = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" };

/** `<local-time>` around a `<time>` in UTC: writes it in the reader's own zone and language; `data-full` with the year. */
class LocalTime extends HTMLElement {
  connectedCallback() {
    const time = this.querySelector("time");
    if (!time) return;
    const moment = new Date(time.dateTime);
    time.title = time.textContent ?? "";
    const zone = /** @type {Intl.DateTimeFormatOptions} */ (
      this.dataset.full === "zone" ? { timeZoneName: "short" } : {}
    );
    const style = "full" in this.dataset ? { ...FULL, ...zone } : options(moment);
    time.textContent = new Intl.DateTimeFormat(undefined, style).format(moment);
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
