"""Watching a folder: what settles in it is measured and moved away, one picture after the other."""

import hashlib
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

from planimeter.errors import TooManyBytes
from planimeter.http_client import wait_seconds
from planimeter.inbox.folder import Found, Settling, find_pictures
from planimeter.inbox.journal import Entry, Fields, Journal
from planimeter.inbox.moving import move
from planimeter.inbox.service import Later, Measured, MeasuringService, Refused

LONGEST_PAUSE = 60.0
"""Seconds between two tries where the service cannot be had."""
LONGEST_DELAY = 300.0
"""Seconds between two tries of a picture that it could not measure, while others go on."""
LEAST_WAIT = 0.5
_NUMBERS = re.compile(r"\d+")
"""What differs between two sentences that say the same."""


class Report(Protocol):
    """Tells how it goes, as it goes."""

    def measured(self, name: str, answer: dict[str, Any], to: Path) -> None:
        """Tell that a picture was measured and moved."""

    def refused(self, name: str, why: Refused, to: Path) -> None:
        """Tell that a picture was refused and moved."""

    def says(self, sentence: str) -> None:
        """Tell something else that somebody should know."""


@dataclass(frozen=True)
class Places:
    """The folders."""

    folder: Path
    done: Path
    failed: Path
    subfolders: bool


@dataclass
class _Delay:
    until: float
    failures: int
    reason: str


class Watch:
    """Watches one folder."""

    def __init__(
        self,
        places: Places,
        service: MeasuringService,
        journal: Journal,
        report: Report,
        *,
        fields: Fields,
        settle: float,
        most_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._places = places
        self._service = service
        self._journal = journal
        self._report = report
        self._fields = fields
        self._settling = Settling(settle)
        self._most_bytes = most_bytes
        self._clock = clock
        self._pause = _Delay(0.0, 0, "")
        self._delays: dict[str, _Delay] = {}
        self._gone = ""
        self._empty: set[str] = set()

    def run(self, poll: float, ended: threading.Event) -> None:
        """Look every `poll` seconds until it is `ended`; the picture under way is finished first."""
        while not ended.is_set():
            for picture in self._settled():
                if ended.is_set() or self._clock() < self._pause.until:
                    break
                if self._clock() >= self._delays.get(picture.name, self._pause).until:
                    self._one(picture)
            ended.wait(poll)

    def _settled(self) -> Sequence[Found]:
        places = self._places
        try:
            found = find_pictures(places.folder, (places.done, places.failed), subfolders=places.subfolders)
        except OSError as error:
            reason = f"the folder {error.filename or places.folder} cannot be read ({error.strerror}); waiting for it"
            if reason != self._gone:
                self._report.says(reason)
            self._gone = reason
            return ()
        if self._gone:
            self._report.says(f"the folder {places.folder} is back")
            self._gone = ""
        self._delays = {
            name: self._delays[name] for name in {each.name for each in found} & set(self._delays)
        }
        empty = {each.name for each in found if not each.state.size}
        for name in sorted(empty - self._empty):
            self._report.says(f"{name} is empty: waiting for what will be in it")
        self._empty = empty
        return self._settling.settled(found, self._clock())

    def _one(self, picture: Found) -> None:
        try:
            data = picture.read(self._most_bytes)
            if not picture.unchanged():
                return  # it settles anew
            entry = self._journal.begun(picture.name, hashlib.sha256(data).hexdigest(), self._fields)
        except FileNotFoundError:
            return  # somebody took it away, or the whole folder, which the next look tells
        except OSError as error:
            self._later(picture, Later(f"it cannot be read ({error.strerror})", only_this=True))
            return
        if len(data) > self._most_bytes:
            outcome: Measured | Refused | Later = Refused(
                TooManyBytes.code,
                f"it has {picture.state.size:,} bytes, and --max-bytes is {self._most_bytes:,}",
            )
        elif entry.id is not None:
            outcome = Measured({"id": entry.id})  # only moving it failed
        else:
            filename = picture.name.rpartition("/")[2]
            outcome = self._service.measure(data, filename, entry.fields, entry.key(picture.name))
        if isinstance(outcome, Later):
            self._later(picture, outcome)
        else:
            self._answered()
            self._move(picture, entry, outcome)

    def _move(self, picture: Found, entry: Entry, outcome: Measured | Refused) -> None:
        name = picture.name
        try:
            if not picture.unchanged():  # another picture by now: it settles, and is measured too
                self._report.says(f"{name} was changed or taken away while it was measured")
            elif isinstance(outcome, Refused):
                to = move(picture.path, self._places.failed, name, _why(name, outcome))
                self._report.refused(name, outcome, to)
            else:
                to = move(picture.path, self._places.done, name)
                self._report.measured(name, outcome.answer, to)
            self._journal.end(name)
            self._delays.pop(name, None)
        except OSError as error:
            self._later(
                picture, Later(f"it cannot be moved ({error.filename}: {error.strerror})", only_this=True)
            )
            if isinstance(outcome, Measured):
                self._note(name, entry, outcome.id)

    def _note(self, name: str, entry: Entry, id_: str) -> None:
        try:
            self._journal.measured(name, entry, id_)
        except OSError:
            return  # the key of the request still tells it

    def _later(self, picture: Found, outcome: Later) -> None:
        """Wait, with this picture or with all of them; what is said once is not said again."""
        if outcome.only_this:
            before = self._delays.get(picture.name, _Delay(0.0, 0, ""))
            most, about = LONGEST_DELAY, f"{picture.name}: "
        else:
            before, most, about = self._pause, LONGEST_PAUSE, ""
        wait = wait_seconds(before.failures + 1, most=most)
        if outcome.seconds is not None:
            wait = max(outcome.seconds, LEAST_WAIT)
        if _NUMBERS.sub("", outcome.reason) != _NUMBERS.sub("", before.reason):
            self._report.says(
                f"{about}{outcome.reason}; it is tried again, the next time in {max(wait, 1):.0f} s"
            )
        delay = _Delay(self._clock() + wait, before.failures + 1, outcome.reason)
        if outcome.only_this:
            self._delays[picture.name] = delay
        else:
            self._pause = delay

    def _answered(self) -> None:
        if self._pause.failures:
            self._report.says(f"{self._service.shown} measures again")
        self._pause = _Delay(0.0, 0, "")


def _why(name: str, refused: Refused) -> dict[str, Any]:
    return {
        "picture": name,
        "status": refused.status,
        "code": refused.code,
        "message": refused.message,
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }
