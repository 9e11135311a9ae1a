"""Detectron2's configuration, without Detectron2: every key that changes an answer, with 0.6's default.

Keys that only matter in training are known and ignored. Any other key, and any value that is not supported, is
refused by its name: nothing that would change numbers is passed over in silence.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from planimeter.errors import ImportRefused
from planimeter.importing.yaml_files import Keys, read_yaml
from planimeter.packs.architectures import (
    Anchors,
    BoxHead,
    Detectron2Architecture,
    FeaturePyramid,
    MaskHead,
    Norm,
    Pooling,
    ProposalStage,
    ResNet,
    Weights4,
)
from planimeter.packs.manifest import Preprocessing

_NORMS: dict[str, Norm] = {
    "": "",
    "BN": "BN",
    "FrozenBN": "BN",
    "SyncBN": "BN",
    "nnSyncBN": "BN",
    "naiveSyncBN": "BN",
    "naiveSyncBN_N": "BN",
    "GN": "GN",
}
"""At inference all kinds of batch normalisation are the same."""
NormName = Literal["", "BN", "FrozenBN", "SyncBN", "nnSyncBN", "naiveSyncBN", "naiveSyncBN_N", "GN"]
PoolerType = Literal["ROIAlign", "ROIAlignV2"]

_ONLY_IN_TRAINING: dict[str, set[str]] = {
    "MODEL": {"DEVICE", "WEIGHTS", "RETINANET", "SEM_SEG_HEAD", "PANOPTIC_FPN", "ROI_KEYPOINT_HEAD"},
    "MODEL.BACKBONE": {"FREEZE_AT"},
    "MODEL.ANCHOR_GENERATOR": {"ANGLES"},
    "MODEL.RESNETS": {"DEFORM_MODULATED", "DEFORM_NUM_GROUPS"},
    "MODEL.RPN": {
        "BATCH_SIZE_PER_IMAGE",
        "BBOX_REG_LOSS_TYPE",
        "BBOX_REG_LOSS_WEIGHT",
        "BOUNDARY_THRESH",
        "IOU_LABELS",
        "IOU_THRESHOLDS",
        "LOSS_WEIGHT",
        "POSITIVE_FRACTION",
        "POST_NMS_TOPK_TRAIN",
        "PRE_NMS_TOPK_TRAIN",
        "SMOOTH_L1_BETA",
    },
    "MODEL.ROI_HEADS": {
        "BATCH_SIZE_PER_IMAGE",
        "IOU_LABELS",
        "IOU_THRESHOLDS",
        "POSITIVE_FRACTION",
        "PROPOSAL_APPEND_GT",
    },
    "MODEL.ROI_BOX_HEAD": {
        "BBOX_REG_LOSS_TYPE",
        "BBOX_REG_LOSS_WEIGHT",
        "FED_LOSS_FREQ_WEIGHT_POWER",
        "FED_LOSS_NUM_CLASSES",
        "SMOOTH_L1_BETA",
        "TRAIN_ON_PRED_BOXES",
        "USE_FED_LOSS",
    },
    "MODEL.ROI_BOX_CASCADE_HEAD": {"IOUS"},
    "INPUT": {
        "CROP",
        "MASK_FORMAT",
        "MAX_SIZE_TRAIN",
        "MIN_SIZE_TRAIN",
        "MIN_SIZE_TRAIN_SAMPLING",
        "RANDOM_FLIP",
    },
    # Detectron2's DefaultPredictor does not augment at test time either.
    "TEST": {"AUG", "EVAL_PERIOD", "EXPECTED_RESULTS", "KEYPOINT_OKS_SIGMAS", "PRECISE_BN"},
}
"""Keys of a section that no answer depends on. Sections that are not read at all (SOLVER, …) are not listed."""

_FPN: Keys = {
    "MODEL": {
        "BACKBONE": {"NAME": "build_resnet_fpn_backbone"},
        "RESNETS": {"OUT_FEATURES": ["res2", "res3", "res4", "res5"]},
        "FPN": {"IN_FEATURES": ["res2", "res3", "res4", "res5"]},
        "ANCHOR_GENERATOR": {"SIZES": [[32], [64], [128], [256], [512]]},
        "RPN": {
            "IN_FEATURES": ["p2", "p3", "p4", "p5", "p6"],
            "PRE_NMS_TOPK_TEST": 1000,
            "POST_NMS_TOPK_TEST": 1000,
        },
        "ROI_HEADS": {"NAME": "StandardROIHeads", "IN_FEATURES": ["p2", "p3", "p4", "p5"]},
        "ROI_BOX_HEAD": {"NAME": "FastRCNNConvFCHead", "NUM_FC": 2, "POOLER_RESOLUTION": 7},
        "ROI_MASK_HEAD": {"NUM_CONV": 4, "POOLER_RESOLUTION": 14},
    }
}
_C4: Keys = {"MODEL": {"RPN": {"PRE_NMS_TOPK_TEST": 6000, "POST_NMS_TOPK_TEST": 1000}}}
_DC5: Keys = {
    "MODEL": {
        "RESNETS": {"OUT_FEATURES": ["res5"], "RES5_DILATION": 2},
        "RPN": {"IN_FEATURES": ["res5"], "PRE_NMS_TOPK_TEST": 6000, "POST_NMS_TOPK_TEST": 1000},
        "ROI_HEADS": {"NAME": "StandardROIHeads", "IN_FEATURES": ["res5"]},
        "ROI_BOX_HEAD": {"NAME": "FastRCNNConvFCHead", "NUM_FC": 2, "POOLER_RESOLUTION": 7},
        "ROI_MASK_HEAD": {"NUM_CONV": 4, "POOLER_RESOLUTION": 14},
    }
}
KNOWN_BASES: dict[str, Keys] = {
    "Base-RCNN-FPN.yaml": _FPN,
    "Base-RCNN-C4.yaml": _C4,
    "Base-RCNN-DilatedC5.yaml": _DC5,
}
"""What the bases of Detectron2's model zoo say, so that its files need not be at hand."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Backbone(_Section):
    NAME: Literal["build_resnet_backbone", "build_resnet_fpn_backbone"] = "build_resnet_backbone"


