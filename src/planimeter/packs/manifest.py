"""What `pack.json` says: all that is to be known of a model beside its weights."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from planimeter.errors import InvalidPack
from planimeter.masks.paste import MaskEdge
from planimeter.packs.architectures import Detectron2Architecture, TorchvisionArchitecture

SCHEMA_VERSION = 1
# Okabe and Ito's palette (2008), told apart with every kind of colour vision; its light blue made a cyan that
# also stands out on black fluorescence.
PALETTE = ("#22d3ee", "#e69f00", "#009e73", "#f0e442", "#d55e00", "#0072b2", "#cc79a7")
NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$"


Text = Annotated[str, Field(max_length=2_000)]
Number = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PackClass(_Manifest):
    """One class that the model knows. Class ids count from 1, in the order of the manifest."""

    name: str = Field(min_length=1, max_length=200)
    color: str = Field(pattern=r"^#[0-9a-f]{6}$")


class Preprocessing(_Manifest):
    """How a picture becomes the network's input.

    1. It is scaled, as `fit` says: "edges" until its shorter side is `shortest_edge`, but no further than its
       longer side being `longest_edge`, or by `scale` where that is given; "letterbox" and
       "rectangle" until it fits into `size`;
       "stretch" to exactly `size`, whatever its shape; "native" not at all, unless its longer side is above
       `longest_edge`.
    2. (x - mean) / std for each channel on [0, 255]; `channels` is the order of `mean`, of `std` and of the input.
    3. What is left of the input is filled: for "letterbox" on all sides alike with `fill`, to `size`; for "rectangle"
       in the same way to a multiple of `multiple`; else at the right and the bottom with zeros, to such a multiple.
    """

    fit: Literal["edges", "letterbox", "rectangle", "stretch", "native"] = "edges"
    size: tuple[int, int] | None = Field(
        default=None, description="Height and width of an input that is always the same."
    )
    shortest_edge: int = Field(default=800, ge=32, le=4096)
    longest_edge: int = Field(default=1333, ge=32, le=8192)
    scale: float | None = Field(
        default=None,
        gt=0.01,
        le=16,
        description="Every picture is scaled by this instead, so that objects keep their size whatever the "
        "picture's; larger than a tile, it is measured in overlapping tiles.",
    )
    multiple: int = Field(default=32, ge=1, le=1024)
    antialias: bool = Field(
        default=True,
        description="Whether scaling down averages all pixels, as Pillow does, or reads four, as OpenCV does.",
    )
    rounding: Literal["nearest", "half-up", "down"] = Field(
        default="nearest",
        description="How the scaled sides become whole: half-up is Detectron2, down torchvision.",
    )
    channels: Literal["rgb", "bgr"] = "rgb"
    fill: float = Field(default=114.0, ge=0, le=255, description="Grey around a picture in a letterbox.")
    least_scale: float = Field(
        default=0.0,
        ge=0,
        le=16,
        description="A picture that would be scaled further down is measured in overlapping tiles; 0 never does.",
    )
    tile_scale: float = Field(
        default=1.0, gt=0.01, le=16, description="The scale of those tiles, and so of their objects."
    )
    tile: int = Field(
        default=1024, ge=256, le=8192, description="Side of such a tile in the network, in pixels."
    )
    tile_overlap: int = Field(
        default=256,
        ge=0,
        description="What two tiles share, in network pixels: the largest object found whole.",
    )
    mean: tuple[Number, Number, Number] = (123.675, 116.28, 103.53)
    std: tuple[Number, Number, Number] = (58.395, 57.12, 57.375)

    @property
    def usual_scale(self) -> float:
        """The scale at which the network knows its objects."""
        return self.scale or self.tile_scale

    @model_validator(mode="after")
    def _size_fits(self) -> "Preprocessing":
        if (self.size is None) == (self.fit in {"letterbox", "rectangle", "stretch"}):
            raise ValueError(f'"size" belongs to "letterbox", "rectangle" and "stretch"; fit is {self.fit!r}')
        if self.scale is not None and self.fit != "edges":
            raise ValueError(f'"scale" belongs to "edges"; fit is {self.fit!r}')
        if self.size is not None and not all(32 <= side <= 8192 for side in self.size):
            raise ValueError(f"size is {self.size}; each side must lie between 32 and 8192")
        if 2 * self.tile_overlap > self.tile:
            raise ValueError(f"tile_overlap is {self.tile_overlap}, more than half of a tile of {self.tile}")
        if 0 in self.std:
            raise ValueError("std is zero; pixels are divided by it")
        return self


Backbone = Literal["efficientnet_lite0", "efficientnet_lite2", "mobilenet_v2", "resnet50", "resnet101"]


class Architecture(_Manifest):
    """The shape of the network: enough to build it again in PyTorch.

    What has a default means that where a pack says nothing of it: packs made before it existed.
    """

    backbone: Backbone = "mobilenet_v2"
    fpn_channels: int = 96
    box_features: int = 256
    mask_channels: int = 96
    anchor_sizes: tuple[int, int, int, int, int] = (16, 32, 64, 128, 256)
    anchor_ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    light: bool = Field(
        default=False,
        description="Whether pyramid and heads are of depthwise-separable convolutions, the pyramid's normalised.",
    )
    mask_convolutions: int = Field(default=4, ge=1, le=16)
    pixel_channels: int = Field(
        default=0, ge=0, description="Channels of the pixel branch; 0 where there is none."
    )
    texture: bool = Field(
        default=False,
        description="Whether the network also answers what its first layers see, by which a picture unlike those of "
        "the training is told.",
    )
    proposals: int = Field(default=1000, description="Proposals that reach the second stage.")
    proposals_by_area: int = Field(
        default=0,
        ge=0,
        description="Proposals for each 256 x 256 pixels of a larger input, which shows more; 0 takes `proposals`, "
        "whatever the input's size.",
    )
    proposals_learnt: int = Field(default=500, description="Proposals a picture that training looks at.")
    detections: int = Field(default=500, description="The most instances in one picture.")
    score_floor: float = Field(default=0.05, description="The network drops instances below this score.")
    nms_iou: float = Field(default=0.5, description="Overlap at which the lower score of a class is dropped.")


def _family(value: Any) -> str:
    """Return which description an `architecture` is; our own has no family."""
    family = value.get("family") if isinstance(value, dict) else getattr(value, "family", None)
    return "own" if family is None else str(family)


AnyArchitecture = Annotated[
    Annotated[Architecture, Tag("own")]
    | Annotated[Detectron2Architecture, Tag("detectron2")]
    | Annotated[TorchvisionArchitecture, Tag("torchvision")],
    Discriminator(_family),
]
Layout = Literal["own", "box-space", "pasted", "yolo", "yolo-end-to-end", "rf-detr"]


class Output(_Manifest):
    """How the answer of a network that was not built here is read; see planimeter.layouts."""

    layout: Layout
    names: dict[str, Text] = Field(
        default_factory=dict, description="Outputs of the ONNX file by what they mean: boxes, labels, …"
    )
    labels: tuple[int, ...] | None = Field(
        default=None, description="The number that the network gives each class; unless given, 1, 2, …"
    )
    detections: int = Field(default=300, ge=1, le=100_000, description="The most instances in one picture.")
    score_floor: float = Field(
        default=0.05, ge=0, le=1, description="Instances below this score are dropped."
    )
    nms_iou: float = Field(
        default=0.7,
        gt=0,
        le=1,
        description="Overlap at which the lower score of a class is dropped (yolo only).",
    )


class Thresholds(_Manifest):
    """What is used where a request names nothing else."""

    score: float = Field(default=0.5, ge=0, le=1)
    mask: float = Field(default=0.5, gt=0, lt=1, description="Probability from which a pixel is masked.")
    mask_edge: MaskEdge = Field(
        default="extend",
        description="Whether a mask's outermost values reach to its box's edge, or fade to zero as in Detectron2.",
    )
    pixel_cells: float = Field(
        default=0,
        ge=0,
        description="Cells of the pixel branch that a box spans where the branch has half of its full say in the mask: "
        "less in smaller boxes, which have few cells, more in larger ones. 0: its full say in every box.",
    )
    mask_nms_iou: float = Field(
        default=1,
        gt=0,
        le=1,
        description="IoU of two masks of one class from which they are one object, found twice: the one of lower score "
        "does not count. The network itself compares boxes only. 1: never.",
    )


class PackFile(_Manifest):
    """A file of the pack, by name and content."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=200)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class TrainingData(_Manifest):
    """Where the knowledge comes from."""

    name: Text
    licence: Text
    pictures: int = Field(ge=0)
    instances: int = Field(ge=0)
    started_from: str = Field(default="", description="The model whose weights training started from.")
    sha256: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{64}$",
        description="Of the content of those pictures and their labels; the same data have the same. Absent in packs "
        "made before it existed.",
    )
    pixel_size_um: float | None = Field(
        default=None,
        gt=0,
        description="Side of a pixel of the pictures, in micrometres, at the scale that the network knows; absent "
        "where it is not known. A picture whose own is known is scaled by what the two differ.",
    )


