"""The folder of a job: what is to be done, how far it is, what it said, and what came of it.

All that the service and the process of a job tell each other lies here, so that either may end at any moment.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from planimeter.errors import NoRoom, StoreFailed
from planimeter.jobs.comparison import Comparison
from planimeter.jobs.plan import Prepared
from planimeter.jobs.states import Ended
from planimeter.reports.training_record import Loss, Validation, read_history
from planimeter.training.reviews import PICTURES

LEAST_FREE = 10**9
"""Bytes that must be free where a job begins: its checkpoints, and the copy of the model that it starts from."""
_MOST_LOG = 20_000
Document = TypeVar("Document", bound=BaseModel)


class Progress(BaseModel):
    """How far a job is."""

    model_config = ConfigDict(frozen=True)

    phase: str = Field(description="What is being done, in a word or two.")
    step: int = 0
    epoch: float = 0.0
    fraction: float = Field(0.0, description="Of the training, from 0 to 1.")
    seconds: float = Field(0.0, description="Of training so far.")
    seconds_left: float | None = Field(None, description="Of training, where that can be told.")
    losses: dict[str, float] = Field(default_factory=dict)
    told_at: datetime = Field(description="When the process told this.")


class End(BaseModel):
    """How a process of a job ended."""

    model_config = ConfigDict(frozen=True)

    state: Ended
    message: str = ""


@dataclass(frozen=True)
class JobFolder:
    """One job on the disk."""

    path: Path

    @property
    def work(self) -> Path:
        """Where training keeps its checkpoints and its history."""
        return self.path / "work"

    @property
    def data(self) -> Path:
        """Where pictures and labels are that were copied for this job."""
        return self.path / "data"

    @property
    def start(self) -> Path:
        """The copy of the model that training starts from."""
        return self.path / "start"

    @property
    def in_use(self) -> Path:
        """The copy of the model that the new one is compared with; what it starts from, unless that is another one."""
        own = self.path / "in-use"
        return own if own.is_dir() else self.start

    @property
    def packs(self) -> Path:
        """Where the new model is written."""
        return self.path / "packs"

    @property
    def lock(self) -> Path:
        """The file that the process of the job holds."""
        return self.path / "lock"

    @property
    def log(self) -> Path:
        """What the process writes to its standard output and error."""
        return self.path / "log.txt"

    def create(self) -> None:
        """Make the folder; raises StoreFailed, and NoRoom where too little is free."""
        refuse_full(self.path.parent)
        with self._failing():
            self.path.mkdir(parents=True)

    def prepare(self, prepared: Prepared) -> None:
        """Write what is to be done; raises StoreFailed."""
        with self._failing():
            _write(self.path / "plan.json", prepared)

    def prepared(self) -> Prepared:
        """Return what is to be done; raises StoreFailed where that is gone or damaged."""
        found = _read(self.path / "plan.json", Prepared)
        if found is None:
            raise StoreFailed(f"{self.path / 'plan.json'} is missing or damaged: start a new job")
        return found

    def tell(self, progress: Progress) -> None:
        """Write how far the job is."""
        with contextlib.suppress(OSError):  # a full disk is told by what has to be kept
            _write(self.path / "progress.json", progress)

    def progress(self) -> Progress | None:
        """Return how far the job is; None where it has told nothing yet."""
        return _read(self.path / "progress.json", Progress)

    def finish(self, end: End) -> None:
        """Write how the process ended."""
        _write(self.path / "end.json", end)

    def end(self) -> End | None:
        """Return how the process ended; None where it runs, or was killed."""
        return _read(self.path / "end.json", End)

    def begin(self) -> None:
        """Forget how an earlier process ended; raises StoreFailed."""
        try:
            (self.path / "end.json").unlink(missing_ok=True)
        except OSError as error:
            raise StoreFailed(f"{self.path / 'end.json'} cannot be removed: {error.strerror}") from error

    def compared(self, comparison: Comparison) -> None:
        """Write how the new model does beside the one in use."""
        _write(self.path / "comparison.json", comparison)

    def comparison(self) -> Comparison | None:
        """Return how the new model does beside the one in use."""
        return _read(self.path / "comparison.json", Comparison)

    def series(self) -> tuple[tuple[Loss, ...], tuple[Validation, ...]]:
        """Return the losses over the steps, thinned to what a curve shows, and the validations."""
        try:
            return read_history(self.work / "history.jsonl")
        except OSError:
            return (), ()

    def said(self, lines: int = 40) -> list[str]:
        """Return the last lines that the process wrote."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _MOST_LOG))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return []
        return text.splitlines()[-lines:]

    def attempts(self) -> int:
        """Return how many processes were started since the last one that got further."""
        found = _read(self.path / "attempts.json", Attempts)
        return found.count if found and found.step == self._step() else 0

    def note_attempt(self) -> None:
        """Note that a process is started."""
        _write(self.path / "attempts.json", Attempts(count=self.attempts() + 1, step=self._step()))

    def bytes(self) -> int:
        """Return how large all of it is."""
        total = 0
        for folder, _, names in os.walk(self.path):
            for name in names:
                with contextlib.suppress(OSError):  # it has just gone
                    total += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118  fast: there may be thousands
        return total

    def keep_what_is_needed(self) -> None:
        """Remove what a job that is done needs no more: checkpoints, copies of models and of pictures.

        Its model, log, curves, comparison and the labels of reviewed pictures stay.
        """
        for checkpoint in self.work.glob("**/*.pt*"):
            with contextlib.suppress(OSError):
                checkpoint.unlink()
        for copied in (self.start, self.path / "in-use", self.data / PICTURES):
            shutil.rmtree(copied, ignore_errors=True)

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreFailed(
                f"the folder of a job, {self.path}, cannot be written: {error.strerror}"
            ) from error

    def _step(self) -> int:
        progress = self.progress()
        return progress.step if progress else 0


class Attempts(BaseModel):
    """How often a job was started at one step."""

    count: int
    step: int


def now() -> datetime:
    """Return the moment, to the second."""
    return datetime.now(timezone.utc).replace(microsecond=0)


def refuse_full(folder: Path) -> None:
    """Raise `NoRoom` where a job would not find the room that it needs."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < LEAST_FREE:
        raise NoRoom(
            f"a job needs {LEAST_FREE / 1e9:g} GB for its checkpoints, and {free / 1e9:.2f} GB are free where {folder} "
            "is: make room there, or delete old jobs"
        )


def _write(path: Path, document: BaseModel) -> None:
    """Write aside, then move into place: a reader never finds half of it."""
    aside = path.with_suffix(".part")
    aside.write_text(document.model_dump_json(exclude_unset=True) + "\n", "utf-8")
    aside.replace(path)


def _read(path: Path, kind: type[Document]) -> Document | None:
    try:
        return kind.model_validate_json(path.read_text("utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError):
        return None
