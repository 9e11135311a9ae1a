"""`planimeter measure --to`: pictures by the million into Parquet tables."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from planimeter.bulk.places import is_address, open_place
from planimeter.bulk.task import Engine, Task
from planimeter.commands.finding import is_litter
from planimeter.commands.stopping import stopping_by_signal
from planimeter.errors import MissingPicture, PlanimeterError
from planimeter.measurement import Measurement
from planimeter.measuring.tally import Tally
from planimeter.packs.pack import Pack
from planimeter.pictures.formats import SUFFIXES

PlaceGiven: TypeAlias = Path | str
"""A path, or an address as it was written."""
MOST_ERRORS = 20


class PlaceType(click.ParamType[PlaceGiven]):
    """A path, or an address such as s3://bucket/folder."""

    name = "place"

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,  # noqa: ARG002  click's signature
        ctx: click.Context | None,  # noqa: ARG002
    ) -> PlaceGiven:
        """Return a path, or an address as it is."""
        return value if isinstance(value, Path) or is_address(value) else Path(value)


PLACE = PlaceType()


def check_together(*, into_tables: bool, others: Mapping[str, bool], only: Mapping[str, bool]) -> None:
    """Refuse, with --to alone, options that go with printed rows, and without it those that go `only` with it."""
    if into_tables:
        for name, given in others.items():
            if given:
                raise click.UsageError(
                    f"{name} does not go with --to unless --export FORMAT is given: then rows go into tables alone"
                )
        return
    for name, given in only.items():
        if given:
            raise click.UsageError(
                f"{name} needs --to FOLDER (or --to s3://bucket/folder) without --export FORMAT"
            )


def measure_into_tables(
    task: Task,
    pack: Pack,
    paths: Sequence[Path],
    buckets: Sequence[str],
    to: PlaceGiven,
    *,
    engine: Engine,
    retry_failed: bool,
    console: Console,
) -> tuple[Tally, int]:
    """Measure pictures on disk and in buckets; return how it went, and how many were not measured."""
    from planimeter.bulk.run import Progress as Told  # noqa: PLC0415 - needs an extra, which few have
    from planimeter.bulk.run import run  # noqa: PLC0415

    place = open_place(str(to))
    keys = [*(os.path.abspath(path) for path in paths), *_keys_in(buckets)]  # noqa: PTH100  links stay as they are
    shown = Shown(console, len(keys), place.address)
    with stopping_by_signal() as stopping, shown.bar:
        told = Told(begun=shown.begun, picture=shown.picture, batch=shown.batch)
        with suppress(KeyboardInterrupt):  # a second one, which ends at once; what was measured is kept
            run(
                task,
                pack,
                keys,
                place,
                engine=engine,
                retry_failed=retry_failed,
                stopping=stopping,
                progress=told,
            )
    left = shown.todo - shown.tally.count
    console.print(shown.tally.words(left), highlight=False)
    going_on = "; the same command goes on from there" if left else ""
    console.print(f"tables in {place.address}{going_on}", markup=False, highlight=False, soft_wrap=True)
    return shown.tally, left


@dataclass
class Shown:
    """What a terminal shows of a run."""

    console: Console
    pictures: int
    address: str
    todo: int = 0
    tally: Tally = field(default_factory=Tally)
    errors: int = 0

    def __post_init__(self) -> None:
        columns = (TextColumn("Measuring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.bar = Progress(
            *columns, console=self.console, transient=True, disable=not self.console.is_terminal
        )
        self._shown: TaskID | None = None

    def begun(self, todo: int, done: int) -> None:
        """Show how many are to be measured."""
        self.todo = todo
        if done:
            self._say(f"{done:,} of {self.pictures:,} pictures are in {self.address} already")
        self._shown = self.bar.add_task("", total=todo)

    def picture(self, key: str, measurement: Measurement | None, error: PlanimeterError | None) -> None:
        """Show one that was measured here."""
        self.tally.add(measurement)
        self._advance(1)
        if error is None:
            return
        self.errors += 1
        if self.errors <= MOST_ERRORS:
            told = str(error)
            self._say(told if told.startswith(key) else f"{key}: {told}", style="red")
        elif self.errors == MOST_ERRORS + 1:
            self._say("more that failed are in the table alone", style="red")

    def batch(self, tally: Tally) -> None:
        """Show a batch that was measured elsewhere."""
        self.tally.include(tally)
        self._advance(tally.count)

    def _advance(self, count: int) -> None:
        if self._shown is not None:
            self.bar.advance(self._shown, count)

    def _say(self, text: str, style: str = "") -> None:
        self.console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def _keys_in(buckets: Sequence[str]) -> list[str]:
    """Return the pictures in buckets; raises `MissingPicture` where there are none at one of the addresses."""
    if not buckets:
        return []
    from planimeter.bulk.buckets import list_keys  # noqa: PLC0415 - an extra

    found: dict[str, None] = {}
    for address in buckets:
        keys = [key for key in list_keys(address) if key == address or _is_picture(key)]
        if not keys:
            raise MissingPicture(f"there are no pictures ({', '.join(sorted(SUFFIXES))}) at {address}")
        found.update(dict.fromkeys(keys))
    return list(found)


def _is_picture(key: str) -> bool:
    path = key.partition("://")[2]
    return not is_litter(PurePosixPath(path)) and path.lower().endswith(SUFFIXES)
