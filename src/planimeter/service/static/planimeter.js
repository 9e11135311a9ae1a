// @ts-check
// Every page loads this module, and some one of their own beside it. Each element makes server-rendered HTML quicker to
// use; none is needed.

import "./command-line.js";
import "./compare-views.js";
import "./local-time.js";
import "./picture-drop.js";
import "./print-button.js";
