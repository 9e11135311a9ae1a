// @ts-check
// The bar above the picture, and the buttons that zoom.

import { one } from "./elements.js";
import { decimals } from "./numbers.js";

/** @typedef {import("./picture-viewer.js").PictureViewer} PictureViewer */

const STEP = 1.5;

/**
 * What a hand has set for one picture, for those that follow it on the same page.
 * @type {{opacity?: string, labels?: boolean, boxes?: boolean, style?: string}}
 */
const kept = {};

/**
 * Let the picture be drawn as the bar says, and the bar say what was set for the one before.
 * @param {Element} page
 * @param {PictureViewer} viewer
 */
export function applyTools(page, viewer) {
  const tool = toolsOf(page);
  tool("opacity").value = kept.opacity ?? tool("opacity").value;
  viewer.opacity = Number(tool("opacity").value);
  for (const name of /** @type {const} */ (["labels", "boxes"])) {
    tool(name).checked = kept[name] ?? tool(name).checked;
    viewer[name] = tool(name).checked;
  }
  const links = stylesOf(page);
  const current =
    links.find((link) => link.dataset.style === kept.style) ?? links.find((link) => link.hasAttribute("aria-current"));
  if (current) show(current, links, viewer);
}

/**
 * @param {Element} page
 * @param {PictureViewer} viewer
 */
export function connectTools(page, viewer) {
  const tool = toolsOf(page);
  tool("opacity").addEventListener("input", () => {
    kept.opacity = tool("opacity").value;
    viewer.opacity = Number(kept.opacity);
    viewer.invalidate();
  });
  for (const name of /** @type {const} */ (["labels", "boxes"])) {
    tool(name).addEventListener("change", () => {
      kept[name] = tool(name).checked;
      viewer[name] = tool(name).checked;
      viewer.invalidate();
    });
  }
  connectStyles(page, viewer);
  connectSplit(page, viewer, tool("split"));
  connectZoom(page, viewer);
}

/**
 * @param {Element} page
 * @returns {(name: string) => HTMLInputElement}
 */
function toolsOf(page) {
  return (name) => /** @type {HTMLInputElement} */ (one(page, `[data-tool=${name}]`));
}

/** @param {Element} page */
function stylesOf(page) {
  return [.../** @type {NodeListOf<HTMLAnchorElement>} */ (page.querySelectorAll("a[data-style]"))];
}

/**
 * @param {HTMLAnchorElement} link
 * @param {HTMLAnchorElement[]} links
 * @param {PictureViewer} viewer
 */
function show(link, links, viewer) {
  for (const other of links) other.removeAttribute("aria-current");
  link.setAttribute("aria-current", "true");
  const style = /** @type {import("./instance-layers.js").Style} */ (link.dataset.style ?? "fill");
  viewer.dataset.style = style;
  if (style === viewer.style_) return;
  viewer.style_ = style;
  viewer.change();
}

/**
 * Let the links to the picture in another style change it here.
 * @param {Element} page
 * @param {PictureViewer} viewer
 */
function connectStyles(page, viewer) {
  const links = stylesOf(page);
  for (const link of links) {
    link.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return; // a window of its own
      event.preventDefault();
      history.replaceState(null, "", link.href);
      kept.style = link.dataset.style;
      show(link, links, viewer);
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
