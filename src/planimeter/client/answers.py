"""What the service answers: written by `make client` from the document of the API, not by hand."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from planimeter.measurement import Rle

__all__ = [
    "Added",
    "Aimed",
    "ChangeAnswer",
    "Changes",
    "ClassColor",
    "ClassCoverage",
    "ClassOverlap",
    "ClassPercent",
    "ClassStatistics",
    "Compared",
    "Comparison",
    "ComparisonAnswer",
    "CorrectedAnswer",
    "CorrectedInstance",
    "CorrectionAnswer",
    "CorrectionList",
    "Counting",
    "Coverage",
    "CoverageError",
    "Deleted",
    "DriftAnswer",
    "DriftWarning",
    "Fixed",
    "Health",
    "HistogramBin",
    "ImageAnswer",
    "Instance",
    "InstanceFigures",
    "InstanceList",
    "Interval",
    "JobAnswer",
    "JobLine",
    "JobList",
    "LeftOut",
    "Lengths",
    "LineAnswer",
    "LineList",
    "Loss",
    "LotAnswer",
    "LotLine",
    "LotLineOfModel",
    "LotList",
    "LotOfModel",
    "MadeModel",
    "MeasurementAnswer",
    "MeasurementList",
    "MeasurementSummary",
    "ModelAnswer",
    "ModelInfo",
    "ModelList",
    "ModelSummary",
    "NeighboursAnswer",
    "Note",
    "Options",
    "OverlapAnswer",
    "PackClass",
    "PackedCandidate",
    "PackedCandidates",
    "Polygons",
    "Profile",
    "ProfileAnswer",
    "ProfileLine",
    "ProfileList",
    "ProfileUsed",
    "ProfileVersion",
    "Progress",
    "QueueAnswer",
    "QueuedAnswer",
    "Recipe",
    "Reclassed",
    "Region",
    "RejectedInstance",
    "Replaced",
    "Restored",
    "ReviewedMean",
    "Rle",
    "Rule",
    "RuleResult",
    "Scale",
    "Spread",
    "StatisticsAnswer",
    "StretchAnswer",
    "Thresholds",
    "Timing",
    "TrainingData",
    "TrainingPlan",
    "TrashList",
    "TrashedAnswer",
    "TrendAnswer",
    "TrendBucket",
    "TrendPoint",
    "Validation",
    "VerdictCounts",
    "VersionAnswer",
    "VersionList",
]


class Answer(BaseModel):
    """A part of an answer. What a newer service says beside it is left out."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, protected_namespaces=())


class Added(Answer):
    """An object that was not found."""

    mask: Rle | None = None
    """COCO RLE of the picture's size, with compressed counts."""
    polygon: list[list[tuple[float, float]]] | None = None
    """In the place of a mask: parts, each a list of corners [x, y] in pixels of the picture. A pixel is in
    it where its centre lies inside a part or on its edge."""
    outside_of: list[int] = Field(default_factory=list)
    """Ids of instances whose pixels outside of what counts belong to it too: for a mask that was made of
    instances as they are listed, which are cut to what counts. Of one that several name, each pixel goes to
    the nearest. Without it, the mask is all of the instance, also where nothing counts."""
    class_name: str = Field(alias="class")


class Aimed(Answer):
    """How many pictures the mean needs to be known so closely, as if further ones vary like these."""

    within: float
    """Percentage points to either side."""
    relative_accuracy: float | None
    """10, where within was not asked for."""
    pictures: int
    """The least n for which t s / √n is at most that, with the t of n itself."""
    more: int
    """How many those are beside the ones that are there."""


class ChangeAnswer(Answer):
    """A version was put to use."""

    made_at: datetime
    made_by: str | None
    version: str
    sha256: str
    before_version: str | None
    before_sha256: str | None
    job_id: str | None
    """The job that made it; null where an earlier version was taken again."""


class Changes(Answer):
    """What is wrong with a list of instances."""

    reject: list[int] = Field(default_factory=list)
    """Ids of instances that are none."""
    restore: list[int] = Field(default_factory=list)
    """Ids of rejected ones that are some after all."""
    reclass: "list[Reclassed]" = Field(default_factory=list)
    """Other classes."""
    add: "list[Added]" = Field(default_factory=list)
    """What was missed; it gets ids that nothing had before."""
    replace: "list[Replaced]" = Field(default_factory=list)
    """Other masks."""


class ClassColor(Answer):
    """A class and the colour in which its model draws it."""

    class_name: str = Field(alias="class")
    color: str


class ClassCoverage(Answer):
    """How much of the picture the instances of one class cover: their union."""

    class_name: str = Field(alias="class")
    class_id: int
    count: int
    pixels_masked: int
    percent_masked: float | None
    """Null where there is nothing that it could be of."""
    area_masked: float | None = None
    instances_per_mm2: float | None = None
    interval: "Interval | None" = None


class ClassOverlap(Answer):
    """The same for one class, by its name."""

    pixels_both: int
    pixels_only_first: int
    pixels_only_second: int
    percent_both: float
    """Of the pixels counted, like all percentages here."""
    percent_only_first: float
    percent_only_second: float
    percent_disagreement: float
    """What exactly one of the two masks."""
    iou: float | None
    """Intersection over union; null where neither masks anything."""
    area_both: float | None
    """In the square of the first scale's unit; null unless both say that pixels are as large."""
    area_only_first: float | None
    area_only_second: float | None
    class_name: str = Field(alias="class")
    color: str


class ClassPercent(Answer):
    """A class and a percentage."""

    class_name: str = Field(alias="class")
    percent_masked: float


class ClassStatistics(Answer):
    """One class over many measurements."""

    class_name: str = Field(alias="class")
    color: str
    measurements: int
    """In how many it was found."""
    instance_count: int
    mean_percent: float
    """Over all measurements; without the class counts as 0."""


class Compared(Answer):
    """One of the two models."""

    name: str
    version: str
    sha256: str
    score_threshold: float
    coverage: "CoverageError"
    f1: float
    mask_ap50: float


