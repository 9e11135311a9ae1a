// @ts-check
// The bar above the picture, and the buttons that zoom.

import { one } from "./elements.js";
import { decimals } from "./numbers.js";

/** @typedef {import("./picture-viewer.js").PictureViewer} PictureViewer */

const STEP = 1.5;

/**
 * @param {Element} page
 * @param {PictureViewer} viewer
 */
export function connectTools(page, viewer) {
  const tool = (/** @type {string} */ name) => /** @type {HTMLInputElement} */ (one(page, `[data-tool=${name}]`));
  tool("opacity").addEventListener("input", () => {
    viewer.opacity = Number(tool("opacity").value);
    viewer.invalidate();
  });
  for (const name of /** @type {const} */ (["labels", "boxes"])) {
    tool(name).addEventListener("change", () => {
      viewer[name] = tool(name).checked;
      viewer.invalidate();
    });
  }
  connectStyles(page, viewer);
  connectSplit(page, viewer, tool("split"));
  connectZoom(page, viewer);
}

/**
 * Let the links to the picture in another style change it here.
 * @param {Element} page
 * @param {PictureViewer} viewer
 */
function connectStyles(page, viewer) {
  const links = [.../** @type {NodeListOf<HTMLAnchorElement>} */ (page.querySelectorAll("a[data-style]"))];
  const show = (/** @type {HTMLAnchorElement} */ link) => {
    viewer.style_ = /** @type {import("./instance-layers.js").Style} */ (link.dataset.style ?? "fill");
    viewer.dataset.style = viewer.style_;
    viewer.change();
  };
  for (const link of links) {
    if (link.hasAttribute("aria-current")) show(link);
    link.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return; // a window of its own
      event.preventDefault();
      for (const other of links) other.removeAttribute("aria-current");
      link.setAttribute("aria-current", "true");
      history.replaceState(null, "", link.href);
      show(link);
    });
  }
}

/**
 * Before on the left, after on the right.
 * @param {Element} page
 * @param {PictureViewer} viewer
 * @param {HTMLInputElement} box
 */
function connectSplit(page, viewer, box) {
  const slider = /** @type {HTMLInputElement} */ (one(page, ".viewer-split"));
  const stage = one(page, ".stage-picture");
  const divide = () => {
    slider.hidden = !box.checked;
    viewer.split = slider.hidden ? 0 : Number(slider.value);
    stage.style.setProperty("--split", String(100 * viewer.split));
    stage.classList.toggle("divided", !slider.hidden);
    viewer.invalidate();
  };
  box.addEventListener("change", divide);
  slider.addEventListener("input", divide);
}

/**
 * @param {Element} page
 * @param {PictureViewer} viewer
 */
function connectZoom(page, viewer) {
  const actions = {
    in: () => viewer.zoomBy(STEP),
    out: () => viewer.zoomBy(1 / STEP),
    fit: () => viewer.fit(),
    one: () => viewer.go({ ...viewer.goal, zoom: 1 }),
  };
  for (const [name, action] of Object.entries(actions)) {
    one(page, `[data-zoom=${name}]`).addEventListener("click", action);
  }
  const show = () => {
    const percent = 100 * viewer.goal.zoom;
    one(page, "[data-zoom-shown]").textContent = `${decimals(percent, percent < 10 ? 1 : 0)} %`;
  };
  viewer.addEventListener("view-changed", show);
  one(page, ".viewer-zoom").hidden = false;
  show();
}