class _ResNets(_Section):
    DEPTH: Literal[18, 34, 50, 101, 152] = 50
    OUT_FEATURES: tuple[Literal["res2", "res3", "res4", "res5"], ...] = Field(("res4",), min_length=1)
    NUM_GROUPS: int = 1
    NORM: NormName = "FrozenBN"
    WIDTH_PER_GROUP: int = 64
    STRIDE_IN_1X1: bool = True
    RES5_DILATION: Literal[1, 2] = 1
    RES2_OUT_CHANNELS: int = 256
    STEM_OUT_CHANNELS: int = 64
    DEFORM_ON_PER_STAGE: tuple[Literal[False], Literal[False], Literal[False], Literal[False]] = (False,) * 4


class _Fpn(_Section):
    IN_FEATURES: tuple[str, ...] = ()
    OUT_CHANNELS: int = 256
    NORM: NormName = ""
    FUSE_TYPE: Literal["sum", "avg"] = "sum"


class _ProposalGenerator(_Section):
    NAME: Literal["RPN"] = "RPN"
    MIN_SIZE: float = 0


class _AnchorGenerator(_Section):
    NAME: Literal["DefaultAnchorGenerator"] = "DefaultAnchorGenerator"
    SIZES: tuple[tuple[float, ...], ...] = ((32, 64, 128, 256, 512),)
    ASPECT_RATIOS: tuple[tuple[float, ...], ...] = ((0.5, 1.0, 2.0),)
    OFFSET: float = 0.0

    @field_validator("SIZES", "ASPECT_RATIOS", mode="before")
    @classmethod
    def _of_each_level(cls, value: Any) -> Any:
        """Detectron2 takes one list of numbers as the same for every level."""
        flat = isinstance(value, list) and value and not isinstance(value[0], list)
        return [value] if flat else value


