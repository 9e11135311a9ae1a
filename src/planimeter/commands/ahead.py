"""Work on the next few while one is written, in their order."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def in_order(
    items: Iterable[Item], work: Callable[[Item], Made], workers: int, stopping: threading.Event
) -> Iterator[Made]:
    """Yield what `work` makes of each of `items`, in their order; up to `workers` are worked on at a time.

    Nothing is begun any more once it is `stopping`, or once one has raised: that is raised in its turn.
    """
    ended = threading.Event()

    def unless_ended(item: Item) -> Made | None:
        return None if ended.is_set() else work(item)

    under_way: deque[Future[Made | None]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="ahead") as pool:
        try:
            for item in items:
                if stopping.is_set():
                    break
                under_way.append(pool.submit(unless_ended, item))
                if len(under_way) >= workers:
                    yield from _made(under_way.popleft())
            while under_way:
                yield from _made(under_way.popleft())
        finally:
            ended.set()


def _made(future: "Future[Made | None]") -> Iterator[Made]:
    made = future.result()
    if made is not None:
        yield made
