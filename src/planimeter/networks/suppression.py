"""Choosing detections among candidate boxes, written so that PyTorch, ONNX and OpenVINO choose the same.

Two things are arranged for that. Boxes of different groups (classes, pyramid levels) are moved apart on a square
grid before suppression, not along a line: coordinates stay small, so float32 keeps their digits. And what
suppression sees as scores are ranks: whole numbers, all different, whatever the range of the real ones.
"""

import math
from typing import Final

import torch
from torch import Tensor
from torchvision.ops import nms

SENTINEL_BOX: Final = (0.0, 0.0, 16.0, 16.0)
SENTINEL_SCORE: Final = 2.0
"""As planimeter.runtimes expects it."""


def suppress(boxes: Tensor, scores: Tensor, groups: Tensor, count: int, iou: float) -> Tensor:
    """Return the index of the boxes that no better box of their group overlaps by more than `iou`, best first.

    `boxes` float32 [N, 4] with no negative coordinate; `groups` int64 [N] in 0..`count` - 1.
    """
    order = torch.sort(scores, descending=True).indices
    boxes, groups = boxes[order], groups[order]
    side = math.ceil(math.sqrt(count))
    grid = torch.tensor([[index % side, index // side] * 2 for index in range(count)]).to(boxes)
    ranks = (boxes.shape[0] - torch.arange(boxes.shape[0], device=boxes.device)).to(boxes)
    return order[nms(boxes + grid[groups] * (boxes.max() + 1), ranks, iou)]


def select(
    boxes: Tensor, scores: Tensor, valid: Tensor, *, floor: float, nms_iou: float, detections: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return boxes [1 + n, 4], labels [1 + n] and scores [1 + n] of the detections, behind a sentinel row.

    `boxes` [N, C or 1, 4] for each class or for all, clipped to the picture; `scores` [N, C]; `valid` bool
    [N, C or 1]: the rest is dropped. Labels count from 1. Row 0 is the sentinel that
    `planimeter.networks.own.BoxSpaceNetwork` explains.
    """
    classes = scores.shape[1]
    labels = torch.arange(1, classes + 1, device=scores.device).expand(scores.shape[0], -1).reshape(-1)
    boxes = boxes.expand(-1, classes, 4).reshape(-1, 4)
    chosen = torch.where(((scores > floor) & valid).reshape(-1))[0]
    boxes = torch.cat((boxes.new_tensor([SENTINEL_BOX]), boxes[chosen]))
    labels = torch.cat((labels.new_tensor([0]), labels[chosen]))
    scores = torch.cat((scores.new_tensor([SENTINEL_SCORE]), scores.reshape(-1)[chosen]))
    kept = suppress(boxes, scores, labels, classes + 1, nms_iou)[: detections + 1]
    return boxes[kept], labels[kept], scores[kept]