class _Rpn(_Section):
    HEAD_NAME: Literal["StandardRPNHead"] = "StandardRPNHead"
    IN_FEATURES: tuple[str, ...] = Field(("res4",), min_length=1)
    BBOX_REG_WEIGHTS: Weights4 = (1.0, 1.0, 1.0, 1.0)
    PRE_NMS_TOPK_TEST: int = 6000
    POST_NMS_TOPK_TEST: int = 1000
    NMS_THRESH: float = 0.7
    CONV_DIMS: tuple[int, ...] = Field((-1,), min_length=1)


class _RoiHeads(_Section):
    NAME: Literal["Res5ROIHeads", "StandardROIHeads", "CascadeROIHeads"] = "Res5ROIHeads"
    NUM_CLASSES: int = Field(80, ge=1)
    IN_FEATURES: tuple[str, ...] = Field(("res4",), min_length=1)
    SCORE_THRESH_TEST: float = 0.05
    NMS_THRESH_TEST: float = 0.5


class _RoiBoxHead(_Section):
    NAME: Literal["", "FastRCNNConvFCHead"] = ""
    BBOX_REG_WEIGHTS: Weights4 = (10.0, 10.0, 5.0, 5.0)
    POOLER_RESOLUTION: int = 14
    POOLER_SAMPLING_RATIO: int = 0
    POOLER_TYPE: PoolerType = "ROIAlignV2"
    NUM_FC: int = 0
    FC_DIM: int = 1024
    NUM_CONV: int = 0
    CONV_DIM: int = 256
    NORM: NormName = ""
    CLS_AGNOSTIC_BBOX_REG: bool = False
    USE_SIGMOID_CE: bool = False


class _RoiBoxCascadeHead(_Section):
    BBOX_REG_WEIGHTS: tuple[Weights4, ...] = ((10, 10, 5, 5), (20, 20, 10, 10), (30, 30, 15, 15))


class _RoiMaskHead(_Section):
    NAME: Literal["MaskRCNNConvUpsampleHead"] = "MaskRCNNConvUpsampleHead"
    POOLER_RESOLUTION: int = 14
    POOLER_SAMPLING_RATIO: int = 0
    POOLER_TYPE: PoolerType = "ROIAlignV2"
    NUM_CONV: int = 0
    CONV_DIM: int = 256
    NORM: NormName = ""
    CLS_AGNOSTIC_MASK: bool = False


class _Model(_Section):
    META_ARCHITECTURE: Literal["GeneralizedRCNN"] = "GeneralizedRCNN"
    MASK_ON: bool = False
    KEYPOINT_ON: Literal[False] = False
    LOAD_PROPOSALS: Literal[False] = False
    PIXEL_MEAN: tuple[float, float, float] = (103.53, 116.28, 123.675)
    PIXEL_STD: tuple[float, float, float] = (1.0, 1.0, 1.0)
    BACKBONE: _Backbone = _Backbone()
    RESNETS: _ResNets = _ResNets()
    FPN: _Fpn = _Fpn()
    PROPOSAL_GENERATOR: _ProposalGenerator = _ProposalGenerator()
    ANCHOR_GENERATOR: _AnchorGenerator = _AnchorGenerator()
    RPN: _Rpn = _Rpn()
    ROI_HEADS: _RoiHeads = _RoiHeads()
    ROI_BOX_HEAD: _RoiBoxHead = _RoiBoxHead()
    ROI_BOX_CASCADE_HEAD: _RoiBoxCascadeHead = _RoiBoxCascadeHead()
    ROI_MASK_HEAD: _RoiMaskHead = _RoiMaskHead()


