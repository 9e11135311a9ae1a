"""Changing what lies in a packs folder: one process at a time, and finished or taken back where one was killed.

Before a version takes the place of another, a note says so. Whoever changes the folder next settles what a killed
process left: the version before is in its place again, or the new one is, and then a second note keeps what is to be
told of it until it is told.
"""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from planimeter.errors import InvalidOption, ModelsBusy, StoreFailed
from planimeter.locks import lock_file
from planimeter.packs.pack import MANIFEST
from planimeter.reading import read_file

EARLIER = ".earlier"
"""Keeps the versions of each model that are not in use."""
ASIDE = ".new-"
"""Begins the name of a folder in which a version is made ready."""
PATIENCE = 20.0
"""Seconds to wait for others who change the same folder: copying a model takes a moment."""
_LOCK = ".lock"
_REPLACING = "replacing.json"
_UNTOLD = "untold-"


class Replacement(BaseModel):
    """A version that takes the place of another in a packs folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str = Field(pattern=r"^[^/\\]+$")
    """The name of the folder that both are called while they are in use."""
    before: str | None
    """The key of the one before, which is kept under it; None where there was none here."""
    after: str | None
    """The key of the new one; None where what came with Planimeter answers again."""
    id: str = Field("", pattern=r"^[0-9A-Za-z]*$")
    told: dict[str, Any] = Field(default_factory=dict)
    """What is to be told of it once it is done; nothing where nobody is to be told."""


def key_of(folder: Path) -> str:
    """Return what a version is known by: its manifest, which has the hashes of all else that it is made of."""
    return hashlib.sha256(read_file(folder / MANIFEST)).hexdigest()[:16]


@contextmanager
def changing(packs_folder: Path, patience: float | None = None) -> Iterator[None]:
    """Keep others from changing a packs folder, which is made where it is missing, and settle what was left there.

    Raises `ModelsBusy` where others change it for longer than `patience` seconds, and `StoreFailed` where it cannot be
    written.
    """
    patience = PATIENCE if patience is None else patience
    taken = (
        f"another service or command has been changing the models in {packs_folder} for {patience:g} s: try again "
        "in a minute"
    )
    with ExitStack() as held:
        try:
            packs_folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(lock_file(packs_folder / _LOCK, taken, patience=patience))
        except InvalidOption as error:
            raise ModelsBusy(str(error)) from None
        except OSError as error:
            raise StoreFailed(
                f"the packs folder {packs_folder} cannot be written: {error.strerror}"
            ) from error
        settle(packs_folder)
        yield


def begin(kept: Path, replacement: Replacement) -> None:
    """Note that a version is about to take the place of another; raises OSError."""
    (kept / _REPLACING).write_text(replacement.model_dump_json(), "utf-8")


def end(kept: Path, replacement: Replacement) -> None:
    """Note that it has; what is to be told of it is kept until `forget`."""
    note = kept / _REPLACING
    if replacement.told:
        note.replace(_untold(kept, replacement))
    else:
        note.unlink(missing_ok=True)


def forget(kept: Path, replacement: Replacement) -> None:
    """Forget what has been told."""
    _untold(kept, replacement).unlink(missing_ok=True)


def untold(packs_folder: Path) -> list[tuple[Path, Replacement]]:
    """Return what was done and is not told yet, the first one first, each with the folder of its model's versions."""
    paths = sorted((packs_folder / EARLIER).glob(f"*/{_UNTOLD}*.json"), key=lambda path: path.name)
    return [(path.parent, found) for path in paths if (found := _read(path)) is not None]


def is_unsettled(packs_folder: Path) -> bool:
    """Return whether something was begun and not ended, or ended and not told."""
    earlier = packs_folder / EARLIER
    return any(any(earlier.glob(f"*/{name}")) for name in (_REPLACING, f"{_UNTOLD}*.json", f"{ASIDE}*"))


def settle(packs_folder: Path) -> None:
    """Bring back what was put away where a process was killed before another was in its place; within `changing`."""
    for note in (packs_folder / EARLIER).glob(f"*/{_REPLACING}"):
        kept, found = note.parent, _read(note)
        if found is None:  # cut short: nothing had begun
            note.unlink(missing_ok=True)
            continue
        target = packs_folder / found.target
        there = key_of(target) if (target / MANIFEST).is_file() else None
        place = None if found.before is None else kept / found.before
        if there == found.after and (there is not None or (place is not None and place.is_dir())):
            end(kept, found)
            continue
        if there is None and place is not None and (place / MANIFEST).is_file():
            place.rename(target)
        note.unlink(missing_ok=True)
    for aside in (packs_folder / EARLIER).glob(f"*/{ASIDE}*"):
        shutil.rmtree(aside, ignore_errors=True)


def _untold(kept: Path, replacement: Replacement) -> Path:
    return kept / f"{_UNTOLD}{replacement.id}.json"


def _read(path: Path) -> Replacement | None:
    try:
        return Replacement.model_validate_json(path.read_text("utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError):
        return None
