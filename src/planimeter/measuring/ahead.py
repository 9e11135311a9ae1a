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
    under_way: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="ahead") as pool:
        for item in items:
            if stopping.is_set():
                break
            under_way.append(pool.submit(work, item))
            if len(under_way) == workers:  # each has a thread: none waits to be begun
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
