// @ts-check

/**
 * `<instance-table>` around a table: a heading with `data-sort="number"` or `"text"` sorts the rows, and a row with
 * `data-box` tells the document when it is pointed at, by the event `instance-pointed`.
 */
class InstanceTable extends HTMLElement {
  connectedCallback() {
    for (const heading of this.querySelectorAll("th[data-sort]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sorter";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => this.sort(/** @type {HTMLTableCellElement} */ (heading)));
      heading.append(button);
    }
    this.addEventListener("pointerover", (event) => this.point(event.target));
    this.addEventListener("pointerleave", () => this.point(null));
  }

  /** @param {HTMLTableCellElement} heading */
  sort(heading) {
    const body = this.querySelector("tbody");
    if (!body) return;
    const column = heading.cellIndex;
    const isNumber = heading.dataset.sort === "number";
    const direction = heading.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    for (const other of this.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    const rows = [...body.rows].map((row) => ({ row, key: key(row.cells[column], isNumber) }));
    rows.sort((one, other) => sign * compare(one.key, other.key));
    body.append(...rows.map((entry) => entry.row));
  }

  /** @param {EventTarget | null} target */
  point(target) {
    const row = target instanceof Element ? target.closest("tr[data-box]") : null;
    const box = row?.getAttribute("data-box")?.split(" ").map(Number) ?? null;
    document.dispatchEvent(new CustomEvent("instance-pointed", { detail: box }));
  }
}

/**
 * @param {HTMLTableCellElement | undefined} cell
 * @param {boolean} isNumber
 * @returns {number | string}
 */
function key(cell, isNumber) {
  const text = cell?.textContent?.trim() ?? "";
  return isNumber ? Number(text.replaceAll(",", "")) : text;
}

/**
 * @param {number | string} one
 * @param {number | string} other
 */
function compare(one, other) {
  return typeof one === "number" && typeof other === "number" ? one - other : String(one).localeCompare(String(other));
}

customElements.define("instance-table", InstanceTable);
