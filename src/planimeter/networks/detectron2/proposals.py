"""Detectron2's region proposal network: anchors, what is made of them, and what is left of that."""

import math
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from planimeter.networks.detectron2.backbone import Convolution, Features
from planimeter.networks.suppression import suppress
from planimeter.packs.architectures import (
    Anchors,
    ProposalStage,
    Weights4,
)

_LARGEST_GROWTH = math.log(1000 / 16)
"""A proposal grows by this exponent at most."""
_NEVER = -1e9


def decode(deltas: Tensor, boxes: Tensor, weights: Weights4) -> Tensor:
    """Return the boxes that offsets [N, C, 4] make of `boxes` [N, 4], as [N, C, 4]."""
    sides = (boxes[:, 2:] - boxes[:, :2])[:, None]
    centres = boxes[:, None, :2] + 0.5 * sides
    divided = deltas / torch.tensor(weights).to(deltas)
    centres = divided[..., :2] * sides + centres
    half = 0.5 * divided[..., 2:].clamp(max=_LARGEST_GROWTH).exp() * sides
    return torch.cat((centres - half, centres + half), dim=-1)


def clip(boxes: Tensor, extent: Tensor) -> Tensor:
    """Return boxes [..., 4] inside the picture; `extent` is width, height, width, height."""
    return torch.minimum(boxes.clamp(min=0), extent)


class ProposalHead(nn.Module):
    """How much of an object each anchor holds, and how it should move."""

    def __init__(self, channels: int, stage: ProposalStage, anchors: int) -> None:
        super().__init__()
        hidden = [channels]
        for wanted in stage.channels:
            hidden.append(hidden[-1] if wanted == -1 else wanted)
        layers = [Convolution(before, after, 3, relu=True) for before, after in pairwise(hidden)]
        self.conv: nn.Module = layers[0]
        if len(layers) > 1:
            self.conv = nn.Sequential()
            for index, layer in enumerate(layers):
                self.conv.add_module(f"conv{index}", layer)
        self.objectness_logits = nn.Conv2d(hidden[-1], anchors, 1)
        self.anchor_deltas = nn.Conv2d(hidden[-1], anchors * 4, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits [H * W * A] and offsets [H * W * A, 4] of one level."""
        hidden = self.conv(features)
        logits = self.objectness_logits(hidden)[0].permute(1, 2, 0).reshape(-1)
        return logits, self.anchor_deltas(hidden)[0].permute(1, 2, 0).reshape(-1, 4)


def cell_anchors(anchors: Anchors, level: int) -> Tensor:
    """Return the anchors of a level around the origin, float32 [A, 4]."""
    boxes = []
    for size in anchors.sizes[level % len(anchors.sizes)]:
        for ratio in anchors.ratios[level % len(anchors.ratios)]:
            width = math.sqrt(size**2 / ratio)
            height = ratio * width
            boxes.append([-width / 2, -height / 2, width / 2, height / 2])
    return torch.tensor(boxes)


class ProposalGenerator(nn.Module):
    """The first stage: the best boxes of every level."""

    def __init__(self, stage: ProposalStage, shapes: dict[str, tuple[int, int]]) -> None:
        super().__init__()
        self._stage = stage
        self._strides = [shapes[name][1] for name in stage.features]
        self._cells = [cell_anchors(stage.anchors, level) for level in range(len(stage.features))]
        self.rpn_head = ProposalHead(shapes[stage.features[0]][0], stage, len(self._cells[0]))

    def forward(self, features: Features, extent: Tensor) -> tuple[Tensor, Tensor]:
        """Return proposals [N, 4], best first, and which of them have an extent, bool [N]."""
        boxes, scores, levels = [], [], []
        for level, name in enumerate(self._stage.features):
            logits, deltas = self.rpn_head(features[name])
            best, index = logits.topk(_at_most(self._stage.per_level, logits))
            anchors = self._anchors(features[name], level)[index]
            boxes.append(decode(deltas[index, None], anchors, self._stage.box_weights)[:, 0])
            scores.append(best)
            levels.append(torch.full_like(index, level))
        found = clip(torch.cat(boxes), extent)
        # A box without extent is no proposal. It goes behind all others instead of being dropped: shapes stay
        # fixed, and nothing can become empty in the middle of the graph.
        valid = (found[:, 2:] - found[:, :2] > self._stage.least_side).all(dim=1)
        logits = torch.where(valid, torch.cat(scores), torch.full_like(found[:, 0], _NEVER))
        kept = suppress(found, logits, torch.cat(levels), len(boxes), self._stage.nms_iou)[: self._stage.kept]
        return found[kept], valid[kept]

    def _anchors(self, features: Tensor, level: int) -> Tensor:
        """Return all anchors of a level, float32 [H * W * A, 4], whatever type the features have."""
        stride = self._strides[level]
        down, across = (
            (torch.arange(features.shape[axis], device=features.device) + self._stage.anchors.offset) * stride
            for axis in (2, 3)
        )
        rows, columns = torch.meshgrid(down.float(), across.float(), indexing="ij")
        shifts = torch.stack((columns, rows, columns, rows), dim=-1).reshape(-1, 1, 4)
        return (shifts + self._cells[level].to(features.device)).reshape(-1, 4)


def _at_most(limit: int, values: Tensor) -> int:
    """Return `limit`, or the length of `values` where that is less; while tracing, as part of the graph."""
    if torch.onnx.is_in_onnx_export():
        return cast("int", torch.minimum(torch.tensor(limit), torch.as_tensor(values.shape[0])))
    return min(limit, values.shape[0])
