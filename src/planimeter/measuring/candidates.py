"""All that the network found in a picture, before any threshold, and what of it counts at a given one.

Kept beside a measurement, it answers for every other score threshold without the network, exactly as a new
measurement would.
"""

import gzip
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
from isal import igzip
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from planimeter.errors import StoreFailed
from planimeter.masks.counted import Counted, Scope
from planimeter.masks.rle import rle_decode, rle_encode, rle_encode_whole, rle_window
from planimeter.masks.window import EMPTY, Box, WindowMask
from planimeter.measurement import (
    UNKNOWN,
    WITHHELD,
    Counting,
    Ignored,
    Instance,
    Measurement,
    Note,
    Notes,
    Part,
    Rle,
)

Why = Literal["outside", "other_classes", "smaller", "of"]
"""The last: it is of the class that percentages are of."""


@dataclass(frozen=True)
class Candidate:
    """One object that the network may have found, in the picture's pixels."""

    box: Box
    label: int
    """A class id, from 1."""
    score: float
    shape: WindowMask | Rle
    """The mask as it was made, or as it was kept."""
    tile: int = 0
    """Which tile of a large picture it was found in."""
    duplicates: tuple[int, ...] = ()
    """Indices of earlier candidates, seen in another tile: where one of them counts, it is this object, and this
    one does not count."""
    encoded: Rle | None = None
    """The mask as it is kept and answered, where it was made already."""
    left_out: Why | None = None
    """Why it does not count, whatever it scores."""

    @cached_property
    def mask(self) -> WindowMask:
        """The mask; one that was kept is unpacked when it is asked for."""
        return rle_window(self.shape) if isinstance(self.shape, Rle) else self.shape

    def rle(self, counted: Counted) -> Rle:
        """Return the mask as it is kept and answered."""
        if isinstance(self.shape, Rle):
            return self.shape
        return self.encoded or rle_encode(self.shape, *counted.size)

    def cut_to(self, counted: Counted, least_area: int) -> "Candidate":
        """Return what of it counts; it is left out where that is nothing, or fewer pixels than `least_area`."""
        mask = counted.clip(self.mask)
        if counted.mask is not None and not mask.area:
            return self.without_pixels("outside")
        if mask.area < least_area:
            return self.without_pixels("smaller")
        if mask is self.mask:
            return self
        height, width = mask.pixels.shape
        box = (float(mask.x), float(mask.y), float(mask.x + width), float(mask.y + height))
        return replace(self, box=box, shape=mask, encoded=None)

    def without_pixels(self, why: Why) -> "Candidate":
        """Return it as one that never counts, for this reason."""
        return replace(self, shape=EMPTY, encoded=None, left_out=why)


