"""Detectron2's heads: regions are pooled from the features, classified, moved and masked."""

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align

from planimeter.networks.detectron2.backbone import Convolution, Features, make_stage
from planimeter.networks.detectron2.proposals import clip, decode
from planimeter.networks.suppression import select
from planimeter.packs.architectures import (
    BoxHead,
    Detectron2Architecture,
    MaskHead,
    Pooling,
)

_CANONICAL_SIDE, _CANONICAL_LEVEL = 224, 4
"""A box of this side is read from this level of the pyramid (arXiv:1612.03144, equation 1)."""


class Pooler:
    """Reads boxes from the level of the pyramid that fits their size."""

    def __init__(self, pooling: Pooling, strides: Sequence[int]) -> None:
        self._pooling = pooling
        self._strides = strides
        self._lowest = int(math.log2(strides[0]))

    def __call__(self, features: Sequence[Tensor], boxes: Tensor) -> Tensor:
        """Return [N, channels, size, size] for boxes [N, 4]."""
        if len(features) == 1:
            return self._pool(features[0], boxes, self._strides[0])
        # One box for each level first, so that none is without a box: OpenVINO was seen to stumble over none.
        count = len(features)
        extra = torch.arange(count, device=boxes.device)
        levels = torch.cat((extra, self._levels(boxes)))
        boxes = torch.cat((boxes[:1].expand(count, 4), boxes))
        members = [torch.where(levels == level)[0] for level in range(count)]
        pooled = [
            self._pool(level, boxes[index], stride)
            for level, index, stride in zip(features, members, self._strides, strict=True)
        ]
        return torch.cat(pooled)[torch.cat(members).argsort()][count:]

    def _levels(self, boxes: Tensor) -> Tensor:
        sides = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sqrt()
        level = (_CANONICAL_LEVEL + (sides / _CANONICAL_SIDE + 1e-8).log2()).floor() - self._lowest
        return level.clamp(0, len(self._strides) - 1).to(torch.int64)

    def _pool(self, features: Tensor, boxes: Tensor, stride: int) -> Tensor:
        size, pooling = self._pooling.size, self._pooling
        batch = torch.zeros_like(boxes[:, :1])
        return cast(
            "Tensor",
            roi_align(
                features,
                torch.cat((batch, boxes), dim=1),
                (size, size),
                1 / stride,
                pooling.samples,
                aligned=pooling.aligned,
            ),
        )


class BoxLayers(nn.Sequential):
    """The box head's convolutions and layers."""

    def __init__(self, head: BoxHead, channels: int) -> None:
        super().__init__()
        for index in range(head.convolutions):
            self.add_module(
                f"conv{index + 1}",
                Convolution(channels, head.convolution_channels, 3, norm=head.norm, relu=True),
            )
            channels = head.convolution_channels
        self.features = channels * head.pooling.size**2
        if head.layers:
            self.add_module("flatten", nn.Flatten())
        for index in range(head.layers):
            self.add_module(f"fc{index + 1}", nn.Linear(self.features, head.layer_features))
            self.add_module(f"fc_relu{index + 1}", nn.ReLU())
            self.features = head.layer_features


