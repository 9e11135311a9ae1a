"""Ids that sort by time: ULIDs, strictly rising within a process.

https://github.com/ulid/spec: 48 bits of milliseconds since 1970, then 80 bits of chance, as 26 characters of
Crockford's base 32.
"""

import re
import secrets
import threading
import time
from datetime import datetime, timedelta, timezone

from ulid import ULID

_PATTERN = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_CHANCE_BITS = 80
_LAST_MILLISECOND = 2**48 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Ids:
    """Makes ids; from any thread."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def next(self) -> str:
        """Return an id above all earlier ones, also within one millisecond or when the clock is set back."""
        return self.next_and_moment()[0]

    def next_and_moment(self) -> tuple[str, datetime]:
        """Return the next id, and what the clock showed: the id's own time, unless it was set back."""
        now = time.time_ns() // 1_000_000
        with self._lock:
            fresh = now << _CHANCE_BITS | secrets.randbits(_CHANCE_BITS)
            self._last = fresh if now > self._last >> _CHANCE_BITS else self._last + 1
            return str(ULID.from_int(self._last)), _EPOCH + timedelta(milliseconds=now)


def id_at(moment: datetime) -> str:
    """Return a new id of the millisecond of a moment that is past, in no order with others of it."""
    milliseconds = (moment - _EPOCH) // timedelta(milliseconds=1)
    if not 0 <= milliseconds <= _LAST_MILLISECOND:
        raise ValueError(f"{moment} is no moment since 1970")
    return str(ULID.from_int(milliseconds << _CHANCE_BITS | secrets.randbits(_CHANCE_BITS)))


def is_id(text: str) -> bool:
    """Say whether `text` has the form of an id, in the one spelling that is stored."""
    return _PATTERN.fullmatch(text) is not None


def time_of(id_: str) -> datetime:
    """Return the millisecond in which an id was made, in UTC."""
    return _EPOCH + timedelta(milliseconds=ULID.from_str(id_).milliseconds)


def first_id_at(moment: datetime) -> str:
    """Return the smallest id of the first millisecond at or after `moment`; without a zone it is UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    milliseconds = -((_EPOCH - moment) // timedelta(milliseconds=1))  # rounded up
    milliseconds = min(max(milliseconds, 0), _LAST_MILLISECOND)
    return str(ULID.from_int(milliseconds << _CHANCE_BITS))
