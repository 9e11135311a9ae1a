// @ts-check
// The tools that correct a measurement. Each is in hand alone; what it does, the editor keeps.

import { CutTool } from "./cut-tool.js";
import { PaintTool } from "./paint-tool.js";
import { ChooseTool, JoinTool } from "./pick-tools.js";
import { PolygonTool } from "./polygon-tool.js";
import { SegmentTool } from "./segment-tool.js";

/** @typedef {import("./correction-editor.js").CorrectionEditor} CorrectionEditor */
/** @typedef {import("./zoomable-canvas.js").Point} Point */
/** @typedef {"choose" | "segment" | "brush" | "eraser" | "polygon" | "cut" | "join"} ToolName */

/**
 * A tool. `stroke` draws with one finger; without it one finger moves the picture. `cancel` drops what is begun, and
 * tells whether there was something.
 * @typedef {{hint: string, stroke?: import("./gestures.js").Stroke, click?: (at: Point) => void,
 *   point?: (at: Point | null) => void, draw?: import("./picture-viewer.js").Drawing, cancel?: () => boolean,
 *   finish?: () => void, back?: () => boolean}} Tool
 */

/**
 * @param {CorrectionEditor} editor
 * @returns {Record<ToolName, Tool> & {segment: SegmentTool}}
 */
export function toolsFor(editor) {
  return {
    choose: new ChooseTool(editor),
    segment: new SegmentTool(editor),
    brush: new PaintTool(editor, false),
    eraser: new PaintTool(editor, true),
    polygon: new PolygonTool(editor),
    cut: new CutTool(editor),
    join: new JoinTool(editor),
  };
}
