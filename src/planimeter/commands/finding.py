"""The pictures among files and folders that a command was given."""

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from planimeter.errors import MissingPicture
from planimeter.pictures.formats import LITTER, OTHER_PICTURES, SUFFIXES

MOST_NAMED = 8


def find_pictures(given: Iterable[Path], output_folder: Path | None = None) -> tuple[list[Path], list[Path]]:
    """Return the pictures among `given` and in the folders among them, each once, and what was left out there.

    What lies in `output_folder` was drawn here before and is left out without a word; so is what systems and tools
    leave in folders (`._name.png`, `.ipynb_checkpoints`, thumbnails). Files that are pictures elsewhere are told.
    """
    drawn = output_folder.resolve() if output_folder else None
    found: dict[Path, None] = {}
    left_out: list[Path] = []
    for path in given:
        if not path.is_dir():
            found[path] = None
            continue
        for entry in sorted(path.rglob("*")):
            if is_litter(entry.relative_to(path)) or not entry.is_file() or drawn in entry.resolve().parents:
                continue
            if entry.suffix.lower() in SUFFIXES:
                found[entry] = None
            elif entry.suffix.lower() in OTHER_PICTURES:
                left_out.append(entry)
    if not found:
        told = f"; left out: {listed(left_out)}" if left_out else ""
        raise MissingPicture(
            f"there are no pictures ({', '.join(sorted(SUFFIXES))}) in the folders given{told}"
        )
    return list(found), left_out


def listed(paths: Sequence[Path]) -> str:
    """Return what was left out, some by name."""
    names = ", ".join(path.name for path in paths[:MOST_NAMED])
    return names + (f" and {len(paths) - MOST_NAMED} more" if len(paths) > MOST_NAMED else "")


def is_litter(path: PurePath) -> bool:
    """Return whether a file was left by a system or a tool: hidden, or in a folder of theirs."""
    return any(part.startswith(".") or part in LITTER for part in path.parts)