class Comparison(Answer):
    """Both, on the same pictures."""

    pictures: int
    """That neither of the two learnt from."""
    reason: str | None = None
    """Why they were not compared; null where they were."""
    new: "Compared | None" = None
    in_use: "Compared | None" = None
    """Null where no model was in use."""
    difference: float | None = None
    """Mean absolute error of the new one minus that of the one in use, in points."""
    difference_interval: tuple[float, float] | None = None
    """95 % of the differences that pictures drawn anew would give."""
    better: Literal["new", "in_use", "undecided"] | None = None
    """Which percentage is nearer to the truth, where that is more than chance."""


class ComparisonAnswer(Answer):
    """Two measurements of the same picture."""

    first: "MeasurementSummary"
    second: "MeasurementSummary"
    pixels_counted: int
    overlap: "OverlapAnswer"
    by_class: "list[ClassOverlap]"
    """Every class that either model knows."""
    picture_url: str
    """The difference drawn: only the first #e69f00, only the second #56b4e9, both pale."""


class CorrectedAnswer(Answer):
    """What people corrected of a measurement; everything else of it stays as measured."""

    number: int
    """How many corrections there were."""
    at: datetime
    """Of the last correction."""
    by: str | None
    """Who made the last one: the name of the key; null where none is asked for."""
    reviewed: bool
    """Whether the last one said that all of the picture is right."""
    coverage: "Coverage"
    """Without intervals: the model's errors are not those of a person."""
    instances: "list[CorrectedInstance]"
    """By their ids."""
    notes: "list[Note]" = Field(default_factory=list)
    """What a careful reader must know of these figures."""
    verdict: Literal["pass", "fail", "undecided"] | None = None
    """By the same rules as the measured one."""
    rules: "list[RuleResult]" = Field(default_factory=list)


class CorrectedInstance(Answer):
    """One object after corrections."""

    id: int
    """Stays the same in all corrections; the value of its pixels in the instance mask."""
    class_name: str = Field(alias="class")
    class_id: int
    score: float
    """As the model gave it; 1 for what a person added."""
    bbox: tuple[float, float, float, float]
    """X, y, width, height in pixels."""
    area_px: int
    """Pixels of the mask."""
    percent: float
    """Area_px in percent of the pixels counted."""
    area: float | None = None
    """The same in the square of the scale's unit; null without a scale."""
    mask: "Rle | Polygons | None" = None
    origin: Literal["measured", "added", "changed"]
    """Whether it is as measured, was added by a person, or got another class or mask."""


class CorrectionAnswer(Answer):
    """One correction."""

    number: int
    """1, 2, …"""
    at: datetime
    by: str | None
    """The name of the key; null where nobody was asked for one."""
    reason: str
    complete: bool
    """Whether all of the picture was right after it."""
    changes: "Changes"
    """As they were sent, with all masks as run lengths, each of a whole instance; null without masks=all."""
    percent_masked: float | None
    """After it, of what counted then."""
    sha256: str
    """Of all of it; the audit trail holds the same."""


class CorrectionList(Answer):
    """A page of the corrections of one measurement."""

    corrections: "list[CorrectionAnswer]"
    """The first one first."""
    count: int
    """How many there are on all pages."""
    next_url: str | None
    """The next page; null on the last."""
    rejected: "list[RejectedInstance]"
    """What is rejected now, on every page; restore brings it back."""


class Counting(Answer):
    """What of a picture counts, where that is not all of it."""

    region: "Region | None" = None
    region_mask: Rle | None = None
    """The pixels of the picture that was given as a mask."""
    region_mask_grey: int | None = None
    """How many pixels of that mask were neither black nor white, where its file was made with losses; all
    but black ones count. Null where none was, and for a file without losses."""
    ignore: list[Literal["transparent", "black_border", "saturated"]] = []
    """Kinds of pixels that do not count."""
    classes: list[str] | None = None
    """Names of the classes whose instances count; null for all."""
    least_area: int = 0
    """Pixels: instances with fewer do not count."""
    of: str | None = None
    """Name of the class that all percentages are of: only pixels of its instances count, at the score
    threshold; null for all pixels."""
    set_afterwards: bool = False
    """Whether it was set after the picture was measured."""


class Coverage(Answer):
    """How much of the picture is covered, by the exact union of all masks."""

    percent_masked: float | None
    """Of the pixels counted; null where nothing was found of the class that it is of, and then a note says
    so."""
    interval: "Interval | None" = None
    """Where the true percentage lies; null where it is withheld, and then a note says why."""
    pixels_masked: int
    """Pixels of the union: each counted once."""
    pixels_counted: int
    """The denominator: all pixels of the picture, or those that counted tells; 0 where nothing was found of
    the class that the percentage is of."""
    counted: Rle | None = None
    """The pixels that count; null where all do."""
    left_out: "LeftOut | None" = None
    """What does not count; null where nothing was left out on purpose."""
    pixels_overlapping: int
    """Pixels under two masks or more."""
    pixels_unclaimed: int | None = None
    """Pixels that the model takes for one of its classes, but for no part of an instance that counts; they
    are not masked. Null where a model says nothing of single pixels, and where only some classes count."""
    area_masked: float | None = None
    """Pixels_masked in the square of the scale's unit; null without a scale."""
    area_counted: float | None = None
    """Pixels_counted in the same."""
    instances_per_mm2: float | None = None
    """Instances for each square millimetre counted, whatever the unit."""
    by_class: "list[ClassCoverage]"
    """Every class that the model knows, found or not. The one that the percentages are of has all pixels
    counted, and is in no other figure."""


class CoverageError(Answer):
    """The error of the percentage over a set of pictures, in percentage points."""

    bias: float
    """Mean of measured minus true."""
    mean_absolute_error: float
    limits_of_agreement: tuple[float, float]
    """Bias ± 1.96 standard deviations: 95 %."""
    bias_interval: tuple[float, float] | None = None
    """95 % interval of the bias: bootstrap over pictures."""
    mean_absolute_error_interval: tuple[float, float] | None = None
    """95 % interval of the mean absolute error: bootstrap over pictures."""


class Deleted(Answer):
    """What was deleted."""

    deleted: int
    """How many measurements."""
    deletion: str | None
    """POST /trash/restore?deletion=… brings them back; null where they are gone for good."""


