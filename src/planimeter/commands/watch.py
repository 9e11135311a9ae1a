"""`planimeter watch`: the pictures that appear in a folder, measured by a running service."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from planimeter.commands.options import is_given, options_of
from planimeter.commands.results import masked_title
from planimeter.details import Details, joined
from planimeter.errors import InvalidOption, Unreachable
from planimeter.inbox.journal import HIDDEN, Fields, Journal
from planimeter.inbox.moving import try_moving
from planimeter.inbox.options import DONE, FAILED, InboxOptions
from planimeter.inbox.service import MeasuringService, Refused
from planimeter.inbox.watch import Places, Watch
from planimeter.measurement import Options
from planimeter.numbers import write_between, write_percent
from planimeter.settings import Settings


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@options_of(InboxOptions, "options")
@options_of(Details, "details")
@options_of(Settings, "settings", only=("max_bytes",))
def watch(folder: Path, options: InboxOptions, details: Details, settings: Settings) -> None:
    """Have the pictures that appear in FOLDER measured by a running service, each once, and move them away.

    A line for each as it is measured. One that cannot be read waits for the rest of it. While the service cannot be
    reached it is tried again and again; a restart goes on where this ended. Ctrl+C and SIGTERM finish the picture
    under way.
    """
    if options.profile and not is_given("model"):  # whose model it is, and not the environment's
        options = options.model_copy(update={"model": None})
    service = MeasuringService(options.service, options.key)
    places = _places(folder, options)
    report = Lines()
    with _journal(folder, report) as journal:
        _check_folders(places)
        _check_service(service, options, report)
        watching = Watch(
            places,
            service,
            journal,
            report,
            fields=fields_of(options, details),
            settle=options.settle,
            patience=options.patience,
            most_bytes=settings.max_bytes,
        )
        click.echo(f"Watching {folder} for {service.shown}; Ctrl+C stops it.")
        with _stopping() as ended:
            watching.run(options.poll, ended)
    click.echo("Stopped.")


class Lines:
    """Tells how it goes, a line for each thing: measurements on standard output, the rest on standard error."""

    def __init__(self) -> None:
        self._title = ""
        """Of the percentages; empty until the first."""

    def measured(self, name: str, answer: dict[str, Any], to: Path) -> None:
        """Print a line of figures."""
        if not self._title:
            self._title = _masked_title(answer)
            click.secho(self._line(("Time", self._title, "90 % interval", "Verdict"), "Picture"), bold=True)
        coverage = answer.get("coverage") or {}
        interval = coverage.get("interval")
        between = " to ".join(write_between(interval["low"], interval["high"])) if interval else ""
        percent = coverage.get("percent_masked")
        told = shown(name) if to.name == name.rpartition("/")[2] else f"{shown(name)} (now {shown(to.name)})"
        told += "" if coverage else f" (measured before: {answer['id']})"
        click.echo(
            self._line(
                (
                    f"{datetime.now():%H:%M:%S}",
                    "" if percent is None else write_percent(percent),
                    between,
                    str(answer.get("verdict") or ""),
                ),
                told,
            )
        )

    def _line(self, cells: tuple[str, str, str, str], name: str) -> str:
        widths = (8, len(self._title), 16, 9)
        return "  ".join((*(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)), name))

    def refused(self, name: str, why: Refused, to: Path) -> None:
        """Say why a picture was not measured, and where it is."""
        self.says(f"{name}: {why.message}; moved to {to}")

    def says(self, sentence: str) -> None:
        """Print a sentence."""
        click.secho(shown(sentence), fg="yellow", err=True)


def fields_of(options: InboxOptions, details: Details) -> Fields:
    """Return what is asked of each picture, as the fields of a request."""
    threshold = options.score_threshold
    asked = {
        "profile": options.profile,
        "model": options.model,
        "score_threshold": None if threshold is None else repr(threshold),
        **details.model_dump(exclude={"tags"}),
        "tags": joined(details.tags),
    }
    return tuple((name, value) for name, value in asked.items() if value)


def shown(name: str) -> str:
    """Return a name as a terminal can show it, whatever is in it."""
    return "".join(character if character.isprintable() else "?" for character in name)


def _masked_title(answer: dict[str, Any]) -> str:
    try:
        return masked_title(Options.model_validate(answer.get("options")).counting)
    except ValidationError:  # of a picture that was measured before nothing more is known
        return masked_title(None)


def _places(folder: Path, options: InboxOptions) -> Places:
    if not folder.is_dir():
        there = "is no folder" if folder.exists() else "is not there"
        raise InvalidOption(f"the folder {folder} {there}: name the one in which pictures appear")
    done, failed = options.done or folder / DONE, options.failed or folder / FAILED
    for flag, path in (("--done", done), ("--failed", failed)):
        if path.resolve() == folder.resolve() or path.resolve() in folder.resolve().parents:
            raise InvalidOption(
                f"{flag} {path} holds the watched folder itself: name another one, or one inside it"
            )
    return Places(folder, done, failed, options.subfolders)


def _check_folders(places: Places) -> None:
    """Raise `InvalidOption` where pictures could be measured but not moved."""
    for flag, path in (("--done", places.done), ("--failed", places.failed)):
        try:
            path.mkdir(parents=True, exist_ok=True)
            try_moving(places.folder / HIDDEN, path)
        except OSError as error:
            raise InvalidOption(
                f"pictures cannot be moved from {places.folder} to {flag} {path} ({error.strerror}): both must be on "
                "the same drive, and this user must be allowed to write to both"
            ) from error


@contextmanager
def _journal(folder: Path, report: Lines) -> Iterator[Journal]:
    """Take the folder for this process, and yield what was begun in it."""
    journal = Journal(folder)
    try:
        readable = journal.open()
    except OSError as error:
        raise InvalidOption(
            f"nothing can be written to {folder / HIDDEN} ({error.strerror}), where what is begun is noted: let this "
            "user write to the folder"
        ) from error
    if not readable:
        report.says(f"the list of what was begun in {folder / HIDDEN} cannot be read: it is begun anew")
    try:
        yield journal
    finally:
        journal.close()


def _check_service(service: MeasuringService, options: InboxOptions, report: Lines) -> None:
    """Raise `InvalidOption` for a key, a model or a profile that the service refuses, if it answers yet."""
    try:
        refusal = service.refusal(options.model, options.profile)
    except Unreachable as error:
        report.says(f"{error}; pictures wait until it can")
    else:
        if refusal:
            raise InvalidOption(refusal)


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Yield what is set by the first SIGINT or SIGTERM; the second ends at once."""
    ended = threading.Event()

    def stop(number: int, _: object) -> None:
        for kind in before:
            signal.signal(kind, lambda *_: sys.exit(128 + number))
        ended.set()

    before = {kind: signal.signal(kind, stop) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ended
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
