"""What of a picture counts, as a request says it, and as a stored picture is measured again."""

from collections.abc import Sequence

from planimeter.errors import PlanimeterError
from planimeter.measurement import Counting, Note
from planimeter.pictures.decode import Picture, read_size
from planimeter.service.api.options.region import RegionOptions
from planimeter.service.api.options.uploads import UploadOptions
from planimeter.service.context import Context
from planimeter.service.deadline import Deadline
from planimeter.service.decoding import room_for
from planimeter.service.uploads import MASK_FIELD, mask_bytes


def counting_of(parts: Context, options: UploadOptions | RegionOptions) -> Counting | None:
    """Return what is asked to count; a mask is decoded in a process of its own."""
    mask: Picture | None = None
    if options.region_mask is not None:
        data = mask_bytes(options.region_mask, parts.limits.max_bytes)
        deadline = Deadline(parts.settings.deadline)
        try:
            room = room_for(read_size(data, parts.limits), parts.limits)
            with parts.memory.reserved(room, deadline):
                mask = parts.decoders.decode(
                    data, filename=MASK_FIELD, limits=parts.limits, deadline=deadline
                )
        except PlanimeterError as error:
            raise type(error)(f"{MASK_FIELD}: {error}") from error
    return options.counting(options.region, mask)


def counting_kept(
    parts: Context, options: UploadOptions, classes: Sequence[str]
) -> tuple[Counting | None, list[Note]]:
    """Return what counts of a picture; of a stored one, also what counted before, where nothing else is said.

    Classes that the model lacks are not kept, and a note says so.
    """
    given = counting_of(parts, options)
    if options.from_ is None or options.whole:
        return given, []
    before = parts.store.get(options.from_).measurement.options.counting
    if before is None:
        return given, []
    before, notes = _known_to(before, classes)
    counting = (given or Counting()).or_else(before)
    return (None if counting.all_counts else counting), notes


def _known_to(counting: Counting, classes: Sequence[str]) -> tuple[Counting, list[Note]]:
    """Return what counts with those of its classes only that a model has, and the note on the others."""
    named = [*(counting.classes or ()), *([counting.of] if counting.of else [])]
    lacking = [name for name in dict.fromkeys(named) if name not in classes]
    kept = tuple(name for name in counting.classes or () if name in classes) or None
    of = counting.of if counting.of in classes else None
    later = {"classes": kept, "of": of, "set_afterwards": False}
    counting = counting.model_copy(update=later)
    if not lacking:
        return counting, []
    message = f"not kept of what counted before, as the model does not know it: {', '.join(lacking)}"
    return counting, [Note(code="classes_not_kept", message=message)]
