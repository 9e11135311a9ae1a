"""What a measurement is: the typed answer to "how much of this picture is covered?".

These models are the JSON of the REST API, the return value of the Python API and the stored record at once.
Boxes are COCO's `[x, y, width, height]` in pixels of the picture after its EXIF orientation was applied;
masks are COCO run-length encoding (RLE), column-major, at the picture's own resolution.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from planimeter.rules import Rule, Span, Verdict, decide
from planimeter.scale import Scale

Percent = Annotated[float, Field(ge=0, le=100)]
Area = Annotated[float | None, Field(ge=0)]
MaskFormat = Literal["rle", "polygon", "none"]


class Part(BaseModel):
    """A frozen part of the answer; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Rle(Part):
    """A mask as COCO's compressed run-length encoding: exact, and what pycocotools reads."""

    size: tuple[int, int] = Field(description="Height and width of the picture.")
    counts: str = Field(description="Compressed run lengths, column-major, starting with zeros.")


class Polygons(Part):
    """A mask as polygons, for tools that take nothing else. Approximate: RLE is the exact form."""

    approximate: Literal[True] = True
    polygons: list[list[list[float]]] = Field(
        description="Parts; each is a list of rings [x0, y0, x1, y1, …]: the outer ring, then its holes."
    )


class Instance(Part):
    """One object found in the picture."""

    id: int = Field(
        ge=1, description="1, 2, … by falling score; the value of its pixels in the instance mask."
    )
    class_name: str = Field(alias="class")
    class_id: int = Field(ge=1)
    score: float = Field(ge=0, le=1)
    bbox: tuple[float, float, float, float] = Field(description="x, y, width, height in pixels.")
    area_px: int = Field(ge=0, description="Pixels of the mask.")
    percent: Percent = Field(description="area_px in percent of the pixels counted.")
    area: Area = Field(None, description="The same in the square of the scale's unit; null without a scale.")
    mask: Rle | Polygons | None = None


class Note(Part):
    """What a careful reader must know of a measurement: programs read the code, people the message."""

    code: str = Field(pattern="^[a-z0-9_]+$", description="Stable: unlike_training, limit_reached, ….")
    message: str

    def __str__(self) -> str:
        return self.message


def _with_codes(notes: Any) -> Any:
    """Take the notes of a record from before they had codes."""
    return [{"code": "note", "message": entry} if isinstance(entry, str) else entry for entry in notes]


Notes = Annotated[list[Note], BeforeValidator(_with_codes)]


class Interval(Part):
    """Where the true percentage lies, as often as `level` says, in pictures like those of the calibration."""

    low: Percent
    high: Percent
    level: float = Field(gt=0, lt=1, description="0.9: of 100 pictures, 90 or more truly lie inside.")
    method: str = Field(description="split-conformal")
    calibrated_on: str = Field(description="The pictures whose truth was known.")


class ClassCoverage(Part):
    """How much of the picture the instances of one class cover: their union."""

    class_name: str = Field(alias="class")
    class_id: int = Field(ge=1)
    count: int = Field(ge=0)
    pixels_masked: int = Field(ge=0)
    percent_masked: Percent | None = Field(description="Null where there is nothing that it could be of.")
    area_masked: Area = None
    instances_per_mm2: Area = None
    interval: Interval | None = None


class LeftOut(Part):
    """What does not count though it was found, or though it is a pixel of the region."""

    outside: int = Field(0, ge=0, description="Instances wholly outside what counts.")
    other_classes: int = Field(0, ge=0, description="Instances of classes that were not asked for.")
    smaller: int = Field(0, ge=0, description="Instances with fewer pixels than least_area.")
    transparent: int = Field(0, ge=0, description="Pixels that are less than half opaque.")
    black_border: int = Field(0, ge=0, description="Pixels of a black border.")
    saturated: int = Field(0, ge=0, description="Pixels that are white in every channel.")


