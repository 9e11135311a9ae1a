"""Networks that were trained elsewhere, described well enough to build them again in PyTorch.

A pack of our own says `Architecture` (planimeter.packs.manifest); one that was imported names its family here.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Norm = Literal["", "BN", "GN"]
"""Normalisation as it acts on a picture: none, batch normalisation with frozen figures, or 32 groups."""
Weights4 = tuple[float, float, float, float]
"""What the offsets dx, dy, dw and dh of a box are divided by."""


class _Described(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ResNet(_Described):
    """The backbone: He et al. 2015, arXiv:1512.03385; with groups, Xie et al. 2016, arXiv:1611.05431."""

    depth: Literal[18, 34, 50, 101, 152] = 50
    norm: Norm = "BN"
    stride_in_1x1: bool = Field(default=True, description="Whether the first of three convolutions shrinks.")
    groups: int = Field(default=1, ge=1, le=256)
    width_per_group: int = Field(default=64, ge=1, le=1024)
    stem_channels: int = Field(default=64, ge=1, le=1024)
    res2_channels: int = Field(default=256, ge=1, le=4096)
    res5_dilation: Literal[1, 2] = 1
    features: tuple[str, ...] = Field(default=("res2", "res3", "res4", "res5"), min_length=1)


class FeaturePyramid(_Described):
    """The top-down path: Lin et al. 2017, arXiv:1612.03144. Its levels are p<log2 of the stride>, and one more."""

    channels: int = Field(default=256, ge=1, le=2048)
    norm: Norm = ""
    fuse: Literal["sum", "avg"] = "sum"


class Anchors(_Described):
    """Boxes that proposals start from: for each level, sides in input pixels, and heights over widths."""

    sizes: tuple[tuple[float, ...], ...] = Field(min_length=1)
    ratios: tuple[tuple[float, ...], ...] = Field(min_length=1)
    offset: float = Field(default=0.0, ge=0, lt=1, description="Of the first centre, in strides.")


class ProposalStage(_Described):
    """The first stage: which boxes are worth a look."""

    features: tuple[str, ...] = Field(min_length=1)
    anchors: Anchors
    channels: tuple[int, ...] = Field(
        default=(-1,), description="Of each hidden convolution; -1 is as many as come in."
    )
    box_weights: Weights4 = (1.0, 1.0, 1.0, 1.0)
    least_side: float = Field(
        default=0.0, ge=0, description="Proposals have sides above it, in input pixels."
    )
    per_level: int = Field(default=1000, ge=1, description="Best boxes of a level that are compared.")
    kept: int = Field(default=1000, ge=1, description="Proposals that reach the second stage.")
    nms_iou: float = Field(default=0.7, ge=0, le=1)


class Pooling(_Described):
    """How a box is read from the features: RoIAlign, of He et al. 2017, arXiv:1703.06870."""

    size: int = Field(ge=1, le=64)
    samples: int = Field(
        default=0, ge=0, description="Points along a side of a cell; 0 is one a feature pixel."
    )
    aligned: bool = Field(default=True, description="Whether half a pixel is taken off, as it should be.")


class BoxHead(_Described):
    """The second stage: class and box. With several `box_weights` it runs once for each (Cascade R-CNN)."""

    pooling: Pooling
    convolutions: int = Field(default=0, ge=0, le=16)
    convolution_channels: int = Field(default=256, ge=1, le=4096)
    norm: Norm = ""
    layers: int = Field(default=2, ge=0, le=8)
    layer_features: int = Field(default=1024, ge=1, le=8192)
    agnostic: bool = Field(default=False, description="Whether all classes share one box.")
    box_weights: tuple[Weights4, ...] = Field(default=((10.0, 10.0, 5.0, 5.0),), min_length=1)
    scores: Literal["softmax", "sigmoid"] = "softmax"


class MaskHead(_Described):
    """The masks: convolutions, then twice the size, then one probability a class and cell."""

    pooling: Pooling | None = Field(default=None, description="Absent where the box's own features are used.")
    convolutions: int = Field(default=4, ge=0, le=16)
    channels: int = Field(default=256, ge=1, le=4096)
    norm: Norm = ""
    agnostic: bool = Field(default=False, description="Whether all classes share one mask.")


class _Detector(_Described):
    detections: int = Field(default=100, ge=1, description="The most instances in one picture.")
    score_floor: float = Field(
        default=0.05, ge=0, le=1, description="Instances below this score are dropped."
    )
    nms_iou: float = Field(
        default=0.5, ge=0, le=1, description="Overlap at which the lower score of a class is dropped."
    )


class Detectron2Architecture(_Detector):
    """A Mask R-CNN as Detectron2 0.6 builds it; its tensors have Detectron2's names."""

    family: Literal["detectron2"]
    resnet: ResNet
    pyramid: FeaturePyramid | None = Field(
        default=None, description="Absent where heads read the backbone itself (C4, DC5)."
    )
    features: tuple[str, ...] = Field(min_length=1, description="What the second stage reads.")
    proposals: ProposalStage
    second_stage: Literal["heads", "res5"] = Field(
        default="heads", description="Own heads, or the backbone's last stage run on each box (C4)."
    )
    box: BoxHead
    mask: MaskHead

    @property
    def backbone(self) -> str:
        """Its name for people."""
        resnet, cascade = self.resnet, len(self.box.box_weights) > 1
        kind = "ResNet" if resnet.groups == 1 else f"ResNeXt {resnet.groups}x{resnet.width_per_group}d"
        above = "a feature pyramid" if self.pyramid else f"heads on {self.features[0]}"
        return f"{kind}-{resnet.depth} with {above}{', in a cascade' if cascade else ''}"


class TorchvisionArchitecture(_Detector):
    """A Mask R-CNN as torchvision builds it; its tensors have torchvision's names."""

    family: Literal["torchvision"]
    model: Literal["maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2"]
    outputs: int = Field(ge=2, description="Classes that the network tells apart, the background among them.")
    kept: tuple[int, ...] = Field(min_length=1, description="The network's number of each class of the pack.")
    mask_channels: int = Field(default=256, ge=1, description="Of the mask predictor's hidden layer.")
    norm_eps: float = Field(default=1e-5, ge=0, description="Added to variances before their root is taken.")

    @property
    def backbone(self) -> str:
        """Its name for people."""
        return "ResNet-50 with a feature pyramid"
