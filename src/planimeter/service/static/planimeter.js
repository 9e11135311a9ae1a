// @ts-check
// Every page loads this one module. Each element makes server-rendered HTML quicker to use; none is needed.

import "./command-line.js";
import "./compare-views.js";
import "./history-list.js";
import "./local-time.js";
import "./picture-drop.js";
import "./print-button.js";
import "./trend-chart.js";
