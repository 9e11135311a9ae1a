"""Printing for people at a terminal, and for the pipes and logs behind it."""

import shutil
from itertools import pairwise

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from planimeter.labels.census import SIZE_EDGES, Census, count
from planimeter.labels.pictures import LabelledPictures

WIDE = 250
SHOWN_DOUBTS = 5


def console() -> Console:
    """Return a console on stdout; where that is no terminal, lines are not folded to a terminal's width."""
    found = Console(highlight=False, markup=False, soft_wrap=True)
    if not found.is_terminal:
        found.width = max(WIDE, shutil.get_terminal_size().columns)
    return found


def understood(data: LabelledPictures) -> list[RenderableType]:
    """Return what was understood of labelled pictures in memory, and the first doubts about them."""
    doubts = [f"doubtful  {doubt}" for doubt in data.doubts[:SHOWN_DOUBTS]]
    if len(data.doubts) > SHOWN_DOUBTS:
        doubts.append(f"and {len(data.doubts) - SHOWN_DOUBTS} more: see planimeter data check")
    return [*census_tables(count(data)), *map(escape, doubts)]


def census_tables(census: Census) -> list[RenderableType]:
    """Return what was understood of labelled pictures: a line, the classes, and how large instances are."""
    sizes = census.picture_sizes.most_common(3)
    shown = ", ".join(f"{width} x {height}" for (height, width), _ in sizes)
    more = len(census.picture_sizes) - len(sizes)
    line = (
        f"{census.format}: {census.pictures} pictures ({shown}{f' and {more} other sizes' if more else ''}), "
        f"{census.empty} without an object, {census.instances} instances"
    )
    used = [index for index in range(len(SIZE_EDGES) + 1) if _in_bin(census, index)]
    titles = _bin_titles()
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("class", overflow="fold")  # a name that is cut off is no name
    for title in ("instances", "pictures", "median", *(titles[index] for index in used)):
        table.add_column(title, justify="right", no_wrap=True)
    for name in census.classes:
        counts = census.histogram(name)
        total, held = len(census.sizes[name]), census.pictures_with[name]
        cells = (str(counts[index] or "") for index in used)
        table.add_row(Text(name), str(total), str(held), f"{census.median_size(name):.0f}", *cells)
    return [line, table, "sizes are square roots of areas, in pixels"]


def _in_bin(census: Census, index: int) -> bool:
    """Tell whether any class has an instance of a size: columns without one only take room."""
    return any(census.histogram(name)[index] for name in census.classes)


def _bin_titles() -> list[str]:
    between = [f"{low}-{high}" for low, high in pairwise(SIZE_EDGES)]
    return [f"<{SIZE_EDGES[0]}", *between, f">={SIZE_EDGES[-1]}"]
