"""A score threshold that is kept for one measurement: from then on it counts, wherever the measurement is shown."""

from collections.abc import Callable

from planimeter.measurement import Counting
from planimeter.service.api.options.region import RegionOptions
from planimeter.service.caller import caller
from planimeter.service.changing import one_at_a_time
from planimeter.service.context import context
from planimeter.service.correcting import counted_anew
from planimeter.service.counting import counting_of
from planimeter.service.drawn import mask_of, overlay_of
from planimeter.service.measuring import record_at, record_with
from planimeter.store import Record


def keep_threshold(id_: str, score_threshold: float | None) -> Record:
    """Let a measurement count at a score threshold, in numbers, pictures and files; None goes back to the measured one.

    Raises `UnknownMeasurement`, `ScoresNotKept` and `StoreFailed`; nothing has changed then.
    """
    store = context().store
    with one_at_a_time:
        record = store.get(id_)
        threshold = record.measured_threshold if score_threshold is None else score_threshold
        return _keep(record, record_at(record, threshold))


def keep_region(id_: str, options: RegionOptions) -> Record:
    """Let another part of a measured picture count, at the threshold that is kept.

    Raises what `keep_threshold` raises, what decoding a mask raises, and `InvalidOption` for what cannot be of this
    picture; nothing has changed then.
    """
    given = counting_of(context(), options) or Counting()
    return keep_counting(id_, lambda before: given if options.whole else given.or_else(before))


def keep_counting(id_: str, change: Callable[[Counting | None], Counting] | None) -> Record:
    """Let count what `change` makes of what counts; None goes back to what counted when it was measured."""
    store = context().store
    with one_at_a_time:
        record = store.get(id_)
        counting = measured = store.measured(id_).options.counting
        if change is not None:
            wanted = change(record.measurement.options.counting).model_copy(update={"set_afterwards": False})
            if wanted != (measured or Counting()):
                counting = wanted.model_copy(update={"set_afterwards": True})
        return _keep(record, record_with(record, record.measurement.options.score_threshold, counting))


def _keep(record: Record, wanted: Record) -> Record:
    if wanted.measurement.options == record.measurement.options:
        return record
    return context().store.keep(
        record,
        wanted.measurement,
        overlay_png=overlay_of(wanted),
        mask_png=mask_of(wanted),
        corrected=counted_anew(record, wanted.measurement),
        by=caller(),
    )
