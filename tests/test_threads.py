"""The threads that answer: the one that rested least is called first, and none is lost."""

import threading
import time
from collections.abc import Callable

from planimeter.service.threads import Threads

PATIENCE = 10.0


class Task:
    """Tells which thread did it, and ends when it is let go."""

    def __init__(self, *, held: bool = False) -> None:
        self.by: int | None = None
        self.begun, self.let_go, self.done = threading.Event(), threading.Event(), threading.Event()
        if not held:
            self.let_go.set()

    def service(self) -> None:
        self.by = threading.get_ident()
        self.begun.set()
        self.let_go.wait(PATIENCE)
        self.done.set()

    def cancel(self) -> None:
        self.done.set()


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


def _resting(threads: Threads) -> int:
    return int(len(threads.threads) - threads.active_count)


def test_tasks_that_come_one_after_the_other_are_done_by_one_thread() -> None:
    threads = Threads(8)
    try:
        _until(lambda: _resting(threads) == 8)
        tasks = [Task() for _ in range(20)]
        for task in tasks:
            threads.add_task(task)
            assert task.done.wait(PATIENCE)
            _until(lambda: _resting(threads) == 8)
        assert len({task.by for task in tasks}) == 1
    finally:
        threads.shutdown()


def test_tasks_that_come_at_once_have_a_thread_each_and_the_others_wait_their_turn() -> None:
    threads = Threads(3)
    try:
        held = [Task(held=True) for _ in range(3)]
        for task in held:
            threads.add_task(task)
        assert all(task.begun.wait(PATIENCE) for task in held)
        assert len({task.by for task in held}) == 3
        waiting = [Task() for _ in range(5)]
        for task in waiting:
            threads.add_task(task)
        held[1].let_go.set()
        assert all(task.done.wait(PATIENCE) for task in waiting)
        assert {task.by for task in waiting} == {held[1].by}
        for task in held:
            task.let_go.set()
    finally:
        threads.shutdown()


def test_shutting_down_wakes_all_of_them() -> None:
    threads = Threads(5)
    _until(lambda: _resting(threads) == 5)
    threads.shutdown(timeout=PATIENCE)
    assert not threads.threads
