"""Watching a folder: what settles in it is measured and moved away, one picture after the other."""

import hashlib
import re
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from planimeter.errors import InvalidOption, TooManyBytes
from planimeter.http_client import wait_seconds
from planimeter.inbox.folder import Found, Settling, find_pictures
from planimeter.inbox.journal import HIDDEN, Entry, Fields, Journal
from planimeter.inbox.moving import move
from planimeter.inbox.service import Later, Measured, MeasuringService, Refused
from planimeter.inbox.unfinished import Followed, Held, explanation

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
        patience: float,
        most_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._places = places
        self._service = service
        self._journal = journal
        self._report = report
        self._fields = fields
        self._settling = Settling(settle)
        self._held = Held(patience)
        self._followed = Followed(places.folder, places.failed, settle, most_bytes)
        self._most_bytes = most_bytes
        self._clock = clock
        self._pause = _Delay(0.0, 0, "")
        self._delays: dict[str, _Delay] = {}
        self._measures = False
        self._gone = ""
        self._stuck = ""
        self._empty: set[str] = set()

    def run(self, poll: float, ended: threading.Event) -> None:
        """Look every `poll` seconds until it is `ended`; the picture under way is finished first."""
        self._followed.recall()
        while not ended.is_set():
            for picture in self._settled():
                if ended.is_set() or self._clock() < self._pause.until:
                    break
                delay = self._delays.get(picture.name, self._pause)
                if self._clock() >= delay.until and not self._held.waits(picture, self._clock()):
                    self._one(picture)
            self._put_back()
            ended.wait(poll)

    def _put_back(self) -> None:
        """Take what was written on after it was moved to the failed ones out of them again."""
        try:
            for path, to in self._followed.put_back(self._clock()):
                self._report.says(
                    f"{path} changed after it was moved there: it is looked at again as {to.name}"
                )
            self._stuck = ""
        except OSError as error:
            reason = f"what changed in {self._places.failed} cannot be moved back ({error.filename}: {error.strerror})"
            if reason != self._stuck:
                self._report.says(reason)
            self._stuck = reason

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
        self._held.keep(found)
        empty = {each.name for each in found if not each.state.size}
        for name in sorted(empty - self._empty):
            self._report.says(f"{name} is empty: waiting for what will be in it")
        self._empty = empty
        return self._settling.settled(found, self._clock())

    def _one(self, picture: Found) -> None:
        try:
            data = picture.read(self._most_bytes)
        except FileNotFoundError:
            return  # somebody took it away, or the whole folder, which the next look tells
        except OSError as error:
            self._later(picture, Later(f"it cannot be read ({error.strerror})", only_this=True))
            return
        if not picture.unchanged():
            return  # it settles anew
        content = hashlib.sha256(data).hexdigest()
        try:
            entry = self._journal.begun(picture.name, content, self._fields)
        except OSError as error:
            self._later(picture, Later(f"{error.filename or HIDDEN} cannot be written ({error.strerror})"))
            return
        if len(data) > self._most_bytes:
            outcome: Measured | Refused | Later = Refused(
                TooManyBytes.code,
                f"it has {picture.state.size:,} bytes, and --max-bytes is {self._most_bytes:,}",
            )
        elif entry.id is not None:
            outcome = Measured({"id": entry.id})  # only moving it failed
        else:
            outcome = self._service.measure(data, entry.filename, entry.fields, entry.key)
            self._measures |= isinstance(outcome, Measured)
        if isinstance(outcome, Refused) and outcome.code == InvalidOption.code and not self._measures:
            # Rather the options than the picture: with wrong ones, all pictures would be moved away.
            outcome = Later(outcome.message, only_this=True)
        if isinstance(outcome, Later):
            self._later(picture, outcome)
            return
        self._answered()
        if not (isinstance(outcome, Refused) and self._is_held(picture, content, outcome)):
            self._move(picture, entry, outcome)

    def _is_held(self, picture: Found, content: str, refused: Refused) -> bool:
        """Hold a picture that may not be written to its end yet; say whether it stays where it is."""
        if not refused.perhaps_unfinished:
            return False
        known = picture.name in self._held
        if not self._held.hold(picture, content, self._clock()):
            return False
        with suppress(OSError):  # nothing of it is under way
            self._journal.end(picture.name)
        if not known:
            self._report.says(
                f"{picture.name}: {refused.message}; perhaps it is not written to its end yet: it is moved to "
                f"{self._places.failed} where it has not changed in {self._held.seconds:g} s"
            )
        return True

    def _move(self, picture: Found, entry: Entry, outcome: Measured | Refused) -> None:
        name, to, why = picture.name, None, None
        if isinstance(outcome, Refused):
            why = explanation(picture, entry, outcome, self._places.folder)
        try:
            if picture.unchanged():
                to = move(picture.path, self._places.done if why is None else self._places.failed, name, why)
        except OSError as error:
            reason = f"it cannot be moved ({error.filename}: {error.strerror})"
            self._note(name, entry, outcome)
            self._later(picture, Later(reason, only_this=True))
            return
        self._delays.pop(name, None)
        if to is None and not picture.path.exists():  # under another name it is known by its entry
            self._note(name, entry, outcome)
        else:
            with suppress(OSError):
                self._journal.end(name)
        if to is None:  # another picture by now: it settles, and is measured too
            self._report.says(f"{name} was changed, renamed or taken away while it was measured")
        elif isinstance(outcome, Refused):
            if why is not None:
                self._followed.add(to, why)
            self._report.refused(name, outcome, to)
        else:
            self._report.measured(name, outcome.answer, to)

    def _note(self, name: str, entry: Entry, outcome: Measured | Refused) -> None:
        if isinstance(outcome, Measured):
            with suppress(OSError):  # the key of the request still tells it
                self._journal.measured(name, entry, outcome.id)

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