class DriftAnswer(Answer):
    """The real error of the version in use, of what people reviewed."""

    model: str
    version: str
    level: float | None
    """How often an interval is to hold the truth; null without intervals."""
    limits_of_agreement: tuple[float, float] | None
    """Between which 95 % of errors were when the model was evaluated, in points."""
    all: "StretchAnswer | None"
    """Null where nothing was reviewed."""
    stretches: "list[StretchAnswer]"
    """The oldest first; the newest ones of 20 pictures or more."""
    warnings: "list[DriftWarning]"
    """Of the 60 pictures that were reviewed last."""


class DriftWarning(Answer):
    """A promise that is not kept any more."""

    code: Literal["intervals_miss", "errors_beyond_limits"]
    message: str


class Fixed(Answer):
    """What a version of a profile says of how a picture is measured; what is null, or empty, it leaves open."""

    score_threshold: float | None = None
    counting: "Counting | None" = None
    """What of a picture counts."""
    scale: "Scale | None" = None
    """How large a pixel is."""


class Health(Answer):
    """The process is alive, or ready."""

    status: Literal["ok", "ready"]


class HistogramBin(Answer):
    """How many measurements lie in a range of percent."""

    from_percent: float
    """Included."""
    to_percent: float
    """Not included, but in the last bin."""
    count: int


class ImageAnswer(Answer):
    """The picture, and where it can be had as it was uploaded."""

    filename: str
    format: str
    """JPEG, PNG, TIFF and so on, or ARRAY for pixels given from Python."""
    width: int
    """After orientation."""
    height: int
    """After orientation."""
    sha256: str
    """Of the bytes as they came."""
    scale: "Scale | None" = None
    """How large a pixel is, and who says so; null where nothing is known of it. All areas and lengths in
    units follow it."""
    url: str
    """Relative to the address requested."""


class Instance(Answer):
    """One object found in the picture."""

    id: int
    """1, 2, … by falling score; the value of its pixels in the instance mask."""
    class_name: str = Field(alias="class")
    class_id: int
    score: float
    bbox: tuple[float, float, float, float]
    """X, y, width, height in pixels."""
    area_px: int
    """Pixels of the mask."""
    percent: float
    """Area_px in percent of the pixels counted."""
    area: float | None = None
    """The same in the square of the scale's unit; null without a scale."""
    mask: "Rle | Polygons | None" = None


class InstanceFigures(Answer):
    """One instance in numbers; lengths in pixels, shape figures as skimage.measure.regionprops defines them.

    Where pixels are known not to be square nothing has a length or a circularity: these are null then.
    """

    id: int
    class_name: str = Field(alias="class")
    class_id: int
    score: float
    bbox: tuple[float, float, float, float]
    """X, y, width, height."""
    area_px: int
    percent: float
    area: float | None
    """In the square of the scale's unit; null without a scale."""
    equivalent_diameter_area: float | None
    """Of the disc of the same area."""
    perimeter: float | None
    feret_diameter_max: float | None
    """The longest diameter."""
    circularity: float | None
    """4 pi area / perimeter²; null without a perimeter."""
    lengths: "Lengths | None"
    """In the scale's unit; null without a scale, and where pixels are not square."""


class InstanceList(Answer):
    """The instances of one measurement in numbers, by falling score."""

    figures: Literal["measured", "corrected"]
    """Whether they are as measured, or as corrected by people."""
    scale: "Scale | None"
    """How large a pixel is; null where nothing is known of it."""
    instances: "list[InstanceFigures]"


class Interval(Answer):
    """Where the true percentage lies, as often as `level` says, in pictures like those of the calibration."""

    low: float
    high: float
    level: float
    """0.9: of 100 pictures, 90 or more truly lie inside."""
    method: str
    """Split-conformal."""
    calibrated_on: str
    """The pictures whose truth was known."""


class JobAnswer(Answer):
    """A job, complete."""

    id: str
    state: Literal["queued", "running", "stopping", "stopped", "failed", "done"]
    message: str
    """Why it is in this state, where that is to be said."""
    plan: "TrainingPlan"
    created_at: datetime
    created_by: str | None
    """The name of the key; null where nobody was asked for one."""
    started_at: datetime | None
    ended_at: datetime | None
    progress: "Progress | None"
    """Null until its process has told how far it is."""
    bytes: int
    """How large its folder is: checkpoints go once it is done, the rest by DELETE."""
    url: str
    """Relative to the address requested."""
    losses: "list[Loss]"
    """Over the steps: each the mean of some of them."""
    validations: "list[Validation]"
    said: list[str]
    """The last lines of its log."""
    made: "MadeModel | None"
    """Null until there is a model."""
    comparison: "Comparison | None"
    """The new model beside the one that was in use when the job was begun, on pictures that neither learnt
    from; null until both were compared."""


class JobLine(Answer):
    """A job in the list."""

    id: str
    state: Literal["queued", "running", "stopping", "stopped", "failed", "done"]
    message: str
    """Why it is in this state, where that is to be said."""
    plan: "TrainingPlan"
    created_at: datetime
    created_by: str | None
    """The name of the key; null where nobody was asked for one."""
    started_at: datetime | None
    ended_at: datetime | None
    progress: "Progress | None"
    """Null until its process has told how far it is."""
    bytes: int
    """How large its folder is: checkpoints go once it is done, the rest by DELETE."""
    url: str
    """Relative to the address requested."""


class JobList(Answer):
    """The jobs, the newest first."""

    jobs: "list[JobLine]"


class LeftOut(Answer):
    """What does not count though it was found, or though it is a pixel of the region."""

    outside: int = 0
    """Instances wholly outside what counts."""
    other_classes: int = 0
    """Instances of classes that were not asked for."""
    smaller: int = 0
    """Instances with fewer pixels than least_area."""
    transparent: int = 0
    """Pixels that are less than half opaque."""
    black_border: int = 0
    """Pixels of a black border."""
    saturated: int = 0
    """Pixels that are white in every channel."""


class Lengths(Answer):
    """The lengths of an instance in a unit, by the names of those in pixels."""

    equivalent_diameter_area: float
    perimeter: float
    feret_diameter_max: float


class LineAnswer(Answer):
    """One measurement in short."""

    id: str
    created_at: datetime
    filename: str
    model: str
    batch: str | None
    lot: str | None
    sample: str | None
    operator: str | None
    profile: str | None
    """The name of what it was measured by."""
    verdict: Literal["pass", "fail", "undecided"] | None
    percent_masked: float | None
    """Null where nothing was found of the class that it would be of."""
    reviewed: bool
    """Whether a person said that all of the picture is right."""
    corrections: int
    """How many there were."""
    corrected_percent_masked: float | None
    """After corrections; null where there were none."""
    instance_count: int
    score_threshold: float
    kept_threshold: float | None
    by_class: "list[ClassPercent]"
    """The classes found, by falling percent."""


