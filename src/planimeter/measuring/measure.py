"""From the bytes of a picture to all that is answered and kept of it, with no service, queue or store in it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Literal

from planimeter.drawing.encoding import encode_mask_png, encode_png
from planimeter.measurement import Counting, Measurement, Note
from planimeter.measuring.beside import beside
from planimeter.measuring.candidates import Candidates
from planimeter.measuring.physical import with_scale
from planimeter.measuring.segmenter import Segmenter
from planimeter.measuring.stopwatch import Stopwatch
from planimeter.pictures.decode import Picture, decode
from planimeter.scale import Scale
from planimeter.settings import Limits

_LARGE_BYTES = 1_000_000
"""Drawn pictures from this size on take longer to encode than a thread takes to begin."""


@dataclass(frozen=True)
class Result:
    """A measurement, and what is drawn and kept of it."""

    measurement: Measurement
    overlay_png: bytes
    mask_png: bytes
    found: Candidates

    def candidates(self) -> bytes:
        """Return all that the network found, packed: see `PackedCandidates`."""
        return self.found.packed().pack()


def measure_picture(
    segmenter: Segmenter,
    data: bytes,
    *,
    filename: str = "picture",
    score_threshold: float | None = None,
    scale: Scale | None = None,
    counting: Counting | None = None,
    notes: Sequence[Note] = (),
    limits: Limits | None = None,
    turn: Callable[[], AbstractContextManager[object]] | None = None,
    decoded: Callable[[], Picture] | None = None,
    step: Callable[[Literal["decode", "draw"]], AbstractContextManager[object]] = nullcontext,
) -> Result:
    """Decode, measure and draw a picture given as the bytes of a file.

    `score_threshold` in [0, 1] replaces the pack's own, `scale` what the file says of its pixels' size;
    `counting` is what of it counts, and `notes` are what else must be known of it. `turn` is
    entered each time that the network is needed, once for each tile; what it waits for that is timed as the queue.
    `decoded` waits for the picture where it is decoded elsewhere. `step` is entered while the picture is decoded, and
    while it is drawn. Raises what `decode`, `turn` and `Segmenter.measure` raise.
    """
    watch = Stopwatch()
    with step("decode"):
        found = decoded() if decoded else decode(data, filename=filename, limits=limits or Limits())
        picture = with_scale(replace(found, notes=(*found.notes, *notes)), scale)
    watch.lap("decode")
    measured = segmenter.measure(
        picture, score_threshold=score_threshold, counting=counting, watch=watch, turn=turn
    )
    with step("draw"):
        drawn = measured.draw(copy=False)
        with beside(lambda: encode_png(drawn), worth_it=drawn.size >= _LARGE_BYTES) as overlay:
            mask = encode_mask_png(measured.mask())
            measurement = measured.without_picture()
            overlay_png = overlay()
    measurement = measurement.model_copy(update={"timing_ms": watch.timing()})
    return Result(measurement, overlay_png, mask, measured.candidates())
