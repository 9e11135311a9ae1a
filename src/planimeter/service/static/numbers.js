// @ts-check
// Numbers written as the service writes them.

/** @param {number} value */
export function grouped(value) {
  return value.toLocaleString("en-US");
}

/**
 * Like Python's format(value, ".2f"): what lies exactly between two goes to the even one.
 * @param {number} value
 * @param {number} places
 */
export function decimals(value, places) {
  const scaled = value * 10 ** places;
  if (Math.abs(scaled % 1) === 0.5 && scaled / 10 ** places === value) {
    return ((2 * Math.round(scaled / 2)) / 10 ** places).toFixed(places);
  }
  return value.toFixed(places);
}

/**
 * A percentage with two decimals, but never a false 0 or 100.
 * @param {number} value
 */
export function percent(value) {
  if (value > 0 && value < 0.005) return "<0.01";
  if (value >= 99.995 && value < 100) return ">99.99";
  return decimals(value, 2);
}

/**
 * A difference of percentages with its sign.
 * @param {number} value
 */
export function signed(value) {
  const text = decimals(Math.abs(value), 2);
  if (text === "0.00") return text;
  return (value < 0 ? "\u2212" : "+") + text;
}

/**
 * A number as short as it can be: 0.8, not 0.80.
 * @param {number} value
 */
export function short(value) {
  return String(Number(value.toPrecision(6)));
}