class LineList(Answer):
    """Measurements in short, from any place of their order on."""

    count: int
    """How many match."""
    lines: "list[LineAnswer]"


class Loss(Answer):
    """The losses at one step."""

    step: int
    epoch: float
    elapsed: float
    """Seconds of training so far."""
    rate: float | None = None
    losses: dict[str, float]


class LotAnswer(Answer):
    """A lot, summed up; models are never mixed."""

    figures: Literal["measured", "corrected"]
    """As measured, or, of what was corrected, as corrected."""
    name: str
    measurements: int
    """All of them, whichever model measured."""
    first: datetime
    last: datetime
    samples: list[str]
    operators: list[str]
    by_model: "list[LotOfModel]"
    """The one with the most pictures first."""
    notes: "list[Note]"
    measurements_url: str
    """Relative to the address requested."""
    csv_url: str
    """Relative to the address requested."""


class LotLine(Answer):
    """A lot in the list."""

    name: str
    measurements: int
    """All of them, whichever model measured."""
    by_model: "list[LotLineOfModel] | None"
    """The one with the most pictures first; percentages of two models are never mixed. Null where the lots
    of one answer have more than 50,000 measurements: ask for the lot itself then."""
    first: datetime
    """When its first measurement was made."""
    last: datetime
    """When its last one was."""
    url: str
    """Relative to the address requested."""


class LotLineOfModel(Answer):
    """What one model measured in a lot of the list: each picture once, as it was measured last."""

    model: str
    model_sha256: str
    """One that was trained again under its name is another one."""
    n: int
    """How many pictures have a percentage."""
    mean_percent: float | None
    """Of these, as measured; null where there are none."""
    verdicts: "VerdictCounts"
    """Of all its pictures."""


class LotList(Answer):
    """Lots, that with the newest measurement first."""

    count: int
    """How many there are."""
    lots: "list[LotLine]"


class LotOfModel(Answer):
    """What one model measured in a lot: each picture once, as it was measured last."""

    model: str
    model_sha256: str
    """One that was trained again under its name is another one."""
    n: int
    """How many pictures: the fields of ASTM E562."""
    mean_percent: float
    """Of the pictures' percentages, each weighing the same."""
    standard_deviation: float | None
    """Of the sample (n - 1); null for one picture."""
    confidence_95: float | None
    """T s / √n with Student's t of n - 1: mean ± this is the 95 % confidence interval for the mean of all
    possible pictures. Not how wrong each percentage is. Null for one picture."""
    relative_accuracy: float | None
    """100 · confidence_95 / mean_percent; null without an interval, and where the mean is 0."""
    with_reviewed: "ReviewedMean | None"
    """The mean with what people reviewed; null where that are less than 10 pictures, or more than half of
    them."""
    aim: "Aimed | None"
    """Null for one picture, and for a tenth of a mean of 0."""
    score_thresholds: list[float]
    """At which the pictures count."""
    without_percent: int
    """Further pictures that have no percentage, as nothing was found of the class that it would be of."""
    repeated: int
    """Earlier measurements of the same pictures, which do not count."""
    statistics: "StatisticsAnswer"
    notes: "list[Note]"
    """What a careful reader must know; programs read the codes."""


class MadeModel(Answer):
    """The model that a job made."""

    name: str
    version: str
    sha256: str
    """Of its network."""
    data_sha256: str | None
    """Of the content of what it learnt from."""
    in_use: bool
    """Whether it is the one that measures for this name now."""


class MeasurementAnswer(Answer):
    """One measurement, complete."""

    id: str
    """ULID: sorts by time."""
    created_at: datetime
    batch: str | None
    """The name under which pictures were sent together."""
    lot: str | None
    """What a person says of the picture, here and in the next four."""
    sample: str | None
    operator: str | None
    note: str | None
    tags: list[str]
    """In the order of the alphabet."""
    measured_by: str | None
    """The name of the key; null where nobody was asked for one."""
    url: str
    """Relative to the address requested."""
    image: "ImageAnswer"
    model: "ModelInfo"
    options: "Options"
    measured_threshold: float
    """The score threshold that the picture was measured with; options has the one of these figures."""
    kept_threshold: float | None
    """The score threshold that a user keeps for this measurement instead; null without one."""
    pinned: bool
    """Whether it stays, however old it is and however much is stored."""
    profile: "ProfileUsed | None"
    """What it was measured by; null without a profile."""
    verdict: Literal["pass", "fail", "undecided"] | None
    """By the rules of that version of the profile; null where it has none."""
    coverage: "Coverage"
    """As measured, whatever was corrected."""
    reviewed: bool
    """Whether a person said that all of the picture is right, as it was measured or corrected."""
    corrected_percent_masked: float | None
    """After corrections; null where there were none, and where percent_masked would be."""
    rules: "list[RuleResult]"
    """Of the profile, in its order."""
    instances: "list[Instance]"
    """As measured, by falling score."""
    corrected: "CorrectedAnswer | None"
    """The figures after corrections; null where there were none."""
    notes: "list[Note]"
    """What a careful reader must know; programs read the codes."""
    overlay_url: str
    """Relative to the address requested."""
    mask_url: str
    """Relative to the address requested."""
    coco_url: str
    """Relative to the address requested."""
    candidates_url: str
    """Relative to the address requested."""
    timing_ms: "Timing"


class MeasurementList(Answer):
    """A page of measurements."""

    measurements: "list[MeasurementSummary]"
    count: int
    """How many there are on all pages with these filters."""
    next_url: str | None
    """The next page; null on the last."""