class _Input(_Section):
    FORMAT: Literal["BGR", "RGB"] = "BGR"
    MIN_SIZE_TEST: int = 800
    MAX_SIZE_TEST: int = 1333


class _Test(_Section):
    DETECTIONS_PER_IMAGE: int = 100


class _Config(_Section):
    VERSION: Literal[2] = 2
    MODEL: _Model = _Model()
    INPUT: _Input = _Input()
    TEST: _Test = _Test()


@dataclass(frozen=True)
class Detectron2Config:
    """What a configuration says about answers."""

    architecture: Detectron2Architecture
    preprocessing: Preprocessing
    classes: int
    norm: str
    """As the configuration names it."""
    datasets: tuple[str, ...]
    """Names of the data sets, as registered in Detectron2."""


def read_config(path: Path) -> Detectron2Config:
    """Return what the configuration at `path` says; raises `ImportRefused` with the key that is not supported."""
    keys = read_yaml(path, KNOWN_BASES)
    config = _validate(path, _without_training(keys))
    try:
        return Detectron2Config(
            architecture=_architecture(config),
            preprocessing=_preprocessing(config),
            classes=config.MODEL.ROI_HEADS.NUM_CLASSES,
            norm=config.MODEL.RESNETS.NORM,
            datasets=_datasets(keys),
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise ImportRefused(f"{path}: {where}: {first['msg']}, not {first['input']!r}") from error
    except _Refused as error:
        raise ImportRefused(f"{path}: {error}") from error


class _Refused(ValueError):
    """A combination of keys that is not supported."""


def _without_training(keys: Keys) -> Keys:
    """Return the sections that are read, without what only training looks at."""
    left: Keys = {name: keys[name] for name in _Config.model_fields if name in keys}
    for section, ignored in _ONLY_IN_TRAINING.items():
        steps = section.split(".")
        holder = left
        for step in steps[:-1]:
            holder = holder.get(step, {})
        last = holder.get(steps[-1]) if isinstance(holder, dict) else None
        if isinstance(last, dict):
            holder[steps[-1]] = {name: value for name, value in last.items() if name not in ignored}
    return left


def _validate(path: Path, keys: Keys) -> _Config:
    try:
        return _Config.model_validate(keys)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        if first["type"] == "extra_forbidden":
            reason = (
                "is not a key of Detectron2 0.6 that is understood here; it may change what the model answers"
            )
        elif first["type"] == "literal_error":
            reason = f"is {first['input']!r}; supported: {first['ctx']['expected']}"
        else:
            reason = f"is {first['input']!r}: {first['msg']}"
        raise ImportRefused(f"{path}: {where} {reason}") from error


def _datasets(keys: Keys) -> tuple[str, ...]:
    datasets = keys.get("DATASETS")
    found: list[str] = []
    for part in ("TEST", "TRAIN"):
        names = datasets.get(part, []) if isinstance(datasets, dict) else []
        found += [names] if isinstance(names, str) else [str(name) for name in names or []]
    return tuple(found)


def _preprocessing(config: _Config) -> Preprocessing:
    model, size = config.MODEL, config.INPUT
    edges: dict[str, Any] = {"fit": "native", "longest_edge": 8192}
    if size.MIN_SIZE_TEST > 0:
        edges = {"shortest_edge": size.MIN_SIZE_TEST, "longest_edge": size.MAX_SIZE_TEST}
    return Preprocessing(
        **edges,
        rounding="half-up",
        multiple=1,
        channels="bgr" if size.FORMAT == "BGR" else "rgb",
        mean=model.PIXEL_MEAN,
        std=model.PIXEL_STD,
    )


def _architecture(config: _Config) -> Detectron2Architecture:
    model = config.MODEL
    if not model.MASK_ON:
        raise _Refused("MODEL.MASK_ON is False: such a network finds boxes, not masks, and no area follows")
    pyramid = model.BACKBONE.NAME == "build_resnet_fpn_backbone"
    _check_backbone(model, pyramid=pyramid)
    available: list[str] = _levels(model.FPN) if pyramid else list(model.RESNETS.OUT_FEATURES)
    for name, features in (("RPN", model.RPN.IN_FEATURES), ("ROI_HEADS", model.ROI_HEADS.IN_FEATURES)):
        positions = [available.index(feature) if feature in available else -1 for feature in features]
        if min(positions) < 0 or positions != list(range(positions[0], positions[0] + len(positions))):
            raise _Refused(
                f"MODEL.{name}.IN_FEATURES is {', '.join(features)}; supported are neighbours, in order, of what the "
                f"backbone gives: {', '.join(available)}"
            )
    resnet = ResNet(
        depth=model.RESNETS.DEPTH,
        norm=_NORMS[model.RESNETS.NORM],
        stride_in_1x1=model.RESNETS.STRIDE_IN_1X1,
        groups=model.RESNETS.NUM_GROUPS,
        width_per_group=model.RESNETS.WIDTH_PER_GROUP,
        stem_channels=model.RESNETS.STEM_OUT_CHANNELS,
        res2_channels=model.RESNETS.RES2_OUT_CHANNELS,
        res5_dilation=model.RESNETS.RES5_DILATION,
        features=model.RESNETS.OUT_FEATURES,
    )
    fpn = model.FPN
    heads = model.ROI_HEADS
    return Detectron2Architecture(
        family="detectron2",
        resnet=resnet,
        pyramid=FeaturePyramid(channels=fpn.OUT_CHANNELS, norm=_NORMS[fpn.NORM], fuse=fpn.FUSE_TYPE)
        if pyramid
        else None,
        features=heads.IN_FEATURES,
        proposals=_proposals(model),
        second_stage="res5" if heads.NAME == "Res5ROIHeads" else "heads",
        box=_box_head(model),
        mask=_mask_head(model),
        detections=config.TEST.DETECTIONS_PER_IMAGE,
        score_floor=heads.SCORE_THRESH_TEST,
        nms_iou=heads.NMS_THRESH_TEST,
    )


def _check_backbone(model: _Model, *, pyramid: bool) -> None:
    """Refuse what Detectron2 could not build either, before it shows as a shape that does not fit."""
    resnets, heads = model.RESNETS, model.ROI_HEADS
    order = ["res2", "res3", "res4", "res5"]
    names: list[str] = list(resnets.OUT_FEATURES)
    if names != [name for name in order if name in names]:
        raise _Refused(
            f"MODEL.RESNETS.OUT_FEATURES is {', '.join(names)}; supported: {', '.join(order)} in order"
        )
    if pyramid:
        if list(model.FPN.IN_FEATURES) != names or names != order[order.index(names[0]) :]:
            raise _Refused(
                f"MODEL.FPN.IN_FEATURES is {', '.join(model.FPN.IN_FEATURES)}; supported: the same as "
                "MODEL.RESNETS.OUT_FEATURES, neighbours up to res5"
            )
        if resnets.RES5_DILATION != 1:
            raise _Refused("MODEL.RESNETS.RES5_DILATION is 2; with a feature pyramid it must be 1")
    if resnets.DEPTH < 50 and (
        resnets.RES2_OUT_CHANNELS != 64 or resnets.RES5_DILATION != 1 or resnets.NUM_GROUPS != 1
    ):
        raise _Refused(
            f"MODEL.RESNETS.DEPTH is {resnets.DEPTH}; it needs RES2_OUT_CHANNELS 64, RES5_DILATION 1 and NUM_GROUPS 1"
        )
    if heads.NAME == "Res5ROIHeads" and (list(heads.IN_FEATURES) != ["res4"] or resnets.DEPTH < 50):
        raise _Refused(
            "MODEL.ROI_HEADS.NAME is Res5ROIHeads; it needs IN_FEATURES res4 and a MODEL.RESNETS.DEPTH of 50 or more"
        )


def _levels(fpn: _Fpn) -> list[str]:
    """Return the names of the pyramid's levels: those of its inputs, and the one above."""
    numbers = [int(name.removeprefix("res")) for name in fpn.IN_FEATURES]
    return [f"p{number}" for number in (*numbers, numbers[-1] + 1)]


def _proposals(model: _Model) -> ProposalStage:
    rpn, anchors = model.RPN, model.ANCHOR_GENERATOR
    levels = len(rpn.IN_FEATURES)
    for key, values in (("SIZES", anchors.SIZES), ("ASPECT_RATIOS", anchors.ASPECT_RATIOS)):
        if len(values) not in {1, levels}:
            raise _Refused(
                f"MODEL.ANCHOR_GENERATOR.{key} has {len(values)} lists; MODEL.RPN.IN_FEATURES has {levels} "
                "levels: give one list, or one a level"
            )
        if len({len(entry) for entry in values}) > 1 or not values[0] or min(map(min, values)) <= 0:
            raise _Refused(
                f"MODEL.ANCHOR_GENERATOR.{key} must list as many numbers above 0 for each level, not {values}"
            )
    return ProposalStage(
        features=rpn.IN_FEATURES,
        anchors=Anchors(sizes=anchors.SIZES, ratios=anchors.ASPECT_RATIOS, offset=anchors.OFFSET),
        channels=rpn.CONV_DIMS,
        box_weights=rpn.BBOX_REG_WEIGHTS,
        least_side=model.PROPOSAL_GENERATOR.MIN_SIZE,
        per_level=rpn.PRE_NMS_TOPK_TEST,
        kept=rpn.POST_NMS_TOPK_TEST,
        nms_iou=rpn.NMS_THRESH,
    )


def _box_head(model: _Model) -> BoxHead:
    head, heads = model.ROI_BOX_HEAD, model.ROI_HEADS
    if heads.NAME != "Res5ROIHeads" and not head.NAME:
        raise _Refused(f"MODEL.ROI_BOX_HEAD.NAME is empty; {heads.NAME} needs FastRCNNConvFCHead")
    if heads.NAME != "Res5ROIHeads" and head.NUM_CONV + head.NUM_FC == 0:
        raise _Refused("MODEL.ROI_BOX_HEAD has NUM_CONV 0 and NUM_FC 0; it needs one layer or more")
    weights: tuple[Weights4, ...] = (head.BBOX_REG_WEIGHTS,)
    if heads.NAME == "CascadeROIHeads":
        if not head.CLS_AGNOSTIC_BBOX_REG:
            raise _Refused("MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG is False; CascadeROIHeads needs True")
        weights = model.ROI_BOX_CASCADE_HEAD.BBOX_REG_WEIGHTS
    return BoxHead(
        pooling=_pooling(head),
        convolutions=head.NUM_CONV,
        convolution_channels=head.CONV_DIM,
        norm=_NORMS[head.NORM],
        layers=head.NUM_FC,
        layer_features=head.FC_DIM,
        agnostic=head.CLS_AGNOSTIC_BBOX_REG,
        box_weights=weights,
        scores="sigmoid" if head.USE_SIGMOID_CE else "softmax",
    )


def _mask_head(model: _Model) -> MaskHead:
    head = model.ROI_MASK_HEAD
    return MaskHead(
        pooling=None if model.ROI_HEADS.NAME == "Res5ROIHeads" else _pooling(head),
        convolutions=head.NUM_CONV,
        channels=head.CONV_DIM,
        norm=_NORMS[head.NORM],
        agnostic=head.CLS_AGNOSTIC_MASK,
    )


def _pooling(head: _RoiBoxHead | _RoiMaskHead) -> Pooling:
    return Pooling(
        size=head.POOLER_RESOLUTION,
        samples=head.POOLER_SAMPLING_RATIO,
        aligned=head.POOLER_TYPE == "ROIAlignV2",
    )
