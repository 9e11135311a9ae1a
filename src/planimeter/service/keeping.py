"""A score threshold that is kept for one measurement: from then on it counts, wherever the measurement is shown."""

import threading

from planimeter.service.context import context
from planimeter.service.drawn import mask_of, overlay_of
from planimeter.service.measuring import record_at
from planimeter.store import Record

one_at_a_time = threading.Lock()
"""Held by whoever reads a record to change it: what others changed meanwhile would be lost."""


def keep_threshold(id_: str, score_threshold: float | None) -> Record:
    """Let a measurement count at a score threshold, in numbers, pictures and files; None goes back to the measured one.

    Raises `UnknownMeasurement`, `ScoresNotKept` and `StoreFailed`; nothing has changed then.
    """
    store = context().store
    with one_at_a_time:
        record = store.get(id_)
        threshold = record.measured_threshold if score_threshold is None else score_threshold
        wanted = record_at(record, threshold)
        if wanted is record:
            return record
        return store.keep(
            record, wanted.measurement, overlay_png=overlay_of(wanted), mask_png=mask_of(wanted)
        )
