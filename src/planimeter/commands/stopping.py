"""The first Ctrl+C finishes what is under way."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stopping_by_signal() -> Iterator[threading.Event]:
    """Yield what is set by the first Ctrl+C, so that the picture under way is finished; the second ends at once."""
    stopping = threading.Event()

    def stop(*_: object) -> None:
        signal.signal(
            signal.SIGINT, before
        )  # first: a second one that meets the event's lock would wait for itself
        stopping.set()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield stopping
    finally:
        signal.signal(signal.SIGINT, before)
