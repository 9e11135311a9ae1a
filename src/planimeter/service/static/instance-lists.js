// @ts-check
// The instances that count, as the picture draws them and as the table lists them.

import { drawnOf, rowOf } from "./candidates.js";
import { decimals } from "./numbers.js";

/** @typedef {import("./measurement-view.js").MeasurementView} MeasurementView */

/** @param {MeasurementView} view */
export function drawnInstances(view) {
  const { entries, height } = view;
  const ids = new Map(view.chosen.map((index, place) => [index, view.idOf(index, place)]));
  const several = view.classes.length > 1;
  return view.drawn.map((index) => {
    const entry = entries[index];
    const score = entry.drawn ? "" : ` · ${decimals(entry.score, 2)}`;
    return drawnOf(entry, height, `${several ? `${view.nameOf(entry.classId)} ` : ""}${ids.get(index)}${score}`);
  });
}

/** @param {MeasurementView} view */
export function listedInstances(view) {
  return view.chosen.map((index, place) => {
    const entry = view.entries[index];
    return rowOf(entry, { index, id: view.idOf(index, place), className: view.nameOf(entry.classId) }, view);
  });
}