@dataclass(frozen=True)
class Candidates:
    """What a measurement is made from: what scores at least the threshold, each object once."""

    counted: Counted
    entries: Sequence[Candidate]
    """In the order in which they are chosen."""
    tiles: int = 1
    """How many tiles the picture was measured in."""
    most_instances: int = 0
    """The most instances that the network gives for one tile."""
    score_floor: float = 0.0
    """The network gives nothing that scores less."""
    picture_notes: Sequence[Note] = ()
    """Notes about the picture and how it was read, whatever the threshold."""
    foreground: NDArray[np.bool_] | None = None
    """[H, W]: what the network takes for one of its classes, in an instance or not, where it says so."""
    shown: Sequence[float] | None = None
    """[1 + classes]: the percentages that the network's pixels alone would say, of all classes and of each."""
    texture: NDArray[np.float64] | None = None
    """What the network's first layers see in the picture, where it says so; not kept."""
    ignored: Mapping[Ignored, NDArray[np.bool_]] = field(default_factory=dict)
    """[H, W] for each kind of pixel that was looked for and may be left out."""
    counting: Counting | None = None
    """What of the picture counts, where `counted` and `entries` were cut to it."""
    scope: Scope | None = None
    """The same in pixels."""
    of: int | None = None
    """The id of the class that percentages are of, where they are: see `within_class`."""
    of_count: int = 0
    """How many instances of it there are, at the score threshold that all was cut for."""
    whole: "Candidates | None" = None
    """What they were cut from."""

    def above(self, threshold: float) -> list[Candidate]:
        """Return what counts at a score threshold, by falling score.

        First come, first chosen: a candidate counts unless one before it that counts is the same object. So the same
        ones count whether those below the threshold were there or not.
        """
        return [entry for entry in self.found(threshold) if entry.left_out is None]

    def left_out(self, threshold: float) -> Counter[Why]:
        """Return how many score enough and do not count, by the reason."""
        return Counter(entry.left_out for entry in self.found(threshold) if entry.left_out is not None)

    def found(self, threshold: float) -> list[Candidate]:
        """Return what scores enough, each object once, by falling score; also what is left out."""
        counts: set[int] = set()
        chosen = []
        for index, entry in enumerate(self.entries):
            if entry.score >= threshold and counts.isdisjoint(entry.duplicates):
                counts.add(index)
                chosen.append(entry)
        return sorted(chosen, key=lambda entry: -entry.score)

    def all_count(self, threshold: float) -> bool:
        """Return whether nothing was left out at a score threshold, whatever was asked for."""
        return self.of is None and self.counted.mask is None and not self.left_out(threshold)

    def limit_reached(self, threshold: float) -> bool:
        """Return whether one tile gave as many instances as the network can: there may be more."""
        counts = Counter(entry.tile for entry in self.entries if entry.score >= threshold)
        return any(count >= self.most_instances for count in counts.values())

    def packed(self) -> "PackedCandidates":
        """Return all of it in the form that is kept: what counts is cut out of it again when it is asked for."""
        return self.whole.packed() if self.whole else self.packed_as_cut()

    def packed_as_cut(self) -> "PackedCandidates":
        """Return what counts of it, in the same form; what is left out for good stands there without pixels."""
        height, width = self.counted.size
        return PackedCandidates(
            size=(height, width),
            tiles=self.tiles,
            most_instances=self.most_instances,
            score_floor=self.score_floor,
            picture_notes=list(self.picture_notes),
            candidates=[
                PackedCandidate(
                    class_id=entry.label,
                    score=entry.score,
                    bbox=coco_box(entry.box),
                    counts=entry.rle(self.counted).counts,
                    tile=entry.tile,
                    rivals=entry.duplicates,
                    left_out=entry.left_out is not None,
                )
                for entry in self.entries
            ],
            counted=None if self.counted.mask is None else _counts(self.counted.mask),
            ignored={kind: _counts(mask) for kind, mask in self.ignored.items()},
            foreground=None if self.foreground is None else _counts(self.foreground),
            shown=None if self.shown is None else tuple(self.shown),
            of=self.of,
            least_area=self.counting.least_area if self.counting else 0,
        )


class PackedCandidate(Part):
    """One object that the network may have found."""

    class_id: int = Field(ge=1)
    score: float = Field(ge=0, le=1)
    bbox: tuple[float, float, float, float] = Field(description="x, y, width, height in pixels.")
    counts: str = Field(description="The mask: `counts` of its COCO RLE.")
    tile: int = Field(0, ge=0, description="Which tile of a large picture it was found in.")
    rivals: tuple[int, ...] = Field(
        (),
        description="Indices of earlier candidates, seen in another tile: where one of them counts, it is this "
        "object, and this one does not count.",
    )
    left_out: bool = Field(
        default=False,
        description="Whether it never counts: outside the region, or kept out by classes or least_area.",
    )


