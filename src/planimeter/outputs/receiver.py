"""Who is told: what a receiver can do, and how it fails."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from planimeter.store.outbox import Message

SECONDS = 15.0
"""In which a receiver must have taken a message."""


@dataclass(frozen=True)
class NotTaken:
    """A message that a receiver did not take."""

    reason: str
    wait: float | None = None
    """Seconds after which the receiver says to come back."""
    only_this: bool = False
    """Whether it may take others."""


class Receiver(Protocol):
    """Somebody who is told of measurements."""

    @property
    def name(self) -> str:
        """What it is called in the database, in logs and metrics: no secret is in it."""

    def open(self, reachable: Callable[[], None], /) -> None:
        """Begin; `reachable` is called, from any thread, where it is noticed that messages can be sent again."""

    def send(self, message: Message) -> NotTaken | None:
        """Send a message; None where it was taken."""

    def close(self) -> None:
        """End."""
