"""Sending what is in the outbox: a thread for each receiver, so that none waits for another and no request for any."""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Protocol

from planimeter.errors import StoreFailed
from planimeter.http_client import wait_seconds
from planimeter.outputs.payload import write_event
from planimeter.outputs.receiver import SECONDS, NotTaken, Receiver
from planimeter.store.outbox import Failed, Message, Outbox

log = logging.getLogger(__name__)

AT_ONCE = 16
"""Messages claimed together. After a kill so many may be sent a second time."""
CLAIM_SECONDS = 60.0
"""For which they are: what a killed service had claimed is sent by the next one after that."""
LOOK_SECONDS = 1.0
LONGEST_PAUSE = 60.0
"""Seconds between two tries where a receiver cannot be reached."""
LEAST_DELAY, LONGEST_DELAY = 5.0, 3600.0
"""Seconds between two tries of a message that a receiver refuses, while it gets the others."""
ENDING_SECONDS = 2.5
_STORE_SECONDS = 5.0


class Counts(Protocol):
    """Where it is counted."""

    def count_sent(self, receiver: str, sent: int, failed: int) -> None:
        """Take in how many messages were taken, and how many attempts failed."""


class Sending:
    """The threads of all receivers."""

    def __init__(self, outbox: Outbox, receivers: Sequence[Receiver], counts: Counts) -> None:
        self._outbox = outbox
        self._ended = threading.Event()
        self._senders = [_Sender(outbox, each, counts, self._ended) for each in receivers]

    def start(self) -> None:
        """Tell these receivers of all that happens from now on, and send what is waiting."""
        names = [sender.name for sender in self._senders]
        self._outbox.tell(names, write_event)
        for name, count in self._outbox.waiting().items():
            if count and name not in names:
                log.warning("%d messages wait for %s, which is no receiver of this service", count, name)
        for sender in self._senders:
            sender.start()

    def stop(self) -> None:
        """End after the messages that are under way; what takes longer is sent again by the next start."""
        self._ended.set()
        end = time.monotonic() + ENDING_SECONDS
        for sender in self._senders:
            sender.ring()
        for sender in self._senders:
            sender.join(max(0.0, end - time.monotonic()))


class _Sender:
    """One receiver."""

    def __init__(self, outbox: Outbox, receiver: Receiver, counts: Counts, ended: threading.Event) -> None:
        self.name = receiver.name
        self._outbox = outbox
        self._receiver = receiver
        self._counts = counts
        self._ended = ended
        self._bell = outbox.bell()
        self._reachable = threading.Event()
        """Ends a pause: the receiver is there again, or nothing more is to be sent."""
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name=f"outbox {self.name}", daemon=True)

    def start(self) -> None:
        self._counts.count_sent(self.name, 0, 0)  # seen from the beginning
        self._receiver.open(self._reachable.set)
        self._thread.start()

    def ring(self) -> None:
        self._bell.set()
        self._reachable.set()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)
        if not self._thread.is_alive():
            self._receiver.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                # A message is told of before it is there for others: only who writes next sees it for sure.
                rang = self._bell.wait(LOOK_SECONDS)
                self._bell.clear()
                self._reachable.clear()  # before anything is sent: what comes back meanwhile is seen
                pause = self._round() if rang or self._outbox.is_due(self.name) else 0.0
            except StoreFailed as error:
                log.warning("nothing could be sent to %s: %s", self.name, error)
                pause = _STORE_SECONDS
            except Exception:
                log.exception("sending to %s failed; it is tried again", self.name)
                pause = LONGEST_PAUSE
            if pause and not self._ended.is_set():
                self._reachable.wait(pause)

    def _round(self) -> float:
        """Send what is due; return for how many seconds the receiver is to be left alone."""
        while messages := self._outbox.claim(self.name, AT_ONCE, CLAIM_SECONDS):
            until = time.monotonic() + CLAIM_SECONDS - SECONDS
            sent: list[Message] = []
            failed: list[Failed] = []
            pause = 0.0
            for message in messages:
                if self._ended.is_set() or pause or time.monotonic() > until:
                    break
                refusal = self._receiver.send(message)
                if refusal is None:
                    sent.append(message)
                    self._reached()
                    continue
                pause = 0.0 if refusal.only_this else self._missed(refusal)
                failed.append(
                    Failed(message.id, refusal.reason, _delay(refusal, message) if not pause else 0.0)
                )
            self._outbox.settle(self.name, sent, failed, messages[len(sent) + len(failed) :])
            self._counts.count_sent(self.name, len(sent), len(failed))
            if pause or self._ended.is_set():
                return pause
        return 0.0

    def _reached(self) -> None:
        if self._failures:
            log.info("%s takes messages again", self.name)
        self._failures = 0

    def _missed(self, refusal: NotTaken) -> float:
        self._failures += 1
        if self._failures == 1:
            log.warning("a message waits: %s; it is tried again for three days", refusal.reason)
        if refusal.wait is not None:
            return max(refusal.wait, LOOK_SECONDS)
        return wait_seconds(self._failures, most=LONGEST_PAUSE)


def _delay(refusal: NotTaken, message: Message) -> float:
    if not message.attempts:
        log.warning("message %s is refused: %s; it is tried again for three days", message.id, refusal.reason)
    return refusal.wait or wait_seconds(message.attempts + 1, least=LEAST_DELAY, most=LONGEST_DELAY)
