// @ts-check
// Round numbers for scales.

/**
 * The next round step of a scale.
 * @param {number} least
 * @param {number[]} among first digits, rising to 10
 */
export function niceStep(least, among = [1, 2, 2.5, 5, 10]) {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * (among.find((step) => step * power >= least * 0.9999) ?? 10);
}
