"""The pixel branch: what each pixel shows, without asking which object it belongs to.

A semantic head on the feature pyramid, as in "Panoptic Feature Pyramid Networks" (Kirillov et al. 2019,
arXiv:1901.02446), of depthwise-separable convolutions. Box-space masks have 28 x 28 cells whatever their object's
size; this has one cell for 4 x 4 input pixels everywhere.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDE = 4
"""Input pixels a cell, along each side."""
DICE = 0.5
"""Weight of the Dice loss beside cross-entropy."""


def separable(channels: int, out_channels: int) -> nn.Sequential:
    """Return a 3 x 3 convolution of each channel by itself, then one across channels; both normalised."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.Conv2d(channels, out_channels, 1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class PixelBranch(nn.Module):
    """From the levels of the pyramid to the logits of background and classes at stride 4."""

    def __init__(self, levels: Sequence[str], pyramid_channels: int, channels: int, classes: int) -> None:
        super().__init__()
        self._levels = tuple(levels)
        self.convolutions = nn.Sequential(
            separable(pyramid_channels, channels), separable(channels, channels)
        )
        self.logits = nn.Conv2d(channels, classes + 1, 1)

    def forward(self, features: Mapping[str, Tensor]) -> Tensor:
        """Return logits [B, 1 + classes, H / 4, W / 4]; the background is the first."""
        finest = features[self._levels[0]]
        total = finest
        for name in self._levels[1:]:
            total = total + functional.interpolate(
                features[name], size=finest.shape[-2:], mode="bilinear", align_corners=False
            )
        logits: Tensor = self.logits(self.convolutions(total))
        return logits


def pixel_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Return cross-entropy plus half a soft Dice loss of the classes.

    `logits` are [B, 1 + classes, h, w]; `truth` int64 [B, H, W] at the input's resolution, 0 for the background.
    Probabilities, not logits, are interpolated to that resolution, as they are where a picture is measured.
    """
    coarse = logits.float().softmax(dim=1)
    probabilities = functional.interpolate(
        coarse, size=truth.shape[-2:], mode="bilinear", align_corners=False
    )
    entropy = functional.nll_loss(probabilities.clamp(min=1e-6).log(), truth)
    members = functional.one_hot(truth, logits.shape[1]).permute(0, 3, 1, 2)[:, 1:].to(probabilities.dtype)
    classes = probabilities[:, 1:]
    common = (classes * members).sum(dim=(0, 2, 3))
    sizes = classes.sum(dim=(0, 2, 3)) + members.sum(dim=(0, 2, 3))
    dice = 1 - ((2 * common + 1) / (sizes + 1)).mean()
    return entropy + DICE * dice


def truth_of(masks: Tensor, labels: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the class of each pixel, int64 [H, W], 0 for the background, from the masks of instances.

    `masks` uint8 [N, H, W]; where two overlap the smaller one is on top.
    """
    truth = torch.zeros(size, dtype=torch.int64, device=masks.device)
    for index in masks.flatten(1).sum(dim=1, dtype=torch.int64).argsort(descending=True).tolist():
        truth[masks[index].bool()] = labels[index]
    return truth
