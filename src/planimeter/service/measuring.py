"""From the bytes of an upload to a stored measurement: decode, wait for the turn, measure, draw, store."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter

from planimeter.details import Details
from planimeter.errors import PlanimeterError, ScoresNotKept
from planimeter.measurement import Counting, Measurement, Note, Options
from planimeter.measuring.candidates import Candidates, PackedCandidates, candidates_above
from planimeter.measuring.counting import count_within
from planimeter.measuring.coverage import at_threshold
from planimeter.measuring.judging import Judging, check_rules
from planimeter.measuring.measure import Result, measure_picture
from planimeter.numbers import write_percent
from planimeter.packs.trust import Intervals
from planimeter.pictures.decode import read_size
from planimeter.pictures.left_out import find_ignored
from planimeter.scale import Scale
from planimeter.service.api.answering import stored_picture
from planimeter.service.api.options.uploads import UploadOptions, parse_options
from planimeter.service.caller import caller
from planimeter.service.context import Context, context
from planimeter.service.counting import counting_kept
from planimeter.service.deadline import Deadline
from planimeter.service.decoding import room_for
from planimeter.service.profiles import by_profile, with_fixed
from planimeter.service.queue import Place
from planimeter.service.repeats import request_key
from planimeter.service.room import refuse_without_room
from planimeter.store import Record, RequestKey

__all__ = ["UploadOptions", "candidates_of", "measure_upload", "parse_options", "record_at"]

SMALL_PIXELS = 1_000_000
"""Up to so many a picture is drawn and stored in so little time that others wait for it: see `SingleFile`."""
MASKS = 8
"""Bytes a pixel that a region and what is ignored may take."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """What is asked of a picture."""

    filename: str
    options: UploadOptions
    request: RequestKey | None
    judging: Judging | None = None
    """By which profile it is judged."""
    notes: Sequence[Note] = ()
    """What must be known of how it is measured."""


def measure_upload(
    place: Place, data: bytes, filename: str, options: UploadOptions | None = None, key: str | None = None
) -> Record:
    """Measure one picture and store it with its drawing and its mask; `place` is that which `admitted` gave.

    With the `key` of a request that was answered before, that one's measurement is returned and nothing is measured.

    Raises whatever the decoder, the queue, the segmenter and the store raise; nothing is kept then. The time
    that storing took is in the record that is returned, but cannot be in the one that is stored.
    """
    parts = context()
    options = options or UploadOptions()
    request = request_key(key, data, filename, options)
    with parts.repeats.working_on(request):
        before = parts.store.asked_before(request) if request else None
        return before or _measure_and_count(parts, place, data, Asked(filename, options, request))


def _measure_and_count(parts: Context, place: Place, data: bytes, asked: Asked) -> Record:
    model = asked.options.model or parts.models.default
    try:
        options, judging, notes = by_profile(asked.options)
        asked = replace(asked, options=options, judging=judging, notes=notes)
        model = options.model or parts.models.default
        record = _measure(parts, place, data, asked)
    except PlanimeterError as error:
        parts.metrics.count(model if model in parts.models.packs() else "unknown", error.code)
        raise
    measurement = record.measurement
    parts.metrics.count(model, "ok")
    parts.metrics.observe(measurement.timing_ms)
    log.info(
        "measured %s %r with %s: %s %% masked, %d instances, %.0f ms",
        record.id,
        measurement.image.filename,
        model,
        write_percent(measurement.coverage.percent_masked),
        len(measurement.instances),
        measurement.timing_ms.total,
    )
    return record


def _measure(parts: Context, place: Place, data: bytes, asked: Asked) -> Record:
    refuse_without_room(parts)
    options = asked.options
    segmenter = parts.models.get(options.model)
    scale = _scale_of(parts, asked)
    header = read_size(data, parts.limits)
    room = room_for(header, parts.limits)
    counting, notes = counting_kept(parts, options, segmenter.classes)
    judging = asked.judging
    if judging is not None:
        check_rules(judging.rules, segmenter.classes, counting)
    place.model, place.at_a_time = segmenter.pack.name, segmenter.streams
    place.patient = options.batch is not None
    tiles = segmenter.tiles(header.height, header.width, scale) if room else 0
    place.deadline.check_needed(max(0, tiles - 1) * parts.queue.seconds_a_turn(place.model))
    if counting is not None and room:
        room += MASKS * header.pixels
    small = tiles == 1 and header.pixels <= SMALL_PIXELS
    with ExitStack() as finishing:
        with parts.memory.reserved(room, place.deadline):
            place.check_client()
            with parts.decoders.decoding(
                data, filename=asked.filename, limits=parts.limits, deadline=place.deadline
            ) as decoded:
                threshold = options.score_threshold
                if threshold is None:
                    threshold = parts.store.thresholds().get(segmenter.pack.name)
                result = measure_picture(
                    segmenter,
                    data,
                    score_threshold=threshold,
                    scale=scale,
                    counting=counting,
                    notes=[*asked.notes, *notes],
                    turn=partial(_turn, parts, place, finishing if small else None),
                    step=parts.tracing.step,
                    decoded=decoded,
                )
        if parts.store.elsewhere:
            finishing.close()
        return _store(parts, data, asked, result)


def _store(parts: Context, data: bytes, asked: Asked, result: Result) -> Record:
    options, judging = asked.options, asked.judging
    measurement = result.measurement if judging is None else judging.of(result.measurement)
    started = perf_counter()
    with parts.tracing.step("store"):
        record = parts.store.add(
            measurement,
            picture=data,
            overlay_png=result.overlay_png,
            mask_png=result.mask_png,
            candidates=result.candidates,
            batch=options.batch,
            request=asked.request,
            by=caller(),
            details=_details_of(parts, options),
        )
    storing = 1000 * (perf_counter() - started)
    timing = result.measurement.timing_ms
    complete = timing.model_copy(update={"store": storing, "total": timing.total + storing})
    return replace(record, measurement=record.measurement.model_copy(update={"timing_ms": complete}))


@contextmanager
def _turn(parts: Context, place: Place, finishing: ExitStack | None) -> Iterator[Deadline]:
    """Wait for a turn and hold it; what runs elsewhere is told until when.

    A small picture goes on alone from then on, until `finishing` is left.
    """
    if finishing is not None:
        finishing.close()  # after a tile more than was foreseen
    with ExitStack() as held:
        with parts.tracing.step("wait"):
            held.enter_context(place.turn())
        with parts.tracing.step("network"):
            yield place.deadline
    if finishing is not None:
        finishing.enter_context(parts.finishing.entered())


def _scale_of(parts: Context, asked: Asked) -> Scale | None:
    """Return the size of a pixel that is given; for a stored picture, else what a person said of it before."""
    options = asked.options
    scale = options.given_scale()
    if asked.judging is not None:
        scale = asked.judging.scale(scale)
    if scale is not None or options.from_ is None:
        return scale
    before = parts.store.get(options.from_).measurement.image.scale
    if before is None or not before.by_person:
        return None
    # What was once of a profile is given by the stored picture now, which is not measured by that.
    return before.model_copy(update={"source": "given"}) if before.source == "profile" else before


def _details_of(parts: Context, options: UploadOptions) -> Details:
    """Return what is said of the picture; for a stored one, what was said of it before where nothing else is."""
    if options.from_ is None:
        return options.details
    return options.details.or_else(parts.store.get(options.from_).details)


def record_at(record: Record, score_threshold: float | None) -> Record:
    """Return a record as it would be, had it been measured with another score threshold; None changes nothing.

    Raises `ScoresNotKept` for a threshold below that of a record from before candidates were kept. Such a record of
    a large picture, measured in tiles, is cut after its tiles were merged: at their seams it may differ.
    """
    if score_threshold is None or score_threshold == record.measurement.options.score_threshold:
        return record
    return record_with(record, score_threshold, record.measurement.options.counting)


def record_with(record: Record, score_threshold: float, counting: Counting | None) -> Record:
    """Return a record as it would be with another threshold, and another part of the picture that counts.

    Raises `ScoresNotKept`, and what `count_within` raises.
    """
    store = context().store
    measured = with_fixed(store.measured(record.id) if is_changed(record) else record.measurement)
    if measured.options == Options(score_threshold=score_threshold, counting=counting):
        return replace(record, measurement=measured)
    candidates, all_kept = whole_candidates(record, measured, score_threshold, counting)
    # What nearly counted tells how doubtful a picture is; where only what counted was kept, nothing does.
    intervals = _intervals_of(measured) if all_kept else None
    counted = at_threshold(measured, candidates, score_threshold, intervals, counting)
    return replace(record, measurement=counted)


def whole_candidates(
    record: Record, measured: Measurement, score_threshold: float, counting: Counting | None
) -> tuple[Candidates, bool]:
    """Return what the network found in a measurement, not cut to what counts, and whether all of it was kept.

    With the pixels that are to be ignored. Raises `ScoresNotKept` where what scores so low was not.
    """
    packed = context().store.candidates(record.id)
    kept = PackedCandidates.unpack(packed) if packed else _those_kept(record.id, measured, score_threshold)
    return _with_ignored(kept.opened(), record, counting), bool(packed)


def _with_ignored(candidates: Candidates, record: Record, counting: Counting | None) -> Candidates:
    """Return the candidates with the pixels that are to be left out; those that were not looked for are looked for now.

    A pixel of several kinds is in the first that was looked for, so that other kinds are looked for anew.
    """
    if counting is None or not counting.ignore or set(counting.ignore) == set(candidates.ignored):
        return candidates
    with stored_picture(record) as picture:
        ignored = find_ignored(picture.pixels, picture.transparent, counting.ignore)
    return replace(candidates, ignored=ignored)


def is_changed(record: Record) -> bool:
    """Return whether a user keeps another threshold or another region than was measured with."""
    counting = record.measurement.options.counting
    return record.kept_threshold is not None or (counting is not None and counting.set_afterwards)


def _intervals_of(measurement: Measurement) -> Intervals | None:
    """Return the intervals of the model that measured, where it is still here, the same to the byte."""
    pack = context().models.packs().get(measurement.model.name)
    if pack is None or pack.manifest.onnx.sha256 != measurement.model.sha256:
        return None
    return pack.trust.intervals


def stored_upload(id_: str) -> tuple[bytes, str]:
    """Return the bytes and the file name of a measured picture, as they came."""
    store = context().store
    record = store.get(id_)
    return store.read(record, "image"), record.measurement.image.filename


def candidates_of(record: Record) -> PackedCandidates:
    """Return all that the network found in a measurement, or, where only that was kept, what counted."""
    store = context().store
    packed = store.candidates(record.id)
    found = candidates_above(store.measured(record.id)) if packed is None else PackedCandidates.unpack(packed)
    counting = record.measurement.options.counting
    if counting is None:
        return found
    classes = [entry.class_name for entry in record.measurement.coverage.by_class]
    candidates = _with_ignored(found.opened(), record, counting)
    return count_within(candidates, counting, classes).packed_as_cut()


def _those_kept(id_: str, measured: Measurement, score_threshold: float) -> PackedCandidates:
    lowest = measured.options.score_threshold
    if score_threshold < lowest:
        raise ScoresNotKept(
            f"measurement {id_} was made with a score threshold of {lowest:g}, by a version that kept nothing "
            f"below it; ask for {lowest:g} or more, or measure the picture again"
        )
    return candidates_above(measured)
