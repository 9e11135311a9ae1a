"""The keys of Detectron2's configuration: every one that changes an answer, with 0.6's default.

Keys that only matter in training are known and ignored. Any other key, and any value that is not supported, is
refused by its name: nothing that would change numbers is passed over in silence.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from planimeter.errors import ImportRefused
from planimeter.importing.yaml_files import Keys
from planimeter.packs.architectures import (
    Weights4,
)

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


class Section(BaseModel):
    """A part of the configuration; keys that it does not name are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Backbone(Section):
    """MODEL.BACKBONE."""

    NAME: Literal["build_resnet_backbone", "build_resnet_fpn_backbone"] = "build_resnet_backbone"


class ResNets(Section):
    """MODEL.RESNETS."""

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


class Fpn(Section):
    """MODEL.FPN."""

    IN_FEATURES: tuple[str, ...] = ()
    OUT_CHANNELS: int = 256
    NORM: NormName = ""
    FUSE_TYPE: Literal["sum", "avg"] = "sum"


class ProposalGenerator(Section):
    """MODEL.PROPOSAL_GENERATOR."""

    NAME: Literal["RPN"] = "RPN"
    MIN_SIZE: float = 0


class AnchorGenerator(Section):
    """MODEL.ANCHOR_GENERATOR."""

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


class Rpn(Section):
    """MODEL.RPN."""

    HEAD_NAME: Literal["StandardRPNHead"] = "StandardRPNHead"
    IN_FEATURES: tuple[str, ...] = Field(("res4",), min_length=1)
    BBOX_REG_WEIGHTS: Weights4 = (1.0, 1.0, 1.0, 1.0)
    PRE_NMS_TOPK_TEST: int = 6000
    POST_NMS_TOPK_TEST: int = 1000
    NMS_THRESH: float = 0.7
    CONV_DIMS: tuple[int, ...] = Field((-1,), min_length=1)


class RoiHeads(Section):
    """MODEL.ROI_HEADS."""

    NAME: Literal["Res5ROIHeads", "StandardROIHeads", "CascadeROIHeads"] = "Res5ROIHeads"
    NUM_CLASSES: int = Field(80, ge=1)
    IN_FEATURES: tuple[str, ...] = Field(("res4",), min_length=1)
    SCORE_THRESH_TEST: float = 0.05
    NMS_THRESH_TEST: float = 0.5


class RoiBoxHead(Section):
    """MODEL.ROI_BOX_HEAD."""

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


class RoiBoxCascadeHead(Section):
    """MODEL.ROI_BOX_CASCADE_HEAD."""

    BBOX_REG_WEIGHTS: tuple[Weights4, ...] = ((10, 10, 5, 5), (20, 20, 10, 10), (30, 30, 15, 15))


class RoiMaskHead(Section):
    """MODEL.ROI_MASK_HEAD."""

    NAME: Literal["MaskRCNNConvUpsampleHead"] = "MaskRCNNConvUpsampleHead"
    POOLER_RESOLUTION: int = 14
    POOLER_SAMPLING_RATIO: int = 0
    POOLER_TYPE: PoolerType = "ROIAlignV2"
    NUM_CONV: int = 0
    CONV_DIM: int = 256
    NORM: NormName = ""
    CLS_AGNOSTIC_MASK: bool = False


class Model(Section):
    """MODEL."""

    META_ARCHITECTURE: Literal["GeneralizedRCNN"] = "GeneralizedRCNN"
    MASK_ON: bool = False
    KEYPOINT_ON: Literal[False] = False
    LOAD_PROPOSALS: Literal[False] = False
    PIXEL_MEAN: tuple[float, float, float] = (103.53, 116.28, 123.675)
    PIXEL_STD: tuple[float, float, float] = (1.0, 1.0, 1.0)
    BACKBONE: Backbone = Backbone()
    RESNETS: ResNets = ResNets()
    FPN: Fpn = Fpn()
    PROPOSAL_GENERATOR: ProposalGenerator = ProposalGenerator()
    ANCHOR_GENERATOR: AnchorGenerator = AnchorGenerator()
    RPN: Rpn = Rpn()
    ROI_HEADS: RoiHeads = RoiHeads()
    ROI_BOX_HEAD: RoiBoxHead = RoiBoxHead()
    ROI_BOX_CASCADE_HEAD: RoiBoxCascadeHead = RoiBoxCascadeHead()
    ROI_MASK_HEAD: RoiMaskHead = RoiMaskHead()


class Input(Section):
    """INPUT."""

    FORMAT: Literal["BGR", "RGB"] = "BGR"
    MIN_SIZE_TEST: int = 800
    MAX_SIZE_TEST: int = 1333


class Test(Section):
    """TEST."""

    DETECTIONS_PER_IMAGE: int = 100


class Config(Section):
    """The whole, as far as it changes an answer."""

    VERSION: Literal[2] = 2
    MODEL: Model = Model()
    INPUT: Input = Input()
    TEST: Test = Test()


def without_training(keys: Keys) -> Keys:
    """Return the sections that are read, without what only training looks at."""
    left: Keys = {name: keys[name] for name in Config.model_fields if name in keys}
    for section, ignored in _ONLY_IN_TRAINING.items():
        steps = section.split(".")
        holder = left
        for step in steps[:-1]:
            holder = holder.get(step, {})
        last = holder.get(steps[-1]) if isinstance(holder, dict) else None
        if isinstance(last, dict):
            holder[steps[-1]] = {name: value for name, value in last.items() if name not in ignored}
    return left


def validate(path: Path, keys: Keys) -> Config:
    """Return the keys, checked; raises `ImportRefused` with the first that is not supported."""
    try:
        return Config.model_validate(keys)
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
