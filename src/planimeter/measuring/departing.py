"""Where a measurement is not what its profile says any more: another threshold, another part, another pixel size.

At the POST a profile cannot be contradicted; what is kept or set afterwards may be anything. The profile's name stands
beside the figures all the same, so its rules must not decide by figures that it does not mean.
"""

from collections.abc import Iterator, Sequence

from planimeter.measurement import MEASURED_OTHERWISE, Counting, Fixed, Measurement, Note


def departures(measurement: Measurement, *, by_scores: bool = True) -> list[str]:
    """Return in words what is not as the profile says: "score threshold 0.99 in place of 0.5".

    What it leaves open is none of it, nor is a threshold where no score decided (`by_scores`).
    """
    used = measurement.profile
    if used is None or used.fixes is None:
        return []
    fixes = used.fixes if by_scores else used.fixes.model_copy(update={"score_threshold": None})
    return [*_departures(measurement, fixes)]


def note_departures(measurement: Measurement, found: Sequence[str]) -> list[Note]:
    """Return the notes of a measurement with one on what is not as its profile says, and without it where all is."""
    others = [note for note in measurement.notes if note.code != MEASURED_OTHERWISE]
    used = measurement.profile
    if not found or used is None:
        return others
    version = "" if used.version is None else f"version {used.version} of "
    message = (
        f"measured otherwise than {version}the profile {used.name!r} says, so that its rules decide nothing: "
        f"{'; '.join(found)}"
    )
    return [*others, Note(code=MEASURED_OTHERWISE, message=message)]


def _departures(measurement: Measurement, fixes: Fixed) -> Iterator[str]:
    threshold, scale = measurement.options.score_threshold, measurement.image.scale
    if fixes.score_threshold is not None and threshold != fixes.score_threshold:
        yield f"score threshold {threshold:.12g} in place of {fixes.score_threshold:.12g}"
    if fixes.counting is not None:
        yield from _of_counting(measurement.options.counting or Counting(), fixes.counting)
    if fixes.scale is not None and (scale is None or not scale.equals(fixes.scale)):
        yield f"{'no pixel size' if scale is None else scale.words} in place of {fixes.scale.words}"


def _of_counting(counting: Counting, fixed: Counting) -> Iterator[str]:
    if fixed.region is not None and counting.region != fixed.region:
        yield f"{'no region' if counting.region is None else 'another region'} in place of its own"
    if fixed.region is not None and counting.region_mask is not None:
        yield "a region mask beside its region" if counting.region else "a region mask in place of its region"
    if fixed.ignore and set(counting.ignore) != set(fixed.ignore):
        yield f"ignored pixels {_listed(counting.ignore, 'none')} in place of {_listed(fixed.ignore)}"
    if fixed.classes and set(counting.classes or ()) != set(fixed.classes):
        yield f"classes {_listed(counting.classes or (), 'all')} in place of {_listed(fixed.classes)}"
    if fixed.least_area and counting.least_area != fixed.least_area:
        yield f"instances from {counting.least_area:,} pixels in place of {fixed.least_area:,}"
    if fixed.of is not None and counting.of != fixed.of:
        yield f"percent of {counting.of or 'all that counts'} in place of {fixed.of}"


def _listed(names: Sequence[str], none: str = "none") -> str:
    return ", ".join(names) or none
