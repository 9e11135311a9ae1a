"""Detectron2's Mask R-CNN, built from PyTorch and torchvision parts, as a box-space network.

What it computes is after Detectron2's documentation and configuration: resolution rules, anchors, level assignment,
RoIAlign and the order of every step; the arithmetic is torch's own.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from planimeter.networks.detectron2.backbone import Backbone, Pyramid
from planimeter.networks.detectron2.heads import Heads
from planimeter.networks.detectron2.proposals import ProposalGenerator
from planimeter.packs.architectures import (
    Detectron2Architecture,
)


class Detectron2Network(nn.Module):
    """The network as it is served: one picture in, its detections out, masks left in box space.

    Input: float32 [1, 3, H, W], normalised, of any size. It is not padded: boxes end where the picture does, so
    the network has to know its size, and pads by itself.
    Output: as of `planimeter.networks.own.BoxSpaceNetwork`, the sentinel row included.
    """

    def __init__(self, architecture: Detectron2Architecture, classes: int) -> None:
        super().__init__()
        self.backbone = (
            Pyramid(architecture.resnet, architecture.pyramid)
            if architecture.pyramid
            else Backbone(architecture.resnet)
        )
        shapes = self.backbone.shapes
        # Only in a pyramid must each level be half of the one before; but for the last, which is made from it.
        strides = [stride for _, stride in shapes.values()]
        self._multiple = max(strides) // 2 if architecture.pyramid else 1
        self.proposal_generator = ProposalGenerator(architecture.proposals, shapes)
        self.roi_heads = Heads(architecture, shapes, classes)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Detect in one picture."""
        height, width = (torch.as_tensor(side) for side in image.shape[2:])
        extent = torch.stack((width, height, width, height)).to(image)
        features = self.backbone(pad(image, self._multiple))
        proposals, valid = self.proposal_generator(features, extent)
        return cast(
            "tuple[Tensor, Tensor, Tensor, Tensor]", self.roi_heads(features, proposals, valid, extent)
        )


def pad(image: Tensor, multiple: int) -> Tensor:
    """Return the picture with zeros at the right and the bottom, to sides that are multiples of `multiple`."""
    height, width = image.shape[2:]
    return functional.pad(image, (0, -width % multiple, 0, -height % multiple))
