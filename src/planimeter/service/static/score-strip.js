// @ts-check

import { svg } from "./elements.js";

const BINS = 48;
const HEIGHT = 28;

/** How the candidates score, as strokes above the slider: those that count in colour. */
export class ScoreStrip {
  /**
   * @param {Element} picture
   * @param {number[]} scores
   * @param {number} floor the lowest score there can be
   */
  constructor(picture, scores, floor) {
    this.picture = picture;
    this.floor = floor;
    const counts = new Array(BINS).fill(0);
    for (const score of scores) counts[this.bin(score)]++;
    const most = Math.max(1, ...counts);
    const share = 100 / BINS;
    const bars = counts.map((count, index) => {
      const height = count ? Math.max(2, HEIGHT * Math.sqrt(count / most)) : 0;
      const x = `${index * share + share * 0.1}%`;
      return svg("rect", { x, width: `${share * 0.8}%`, y: HEIGHT - height, height });
    });
    picture.replaceChildren(...bars);
  }

  /** @param {number} threshold */
  mark(threshold) {
    const first = this.bin(threshold);
    for (const [index, bar] of [...this.picture.children].entries()) {
      bar.setAttribute("class", index >= first ? "score-in" : "score-out");
    }
  }

  /** @param {number} score */
  bin(score) {
    const share = (score - this.floor) / (1 - this.floor || 1);
    return Math.min(BINS - 1, Math.max(0, Math.floor(share * BINS)));
  }
}