class MeasurementSummary(Answer):
    """One measurement in the list: without its instances."""

    id: str
    """ULID: sorts by time."""
    created_at: datetime
    batch: str | None
    """The name under which pictures were sent together."""
    lot: str | None
    """What a person says of the picture, here and in the next four."""
    sample: str | None
    operator: str | None
    note: str | None
    tags: list[str]
    """In the order of the alphabet."""
    measured_by: str | None
    """The name of the key; null where nobody was asked for one."""
    url: str
    """Relative to the address requested."""
    image: "ImageAnswer"
    model: "ModelInfo"
    options: "Options"
    measured_threshold: float
    """The score threshold that the picture was measured with; options has the one of these figures."""
    kept_threshold: float | None
    """The score threshold that a user keeps for this measurement instead; null without one."""
    pinned: bool
    """Whether it stays, however old it is and however much is stored."""
    profile: "ProfileUsed | None"
    """What it was measured by; null without a profile."""
    verdict: Literal["pass", "fail", "undecided"] | None
    """By the rules of that version of the profile; null where it has none."""
    coverage: "Coverage"
    """As measured, whatever was corrected."""
    reviewed: bool
    """Whether a person said that all of the picture is right, as it was measured or corrected."""
    corrected_percent_masked: float | None
    """After corrections; null where there were none, and where percent_masked would be."""
    instance_count: int
    overlay_url: str
    """Relative to the address requested."""
    mask_url: str
    """Relative to the address requested."""


class ModelAnswer(Answer):
    """A model, complete."""

    name: str
    version: str
    title: str
    summary: str
    default: bool
    """Whether it measures where a request names none."""
    bundled: bool
    """Whether it came with Planimeter."""
    classes: "list[PackClass]"
    score_threshold: float
    """What a measurement takes whose request names none."""
    score_threshold_saved: bool
    """Whether a user saved it; else it is the model's own."""
    url: str
    """Relative to the address requested."""
    sha256: str
    thresholds: "Thresholds"
    preprocessing: dict[str, Any]
    architecture: dict[str, Any] | None
    """Enough to build the network in PyTorch; null where only its ONNX file is known."""
    output: dict[str, Any] | None
    """How an imported network's answer is read; null for our own."""
    training_data: "TrainingData"
    metrics: dict[str, Any]
    """How good it is, as evaluated when it was made."""
    card: str
    """The model card, Markdown."""
    report_url: str | None
    """The page of its evaluation; null where it has none."""


class ModelInfo(Answer):
    """Which model answered, and with which arithmetic."""

    name: str
    version: str
    sha256: str
    runtime: str
    """Openvino, onnxruntime or torch."""
    precision: str
    """F32, bf16 or f16."""
    device: str
    """Cpu, cuda, rocm or directml."""
    passes: int = 1
    """How often the network saw the picture: 4 where it was thorough."""


class ModelList(Answer):
    """All models."""

    default: str
    models: "list[ModelSummary]"


class ModelSummary(Answer):
    """A model that can measure here."""

    name: str
    version: str
    title: str
    summary: str
    default: bool
    """Whether it measures where a request names none."""
    bundled: bool
    """Whether it came with Planimeter."""
    classes: "list[PackClass]"
    score_threshold: float
    """What a measurement takes whose request names none."""
    score_threshold_saved: bool
    """Whether a user saved it; else it is the model's own."""
    url: str
    """Relative to the address requested."""


class NeighboursAnswer(Answer):
    """Where a measurement stands among those that match."""

    position: int | None
    """From 1; null where it does not match itself."""
    count: int
    """How many match."""
    previous: "MeasurementSummary | None"
    """The one before it; null at the beginning."""
    next: "MeasurementSummary | None"
    """The one after it; null at the end."""


class Note(Answer):
    """What a careful reader must know of a measurement: programs read the code, people the message."""

    code: str
    """Stable: unlike_training, limit_reached, …."""
    message: str


class Options(Answer):
    """The options that shaped the answer."""

    score_threshold: float
    counting: "Counting | None" = None
    """What counts; null where all of the picture does."""


class OverlapAnswer(Answer):
    """How two unions of masks lie on each other."""

    pixels_both: int
    pixels_only_first: int
    pixels_only_second: int
    percent_both: float
    """Of the pixels counted, like all percentages here."""
    percent_only_first: float
    percent_only_second: float
    percent_disagreement: float
    """What exactly one of the two masks."""
    iou: float | None
    """Intersection over union; null where neither masks anything."""
    area_both: float | None
    """In the square of the first scale's unit; null unless both say that pixels are as large."""
    area_only_first: float | None
    area_only_second: float | None


class PackClass(Answer):
    """One class that the model knows.

    Class ids count from 1, in the order of the manifest.
    """

    name: str
    color: str


class PackedCandidate(Answer):
    """One object that the network may have found."""

    class_id: int
    score: float
    bbox: tuple[float, float, float, float]
    """X, y, width, height in pixels."""
    counts: str
    """The mask: `counts` of its COCO RLE."""
    tile: int = 0
    """Which tile of a large picture it was found in."""
    rivals: list[int] = []
    """Indices of earlier candidates, seen in another tile: where one of them counts, it is this object, and
    this one does not count."""
    left_out: bool = False
    """Whether it never counts: outside the region, or kept out by classes or least_area."""


class PackedCandidates(Answer):
    """What a measurement is made from: everything with a score of at least the threshold, each object once."""

    size: tuple[int, int]
    """Height and width of the picture."""
    tiles: int
    """How many tiles the picture was measured in."""
    most_instances: int
    """The most instances that the network gives for one tile."""
    score_floor: float
    """The network gives nothing that scores less."""
    picture_notes: "list[Note]"
    """Notes about the picture and how it was read."""
    candidates: "list[PackedCandidate]"
    """In the order in which they are chosen."""
    foreground: str | None = None
    """Pixels that the network takes for one of its classes, in an instance or not: `counts` of an RLE; null
    where it has no pixel branch."""
    shown: list[float] | None = None
    """The percentages that those pixels alone would say: of all classes together, then of each."""
    counted: str | None = None
    """The pixels that count: `counts` of an RLE; null where all do. Masks are cut to them."""
    ignored: dict[str, str] = Field(default_factory=dict)
    """The pixels of each kind that was looked for to leave it out: `counts` of an RLE."""
    of: int | None = None
    """Id of the class that percentages are of: at a score threshold, only pixels of its instances count,
    and the masks of others have yet to be cut to them; null without one."""
    least_area: int = 0
    """Instances with fewer pixels do not count, once they were cut to that class."""


