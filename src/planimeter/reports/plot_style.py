"""How plots look: drawn by matplotlib, dressed in the page's colours and letters.

Every colour is one of a few stand-ins that become CSS variables, so that a plot is right in light, dark and print.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from itertools import count
from typing import Any

try:
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
except ModuleNotFoundError:  # the train extra brings it
    HAVE_MATPLOTLIB = False
else:
    HAVE_MATPLOTLIB = True

MISSING = "The plots need matplotlib: run make train-extra, or pip install '.[train]' in the clone, and evaluate again."
INK, QUIET, LINE, ACCENT, BRASS, DANGER, SOFT = (f"#00000{digit}" for digit in range(1, 8))
_VARIABLES = {
    INK: "ink",
    QUIET: "quiet",
    LINE: "line",
    ACCENT: "accent",
    BRASS: "brass",
    DANGER: "danger",
    SOFT: "soft",
}
SERIES = (ACCENT, BRASS, DANGER, QUIET, INK)
_WIDE, _TALL = 4.7, 3.25
_numbers = count(1)
_RC: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "planimeter",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": LINE,
    "axes.labelcolor": QUIET,
    "axes.titlecolor": INK,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": QUIET,
    "ytick.labelcolor": QUIET,
    "text.color": INK,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.6,
    "figure.constrained_layout.use": True,
}


class Plot:
    """A drawn plot: its SVG, and what it shows in words."""

    def __init__(self, svg: str, description: str) -> None:
        self.svg = svg.replace("<svg ", f'<svg role="img" aria-label="{_quoted(description)}" ', 1)
        self.description = description


@contextmanager
def new_axes() -> Iterator[tuple["Figure", "Axes"]]:
    """Yield an empty plot."""
    with mpl.rc_context(_RC):
        figure = Figure(figsize=(_WIDE, _TALL))
        yield figure, figure.subplots()


def svg_of(figure: "Figure") -> str:
    """Return the figure as SVG to be put into a page: no header, its own ids, colours as CSS variables."""
    stream = StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"<defs>\s*<style.*?</defs>", "", text, count=1, flags=re.DOTALL)
    prefix = f"p{next(_numbers)}-"
    text = re.sub(r'\bid="', f'id="{prefix}', text)
    text = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{prefix}", text)
    text = re.sub(r'<svg [^>]*?viewBox="([^"]+)"[^>]*>', r'<svg class="plot" viewBox="\1">', text, count=1)
    text = text.replace("xlink:href", "href")
    text = re.sub(r"font: (\d+(?:\.\d+)?)px [^;\"]+", r"font-size: \1px", text)
    text = re.sub(r"font-family: [^;\"]+;? ?", "", text)
    for color, name in _VARIABLES.items():
        text = text.replace(color, f"var(--{name})")
    return re.sub(r"\n\s*", "\n", text)


def _quoted(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
