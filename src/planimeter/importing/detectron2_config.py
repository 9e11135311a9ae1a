"""Detectron2's configuration, without Detectron2: what it says about the network and its input."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from planimeter.errors import ImportRefused
from planimeter.importing.detectron2_keys import (
    KNOWN_BASES,
    Config,
    Fpn,
    Model,
    RoiBoxHead,
    RoiMaskHead,
    validate,
    without_training,
)
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
    config = validate(path, without_training(keys))
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


def _datasets(keys: Keys) -> tuple[str, ...]:
    datasets = keys.get("DATASETS")
    found: list[str] = []
    for part in ("TEST", "TRAIN"):
        names = datasets.get(part, []) if isinstance(datasets, dict) else []
        found += [names] if isinstance(names, str) else [str(name) for name in names or []]
    return tuple(found)


def _preprocessing(config: Config) -> Preprocessing:
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


def _architecture(config: Config) -> Detectron2Architecture:
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


def _check_backbone(model: Model, *, pyramid: bool) -> None:
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


def _levels(fpn: Fpn) -> list[str]:
    """Return the names of the pyramid's levels: those of its inputs, and the one above."""
    numbers = [int(name.removeprefix("res")) for name in fpn.IN_FEATURES]
    return [f"p{number}" for number in (*numbers, numbers[-1] + 1)]


def _proposals(model: Model) -> ProposalStage:
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


def _box_head(model: Model) -> BoxHead:
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


def _mask_head(model: Model) -> MaskHead:
    head = model.ROI_MASK_HEAD
    return MaskHead(
        pooling=None if model.ROI_HEADS.NAME == "Res5ROIHeads" else _pooling(head),
        convolutions=head.NUM_CONV,
        channels=head.CONV_DIM,
        norm=_NORMS[head.NORM],
        agnostic=head.CLS_AGNOSTIC_MASK,
    )


def _pooling(head: RoiBoxHead | RoiMaskHead) -> Pooling:
    return Pooling(
        size=head.POOLER_RESOLUTION,
        samples=head.POOLER_SAMPLING_RATIO,
        aligned=head.POOLER_TYPE == "ROIAlignV2",
    )