class BoxPredictor(nn.Module):
    """Scores, the background last, and offsets."""

    def __init__(self, head: BoxHead, features: int, classes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(features, classes + 1)
        self.bbox_pred = nn.Linear(features, 4 if head.agnostic else 4 * classes)
        self._sigmoid = head.scores == "sigmoid"

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores [N, classes] in [0, 1] and offsets [N, classes or 1, 4]."""
        features = features.flatten(1)
        logits = self.cls_score(features)
        scores = logits.sigmoid() if self._sigmoid else logits.softmax(-1)
        return scores[:, :-1], self.bbox_pred(features).reshape(features.shape[0], -1, 4)


class MaskLayers(nn.Sequential):
    """The mask head: logits of each class, or of one for all, at twice the size that was read."""

    def __init__(self, head: MaskHead, channels: int, classes: int) -> None:
        super().__init__()
        for index in range(head.convolutions):
            self.add_module(
                f"mask_fcn{index + 1}", Convolution(channels, head.channels, 3, norm=head.norm, relu=True)
            )
            channels = head.channels
        self.add_module("deconv", nn.ConvTranspose2d(channels, head.channels, 2, stride=2))
        self.add_module("deconv_relu", nn.ReLU())
        self.add_module("predictor", nn.Conv2d(head.channels, 1 if head.agnostic else classes, 1))


class Heads(nn.Module):
    """The second stage: classes, boxes and masks."""

    def __init__(
        self, architecture: Detectron2Architecture, shapes: dict[str, tuple[int, int]], classes: int
    ) -> None:
        super().__init__()
        self._architecture = architecture
        strides = [shapes[name][1] for name in architecture.features]
        channels = shapes[architecture.features[0]][0]
        box, mask = architecture.box, architecture.mask
        self._box_pooler = Pooler(box.pooling, strides)
        self._mask_pooler = Pooler(mask.pooling, strides) if mask.pooling else None
        self._cascade = len(box.box_weights) > 1
        if architecture.second_stage == "res5":
            self.res5 = make_stage(architecture.resnet, 3, 3, 2, 1)
            channels *= 2
            self.box_predictor: nn.Module = BoxPredictor(box, channels, classes)
        elif self._cascade:
            layers = [BoxLayers(box, channels) for _ in box.box_weights]
            self.box_head: nn.Module = nn.ModuleList(layers)
            self.box_predictor = nn.ModuleList(BoxPredictor(box, each.features, classes) for each in layers)
        else:
            self.box_head = BoxLayers(box, channels)
            self.box_predictor = BoxPredictor(box, self.box_head.features, classes)
        self.mask_head = MaskLayers(mask, channels, classes)

    def forward(
        self, features: Features, proposals: Tensor, valid: Tensor, extent: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return boxes, labels, scores and masks, behind the sentinel row."""
        architecture = self._architecture
        maps = [features[name] for name in architecture.features]
        boxes, scores = self._boxes(maps, proposals, extent)
        boxes, labels, scores = select(
            boxes,
            scores,
            valid[:, None] & (boxes[..., 2:] > boxes[..., :2]).all(dim=-1),
            floor=architecture.score_floor,
            nms_iou=architecture.nms_iou,
            detections=architecture.detections,
        )
        masks = self.mask_head(self._mask_features(maps, boxes)).sigmoid()
        rows = torch.arange(masks.shape[0], device=masks.device)
        channel = torch.zeros_like(labels) if architecture.mask.agnostic else (labels - 1).clamp(min=0)
        return boxes, labels, scores, masks[rows, channel]

    def _boxes(self, maps: list[Tensor], proposals: Tensor, extent: Tensor) -> tuple[Tensor, Tensor]:
        """Return boxes [N, classes or 1, 4] inside the picture, and scores [N, classes]."""
        weights = self._architecture.box.box_weights
        if not self._cascade:
            scores, deltas = self.box_predictor(self._box_features(maps, proposals))
            return clip(decode(deltas, proposals, weights[0]), extent), scores
        heads, predictors = cast("nn.ModuleList", self.box_head), cast("nn.ModuleList", self.box_predictor)
        total, boxes = torch.zeros(1).to(proposals), proposals[:, None]
        for head, predictor, weight in zip(heads, predictors, weights, strict=True):
            pooled = self._box_pooler(maps, boxes[:, 0])
            scores, deltas = predictor(head(pooled))
            boxes = clip(decode(deltas, boxes[:, 0], weight), extent)
            total = total + scores
        return boxes, total * (1 / len(weights))

    def _box_features(self, maps: list[Tensor], boxes: Tensor) -> Tensor:
        pooled = self._box_pooler(maps, boxes)
        if self._architecture.second_stage == "res5":
            return cast("Tensor", self.res5(pooled)).mean(dim=(2, 3))
        return cast("Tensor", self.box_head(pooled))

    def _mask_features(self, maps: list[Tensor], boxes: Tensor) -> Tensor:
        if self._mask_pooler is None:
            return cast("Tensor", self.res5(self._box_pooler(maps, boxes)))
        return self._mask_pooler(maps, boxes)
