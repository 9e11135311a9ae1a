"""Correcting a stored measurement: what a person says of it, beside what was measured."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

from planimeter.corrections import Corrected, Correction, Object
from planimeter.errors import ContradictoryOptions
from planimeter.measurement import Measurement
from planimeter.measuring.candidates import Candidates
from planimeter.measuring.correcting import (
    Made,
    apply,
    check_correction,
    corrected,
    counted_before,
    first_objects,
    in_units_of,
)
from planimeter.measuring.correcting_room import applying_room, counting_room
from planimeter.measuring.counting import count_within
from planimeter.measuring.of_class import within_class
from planimeter.service.caller import caller
from planimeter.service.changing import one_at_a_time
from planimeter.service.context import context
from planimeter.service.deadline import Deadline
from planimeter.service.measuring import whole_candidates
from planimeter.store import Record
from planimeter.store.corrections import refuse_other


def correct(id_: str, correction: Correction) -> Record:
    """Correct a measurement; what was measured stays as it is.

    Raises `UnknownMeasurement`, `CorrectedMeanwhile`, `ContradictoryOptions` and `StoreFailed`; nothing has changed
    then.
    """
    store = context().store
    with one_at_a_time:
        record = store.get(id_)
        refuse_other(record, correction.after)
        check_correction(correction, reviewed=record.reviewed)
        measurement = record.measurement
        candidates = _candidates(record, measurement)
        before = store.corrections.objects(id_)
        if before is None:
            before = _first(measurement, candidates)
        classes = [entry.class_name for entry in measurement.coverage.by_class]
        pixels, counting = candidates.counted.pixels, measurement.options.counting
        room = applying_room(before, correction.changes, pixels)
        if counting is not None and counting.of is not None:
            room += counting_room(before, counting, pixels)
        with _reserved(room):
            counted = counted_before(measurement, before, candidates)
            objects, changes = apply(before, correction.changes, classes, counted)
        made = Made(correction.after + 1, _now(), caller(), correction.complete)
        with _reserved(counting_room(objects, counting, pixels)):
            figures = corrected(measurement, objects, candidates, made)
            store.corrections.add(record, changes, figures, objects, reason=correction.reason)
        return store.get(id_)


def counted_anew(record: Record, measurement: Measurement) -> Corrected | None:
    """Return the corrected figures of a record for what counts in `measurement`; None where they stay as they are.

    Where something else counts than was gone over, a person has to say again that it is right. Another score threshold
    changes no figure of theirs, but perhaps whether the rules of the profile still decide.
    """
    figures = record.corrected
    if figures is None:
        return None
    if measurement.options.counting == record.measurement.options.counting:
        own = in_units_of(figures, measurement)
        return None if own == figures else own
    objects = context().store.corrections.objects(record.id) or []
    made = Made(figures.number, figures.at, figures.by, reviewed=False)
    candidates = _candidates(record, measurement)
    with _reserved(counting_room(objects, measurement.options.counting, candidates.counted.pixels)):
        return corrected(measurement, objects, candidates, made)


@contextmanager
def _reserved(room: int) -> Iterator[None]:
    """Hold so many bytes of what pictures may take; raises ContradictoryOptions where there will never be as many."""
    memory, deadline = context().memory, Deadline(context().settings.deadline)
    if room > memory.size:
        raise ContradictoryOptions(
            f"to count the masks of all instances takes {room / 2**20:,.0f} MiB of memory, and the limit is "
            f"{memory.size / 2**20:,.0f}; correct fewer or smaller ones, or start the service with more --memory"
        )
    with memory.reserved(room, deadline):
        yield


def _candidates(record: Record, measurement: Measurement) -> Candidates:
    """Return what the network found in a picture, as far as the figures of `measurement` need it."""
    options = measurement.options
    measured = context().store.measured(record.id)
    return whole_candidates(record, measured, options.score_threshold, options.counting)[0]


def _first(measurement: Measurement, candidates: Candidates) -> list[Object]:
    classes = [entry.class_name for entry in measurement.coverage.by_class]
    options = measurement.options
    cut = within_class(count_within(candidates, options.counting, classes), options.score_threshold)
    return first_objects(measurement, candidates, cut)


def _now() -> datetime:
    """Return the moment to the millisecond, as it is answered."""
    now = datetime.now(timezone.utc)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
