"""The rules of a profile, judged by the figures of a measurement: whenever these change, so do the verdicts.

Where a measurement is not what its profile says any more, its rules decide nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot
from typing import TypeVar

from planimeter.errors import ContradictoryOptions
from planimeter.masks.rle import rle_window
from planimeter.masks.shapes import measure_shape
from planimeter.masks.window import WindowMask, trim
from planimeter.measurement import (
    UNLIKE_TRAINING,
    WITHHELD,
    ClassCoverage,
    Counting,
    Coverage,
    Instance,
    Interval,
    Measurement,
    ProfileUsed,
    RuleResult,
    class_counted,
)
from planimeter.measuring.candidates import exact_mask
from planimeter.measuring.departing import departures, note_departures
from planimeter.numbers import write_between
from planimeter.rules import IN_UNITS, Rule, decide, worst
from planimeter.scale import Scale

Of = TypeVar("Of", bound=Measurement)
LIMIT_REACHED = "limit_reached"
_UNLIKE = "the picture does not look like those that the model learnt from"
_MAY_BE_MORE = "the model's limit of instances was reached, so there may be more"
_ALONE = "decided by the value alone"
_NO_INTERVAL = "no interval is known for it"
_NO_SCALE = "it is not known how large a pixel is; say it with the picture, in the profile or on its page"
_NOTHING_COUNTS = "nothing was found of the class that it would be of"
_UNLISTED = "its instances are not listed, and have no areas and lengths"
_NO_LENGTHS = "the pixels are not square, so there are no lengths"


@dataclass(frozen=True)
class Judging:
    """By which profile a picture is judged."""

    used: ProfileUsed
    rules: Sequence[Rule]

    def scale(self, given: Scale | None) -> Scale | None:
        """Return how large a pixel is: as the profile says, else as it is given."""
        return (self.used.fixes.scale if self.used.fixes else None) or given

    def of(self, measurement: Of, masks: Sequence[WindowMask] | None = None) -> Of:
        """Return a measurement with its profile, rules and verdict; `masks` like `judged`."""
        rules = [_result(rule, _Figure(None)) for rule in self.rules]
        return judged(measurement.model_copy(update={"profile": self.used, "rules": rules}), masks)


def check_rules(rules: Sequence[Rule], classes: Sequence[str], counting: Counting | None) -> None:
    """Refuse a rule on a class that the model lacks, or of which nothing counts, or no instance is listed."""
    counted = None if counting is None else counting.classes
    of = None if counting is None else counting.of
    for rule in rules:
        if rule.class_name is None:
            continue
        if rule.class_name not in classes:
            raise ContradictoryOptions(
                f"the rule {rule.words!r} is on a class that the model lacks; it knows {', '.join(classes)}"
            )
        if rule.class_name == of and rule.figure in IN_UNITS:
            raise ContradictoryOptions(
                f"the rule {rule.words!r} is on the class that percentages are of: {_UNLISTED}"
            )
        if counted is not None and rule.class_name not in {*counted, of}:
            raise ContradictoryOptions(
                f"the rule {rule.words!r} is on a class that does not count: classes names {', '.join(counted)} only"
            )


def judged(measurement: Of, masks: Sequence[WindowMask] | None = None, *, by_scores: bool = True) -> Of:
    """Return a measurement with its rules judged by its figures; without rules it has no verdict.

    Where it is not what its profile says, each rule is undecided, and a note says why. `masks` are those of its
    instances, in their order; without them they are decoded where a rule needs them. `by_scores` is whether scores
    decided what counts.
    """
    rules = [_result(rule, _figure(measurement, rule, masks)) for rule in measurement.rules]
    otherwise = departures(measurement, by_scores=by_scores)
    if otherwise:
        why = f"measured otherwise than the profile says: {'; '.join(otherwise)}"
        rules = [rule.model_copy(update={"verdict": "undecided", "reason": why}) for rule in rules]
    return measurement.model_copy(
        update={
            "rules": rules,
            "verdict": worst(rule.verdict for rule in rules),
            "notes": note_departures(measurement, otherwise),
        }
    )


def judged_by_a_person(measurement: Of, *, alone: bool) -> Of:
    """Return the same for figures that a person corrected; `alone` says that nothing of the model is left in them.

    Then the value decides and that is no want of an interval, and no score threshold has a part in it.
    """
    own = judged(measurement, by_scores=not alone)
    if not alone:
        return own
    rules = [
        rule.model_copy(update={"reason": None}) if (rule.reason or "").startswith(_ALONE) else rule
        for rule in own.rules
    ]
    return own.model_copy(update={"rules": rules})


@dataclass(frozen=True)
class _Figure:
    """A figure of a measurement, and what is known of how far it can be trusted."""

    value: float | None
    interval: Interval | None = None
    missing: str | None = None
    """Why there is no value."""
    withheld: str | None = None
    """Why there is no interval, where there might have been one."""
    unlike: bool = False
    may_be_more: bool = False


def _result(rule: Rule, figure: _Figure) -> RuleResult:
    value, interval = figure.value, figure.interval
    span = None if interval is None else (interval.low, interval.high)
    if figure.unlike:
        span = 0.0, rule.greatest
    elif span is None and figure.may_be_more and value is not None:
        span = value, rule.greatest
    verdict = decide(value, span, at_most=rule.at_most, at_least=rule.at_least)
    given = {name: getattr(rule, name) for name in Rule.model_fields}
    return RuleResult(
        **given, value=value, interval=interval, verdict=verdict, reason=_reason(rule, figure, verdict)
    )


def _reason(rule: Rule, figure: _Figure, verdict: str) -> str | None:
    if figure.value is None:
        return figure.missing
    if verdict == "undecided":
        if figure.unlike:
            return _UNLIKE
        if figure.interval is None:
            return _MAY_BE_MORE
        low, high = write_between(figure.interval.low, figure.interval.high)
        return f"the truth lies between {low} and {high} %, 9 times in 10, and the limit is within that"
    alone = rule.figure == "percent_masked" and figure.interval is None and not figure.unlike
    if not alone:
        return None
    return f"{_ALONE}; {figure.withheld}" if figure.withheld else f"{_ALONE}: {_NO_INTERVAL}"


def _figure(measurement: Measurement, rule: Rule, masks: Sequence[WindowMask] | None) -> _Figure:
    notes = {note.code: note.message for note in measurement.notes}
    part = _part(measurement.coverage, rule)
    if part is None:
        return _Figure(None, missing=f"the model knows no class {rule.class_name!r}")
    value, missing = _value(measurement, part, rule, masks)
    return _Figure(
        value,
        part.interval if rule.figure == "percent_masked" else None,
        missing,
        withheld=notes.get(WITHHELD),
        unlike=UNLIKE_TRAINING in notes,
        may_be_more=LIMIT_REACHED in notes,
    )


def _part(coverage: Coverage, rule: Rule) -> Coverage | ClassCoverage | None:
    if rule.class_name is None:
        return coverage
    return next((entry for entry in coverage.by_class if entry.class_name == rule.class_name), None)


def _value(
    measurement: Measurement,
    part: Coverage | ClassCoverage,
    rule: Rule,
    masks: Sequence[WindowMask] | None,
) -> tuple[float | None, str | None]:
    """Return the value of a figure, or why there is none."""
    if rule.figure == "percent_masked":
        return part.percent_masked, _NOTHING_COUNTS
    of = class_counted(measurement)
    if rule.figure == "count":
        others = [entry for entry in measurement.coverage.by_class if entry.class_name != of]
        counts = [part] if isinstance(part, ClassCoverage) else others
        return float(sum(entry.count for entry in counts)), None
    if rule.figure == "instances_per_mm2":
        return part.instances_per_mm2, _NO_SCALE if measurement.image.scale is None else _NOTHING_COUNTS
    if rule.class_name is not None and rule.class_name == of:
        return None, _UNLISTED
    if rule.unit is not None and measurement.image.scale is None:
        return None, _NO_SCALE
    return _largest(measurement, rule, masks)


def _largest(
    measurement: Measurement, rule: Rule, masks: Sequence[WindowMask] | None
) -> tuple[float | None, str | None]:
    """Return the largest area or longest diameter in the rule's unit, or why there is none."""
    instances, scale = measurement.instances, measurement.image.scale if rule.unit else None
    places = [place for place, entry in enumerate(instances) if rule.class_name in {None, entry.class_name}]
    if rule.figure == "largest_area":
        pixels = max((instances[place].area_px for place in places), default=0)
        return scale.area_in(pixels, rule.unit) if scale and rule.unit else float(pixels), None
    known = measurement.image.scale
    if known is not None and known.pixel_size is None:
        return None, _NO_LENGTHS  # in pixels neither: they are longer one way than the other
    longest = _longest([_mask(instances, masks, place) for place in places])
    return scale.length_in(longest, rule.unit) if scale and rule.unit else longest, None


def _mask(instances: Sequence[Instance], masks: Sequence[WindowMask] | None, place: int) -> WindowMask:
    return masks[place] if masks is not None else rle_window(exact_mask(instances[place]))


def _longest(masks: Sequence[WindowMask]) -> float:
    """Return the longest diameter of all; a mask whose box has a shorter diagonal is not looked at."""
    sized = [(hypot(*trim(mask).pixels.shape), mask) for mask in masks]
    longest = 0.0
    for diagonal, mask in sorted(sized, key=lambda entry: -entry[0]):
        if diagonal <= longest:
            break
        longest = max(longest, measure_shape(mask).feret_diameter_max)
    return longest
