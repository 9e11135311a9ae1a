"""What is said of a lot: the figures of ASTM E562, and what a careful reader must know of them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from planimeter.fields import FieldMean, fields_needed
from planimeter.measurement import Counting, Note
from planimeter.measuring.counting import counted_part
from planimeter.store.lots import LotInSum, ModelInLot

RELATIVE_AIM = 10.0
"""Percent of the mean: the relative accuracy that is aimed at where nothing else is asked for."""


@dataclass(frozen=True)
class Aim:
    """How many pictures a mean needs to be known so closely."""

    within: float
    """Percentage points to either side."""
    relative_accuracy: float | None
    """Where it was not asked for in points."""
    pictures: int
    more: int
    """How many those are beside the ones that are there."""


def aim_of(fields: FieldMean, within: float | None) -> Aim | None:
    """Return what the mean needs; None where nothing is known of how pictures differ, or there is no tenth of it."""
    deviation = fields.standard_deviation
    reach = RELATIVE_AIM / 100 * fields.mean if within is None else within
    if deviation is None or not reach:
        return None
    needed = fields_needed(deviation, reach)
    relative = RELATIVE_AIM if within is None else None
    return Aim(reach, relative, needed, max(0, needed - fields.n))


def notes_of(found: ModelInLot) -> list[Note]:
    """Return what must be known of the figures of one model."""
    return [Note(code=code, message=message) for code, message in _notes(found)]


def _notes(found: ModelInLot) -> Iterator[tuple[str, str]]:
    fields = found.fields
    if fields.n == 1:
        yield (
            "one_picture",
            "It is one picture: how far others may differ is not known, so there is no interval.",
        )
    elif not fields.mean:
        yield "mean_zero", "Nothing was found in any picture: with a mean of 0 there is no relative accuracy."
    elif not fields.standard_deviation:
        yield (
            "no_spread",
            "All pictures have the same percentage: how far others may differ does not show in them.",
        )
    if len(found.thresholds) > 1:
        listed = ", ".join(f"{threshold:g}" for threshold in found.thresholds)
        yield (
            "several_thresholds",
            f"The pictures count at different score thresholds ({listed}), so their percentages are not quite alike.",
        )
    yield from _countings(found)
    summed = found.statistics
    if summed.figures == "corrected" and summed.corrected < fields.n:
        yield (
            "figures_mixed",
            f"{summed.corrected:,} of {fields.n:,} pictures are counted as corrected, the others as measured: what the "
            "model is wrong by on average is still in these.",
        )
    if found.repeated:
        one = found.repeated == 1
        yield (
            "repeats_left_out",
            f"{found.repeated:,} earlier measurement{'' if one else 's'} of the same pictures {'is' if one else 'are'} "
            "not counted: each picture counts once, as it was measured last.",
        )


def _countings(found: ModelInLot) -> Iterator[tuple[str, str]]:
    """Yield the note on percentages that are not all of the same, or not counted by the same classes and sizes."""
    parts: Counter[str] = Counter()
    for counting, pictures in found.countings:
        parts[counted_part(counting)] += pictures
    asked = [counting or Counting() for counting, _ in found.countings]
    filters = {(counting.classes, counting.least_area) for counting in asked}
    if len(parts) > 1:
        each = ", ".join(
            f"{count:,} of the {part}"
            for part, count in sorted(parts.items(), key=lambda each: (-each[1], each[0]))
        )
        yield (
            "several_denominators",
            f"The percentages are not all of the same ({each}): their mean says little.",
        )
    elif len(filters) > 1:
        yield (
            "several_filters",
            "The pictures are not counted by the same classes and smallest instances, so their percentages are not "
            "quite alike.",
        )


def notes_of_lot(lot: LotInSum) -> list[Note]:
    """Return what must be known of all of a lot."""
    notes: list[Note] = []
    if lot.without_percent:
        one = lot.without_percent == 1
        message = (
            f"{lot.without_percent:,} measurement{' has' if one else 's have'} no percentage, as nothing was found of "
            f"the class that it would be of, and {'is' if one else 'are'} in no mean."
        )
        notes.append(Note(code="without_percentage", message=message))
    if len(lot.by_model) < 2:
        return notes
    names = {found.model for found in lot.by_model}
    what = "models" if len(names) == len(lot.by_model) else "models, or versions of one,"
    message = f"{len(lot.by_model)} {what} measured in this lot: each is summed up by itself."
    return [*notes, Note(code="several_models", message=message)]