class Polygons(Answer):
    """A mask as polygons, for tools that take nothing else.

    Approximate: RLE is the exact form.
    """

    approximate: Literal[True] = True
    polygons: list[list[list[float]]]
    """Parts; each is a list of rings [x0, y0, x1, y1, …]: the outer ring, then its holes."""


class Profile(Answer):
    """How a station measures: the options of a measurement, and what is allowed of it.

    What it leaves out is open.
    """

    title: str | None = None
    """What people call it; at most 100 characters, without it its name."""
    note: str | None = None
    """What else they must know; at most 2,000 characters."""
    model: str | None = None
    """Name of the model; without it, the request's or the default."""
    score_threshold: float | None = None
    """Without it, the request's, else the default of the model."""
    region: "Region | None" = None
    """What of each picture counts, in its pixels."""
    ignore: list[Literal["transparent", "black_border", "saturated"]] = []
    """Kinds of pixels that do not count."""
    classes: list[str] = []
    """Whose instances count; without any, all."""
    least_area: int = 0
    """Instances with fewer pixels are left out."""
    of: str | None = None
    """Class that percentages are of; without it, of all that counts."""
    pixel_size: float | None = None
    """Side of a pixel in the unit."""
    unit: Literal["nm", "um", "µm", "mm", "cm", "m", "in"] | None = None
    """Of pixel_size."""
    rules: "list[Rule]" = []
    """What figures may be; without any there is no verdict."""


class ProfileAnswer(Answer):
    """A profile, in one version."""

    name: str
    version: int
    current: bool
    """Whether pictures are measured by this version now."""
    made_at: datetime
    made_by: str | None
    sha256: str
    profile: "Profile"
    versions: "list[ProfileVersion]"
    """All of them, the last one first."""
    url: str
    """Relative to the address requested."""
    measurements_url: str
    """What was measured by it, in whichever version."""


class ProfileLine(Answer):
    """A profile in the list, as it is now."""

    name: str
    title: str | None
    version: int
    made_at: datetime
    model: str | None
    rules: "list[Rule]"
    url: str
    """Relative to the address requested."""


class ProfileList(Answer):
    """All profiles, in the order of the alphabet."""

    profiles: "list[ProfileLine]"


class ProfileUsed(Answer):
    """The profile that a picture was measured by.

    What it allows stands in rules.
    """

    name: str
    version: int | None
    """Null for a file that was given on the command line."""
    sha256: str
    """Of all that this version says."""
    fixes: "Fixed | None" = None
    """What this version says of how a picture is measured: where options or image.scale are not so any
    more, no rule decides, and the note measured_otherwise says why. Null for a record from before this was
    kept."""


class ProfileVersion(Answer):
    """One version of a profile."""

    version: int
    made_at: datetime
    made_by: str | None
    """The name of the key; null where nobody was asked for one."""
    sha256: str
    """Of all that it says."""
    url: str
    """Relative to the address requested."""


class Progress(Answer):
    """How far a job is."""

    phase: str
    """What is being done, in a word or two."""
    step: int = 0
    epoch: float = 0.0
    fraction: float = 0.0
    """Of the training, from 0 to 1."""
    seconds: float = 0.0
    """Of training so far."""
    seconds_left: float | None = None
    """Of training, where that can be told."""
    losses: dict[str, float] = Field(default_factory=dict)
    told_at: datetime
    """When the process told this."""


class QueueAnswer(Answer):
    """What is to be reviewed, the first ones of it."""

    count: int
    """How many there are in all."""
    waiting: int
    """How many nobody has reviewed, of the newest 5,000 that match."""
    measurements: "list[QueuedAnswer]"


class QueuedAnswer(Answer):
    """A measurement in the queue."""

    reasons: list[Literal["undecided", "unlike_training", "models_disagree", "wide_interval"]]
    """Why it is there, the most urgent first; none where chance chose it."""
    measurement: "LineAnswer"


class Recipe(Answer):
    """How to train.

    Either `minutes` or `epochs` bounds it; an epoch sees each different picture once.
    """

    epochs: int = 60
    """Times each different picture is seen; copies of one count as one."""
    minutes: float | None = None
    """Train this long instead of a number of epochs."""
    patience: int | None = None
    """Stop after this many validations without a better one; never unless given."""
    freeze: bool = True
    """Keep the backbone's first layers, up to stride 4, unless it starts from scratch."""
    freeze_backbone: bool = False
    """Keep the whole backbone: pyramid and heads alone learn, quicker; for going on from a model whose
    backbone knows such pictures already."""
    crop: int = 256
    """Side of a training crop, in network pixels."""
    least_zoom: float = 0.6
    """How much smaller objects may be learnt than they are."""
    most_zoom: float = 1.6
    """How much larger objects may be learnt than they are."""
    lighting: float = 0.3
    """How far brightness, contrast and gamma vary, as lamps and exposures do."""
    paste: float = 0.0
    """How often a crop that shows no object gets one of another picture pasted onto it, each class as often
    as any other: for rare classes, and many pictures free of them."""
    mosaic: float = 0.0
    """How often a crop is put together of four pictures, side by side: where larger surfaces will be
    measured than one training picture shows."""
    batch: int = 8
    """Crops in one step."""
    learning_rate: float = 0.0006
    """Peak rate of AdamW; warm-up, then a cosine to zero."""
    weight_decay: float = 0.001
    """Decoupled weight decay of AdamW."""
    warmup: int = 150
    """Steps until the peak rate."""
    average: float = 0.998
    """Decay of the running average of the weights, after a warm-up."""
    arithmetic: Literal["auto", "f32", "bf16", "f16"] = "auto"
    """Of the forward pass: auto is bf16 where the machine computes it faster, else f32."""
    validation_fraction: float = 0.1
    """Share of the pictures kept for validation."""
    folds: int | None = None
    """Instead of a validation part: train this many models first, each without its share of the pictures,
    to choose the thresholds and tell the error on pictures that none of them saw; then one on all."""
    keep_together: str | None = None
    """Pictures whose file names agree in what this regular expression finds, such as 'part(\\d+)', stay on
    one side of the split."""
    validate_every: float = 6.0
    """Minutes between two validations."""
    save_every: float = 3.0
    """Minutes between two checkpoints."""
    seed: int = 0
    """Seed of the split, the weights and the crops."""
    processes: int | None = None
    """On a CPU: processes that learn side by side, each from its share of a step's crops. Unless given, one
    for each core, as long as each has two crops or more."""
    workers: int = 2
    """Processes that prepare crops."""


