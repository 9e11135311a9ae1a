"""Calls that are made at a moment, unless they are taken back before: one thread for all, not one for each."""

import heapq
import itertools
import logging
import threading
from collections.abc import Callable
from time import monotonic

_log = logging.getLogger(__name__)


class Alarm:
    """A call that is to be made."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Take it back, where it was not made yet."""
        self._call = None

    def ring(self) -> None:
        """Make the call now, and never again."""
        call, self._call = self._call, None
        if call is not None:
            call()

    @property
    def cancelled(self) -> bool:
        """Whether nothing will be called any more."""
        return self._call is None


class Alarms:
    """Alarms of a process, from any thread; their thread is started with the first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._set: list[tuple[float, int, Alarm]] = []
        self._number = itertools.count()
        self._runs = False

    def set(self, seconds: float, call: Callable[[], None]) -> Alarm:
        """Have a call made in so many seconds; it must be quick."""
        alarm = Alarm(call)
        with self._changed:
            if not self._runs:
                threading.Thread(target=self._run, name="alarms", daemon=True).start()
                self._runs = True
            entry = (monotonic() + seconds, next(self._number), alarm)
            heapq.heappush(self._set, entry)
            if self._set[0] is entry:
                self._changed.notify()
        return alarm

    def _run(self) -> None:
        while True:
            alarm = self._next()
            try:
                alarm.ring()
            except Exception:  # noqa: BLE001 - all others must ring all the same
                _log.exception("an alarm failed")

    def _next(self) -> Alarm:
        """Wait for the next that is due, and return it."""
        with self._changed:
            while True:
                while self._set and self._set[0][2].cancelled:
                    heapq.heappop(self._set)
                left = self._set[0][0] - monotonic() if self._set else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._set)[2]
                self._changed.wait(left)


ALARMS = Alarms()
"""Those of this process."""
