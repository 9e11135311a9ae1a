"""Corrections of a measurement: what they make of its objects, and the figures of these.

Objects are kept whole. What counts of a picture is cut out of them afterwards, as it is for what was measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from planimeter.corrections import (
    ADDED_SCORE,
    MOST_CHANGES,
    MOST_CORNERS,
    MOST_OBJECTS,
    Added,
    Changes,
    Corrected,
    CorrectedInstance,
    Correction,
    Object,
    Replaced,
)
from planimeter.errors import ContradictoryOptions
from planimeter.masks.counted import Counted
from planimeter.masks.rle import rle_window
from planimeter.measurement import UNLIKE_TRAINING, Counting, Measurement, Note
from planimeter.measuring.candidates import Candidate, Candidates, coco_box
from planimeter.measuring.counting import count_within, left_out_at, note_counting
from planimeter.measuring.coverage import list_instances, measure_coverage
from planimeter.measuring.judging import LIMIT_REACHED, judged_by_a_person
from planimeter.measuring.of_class import with_class, within_class
from planimeter.measuring.outside import check_owners, whole_masks
from planimeter.measuring.physical import in_units
from planimeter.measuring.shape_masks import MOST_PIXELS, ShapeMasks


@dataclass(frozen=True)
class Made:
    """The last correction of a measurement."""

    number: int
    at: datetime
    by: str | None
    reviewed: bool


def first_objects(measurement: Measurement, candidates: Candidates, cut: Candidates) -> list[Object]:
    """Return the objects that the first correction finds: all that score enough, whole, in the order of the list.

    `candidates` are whole; `cut` are the same ones cut to what counts, from which the instances of `measurement` are.
    What is listed keeps its number as its id. What is not follows: it may come to count later.
    """
    threshold = measurement.options.score_threshold
    listed = [*map(id, cut.above(threshold))]
    whole = dict(zip(map(id, cut.entries), candidates.entries, strict=True))
    rest = [id(entry) for entry in cut.found(threshold) if entry.left_out is not None]
    classes = [entry.class_name for entry in measurement.coverage.by_class]
    return [
        Object(
            id=number,
            class_name=classes[entry.label - 1],
            class_id=entry.label,
            score=entry.score,
            mask=entry.rle(candidates.counted),
            origin="measured",
        )
        for number, entry in enumerate((whole[place] for place in [*listed, *rest]), start=1)
    ]


def check_correction(correction: Correction, *, reviewed: bool) -> None:
    """Refuse one that is too large, and one that changes nothing."""
    if correction.count > MOST_CHANGES:
        raise ContradictoryOptions(
            f"the correction has {correction.count:,} changes and may have {MOST_CHANGES:,}; send several"
        )
    if correction.corners > MOST_CORNERS:
        raise ContradictoryOptions(
            f"the polygons of the correction have {correction.corners:,} corners and may have {MOST_CORNERS:,}; give "
            "masks, or send several corrections"
        )
    if correction.names > MOST_OBJECTS:
        raise ContradictoryOptions(
            f"outside_of names {correction.names:,} instances and may name {MOST_OBJECTS:,}; send several corrections"
        )
    if not correction.count and not correction.complete and not reviewed:
        raise ContradictoryOptions(
            "the correction changes nothing; say what is wrong, or that the picture is complete"
        )


def apply(
    objects: Sequence[Object], changes: Changes, classes: Sequence[str], counted: Counted
) -> tuple[list[Object], Changes]:
    """Return the objects after changes, and the changes with all masks as run lengths, each of a whole object.

    `counted` is what of the picture counted before. Raises `ContradictoryOptions` and `InvalidOption`, which name what
    is wrong; then nothing is changed.
    """
    found = {entry.id: entry for entry in objects}
    _check_ids(found, changes)
    check_owners(found, changes)
    before = {**found}
    for id_ in changes.reject:
        found[id_] = found[id_].model_copy(update={"rejected": True})
    for id_ in changes.restore:
        found[id_] = found[id_].model_copy(update={"rejected": False})
    for number, entry in enumerate(changes.reclass, start=1):
        class_id = _class_id(entry.class_name, classes, f"reclass {number}")
        update = {"class_name": entry.class_name, "class_id": class_id}
        found[entry.id] = _changed(found[entry.id], update)
    masks = ShapeMasks(*counted.size)
    drawn = [
        *(masks.of(shape, f"replace {number}") for number, shape in enumerate(changes.replace, start=1)),
        *(masks.of(shape, f"add {number}") for number, shape in enumerate(changes.add, start=1)),
    ]
    whole = iter(whole_masks(before, counted, [*changes.replace, *changes.add], masks, drawn))
    replaced, added = [], []
    for other in changes.replace:
        mask = next(whole)
        replaced.append(Replaced(id=other.id, mask=mask))
        found[other.id] = _changed(found[other.id], {"mask": mask})
    for number, new in enumerate(changes.add, start=1):
        class_id = _class_id(new.class_name, classes, f"add {number}")
        mask = next(whole)
        added.append(Added(class_name=new.class_name, mask=mask))
        id_ = max(found, default=0) + 1  # none is ever taken away, so that no id comes twice
        found[id_] = Object(
            id=id_, class_name=new.class_name, class_id=class_id, score=ADDED_SCORE, mask=mask, origin="added"
        )
    if len(found) > MOST_OBJECTS:
        raise ContradictoryOptions(
            f"the picture would have {len(found):,} objects, with those that were rejected, and may have "
            f"{MOST_OBJECTS:,}"
        )
    return [*found.values()], changes.model_copy(update={"replace": replaced, "add": added})


def _check_ids(found: dict[int, Object], changes: Changes) -> None:
    """Refuse ids that are not there, and what cannot be done to one object at once."""
    reclassed = [entry.id for entry in changes.reclass]
    replaced = [entry.id for entry in changes.replace]
    for name, ids in {
        "reject": changes.reject,
        "restore": changes.restore,
        "reclass": reclassed,
        "replace": replaced,
    }.items():
        for place, id_ in enumerate(ids):
            entry = found.get(id_)
            if id_ in ids[:place]:
                raise ContradictoryOptions(f"{name} names {id_} twice; name it once")
            if entry is None:
                raise ContradictoryOptions(
                    f"{name} names {id_}, and no instance has that id; read the measurement again"
                )
            if name == "restore" and not entry.rejected:
                raise ContradictoryOptions(f"restore names {id_}, which is not rejected")
            if name == "reject" and entry.rejected:
                raise ContradictoryOptions(f"reject names {id_}, which is rejected already")
            if name in {"reclass", "replace"} and (
                id_ in changes.reject or (entry.rejected and id_ not in changes.restore)
            ):
                raise ContradictoryOptions(f"{name} names {id_}, which is rejected; restore it first")


def _class_id(name: str, classes: Sequence[str], where: str) -> int:
    if name not in classes:
        shown = name if len(name) <= 64 else f"{name[:64]}…"
        raise ContradictoryOptions(
            f"{where} names the class {shown!r}, which the model lacks; it knows {', '.join(classes)}"
        )
    return classes.index(name) + 1


def _changed(entry: Object, update: dict[str, object]) -> Object:
    if all(getattr(entry, name) == value for name, value in update.items()):
        return entry
    origin = "added" if entry.origin == "added" else "changed"
    return entry.model_copy(update={**update, "origin": origin})


def corrected(
    measurement: Measurement, objects: Sequence[Object], candidates: Candidates, made: Made
) -> Corrected:
    """Return the figures of the objects that are not rejected, of what of the picture counts in `measurement`.

    `candidates` are the measurement's own, for the size of the picture and the pixels that may be ignored.
    Raises what `count_within` raises.
    """
    classes = [entry.class_name for entry in measurement.coverage.by_class]
    counting = measurement.options.counting
    kept = [entry for entry in objects if not entry.rejected]
    cut = _cut(kept, candidates, counting, classes)
    listed = [
        (number, entry) for number, entry in zip(kept, cut.entries, strict=True) if entry.left_out is None
    ]
    found = [entry for _, entry in listed]
    coverage = measure_coverage(found, classes, cut.counted)
    left_out = left_out_at(cut, 0.0)
    coverage = with_class(coverage.model_copy(update={"left_out": left_out}), cut)
    notes = [*_notes(measurement, candidates, reviewed=made.reviewed), *note_counting(cut, left_out)]
    instances = [
        CorrectedInstance(
            **{**dict(entry), "id": one.id, "score": one.score, "bbox": coco_box(own.box)}, origin=one.origin
        )
        for entry, (one, own) in zip(list_instances(found, classes, cut.counted, "rle"), listed, strict=True)
    ]
    figures = Corrected(
        number=made.number,
        at=made.at,
        by=made.by,
        reviewed=made.reviewed,
        coverage=coverage,
        instances=instances,
        notes=notes,
        rules=measurement.rules,
    )
    return in_units_of(figures, measurement)


def counted_before(measurement: Measurement, objects: Sequence[Object], candidates: Candidates) -> Counted:
    """Return the pixels that count in `measurement` with these objects: who corrects them sees nothing else."""
    classes = [entry.class_name for entry in measurement.coverage.by_class]
    counting = measurement.options.counting
    kept = [entry for entry in objects if not entry.rejected and counting and counting.of == entry.class_name]
    return _cut(kept, candidates, counting, classes).counted


def in_units_of(figures: Corrected, measurement: Measurement) -> Corrected:
    """Return figures with areas as the scale of a measurement makes them, and judged by its rules."""
    own = in_units(figures.over(measurement))
    return figures.with_figures(judged_by_a_person(own, alone=figures.reviewed))


def _cut(
    kept: Sequence[Object], candidates: Candidates, counting: Counting | None, classes: Sequence[str]
) -> Candidates:
    """Return objects cut to what counts, in their order."""
    entries, pixels = [], 0
    for entry in kept:
        mask = rle_window(entry.mask)
        pixels += mask.pixels.size
        if pixels > MOST_PIXELS:
            raise ContradictoryOptions(
                f"the boxes of all instances would have more than {MOST_PIXELS:,} pixels together; leave out masks "
                "that reach over all of the picture"
            )
        height, width = mask.pixels.shape
        box = (float(mask.x), float(mask.y), float(mask.x + width), float(mask.y + height))
        entries.append(Candidate(box, entry.class_id, 1.0, mask, encoded=entry.mask))
    whole = Candidates(candidates.counted, entries, ignored=candidates.ignored)
    return within_class(count_within(whole, counting, classes), 0.0)


def _notes(measurement: Measurement, candidates: Candidates, *, reviewed: bool) -> list[Note]:
    """Return the notes on the picture; until it is reviewed, also that the model may have missed something."""
    if reviewed:
        return [note for note in candidates.picture_notes if note.code != UNLIKE_TRAINING]
    return [*candidates.picture_notes, *(note for note in measurement.notes if note.code == LIMIT_REACHED)]