class PackedCandidates(Part):
    """What a measurement is made from: everything with a score of at least the threshold, each object once."""

    size: tuple[int, int] = Field(description="Height and width of the picture.")
    tiles: int = Field(ge=1, description="How many tiles the picture was measured in.")
    most_instances: int = Field(description="The most instances that the network gives for one tile.")
    score_floor: float = Field(description="The network gives nothing that scores less.")
    picture_notes: Notes = Field(description="Notes about the picture and how it was read.")
    candidates: list[PackedCandidate] = Field(description="In the order in which they are chosen.")
    foreground: str | None = Field(
        None,
        description="Pixels that the network takes for one of its classes, in an instance or not: `counts` of an RLE; "
        "null where it has no pixel branch.",
    )
    shown: tuple[float, ...] | None = Field(
        None,
        description="The percentages that those pixels alone would say: of all classes together, then of each.",
    )

    counted: str | None = Field(
        None,
        description="The pixels that count: `counts` of an RLE; null where all do. Masks are cut to them.",
    )
    ignored: dict[Ignored, str] = Field(
        default_factory=dict,
        description="The pixels of each kind that was looked for to leave it out: `counts` of an RLE.",
    )
    of: int | None = Field(
        None,
        ge=1,
        description="Id of the class that percentages are of: at a score threshold, only pixels of its instances "
        "count, and the masks of others have yet to be cut to them; null without one.",
    )
    least_area: int = Field(
        0, ge=0, description="Instances with fewer pixels do not count, once they were cut to that class."
    )

    def pack(self) -> bytes:
        """Return all of it as gzipped JSON."""
        return igzip.compress(self.model_dump_json().encode(), mtime=0)

    @classmethod
    def unpack(cls, data: bytes) -> "PackedCandidates":
        """Return what `pack` packed; raises `StoreFailed` where it is damaged."""
        try:
            return cls.model_validate_json(gzip.decompress(data))
        except (OSError, EOFError, ValidationError) as error:
            raise StoreFailed(
                "what the network found is damaged, or was kept by a newer Planimeter; measure the picture again"
            ) from error

    def opened(self) -> Candidates:
        """Return the candidates; their masks are unpacked as they are asked for."""
        return Candidates(
            counted=Counted(*self.size),
            entries=[self._open(entry) for entry in self.candidates],
            tiles=self.tiles,
            most_instances=self.most_instances,
            score_floor=self.score_floor,
            picture_notes=self.picture_notes,
            foreground=None
            if self.foreground is None
            else rle_decode(Rle(size=self.size, counts=self.foreground)),
            shown=self.shown,
            ignored={
                kind: rle_decode(Rle(size=self.size, counts=text)) for kind, text in self.ignored.items()
            },
        )

    def _open(self, entry: PackedCandidate) -> Candidate:
        x, y, width, height = entry.bbox
        box = (x, y, round(x + width, 3), round(y + height, 3))
        shape = Rle(size=self.size, counts=entry.counts)
        return Candidate(box, entry.class_id, entry.score, shape, entry.tile, entry.rivals)


def candidates_above(measurement: Measurement) -> PackedCandidates:
    """Return the candidates that a measurement without any kept ones still tells: those that counted."""
    return PackedCandidates(
        size=(measurement.image.height, measurement.image.width),
        tiles=1,
        most_instances=len(measurement.instances) + 1,
        score_floor=measurement.options.score_threshold,
        # Why there was no interval may be another reason at another threshold.
        picture_notes=[note for note in measurement.notes if note.code not in {UNKNOWN, WITHHELD}],
        candidates=[
            PackedCandidate(
                class_id=entry.class_id, score=entry.score, bbox=entry.bbox, counts=exact_mask(entry).counts
            )
            for entry in measurement.instances
        ],
    )


def _counts(mask: NDArray[np.bool_]) -> str:
    return rle_encode_whole(mask).counts


def exact_mask(instance: Instance) -> Rle:
    """Return the RLE mask of a recorded instance."""
    if not isinstance(instance.mask, Rle):
        raise StoreFailed("the record has an instance without its exact mask")
    return instance.mask


def coco_box(box: Sequence[float]) -> tuple[float, float, float, float]:
    """Return x0, y0, x1, y1 as COCO's x, y, width, height."""
    x0, y0, x1, y1 = box
    return x0, y0, round(x1 - x0, 3), round(y1 - y0, 3)
