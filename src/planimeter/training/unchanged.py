"""What a training began to learn from, by content, in its work folder: one that goes on learns from the same."""

import json
from collections.abc import Sequence
from pathlib import Path

from planimeter.errors import DataError, TrainingError
from planimeter.labels import LabelledPictures
from planimeter.labels.content import content_of

_SHOWN = 3


class Unchanged:
    """The content of labelled pictures: kept where a training begins, and to be the same where it goes on."""

    def __init__(self, work_folder: Path, data: LabelledPictures, part: str = "pictures") -> None:
        """`part` says which of the pictures of a training these are."""
        self._path = work_folder / f"content-{part}.json"
        self._found = {
            entry.name: f"{entry.sha256} {entry.labels_sha256}"
            for entry in (content_of(picture, data.classes) for picture in data.pictures)
        }

    def check(self) -> None:
        """Raise `DataError`, which names the first that are others, where the training began with other content."""
        if not self._path.is_file():
            return
        try:
            before: dict[str, str] = json.loads(self._path.read_text("utf-8"))
            common = before.keys() & self._found.keys()
            changed = [name for name in common if before[name] != self._found[name]]
            differences = (
                *_listed(changed, "changed"),
                *_listed(before.keys() - common, "missing"),
                *_listed(self._found.keys() - common, "new"),
            )
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise DataError(
                f"{self._path} cannot be read as what a training began with: it is damaged; choose another folder"
            ) from error
        if differences:
            raise DataError(
                f"the labelled pictures are not those that this training began with: {', '.join(differences)}; put "
                "them back as they were, or begin a new training (planimeter train: with another --work-folder)"
            )

    def keep(self) -> None:
        """Write it down, where nothing is written yet; raises TrainingError."""
        if self._path.is_file():
            return
        aside = self._path.with_suffix(".part")
        try:
            aside.parent.mkdir(parents=True, exist_ok=True)
            aside.write_text(json.dumps(self._found, indent=1) + "\n", "utf-8")
            aside.replace(self._path)
        except OSError as error:
            raise TrainingError(
                f"{self._path} cannot be written: {error}; choose another --work-folder"
            ) from error


def _listed(names: Sequence[str] | set[str], what: str) -> list[str]:
    if not names:
        return []
    first = ", ".join(sorted(names)[:_SHOWN])
    return [f"{len(names)} {what} ({first}{', …' if len(names) > _SHOWN else ''})"]
