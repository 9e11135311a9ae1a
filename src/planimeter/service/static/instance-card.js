// @ts-check

import { button, element, one, swatch } from "./elements.js";
import { decimals, grouped } from "./numbers.js";
import { equivalentDiameter, measureShape } from "./shapes.js";
import { areaInWords, isStretched, lengthIn } from "./units.js";

/** @typedef {import("./candidates.js").Entry} Entry */

/**
 * Show the numbers of one instance, by the names of scikit-image and COCO.
 * @param {HTMLElement} card
 * @param {Entry} entry
 * @param {string} name
 * @param {{height: number, counted: number, scale: import("./units.js").Scale | null}} picture
 * @param {() => void} close
 */
export function showInstance(card, entry, name, picture, close) {
  const shape = measureShape(entry.mask, picture.height);
  const closer = button("viewer-card-close", "×", close);
  closer.setAttribute("aria-label", "Close");
  const head = element("p", "viewer-card-head");
  head.append(swatch(entry.color), name, closer);
  const { scale } = picture;
  const { area } = entry.mask;
  const of = one(document, "measurement-view").dataset.of ?? "picture";
  const stretched = isStretched(scale);
  const length = (/** @type {number} */ pixels) => {
    if (stretched) return "–";
    const inUnit = lengthIn(pixels, scale);
    return inUnit === null ? `${decimals(pixels, 1)} px` : `${inUnit} ${scale?.symbol}`;
  };
  const facts = element("dl", "facts");
  facts.append(
    fact("area", "Area", areaInWords(area, grouped(area), scale)),
    fact("percent", `Percent of the ${of}`, decimals((100 * entry.mask.area) / picture.counted, 3)),
    fact("score", "Score", entry.drawn ? "drawn" : decimals(entry.score, 3)),
    fact("bbox", "Box x, y, w, h", entry.box.map((side) => decimals(side, 0)).join(", ")),
    fact("perimeter", "Perimeter", length(shape.perimeter)),
    fact("feret_diameter_max", "Longest diameter", length(shape.feretDiameterMax)),
    fact("equivalent_diameter_area", "Equivalent diameter", length(equivalentDiameter(area))),
    fact("circularity", "Circularity", stretched || shape.circularity === null ? "–" : decimals(shape.circularity, 3)),
  );
  card.replaceChildren(head, facts);
}

/**
 * @param {string} key
 * @param {string} name
 * @param {string} value
 */
function fact(key, name, value) {
  const definition = element("dd", "", value);
  definition.dataset.figure = key;
  const line = element("div");
  line.append(element("dt", "", name), definition);
  return line;
}