class Manifest(_Manifest):
    """The content of `pack.json`."""

    schema_version: Literal[1]
    name: str = Field(pattern=NAME_PATTERN)
    version: str = Field(max_length=100)
    title: str = Field(max_length=200)
    summary: Text
    task: Literal["instance-segmentation"] = "instance-segmentation"
    classes: tuple[PackClass, ...] = Field(min_length=1, max_length=10_000)
    preprocessing: Preprocessing
    architecture: AnyArchitecture | None = Field(
        default=None,
        description="Enough to build the network in PyTorch; absent where only its ONNX file is known.",
    )
    output: Output | None = Field(
        default=None, description="How an imported network's answer is read; absent where ours is."
    )
    thresholds: Thresholds
    onnx: PackFile
    weights: PackFile | None = None
    trust: PackFile | None = Field(
        default=None, description="What the model knows of its own errors; absent where nothing was measured."
    )
    learnt: PackFile | None = Field(
        default=None, description="Which pictures with which labels it learnt from, each by its content."
    )
    training_data: TrainingData
    limitations: str = Field(
        default="", max_length=20_000, description="Where it fails, for the card; Markdown."
    )
    metrics: dict[str, Any] = Field(
        default_factory=dict,
        description="Figures by part: validation, test; see planimeter.evaluation.metrics.",
    )

    @model_validator(mode="after")
    def _class_names_differ(self) -> "Manifest":
        names = [entry.name for entry in self.classes]
        if len(set(names)) < len(names):
            raise ValueError(f"two classes have the same name: {', '.join(names)}")
        return self

    @model_validator(mode="after")
    def _network_is_described(self) -> "Manifest":
        if self.architecture is None and self.output is None:
            raise ValueError("neither architecture nor output is there: how is the network's answer read?")
        labels = self.output.labels if self.output else None
        if labels is not None and (
            len(labels) != len(self.classes) or len(set(labels)) < len(labels) or min(labels) < 0
        ):
            raise ValueError(f"output.labels must be one number a class, all different, not {labels}")
        return self

    @property
    def own_architecture(self) -> Architecture:
        """The architecture of a network that was built here; raises `InvalidPack` for any other."""
        if not isinstance(self.architecture, Architecture):
            raise InvalidPack(
                f"pack {self.name!r} was imported; only networks that were built here can be trained further"
            )
        return self.architecture

    @property
    def limits(self) -> Architecture | Detectron2Architecture | TorchvisionArchitecture | Output:
        """What the network leaves out whatever is asked: its `score_floor`, and its most `detections`."""
        described = self.output or self.architecture
        assert described is not None  # noqa: S101  the validator saw to it
        return described