class Reclassed(Answer):
    """Another class for an object."""

    id: int
    class_name: str = Field(alias="class")


class Region(Answer):
    """A part of a picture: polygons in its pixels, each a list of corners [x, y].

    A pixel is in a polygon where its centre lies inside or on its edge. What is excluded is so wherever it
    lies.
    """

    include: list[list[tuple[float, float]]] = Field(default_factory=list)
    """What counts; without any polygon here, all but what is excluded."""
    exclude: list[list[tuple[float, float]]] = Field(default_factory=list)
    """What does not."""


class RejectedInstance(Answer):
    """An object that was rejected."""

    id: int
    class_name: str = Field(alias="class")
    class_id: int
    score: float
    origin: Literal["measured", "added", "changed"]
    mask: Rle | None
    """All of it, whatever of the picture counts; null without masks=rejected or masks=all."""


class Replaced(Answer):
    """Another mask for an object: one that was cut, erased, painted on or joined with another."""

    mask: Rle | None = None
    """COCO RLE of the picture's size, with compressed counts."""
    polygon: list[list[tuple[float, float]]] | None = None
    """In the place of a mask: parts, each a list of corners [x, y] in pixels of the picture. A pixel is in
    it where its centre lies inside a part or on its edge."""
    outside_of: list[int] = Field(default_factory=list)
    """Ids of instances whose pixels outside of what counts belong to it too: for a mask that was made of
    instances as they are listed, which are cut to what counts. Of one that several name, each pixel goes to
    the nearest. Without it, the mask is all of the instance, also where nothing counts."""
    id: int


class Restored(Answer):
    """What was brought back."""

    restored: int
    """How many measurements."""


class ReviewedMean(Answer):
    """The mean of all pictures, put right by those that people reviewed: prediction-powered inference."""

    reviewed: int
    """Pictures that people reviewed."""
    others: int
    """Pictures that were measured alone."""
    mean_percent: float
    """Of all pictures; unbiased where the reviewed ones were chosen by chance."""
    low: float
    high: float
    """Between low and high lies the 95 % confidence interval."""
    bias: float
    """Measured minus true in the reviewed pictures, on average."""
    reviewed_mean_percent: float
    """Of the reviewed pictures alone, in true percent."""
    reviewed_confidence_95: float | None
    """Its 95 % confidence interval to either side, as E562."""


class Rule(Answer):
    """A limit for one figure: `at_most` (≤) or `at_least` (≥)."""

    figure: Literal["percent_masked", "count", "largest_area", "largest_feret_diameter", "instances_per_mm2"]
    """Percent_masked; count, of instances; largest_area and largest_feret_diameter (the longest diameter)
    of the instance in which it is largest, 0 where nothing is found; instances_per_mm2."""
    class_name: str | None = Field(None, alias="class")
    """Of this class; null for all of them."""
    unit: Literal["nm", "um", "mm", "cm", "m", "in"] | None = None
    """Of a length, or its square of an area; null for pixels. Other figures have none."""
    at_most: float | None = None
    at_least: float | None = None


class RuleResult(Answer):
    """A rule, and whether a measurement keeps it."""

    figure: Literal["percent_masked", "count", "largest_area", "largest_feret_diameter", "instances_per_mm2"]
    """Percent_masked; count, of instances; largest_area and largest_feret_diameter (the longest diameter)
    of the instance in which it is largest, 0 where nothing is found; instances_per_mm2."""
    class_name: str | None = Field(None, alias="class")
    """Of this class; null for all of them."""
    unit: Literal["nm", "um", "mm", "cm", "m", "in"] | None = None
    """Of a length, or its square of an area; null for pixels. Other figures have none."""
    at_most: float | None = None
    at_least: float | None = None
    value: float | None
    """Of the figure, in the rule's unit; null where there is none."""
    interval: "Interval | None"
    """Where the true percentage lies; null for other figures, and where it is not known."""
    verdict: Literal["pass", "fail", "undecided"]
    reason: str | None
    """Why it is undecided, or that no interval is known and the value decided alone; else null."""


class Scale(Answer):
    """How large a pixel is, and who says so.

    Areas are in the square of the unit, lengths in the unit.
    """

    pixel_size: float | None
    """Side of a pixel; null where pixels are not square, and then there are no lengths."""
    pixel_width: float
    pixel_height: float
    unit: Literal["nm", "um", "mm", "cm", "m", "in"]
    source: Literal["given", "profile", "set", "drawn", "OME", "TIFF", "ImageJ", "PNG"]
    """Given with the picture; the profile that it was measured by; set afterwards, or drawn as a scale bar;
    or where in the file it stands."""
    measured: "Scale | None" = None
    """What the picture was measured with, where this was set afterwards."""


class Spread(Answer):
    """How the percent masked of many measurements is spread."""

    count: int
    mean: float
    minimum: float
    lower_quartile: float
    median: float
    upper_quartile: float
    maximum: float


class StatisticsAnswer(Answer):
    """Many measurements, summed up."""

    figures: Literal["measured", "corrected"]
    """Which figures these are of: as measured, or as corrected."""
    corrected: int
    """How many of them are counted as corrected; the others are as measured."""
    count: int
    percent_masked: "Spread | None"
    """Of the pictures' percentages; null where there are none."""
    without_percent: int
    """How many have none, as nothing was found of the class that it would be of; they are in no mean, and
    undecided at a limit."""
    percent_of_pixels: float | None
    """All masked pixels in percent of all pixels: large pictures weigh more."""
    pixels_masked: int
    pixels_counted: int
    instance_count: int
    by_class: "list[ClassStatistics]"
    """The classes found, by falling mean."""
    histogram: "list[HistogramBin]"
    limit_percent: float | None
    passed: int | None
    """How many are at or below the limit; null without one."""
    failed: int | None
    """How many are above the limit; null without one."""
    undecided: int | None
    """How many have the limit in the interval of their percentage; null without one."""
    verdicts: "VerdictCounts"