class Coverage(Part):
    """How much of the picture is covered, by the exact union of all masks."""

    percent_masked: Percent | None = Field(
        description="Of the pixels counted; null where nothing was found of the class that it is of, and then a note "
        "says so."
    )
    interval: Interval | None = Field(
        None,
        description="Where the true percentage lies; null where it is withheld, and then a note says why.",
    )
    pixels_masked: int = Field(ge=0, description="Pixels of the union: each counted once.")
    pixels_counted: int = Field(
        ge=0,
        description="The denominator: all pixels of the picture, or those that counted tells; 0 where nothing was "
        "found of the class that the percentage is of.",
    )
    counted: Rle | None = Field(None, description="The pixels that count; null where all do.")
    left_out: LeftOut | None = Field(
        None, description="What does not count; null where nothing was left out on purpose."
    )
    pixels_overlapping: int = Field(ge=0, description="Pixels under two masks or more.")
    pixels_unclaimed: int | None = Field(
        None,
        ge=0,
        description="Pixels that the model takes for one of its classes, but for no part of an instance that counts; "
        "they are not masked. Null where a model says nothing of single pixels, and where only some classes count.",
    )
    area_masked: Area = Field(
        None, description="pixels_masked in the square of the scale's unit; null without a scale."
    )
    area_counted: Area = Field(None, description="pixels_counted in the same.")
    instances_per_mm2: Area = Field(
        None, description="Instances for each square millimetre counted, whatever the unit."
    )
    by_class: list[ClassCoverage] = Field(
        description="Every class that the model knows, found or not. The one that the percentages are of has all "
        "pixels counted, and is in no other figure."
    )


class ImageInfo(Part):
    """The picture as it was decoded."""

    filename: str
    format: str = Field(description="JPEG, PNG, TIFF and so on, or ARRAY for pixels given from Python.")
    width: int = Field(gt=0, description="After orientation.")
    height: int = Field(gt=0, description="After orientation.")
    sha256: str = Field(description="Of the bytes as they came.")
    scale: Scale | None = Field(
        None,
        description="How large a pixel is, and who says so; null where nothing is known of it. All areas and lengths "
        "in units follow it.",
    )


class ModelInfo(Part):
    """Which model answered, and with which arithmetic."""

    name: str
    version: str
    sha256: str
    runtime: str = Field(description="openvino, onnxruntime or torch")
    precision: str = Field(description="f32, bf16 or f16")
    device: str = Field(description="cpu, cuda, rocm or directml")
    passes: int = Field(
        1, ge=1, description="How often the network saw the picture: 4 where it was thorough."
    )


Coordinate = Annotated[float, Field(allow_inf_nan=False, strict=True)]
Corner = tuple[Coordinate, Coordinate]
Ignored = Literal["transparent", "black_border", "saturated"]
IGNORED: tuple[Ignored, ...] = get_args(Ignored)
"""In the order in which a pixel that is of several kinds is told."""


class Region(Part):
    """A part of a picture: polygons in its pixels, each a list of corners [x, y].

    A pixel is in a polygon where its centre lies inside or on its edge. What is excluded is so wherever it lies.
    """

    include: list[list[Corner]] = Field(
        default_factory=list, description="What counts; without any polygon here, all but what is excluded."
    )
    exclude: list[list[Corner]] = Field(default_factory=list, description="What does not.")


class Counting(Part):
    """What of a picture counts, where that is not all of it."""

    region: Region | None = None
    region_mask: Rle | None = Field(None, description="The pixels of the picture that was given as a mask.")
    region_mask_grey: int | None = Field(
        None,
        ge=1,
        description="How many pixels of that mask were neither black nor white, where its file was made with losses; "
        "all but black ones count. Null where none was, and for a file without losses.",
    )
    ignore: tuple[Ignored, ...] = Field((), description="Kinds of pixels that do not count.")
    classes: tuple[str, ...] | None = Field(
        None, description="Names of the classes whose instances count; null for all."
    )
    least_area: int = Field(0, ge=0, description="Pixels: instances with fewer do not count.")
    of: str | None = Field(
        None,
        description="Name of the class that all percentages are of: only pixels of its instances count, at the score "
        "threshold; null for all pixels.",
    )
    set_afterwards: bool = Field(
        default=False, description="Whether it was set after the picture was measured."
    )

    @property
    def all_counts(self) -> bool:
        """Whether nothing is left out."""
        return self == Counting(set_afterwards=self.set_afterwards)

    @property
    def without_region(self) -> "Counting":
        """The same of the whole picture."""
        return self.model_copy(update=dict.fromkeys(["region", *_OF_MASK]))

    def or_else(self, other: "Counting | None") -> "Counting":
        """Return this, and what `other` says of what is not said here; a region and a mask are one thing."""
        if other is None:
            return self
        default = Counting()
        region = {"region", *_OF_MASK} if self.region or self.region_mask else set()
        kept = {
            name: getattr(other, name)
            for name in Counting.model_fields
            if name not in region and getattr(self, name) == getattr(default, name)
        }
        return self.model_copy(update=kept)


_OF_MASK = ("region_mask", "region_mask_grey")


class Options(Part):
    """The options that shaped the answer."""

    score_threshold: float = Field(ge=0, le=1)
    counting: Counting | None = Field(None, description="What counts; null where all of the picture does.")


