"""Printing for people at a terminal, and for the pipes and logs behind it."""

import shutil

from rich.console import Console

WIDE = 250


def console() -> Console:
    """Return a console on stdout; where that is no terminal, lines are not folded to a terminal's width."""
    found = Console(highlight=False, markup=False, soft_wrap=True)
    if not found.is_terminal:
        found.width = max(WIDE, shutil.get_terminal_size().columns)
    return found
