"""What of a picture counts: a region, without pixels that say nothing, and which instances."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from planimeter.errors import ContradictoryOptions, InvalidOption, NothingToCount
from planimeter.masks.counted import Counted, Scope
from planimeter.masks.region import check_polygon, polygons_mask
from planimeter.masks.rle import rle_decode
from planimeter.masks.window import Bools
from planimeter.measurement import Counting, LeftOut, Note, Region, percent
from planimeter.measuring.candidates import Candidate, Candidates
from planimeter.measuring.of_class import check_of, note_class
from planimeter.numbers import write_percent

MOST_POLYGONS = 200
LARGEST_SIDE = 1_000_000
"""Pixels: no picture has a longer one."""


def region_pixels(counting: Counting, height: int, width: int) -> Bools | None:
    """Return [H, W]: the pixels of the region, whatever of them is ignored; None where there is no region.

    Raises `ContradictoryOptions` where a polygon leaves the picture or crosses itself, or the mask has another size.
    """
    found: Bools | None = None
    if counting.region_mask is not None:
        rows, columns = counting.region_mask.size
        if (rows, columns) != (height, width):
            raise ContradictoryOptions(
                f"region_mask has {columns:,} x {rows:,} pixels and the picture {width:,} x {height:,}; both must be "
                "of one size"
            )
        found = rle_decode(counting.region_mask)
    if counting.region is not None:
        drawn = _drawn(counting.region, height, width)
        found = drawn if found is None else found & drawn
    return found


def _drawn(region: Region, height: int, width: int) -> Bools:
    check_region(region, height, width)
    inside = (
        polygons_mask(region.include, height, width) if region.include else np.ones((height, width), bool)
    )
    return inside & ~polygons_mask(region.exclude, height, width)


def check_region(region: Region, height: int = LARGEST_SIDE, width: int = LARGEST_SIDE) -> None:
    """Refuse a region without a polygon, with too many, or with one that `check_polygon` refuses.

    Without the size of a picture, only what no picture could have is refused.
    """
    polygons = {"include": region.include, "exclude": region.exclude}
    if not any(polygons.values()):
        raise InvalidOption("region has no polygon; give one in include or in exclude")
    if sum(map(len, polygons.values())) > MOST_POLYGONS:
        raise InvalidOption(f"region has more than {MOST_POLYGONS} polygons; give a region_mask instead")
    for part, those in polygons.items():
        for number, corners in enumerate(those, start=1):
            check_polygon(corners, f"polygon {number} of region.{part}", height, width)


def check_classes(counting: Counting, classes: Sequence[str]) -> None:
    """Refuse a class that the model lacks."""
    unknown = [name for name in counting.classes or () if name not in classes]
    if unknown or counting.classes == ():
        said = f"classes names {unknown[0]!r}, which the model lacks" if unknown else "classes names none"
        raise ContradictoryOptions(f"{said}; it knows {', '.join(classes)}")
    check_of(counting.of, tuple(classes))


def scope_of(candidates: Candidates, counting: Counting | None, classes: Sequence[str]) -> Scope | None:
    """Return which pixels count; None where nothing is said of that.

    `candidates` hold the pixels of each kind that is to be ignored. Raises what `region_pixels` and `check_classes`
    raise, and `NothingToCount` where no pixel is left.
    """
    if counting is None or counting.all_counts:
        return None
    check_classes(counting, classes)
    height, width = candidates.counted.size
    region = region_pixels(counting, height, width)
    mask, before = region, height * width if region is None else int(np.count_nonzero(region))
    ignored: dict[str, int] = {}
    for kind in counting.ignore:
        pixels = candidates.ignored.get(kind)
        if pixels is not None:
            ignored[kind] = int(np.count_nonzero(pixels if region is None else pixels & region))
            mask = ~pixels if mask is None else mask & ~pixels
    # Each pixel is of one kind, so that none is taken away twice.
    counted = Counted(height, width, None if before - sum(ignored.values()) == height * width else mask)
    if not counted.pixels:
        why = (
            f"all {before:,} pixels of it are {' or '.join(counting.ignore)}"
            if before
            else _nothing_in_region(counting)
        )
        raise NothingToCount(f"nothing of the picture is left to count: {why}; count more of it")
    return Scope(counted, ignored)


def count_within(
    candidates: Candidates, counting: Counting | None, classes: Sequence[str], scope: Scope | None = None
) -> Candidates:
    """Return the candidates cut to what counts; those that never count say why.

    To the class that percentages are of, `within_class` cuts them afterwards.
    `candidates` are whole, and hold the pixels of each kind that is to be ignored. A `scope` that is known already is
    what `scope_of` returned; else raises what that raises.
    """
    if counting is None or counting.all_counts:
        return candidates
    scope = scope or scope_of(candidates, counting, classes)
    counted = scope.counted if scope else candidates.counted
    of = None if counting.of is None else classes.index(counting.of) + 1
    wanted = {classes.index(name) + 1 for name in counting.classes or classes} | ({of} if of else set())
    # It does not tell one class from another.
    foreground = None if counting.classes or of else candidates.foreground
    return replace(
        candidates,
        counted=counted,
        entries=[_cut(entry, counted, wanted, counting.least_area) for entry in candidates.entries],
        foreground=foreground if foreground is None or counted.mask is None else foreground & counted.mask,
        # Known of the whole picture only.
        shown=None,
        counting=counting,
        scope=scope,
        of=of,
        whole=candidates,
    )


def _nothing_in_region(counting: Counting) -> str:
    if counting.region_mask is None:
        return "the region holds the centre of no pixel"
    if counting.region is None:
        return "region_mask is black everywhere"
    return "the region and region_mask have no pixel in common"


def _cut(entry: Candidate, counted: Counted, wanted: set[int], least_area: int) -> Candidate:
    if entry.label not in wanted:
        return entry.without_pixels("other_classes")
    return entry.cut_to(counted, least_area)


def left_out_at(candidates: Candidates, threshold: float) -> LeftOut | None:
    """Return what does not count though it scores enough, and the pixels of the region that were ignored."""
    if candidates.counting is None:
        return None
    found = candidates.left_out(threshold)
    reasons: dict[str, int] = {str(why): count for why, count in found.items() if why != "of"}
    return LeftOut(**reasons, **(candidates.scope.ignored if candidates.scope else {}))


def counted_part(counting: Counting | None) -> str:
    """Return what percentages are of, in a word: after "the"."""
    if counting is None or not (counting.of or counting.region or counting.region_mask or counting.ignore):
        return "picture"
    if counting.of:
        return counting.of
    return "region" if counting.region or counting.region_mask else "part that counts"


def note_counting(candidates: Candidates, left_out: LeftOut | None) -> list[Note]:
    """Return what a careful reader must know of what was left out."""
    counting = candidates.counting
    if counting is None or left_out is None:
        return []
    notes: list[Note] = []
    height, width = candidates.counted.size
    # Before it was cut to a class.
    counted = (candidates.scope.counted if candidates.scope else candidates.counted).pixels
    whole = height * width
    if counting.region or counting.region_mask:
        message = (
            f"a region counts: {counted:,} of {whole:,} pixels ({write_percent(percent(counted, whole))} %)"
        )
        message += "" if counting.of else "; all percentages are of it"
        notes.append(Note(code="region_counts", message=message))
    if counting.region_mask_grey is not None:
        message = (
            f"region_mask came in a format with losses, and {counting.region_mask_grey:,} of its pixels are neither "
            "black nor white: all that is not black counts; send a mask as PNG"
        )
        notes.append(Note(code="lossy_mask", message=message))
    if counting.ignore:
        each = ", ".join(f"{kind.replace('_', ' ')} {getattr(left_out, kind):,}" for kind in counting.ignore)
        notes.append(Note(code="pixels_ignored", message=f"pixels left out of what counts: {each}"))
    notes += note_class(candidates, counted_part(counting.model_copy(update={"of": None})), counted)
    if left_out.outside:
        message = f"{_instances(left_out.outside)} wholly outside what counts, and not listed"
        notes.append(Note(code="outside_region", message=message))
    if counting.classes is not None:
        others = left_out.other_classes
        message = f"only {', '.join(counting.classes)} was asked for: " + (
            f"{_instances(others)} of another class, and neither listed nor counted; their percentages of zero say "
            "nothing"
            if others
            else "nothing else was found"
        )
        notes.append(Note(code="classes_left_out", message=message))
    if counting.least_area:
        least = f"{counting.least_area:,} pixels"
        smaller = f"{_instances(left_out.smaller)} smaller than {least}, and neither listed nor counted"
        message = smaller if left_out.smaller else f"no instance is smaller than {least}"
        notes.append(Note(code="small_left_out", message=message))
    return notes


def _instances(count: int) -> str:
    return "1 instance is" if count == 1 else f"{count:,} instances are"
