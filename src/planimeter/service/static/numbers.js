// @ts-check
// Numbers written as the service writes them (numbers.py), by one rule: half away from zero, of the decimal
// number that the JSON answer shows. JavaScript's toFixed rounds the float behind it: 4.215 would become 4.21.

const LEAST_PLAIN = 1e-3;
const MOST_PLAIN = 1e12;
const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** @param {number} value */
export function grouped(value) {
  return value.toLocaleString("en-US");
}

/**
 * With so many decimals; what rounds to zero has no sign.
 * @param {number} value
 * @param {number} places at most 5: what is written with an exponent is zero then
 */
export function decimals(value, places) {
  const size = Math.abs(value);
  // By its digits: any arithmetic would round once more.
  const [whole = "0", fraction = ""] = (size < 1e-6 ? "0" : String(size)).split(".");
  const digits = whole + fraction.padEnd(places, "0").slice(0, places);
  const up = (fraction[places] ?? "0") >= "5" ? 1n : 0n;
  const rounded = String(BigInt(digits) + up).padStart(places + 1, "0");
  const cut = rounded.length - places;
  const text = places ? `${rounded.slice(0, cut)}.${rounded.slice(cut)}` : rounded;
  return value < 0 && /[1-9]/.test(text) ? `-${text}` : text;
}

/**
 * A percentage with two decimals, but never a false 0 or 100; a dash where there is none.
 * @param {number | null} value
 */
export function percent(value) {
  if (value === null) return "–";
  if (value > 0 && value < 0.005) return "<0.01";
  if (value >= 99.995 && value < 100) return ">99.99";
  return decimals(value, 2);
}

/**
 * A difference of percentages with its sign.
 * @param {number} value
 */
export function signed(value) {
  const text = decimals(value, 2);
  return Number(text) > 0 ? `+${text}` : text.replace("-", "\u2212");
}

/**
 * The ends of an interval, never narrower than it is: with one decimal, or two where it is narrow.
 * @param {number} low with three decimals at most, as the service answers it
 * @param {number} high
 */
export function between(low, high) {
  const places = high - low >= 1 ? 1 : 2;
  const step = 10 ** (3 - places);
  const one = Math.floor(Math.round(low * 1000) / step);
  const other = Math.ceil(Math.round(high * 1000) / step);
  return `${(one / 10 ** places).toFixed(places)} and ${(other / 10 ** places).toFixed(places)}`;
}

/**
 * A number as short as it can be: 0.8, not 0.80.
 * @param {number} value
 */
export function short(value) {
  return String(Number(value.toPrecision(6)));
}

/**
 * An area or a length with four digits or more, as scale.py writes it; what is very small or very large is so many times a
 * power of ten.
 * @param {number} value
 */
export function quantity(value) {
  if (value === 0) return "0";
  if (value < LEAST_PLAIN || value >= MOST_PLAIN) {
    const [mantissa, exponent] = value.toExponential(3).split("e");
    return `${Number(mantissa)}\u00a0×\u00a010${raised(Number(exponent))}`;
  }
  if (value >= 1000) return grouped(Number(decimals(value, 0)));
  return decimals(value, 3 - Math.floor(Math.log10(value)));
}

/**
 * A whole number as an exponent.
 * @param {number} value
 */
function raised(value) {
  const digits = [...String(Math.abs(value))].map((digit) => RAISED[Number(digit)]);
  return `${value < 0 ? "⁻" : ""}${digits.join("")}`;
}
