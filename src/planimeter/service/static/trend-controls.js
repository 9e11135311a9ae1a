// @ts-check
// What a person sets for the trend: the model, the limit, whether it is folded. The browser remembers the last two.

import { element } from "./elements.js";
import { recall, remember } from "./memory.js";

/** @typedef {import("./trend-chart.js").TrendChart} TrendChart */

const LIMIT = "planimeter-limit";
const FOLDED = "planimeter-trend-folded";

/** @param {TrendChart} chart */
export function controls(chart) {
  const bar = element("div", "trend-bar");
  if (chart.models.length > 1) bar.append(modelChoice(chart));
  const field = element("input");
  field.type = "number";
  field.min = "0";
  field.max = "100";
  field.step = "any";
  field.placeholder = "none";
  field.value = chart.limit === null ? "" : String(chart.limit);
  field.addEventListener("input", () => {
    const limit = field.value !== "" && field.validity.valid ? Number(field.value) : null;
    remember(LIMIT, limit === null ? null : String(limit));
    chart.setLimit(limit);
  });
  const label = element("label", "tool", "Limit ");
  label.append(field, " %");
  bar.append(label);
  return bar;
}

/** @param {TrendChart} chart */
function modelChoice(chart) {
  const choice = element("select");
  for (const { name, title } of chart.models) {
    const option = element("option", "", title);
    option.value = name;
    option.selected = name === chart.model;
    choice.append(option);
  }
  choice.addEventListener("change", () => chart.setModel(choice.value));
  const label = element("label", "tool", "Model ");
  label.append(choice);
  return label;
}

/**
 * A part of the page that can be folded away.
 * @param {HTMLElement} head
 * @param {HTMLElement[]} body
 */
export function foldable(head, body) {
  const fold = element("details", "trend-fold");
  fold.open = recall(FOLDED) === null;
  const summary = element("summary");
  summary.append(head);
  fold.append(summary, ...body);
  fold.addEventListener("toggle", () => remember(FOLDED, fold.open ? null : "1"));
  return [fold];
}

export function rememberedLimit() {
  const text = recall(LIMIT);
  return text === null ? null : Number(text);
}
