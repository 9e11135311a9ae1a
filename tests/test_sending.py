"""Sending to a receiver that is not there for a while, and says itself when it is there again."""

import threading
from collections.abc import Callable
from pathlib import Path

from planimeter.outputs.receiver import NotTaken
from planimeter.outputs.sending import Sending
from planimeter.store import Store
from planimeter.store.outbox import Message
from receivers import wait
from stored import add, open_store


class Away:
    """A receiver that takes nothing, and asks for an hour's pause, until it is there."""

    name = "mqtt://127.0.0.1:1883/line"

    def __init__(self) -> None:
        self.there = False
        self.tried = threading.Event()
        self.taken: list[str] = []
        self.reachable: Callable[[], None]

    def open(self, reachable: Callable[[], None], /) -> None:
        self.reachable = reachable

    def send(self, message: Message) -> NotTaken | None:
        self.tried.set()
        if not self.there:
            return NotTaken("nobody is there", wait=3600)
        self.taken.append(message.id)
        return None

    def close(self) -> None:
        pass


class Counted:
    def count_sent(self, receiver: str, sent: int, failed: int) -> None:
        pass


def test_what_waits_is_sent_as_soon_as_the_receiver_is_there_again(tmp_path: Path) -> None:
    store, receiver = open_store(tmp_path), Away()
    sending = Sending(store.outbox, [receiver], Counted())
    sending.start()
    try:
        _miss(store, receiver)
        for _ in range(2):
            receiver.reachable()  # it was noticed too early: it still takes nothing
            assert receiver.tried.wait(60)
            receiver.tried.clear()
        receiver.there = True
        receiver.reachable()
        wait(lambda: len(receiver.taken) == 1, store.outbox.waiting)
        wait(lambda: store.outbox.waiting() == {receiver.name: 0}, store.outbox.waiting)
    finally:
        sending.stop()
        store.close()


def test_a_service_that_stops_waits_for_no_receiver_that_is_away(tmp_path: Path) -> None:
    store, receiver = open_store(tmp_path), Away()
    sending = Sending(store.outbox, [receiver], Counted())
    sending.start()
    _miss(store, receiver)
    sending.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == f"outbox {receiver.name}"]
    assert store.outbox.waiting() == {receiver.name: 1}
    store.close()


def _miss(store: Store, receiver: Away) -> None:
    """Have a message that the receiver does not take."""
    add(store)
    assert receiver.tried.wait(60)
    receiver.tried.clear()
