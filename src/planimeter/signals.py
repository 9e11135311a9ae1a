"""The signals that ask a process to end."""

import signal
import threading


def stop_on_signals(stopping: threading.Event) -> None:
    """Set an event on the first SIGINT or SIGTERM, and ignore what follows.

    A second one, while the first still sets the event, would wait in the same thread for its lock without end.
    """
    numbers = (signal.SIGINT, signal.SIGTERM)

    def stop(*_: object) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        stopping.set()

    for number in numbers:
        signal.signal(number, stop)
