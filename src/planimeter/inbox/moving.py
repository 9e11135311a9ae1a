"""Moving a picture out of a watched folder: whole, and never over what is there."""

import itertools
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PROBE = ".planimeter-probe"
WHY = ".json"
"""Behind the name of a picture, that of the file which says why it was not measured."""
LONGEST_STEM = 200
"""Bytes of a name without its ending; file systems take 255 with all that is added."""


def move(path: Path, target_folder: Path, name: str, why: Mapping[str, Any] | None = None) -> Path:
    """Move a file to `name` in a folder, or to the next free name there; return where it is. Raises OSError.

    With `why`, a file of the same name with .json behind it says that, and is there first.
    """
    for target in _names(target_folder / name):
        target.parent.mkdir(exist_ok=True, parents=target.parent != target_folder)
        if target.exists() and not target.samefile(path):
            continue
        if why is not None:
            _write(target.with_name(f"{target.name}{WHY}"), why)
        if _give_name(path, target):
            return target
    raise AssertionError("names never end")


def try_moving(source_folder: Path, target_folder: Path) -> None:
    """Raise OSError where files cannot be moved whole from one folder to another."""
    probe = source_folder / PROBE
    probe.write_bytes(b"")
    try:
        _give_name(probe, target_folder / PROBE)
    finally:
        probe.unlink(missing_ok=True)
        (target_folder / PROBE).unlink(missing_ok=True)


def _names(target: Path) -> Iterator[Path]:
    stem = os.fsencode(target.stem)
    if len(stem) > LONGEST_STEM:  # else there may be no room for what is added to it
        target = target.with_name(f"{stem[:LONGEST_STEM].decode(errors='ignore')}{target.suffix}")
    yield target
    for number in itertools.count(2):
        yield target.with_name(f"{target.stem} ({number}){target.suffix}")


def _give_name(path: Path, target: Path) -> bool:
    """Move a file where nothing has this name yet; return whether that was so.

    By a second name, then without the first: a rename would replace what somebody else just put there.
    """
    try:
        os.link(path, target, follow_symlinks=False)
    except FileExistsError:
        if not target.samefile(path):  # else a kill came between the two steps
            return False
    except OSError:  # a file system without second names
        if target.exists():
            return False
        path.rename(target)
        return True
    path.unlink()
    return True


def _write(path: Path, why: Mapping[str, Any]) -> None:
    aside = path.with_name(f".{path.name}.new")
    aside.write_text(json.dumps(why, ensure_ascii=True, indent=1) + "\n", encoding="utf-8")
    aside.replace(path)
