"""Calls that wait for another machine: made at the same time, or given up."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

MOST = 8
"""At the same time."""


class TooLong(OSError):
    """A call did not end in its time."""


def together(calls: Sequence[Callable[[], object]]) -> None:
    """Make all calls, and raise what the first of them raised that failed, once all have ended."""
    if len(calls) <= 1:
        for call in calls:
            call()
        return
    with ThreadPoolExecutor(min(len(calls), MOST), thread_name_prefix="store") as threads:
        made = [threads.submit(call) for call in calls]
    for one in made:
        one.result()


def within(seconds: float, call: Callable[[], object]) -> None:
    """Make a call and raise what it raises; raises TooLong where it takes longer, and then it goes on unseen."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - raised by whoever waits
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TooLong
    if failed:
        raise failed[0]
