"""Turns at the model, one or a few at a time; the others wait in line, and the line has an end."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from math import ceil

from planimeter.errors import ClientGone, NotReady, PlanimeterError, QueueFull
from planimeter.service.deadline import Deadline

LONGEST_RETRY = 60
LAST_TURNS = 20
LOOK_SECONDS = 0.5
"""How often one that waits looks whether its client is still there."""
PATIENT_EVERY = 4
"""Of so many turns one goes to the patient, while others wait too."""


class Queue:
    """A bounded queue in front of models that serve one at a time, or a few.

    First a `place` is taken, which fails at once when the queue is full; then, inside it, one `turn` after the other:
    a picture takes one for each of its tiles, and after each stands in line again, so that a large one does not hold
    up the small ones. What a request does between its turns overlaps with the turns of others.
    """

    def __init__(self, size: int) -> None:
        """`size`: how many may wait beside the one being served."""
        self._size = size
        self._lock = threading.Lock()
        self._taken = 0
        self._served: list[Place] = []
        self._lines: tuple[deque[_Waiting], deque[_Waiting]] = (deque(), deque())
        self._since_patient = 0
        self._picture_seconds = 0.1
        self._closed = False
        self._turn_seconds: dict[str, deque[float]] = {}

    @property
    def length(self) -> int:
        """How many wait for their turn now."""
        return sum(map(len, self._lines))

    def seconds_a_turn(self, model: str) -> float:
        """Return how long the shortest of the last turns with this model took; 0 where there was none."""
        with self._lock:
            return min(self._turn_seconds.get(model, ()), default=0.0)

    @contextmanager
    def place(self, deadline: Deadline, gone: Callable[[], bool] = lambda: False) -> Iterator["Place"]:
        """Hold one of the `size` + 1 places; raises `QueueFull` when all are taken.

        `gone` says whether the client has left: what waits then raises `ClientGone`, and its turn goes to others.
        """
        with self._lock:
            if self._taken > self._size:
                turns = self._taken / max(1, len(self._served))
                seconds = min(LONGEST_RETRY, max(1, ceil(turns * self._picture_seconds)))
                raise QueueFull(
                    f"{self._taken} pictures are in the queue already and it holds no more; try again in "
                    f"{seconds} s",
                    retry_after=seconds,
                )
            self._taken += 1
        place = Place(self, deadline, gone)
        try:
            yield place
        finally:
            with self._lock:
                self._taken -= 1
                if place.seconds:
                    self._picture_seconds += 0.2 * (place.seconds - self._picture_seconds)

    def close(self) -> None:
        """Let nobody wait any more: all that do, and all that come, raise `NotReady`."""
        self._closed = True

    @contextmanager
    def turn(self, place: "Place") -> Iterator[None]:
        """Wait for the turn and hold it; raises `DeadlineExceeded`."""
        self._wait(place)
        served = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - served
            place.seconds += seconds
            self._pass_on(place, seconds)

    def _wait(self, place: "Place") -> None:
        self._check(place)
        if place.seconds:  # not its first turn
            place.deadline.check("the model")
        with self._lock:
            if not self.length and self._has_room_for(place):
                self._served.append(place)
                return
            waiting = _Waiting(place)
            called, line = waiting.called, self._lines[place.patient]
            line.append(waiting)
        try:
            while not called.wait(min(place.deadline.left, LOOK_SECONDS)):
                self._check(place)
                place.deadline.check("the model")
        except PlanimeterError:
            with self._lock:
                if not called.is_set():
                    line.remove(waiting)
                    raise
            # Called between the timeout and the lock: the turn is ours, and is passed on.
            self._pass_on(place, None)
            raise

    def _check(self, place: "Place") -> None:
        if self._closed:
            raise NotReady("the service is stopping; try again when it is back")
        place.check_client()

    def _pass_on(self, place: "Place", seconds: float | None) -> None:
        with self._lock:
            if seconds is not None:
                self._turn_seconds.setdefault(place.model, deque(maxlen=LAST_TURNS)).append(seconds)
            self._served.remove(place)
            while (line := self._next_line()) and self._has_room_for(line[0].place):
                self._since_patient = (self._since_patient + 1) % PATIENT_EVERY if all(self._lines) else 0
                waiting = line.popleft()
                self._served.append(waiting.place)  # before it is called, so nobody can push in
                waiting.called.set()

    def _has_room_for(self, place: "Place") -> bool:
        """Return whether one more can be served beside those that are, as their models allow."""
        return len(self._served) < min(entry.at_a_time for entry in (*self._served, place))

    def _next_line(self) -> deque["_Waiting"]:
        hurried, patient = self._lines
        patient_are_next = self._since_patient == PATIENT_EVERY - 1
        return patient if patient and (patient_are_next or not hurried) else hurried


class Place:
    """A picture's place in the queue."""

    def __init__(self, queue: Queue, deadline: Deadline, gone: Callable[[], bool]) -> None:
        self._queue = queue
        self._gone = gone
        self.deadline = deadline
        self.model = ""
        self.at_a_time = 1
        """How many pictures its model serves at a time."""
        self.patient = False
        """Whether somebody who waits at a screen goes before."""
        self.seconds = 0.0
        """What its turns took so far."""

    def check_client(self) -> None:
        """Raise `ClientGone` where nobody waits for the answer any more."""
        if self._gone():
            raise ClientGone("the client has left before its picture was measured; nothing was kept")

    def turn(self) -> AbstractContextManager[None]:
        """Wait for a turn and hold it; raises `DeadlineExceeded`."""
        return self._queue.turn(self)


@dataclass(frozen=True, eq=False)
class _Waiting:
    """One that stands in line, and how it is called."""

    place: Place
    called: threading.Event = field(default_factory=threading.Event)