class StretchAnswer(Answer):
    """The errors of the pictures that were reviewed in a stretch of time."""

    first: datetime
    last: datetime
    """When the first and the last of them were measured."""
    pictures: int
    bias: float
    """Mean of measured minus true, in points."""
    bias_confidence_95: float | None
    """Its 95 % confidence interval to either side; null for one."""
    mean_absolute_error: float
    with_interval: int
    """Pictures with an interval."""
    inside: int
    """Of those, how many with the truth inside."""
    beyond_limits: int | None
    """Errors outside the limits of agreement; null where those are unknown."""


class Thresholds(Answer):
    """What is used where a request names nothing else."""

    score: float = 0.5
    mask: float = 0.5
    """Probability from which a pixel is masked."""
    mask_edge: Literal["extend", "fade"] = "extend"
    """Whether a mask's outermost values reach to its box's edge, or fade to zero as in Detectron2."""
    pixel_cells: float = 0
    """Cells of the pixel branch that a box spans where the branch has half of its full say in the mask:
    less in smaller boxes, which have few cells, more in larger ones. 0: its full say in every box."""
    mask_nms_iou: float = 1
    """IoU of two masks of one class from which they are one object, found twice: the one of lower score
    does not count. The network itself compares boxes only. 1: never."""


class Timing(Answer):
    """Milliseconds spent in each step."""

    decode: float = 0.0
    queue: float = 0.0
    inference: float = 0.0
    postprocess: float = 0.0
    store: float = 0.0
    """Only in the answer to the POST: a record cannot time itself."""
    total: float = 0.0


class TrainingData(Answer):
    """Where the knowledge comes from."""

    name: str
    licence: str
    pictures: int
    instances: int
    started_from: str = ""
    """The model whose weights training started from."""
    sha256: str | None = None
    """Of the content of those pictures and their labels; the same data have the same. Absent in packs made
    before it existed."""
    pixel_size_um: float | None = None
    """Side of a pixel of the pictures, in micrometres, at the scale that the network knows; absent where it
    is not known. A picture whose own is known is scaled by what the two differ."""


class TrainingPlan(Answer):
    """What a person asks of a training."""

    kind: Literal["training"] = "training"
    data: str
    """Name of a file or folder of labelled pictures in the folder that --training-data names; or reviewed,
    for the pictures that people reviewed of what the model to start from measured."""
    name: str
    """Name of the model that is to be made: of one that there is for a new version of it, or a new one."""
    version: str | None = None
    """Its version; unless given, the one after that of the model of this name."""
    start_from: str | None = None
    """Name of a model to start from; unless given, the one called `name`, else ImageNet."""
    shortest_edge: int | None = None
    """Shorter side of a picture in the network, in pixels; unless given, that of `start_from`."""
    minutes: float | None = None
    """How long to train; 60 where neither this nor the recipe says."""
    recipe: "Recipe | None" = None
    """How to train, where that is to differ from the defaults."""


class TrashList(Answer):
    """What is in the trash."""

    count: int
    """How many measurements are in it."""
    keep_days: float
    """How long they stay."""
    measurements: "list[TrashedAnswer]"
    """What was deleted last comes first."""


class TrashedAnswer(Answer):
    """A measurement in the trash."""

    id: str
    created_at: datetime
    filename: str
    model: str
    batch: str | None
    percent_masked: float | None
    instance_count: int
    measured_by: str | None
    """The name of the key; null where nobody was asked for one."""
    deleted_at: datetime
    deleted_by: str | None
    """The name of the key; null where nobody was asked for one."""
    deletion: str
    """What was deleted together has it in common."""
    removed_after: datetime
    """When it will be deleted for good, unless it is brought back."""
    restore_url: str
    """Relative to the address requested."""


class TrendAnswer(Answer):
    """The percent masked over time."""

    figures: Literal["measured", "corrected"]
    """As measured, or, of what was corrected, as corrected."""
    count: int
    percent_masked: "Spread | None"
    """Over all of them; null where there are none."""
    fences: tuple[float, float] | None
    """Tukey's: what lies below the first or above the second is an outlier. The quartiles of all that
    matches, minus and plus 1.5 times their distance."""
    bucket_seconds: int
    """How long a stretch is."""
    buckets: "list[TrendBucket]"
    """Oldest first; in UTC, weeks from Monday; stretches without a measurement are left out."""
    points: "list[TrendPoint]"
    """Every measurement, oldest first, where they are at most 200; else none."""
    outlier_count: int
    outliers: "list[TrendPoint]"
    """Outside the fences, the farthest first; at most 200."""
    classes: "list[ClassColor]"
    """Those found, by falling mean."""
    verdicts: "VerdictCounts"
    """Of all of them."""
    without_percent: int
    """How many more have no percentage, as nothing was found of the class that it would be of."""


class TrendBucket(Answer):
    """The measurements of a stretch of time, summed up."""

    since: datetime
    """Included."""
    until: datetime
    """Not included."""
    percent_masked: "Spread"
    by_class: "list[ClassPercent]"
    """Mean of each class over all measurements of the stretch; without the class counts as 0."""
    verdicts: "VerdictCounts"
    """Of the measurements of the stretch."""


class TrendPoint(Answer):
    """One measurement in the trend."""

    id: str
    url: str
    """Relative to the address requested."""
    created_at: datetime
    filename: str
    percent_masked: float
    by_class: "list[ClassPercent]"
    """The classes found."""
    verdict: Literal["pass", "fail", "undecided"] | None
    """By the rules of the profile that it was measured by; null without."""


class Validation(Answer):
    """The figures of one validation during training."""

    step: int
    epoch: float
    elapsed: float
    mask_ap: float
    mask_ap50: float
    f1: float
    bias: float
    mean_absolute_error: float


class VerdictCounts(Answer):
    """How many measurements have which verdict by the rules of the profiles that they were measured by."""

    passed: int
    failed: int
    undecided: int
    without: int
    """Measured without a profile, or by one without rules."""


class VersionAnswer(Answer):
    """A version of a model that is here."""

    key: str
    """What it is put to use by."""
    version: str
    title: str
    sha256: str
    """Of its network."""
    data_sha256: str | None
    """Of the content of what it learnt from; null where it does not say."""
    in_use: bool
    bundled: bool


class VersionList(Answer):
    """The versions of a model that are here, the one in use first, and what was put to use when."""

    model: str
    versions: "list[VersionAnswer]"
    changes: "list[ChangeAnswer]"
    """The last one first."""
