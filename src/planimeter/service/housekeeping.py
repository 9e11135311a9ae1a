"""What a service does by itself: it empties the trash in time, removes what is too much, and lets idle models rest.

It also makes the blocks that sums over many measurements are read from.
"""

import logging
import threading
from collections import Counter

from planimeter.errors import StoreFailed
from planimeter.service.context import Context
from planimeter.service.taking_over import settle
from planimeter.store.retention import Keeping, Reason

log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0
BETWEEN_STEPS_SECONDS = 0.1
"""So that those who ask for something come first."""
ENDING_SECONDS = 5.0
"""A step takes a moment, unless the database is locked; it is whole or not at all, however it ends."""
WHY: dict[Reason, str] = {
    "trash": "in the trash for --keep-trash-days",
    "age": "older than --keep-days",
    "count": "more than --keep-measurements",
    "bytes": "more than --keep-gb",
}


class Housekeeper:
    """A thread that keeps house, in small steps."""

    def __init__(self, parts: Context, every: float = EVERY_SECONDS) -> None:
        self._parts = parts
        self._every = every
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step that is under way."""
        self._ended.set()
        self._thread.join(ENDING_SECONDS)

    def round(self) -> Counter[Reason]:
        """Remove all that is too much by now; return how many, by reason. Raises StoreFailed."""
        store, removed = self._parts.store, Counter[Reason]()
        for messages in store.outbox.give_up():
            self._parts.metrics.count_given_up(messages.receiver, messages.count)
            log.error(
                "%d messages to %s are given up: %s", messages.count, messages.receiver, messages.reason
            )
        while store.retention.weigh() and not self._ended.wait(BETWEEN_STEPS_SECONDS):
            pass
        keeping = keeping_of(self._parts)
        try:
            while step := store.retention.step(keeping):
                removed[step[0]] += step[1]
                self._parts.metrics.count_removed(*step)
                if self._ended.wait(BETWEEN_STEPS_SECONDS):
                    break
        finally:
            for reason, count in removed.items():
                log.info("measurements removed for good: %d, %s", count, WHY[reason])
        self._parts.metrics.tell_stored(store.stored_bytes(), store.count(), store.trash.count())
        store.tidy()
        while store.blocks.step() and not self._ended.wait(BETWEEN_STEPS_SECONDS):
            pass
        return removed

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._parts.models.rest_idle()
                settle(self._parts.store.model_changes, self._parts.settings.packs_folder, patience=0)
                self.round()
            except StoreFailed as error:
                log.warning("nothing could be removed: %s", error)
            except Exception:
                log.exception("housekeeping failed; it is tried again")
            self._ended.wait(self._every)


def keeping_of(parts: Context) -> Keeping:
    """Return what the settings say is to be kept."""
    settings = parts.settings
    return Keeping(
        trash_days=settings.keep_trash_days,
        days=settings.keep_days,
        measurements=settings.keep_measurements,
        bytes=None if settings.keep_gb is None else round(settings.keep_gb * 1e9),
    )
