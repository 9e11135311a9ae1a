// @ts-check

import { button, element, one } from "./elements.js";
import { grouped } from "./numbers.js";

const MOST_TICKED = 1000;

/**
 * `<history-list>` around the form of the history: ticks many at once (Shift ticks from the last one to this), and says
 * what the buttons will take: those ticked, or, where none is, all that match.
 */
class HistoryList extends HTMLElement {
  /** @type {HTMLInputElement | null} */
  last = null;

  connectedCallback() {
    this.addEventListener("click", (event) => {
      const tick = event.target;
      if (!(tick instanceof HTMLInputElement) || tick.name !== "ids") return;
      if (event.shiftKey && this.last) this.extend(this.last, tick);
      this.last = tick;
    });
    this.addEventListener("change", (event) => {
      if (event.target === this.all) this.tickAll(this.all.checked);
      else this.show();
    });
    this.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.clear();
    });
    addEventListener("pageshow", () => this.show()); // the browser's "back" keeps what was ticked
    this.show();
  }

  /** Untick all. */
  clear() {
    this.tickAll(false);
  }

  /** @param {boolean} on */
  async tickAll(on) {
    if (this.table) await this.table.tickAll(on);
    else for (const tick of this.ticks) tick.checked = on;
    this.show();
  }

  /**
   * @param {HTMLInputElement} from
   * @param {HTMLInputElement} to which was just ticked or unticked
   */
  extend(from, to) {
    const ends = [this.ticks.indexOf(from), this.ticks.indexOf(to)].sort((one, other) => one - other);
    for (const tick of this.ticks.slice(ends[0], (ends[1] ?? 0) + 1)) {
      tick.checked = to.checked;
      if (to.checked) this.table?.ticked.add(tick.value);
      else this.table?.ticked.delete(tick.value);
    }
  }

  show() {
    const chosen = this.table?.ticked.size ?? this.ticks.filter((tick) => tick.checked).length;
    const count = one(this, ".found-count");
    const total = Number(count.dataset.count);
    const none = one(this, ".found-none");
    const here = this.table ? total : this.ticks.length;
    this.all.checked = chosen > 0 && chosen === here;
    this.all.indeterminate = chosen > 0 && chosen < here;
    this.all.hidden = here > MOST_TICKED; // the address could not name them all
    this.classList.toggle("choosing", chosen > 0);
    none.hidden = chosen > 0;
    this.querySelector(".found-chosen")?.remove();
    // A selection of an earlier step is replaced by the ticks on this page.
    for (const meant of this.querySelectorAll("[data-meant]")) meant.toggleAttribute("disabled", chosen > 0);
    for (const limited of /** @type {NodeListOf<HTMLButtonElement>} */ (
      this.querySelectorAll("button[data-limited]")
    )) {
      const tooMany = !chosen && total > Number(count.dataset.most);
      limited.disabled = tooMany;
      limited.title = tooMany ? `At most ${grouped(Number(count.dataset.most))} at once: narrow them down` : "";
    }
    if (!chosen) return;
    const text = element("span", "found-chosen", `${chosen} selected `);
    text.append(button("link", `All ${grouped(total)} instead`, () => this.clear()));
    count.append(text);
  }

  /** @returns {import("./history-table.js").HistoryTable | null} the table, once it shows all that matches */
  get table() {
    return this.querySelector("history-table.whole");
  }

  get ticks() {
    return [.../** @type {NodeListOf<HTMLInputElement>} */ (this.querySelectorAll("input[name=ids][type=checkbox]"))];
  }

  get all() {
    return /** @type {HTMLInputElement} */ (one(this, "[data-all]"));
  }
}

/** The days of the filter are those of the reader: the form says how far they are from UTC. */
for (const form of document.querySelectorAll("form[data-filters]")) {
  form.addEventListener("submit", () => {
    const fields = /** @type {HTMLFormElement} */ (form).elements;
    const field = (/** @type {string} */ name) => /** @type {HTMLInputElement} */ (fields.namedItem(name));
    const day = field("from").value || field("to").value;
    const minutes = -new Date(day ? `${day}T12:00` : Date.now()).getTimezoneOffset();
    const size = Math.abs(minutes);
    const two = (/** @type {number} */ value) => String(Math.floor(value)).padStart(2, "0");
    field("offset").value = `${minutes < 0 ? "-" : "+"}${two(size / 60)}:${two(size % 60)}`;
    for (const input of /** @type {HTMLFormElement} */ (form).querySelectorAll("input, select")) {
      const entry = /** @type {HTMLInputElement} */ (input);
      const unused = !entry.value || (entry.name === "offset" && !day);
      if (unused) entry.disabled = true; // a short address
    }
    setTimeout(() => {
      for (const input of form.querySelectorAll(":disabled")) input.removeAttribute("disabled");
    });
  });
}

customElements.define("history-list", HistoryList);
