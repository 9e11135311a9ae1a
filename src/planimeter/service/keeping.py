"""A score threshold that is kept for one measurement: from then on it counts, wherever the measurement is shown."""

import threading

from planimeter.measurement import Counting, Region
from planimeter.service.context import context
from planimeter.service.drawn import mask_of, overlay_of
from planimeter.service.measuring import record_at, record_with
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
        return _keep(record, record_at(record, threshold))


def keep_region(id_: str, region: Region | None) -> Record:
    """Let only a region count of a measured picture, at the threshold that is kept; None goes back to what counted.

    What else was left out when it was measured stays so. Raises what `keep_threshold` raises, and `InvalidOption` for a
    region that is none of this picture; nothing has changed then.
    """
    store = context().store
    with one_at_a_time:
        record = store.get(id_)
        counting = store.measured(id_).options.counting
        if region is not None:
            later = {"region": region, "region_mask": None, "set_afterwards": True}
            counting = (counting or Counting()).model_copy(update=later)
        return _keep(record, record_with(record, record.measurement.options.score_threshold, counting))


def _keep(record: Record, wanted: Record) -> Record:
    if wanted.measurement.options == record.measurement.options:
        return record
    return context().store.keep(
        record, wanted.measurement, overlay_png=overlay_of(wanted), mask_png=mask_of(wanted)
    )
