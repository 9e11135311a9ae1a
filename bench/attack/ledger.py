"""Where each measurement must be, as the answers told."""

import random
import threading
from collections import Counter


class Ledger:
    """Where each measurement must be; one that a client works on is in none of the places."""

    def __init__(self) -> None:
        self.listed: dict[str, float] = {}
        """With the score threshold that counts for it."""
        self.trashed: dict[str, float] = {}
        self.gone: set[str] = set()
        self.answers: Counter[str] = Counter()
        """What was answered as it was asked for, by what that was."""
        self.refused: Counter[str] = Counter()
        """What else was answered, by its status and code; no answer is 0."""
        self._lock = threading.Lock()

    def take(self, place: "dict[str, float]", chance: random.Random) -> tuple[str, float] | None:
        """Take one out of a place, to work on it alone."""
        with self._lock:
            if not place:
                return None
            id_ = chance.choice([*place])
            return id_, place.pop(id_)

    def put(self, what: str, id_: str, place: "dict[str, float] | None", threshold: float) -> None:
        """Note an answer, and where its measurement is now; None is nowhere."""
        with self._lock:
            self.answers[what] += 1
            if place is None:
                self.gone.add(id_)
            else:
                place[id_] = threshold

    def refuse(self, said: str) -> None:
        """Note an answer after which a client asks again."""
        with self._lock:
            self.refused[said] += 1