class Fixed(Part):
    """What a version of a profile says of how a picture is measured; what is null, or empty, it leaves open."""

    score_threshold: float | None = Field(None, ge=0, le=1)
    counting: Counting | None = Field(None, description="What of a picture counts.")
    scale: Scale | None = Field(None, description="How large a pixel is.")


class ProfileUsed(Part):
    """The profile that a picture was measured by. What it allows stands in rules."""

    name: str
    version: int | None = Field(ge=1, description="Null for a file that was given on the command line.")
    sha256: str = Field(description="Of all that this version says.")
    fixes: Fixed | None = Field(
        None,
        description="What this version says of how a picture is measured: where options or image.scale are not so any "
        "more, no rule decides, and the note measured_otherwise says why. Null for a record from before this was kept.",
    )


class RuleResult(Rule):
    """A rule, and whether a measurement keeps it."""

    value: float | None = Field(description="Of the figure, in the rule's unit; null where there is none.")
    interval: Interval | None = Field(
        description="Where the true percentage lies; null for other figures, and where it is not known."
    )
    verdict: Verdict
    reason: str | None = Field(
        description="Why it is undecided, or that no interval is known and the value decided alone; else null."
    )


class Timing(Part):
    """Milliseconds spent in each step."""

    decode: float = 0.0
    queue: float = 0.0
    inference: float = 0.0
    postprocess: float = 0.0
    store: float = Field(0.0, description="Only in the answer to the POST: a record cannot time itself.")
    total: float = 0.0


class Measurement(Part):
    """The result of measuring one picture with one model."""

    image: ImageInfo
    model: ModelInfo
    options: Options
    coverage: Coverage
    instances: list[Instance]
    notes: Notes = Field(
        default_factory=list,
        description="What a careful reader must know: alpha dropped, 16 bits scaled, instance limit reached.",
    )
    profile: ProfileUsed | None = Field(None, description="Null where the picture was measured without one.")
    verdict: Verdict | None = Field(
        None,
        description="Of all rules: fail where one fails, else undecided where one is; null without rules.",
    )
    rules: list[RuleResult] = Field(default_factory=list, description="Of the profile, in its order.")
    timing_ms: Timing


MEASURED_OTHERWISE = "measured_otherwise"
"""The code of the note on a measurement that is not what its profile says any more."""
UNLIKE_TRAINING = "unlike_training"
"""The code of the note on a picture that does not look like those that the model learnt from."""
UNKNOWN, WITHHELD = "interval_unknown", "interval_withheld"
"""The codes of the notes that say why there is no interval: never for this model, or not for this picture."""
NOTHING_OF_CLASS = "nothing_of_class"
"""The code of the note that says why there is no percentage: nothing was found of the class that it would be of."""


def judge(measurement: "Measurement", limit_percent: float) -> Verdict:
    """Return whether a percentage is at most the limit, by the one way in which figures are decided."""
    return decide(measurement.coverage.percent_masked, truth_span(measurement), at_most=limit_percent)


def truth_span(measurement: "Measurement") -> Span | None:
    """Return between which percentages the truth is thought to lie; None where nothing is known of the model's errors.

    That is the interval, and anywhere for a picture that is unlike those of the training. Without a percentage: None.
    """
    if measurement.coverage.percent_masked is None:
        return None
    if any(note.code == UNLIKE_TRAINING for note in measurement.notes):
        return 0.0, 100.0
    interval = measurement.coverage.interval
    return None if interval is None else (interval.low, interval.high)


def percent(pixels: int, counted: int) -> float:
    """Return `pixels` in percent of `counted`, as a float that is exact to the last bit it can hold."""
    return 100.0 * pixels / counted


def percent_or_none(pixels: int, counted: int) -> float | None:
    """Return the same, or None where nothing is counted."""
    return percent(pixels, counted) if counted else None


def classes_found(measurement: Measurement) -> Sequence[ClassCoverage]:
    """Return the classes with at least one instance, largest coverage first; not the one that percentages are of."""
    of = class_counted(measurement)
    found = [entry for entry in measurement.coverage.by_class if entry.count and entry.class_name != of]
    return sorted(found, key=lambda entry: -entry.pixels_masked)


def class_counted(measurement: Measurement) -> str | None:
    """Return the name of the class that percentages are of; None where they are of all pixels, or of a region."""
    counting = measurement.options.counting
    return None if counting is None else counting.of


def percent_of_whole(coverage: Coverage | ClassCoverage) -> float:
    """Return the percentage of a measurement in which all pixels of the picture count: there it always is."""
    if coverage.percent_masked is None:
        raise ValueError("nothing counts here that it could be a percentage of")
    return coverage.percent_masked
