"""The class that percentages are of: at a score threshold, the pixels of its instances are all that counts."""

from dataclasses import replace

from planimeter.errors import ContradictoryOptions
from planimeter.masks.counted import Counted
from planimeter.masks.union import union_mask
from planimeter.measurement import NOTHING_OF_CLASS, ClassCoverage, Coverage, Note
from planimeter.measuring.candidates import Candidate, Candidates


def check_of(of: str | None, classes: tuple[str, ...]) -> None:
    """Refuse a class that the model lacks, and the only one that it has: nothing could be a percentage of that."""
    if of is None:
        return
    if of not in classes:
        raise ContradictoryOptions(f"of names {of!r}, which the model lacks; it knows {', '.join(classes)}")
    if len(classes) == 1:
        raise ContradictoryOptions(
            f"of names {of!r}, the only class of the model: there is no other to be a percentage of it"
        )


def within_class(candidates: Candidates, threshold: float) -> Candidates:
    """Return candidates that are cut to what counts of a picture, cut further to the class that percentages are of.

    Its instances themselves never count then. What is returned holds at this score threshold alone; without such a
    class it is what came, and holds at all.
    """
    if candidates.of is None:
        return candidates
    found = [entry.mask for entry in candidates.above(threshold) if entry.label == candidates.of]
    height, width = candidates.counted.size
    counted = Counted(height, width, union_mask(found, height, width))
    least_area = candidates.counting.least_area if candidates.counting else 0
    return replace(
        candidates,
        counted=counted,
        of_count=len(found),
        entries=[_within(entry, candidates.of, counted, least_area) for entry in candidates.entries],
    )


def _within(entry: Candidate, of: int, counted: Counted, least_area: int) -> Candidate:
    if entry.left_out is not None:
        return entry
    return entry.without_pixels("of") if entry.label == of else entry.cut_to(counted, least_area)


def with_class(coverage: Coverage, candidates: Candidates) -> Coverage:
    """Return a coverage in which the class that percentages are of says so: it has all pixels that count."""
    if candidates.of is None:
        return coverage
    pixels = candidates.counted.pixels
    row = {
        "count": candidates.of_count,
        "pixels_masked": pixels,
        "percent_masked": 100.0 if pixels else None,
    }
    by_class: list[ClassCoverage] = [
        entry.model_copy(update=row) if entry.class_id == candidates.of else entry
        for entry in coverage.by_class
    ]
    return coverage.model_copy(update={"by_class": by_class})


def note_class(candidates: Candidates, part: str, among: int) -> list[Note]:
    """Return what must be known of the class that percentages are of, looked for in a part of so many pixels."""
    counting = candidates.counting
    if counting is None or counting.of is None:
        return []
    if not candidates.counted.pixels:
        message = (
            f"nothing of {counting.of} was found in the {part}, so there is no percentage of it; a lower score "
            "threshold may find some"
        )
        return [Note(code=NOTHING_OF_CLASS, message=message)]
    count = candidates.of_count
    message = (
        f"all percentages are of {counting.of}: {candidates.counted.pixels:,} of {among:,} pixels, in "
        f"{count:,} instance{'' if count == 1 else 's'}, which {'is' if count == 1 else 'are'} not listed"
    )
    return [Note(code="class_counts", message=message)]
