"""EfficientNet-Lite: EfficientNet (Tan and Le 2019, arXiv:1905.11946) without what slows small machines down.

No squeeze-and-excitation and ReLU6 instead of swish; stem and last layers are not widened. The layers have the names
of the published PyTorch weights, but for their places in the sequence.
"""

import math
from collections.abc import Mapping
from typing import Final

from torch import Tensor, nn

_STAGES: Final = ((1, 16, 3, 1, 1), (2, 24, 3, 2, 6), (2, 40, 5, 2, 6), (3, 80, 3, 2, 6), (3, 112, 5, 1, 6),
                  (4, 192, 5, 2, 6), (1, 320, 3, 1, 6))  # fmt: skip
"""Blocks, channels, kernel, stride and expansion of each stage of EfficientNet-B0, before it is scaled."""
_TAPPED: Final = (1, 2, 4, 6)
"""The stages that end at strides 4, 8, 16 and 32."""
_STEM: Final = 32


class MobileBlock(nn.Module):
    """An inverted residual block: widen, filter each channel by itself, narrow (arXiv:1801.04381)."""

    def __init__(self, channels: int, out_channels: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        self._expands = expansion > 1
        self._adds = stride == 1 and channels == out_channels
        if self._expands:
            self._expand_conv = nn.Conv2d(channels, wide, 1, bias=False)
            self._bn0 = _norm(wide)
        self._depthwise_conv = nn.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide, bias=False)
        self._bn1 = _norm(wide)
        self._project_conv = nn.Conv2d(wide, out_channels, 1, bias=False)
        self._bn2 = _norm(out_channels)
        self._relu = nn.ReLU6(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        """Return [B, out_channels, H / stride, W / stride]."""
        wide = self._relu(self._bn0(self._expand_conv(features))) if self._expands else features
        narrow: Tensor = self._bn2(self._project_conv(self._relu(self._bn1(self._depthwise_conv(wide)))))
        return features + narrow if self._adds else narrow


class Stem(nn.Module):
    """The first convolution: half the resolution, 32 channels."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = nn.Conv2d(3, _STEM, 3, 2, 1, bias=False)
        self._bn0 = _norm(_STEM)
        self._relu = nn.ReLU6(inplace=True)

    def forward(self, image: Tensor) -> Tensor:
        """Return [B, 32, H / 2, W / 2]."""
        stem: Tensor = self._relu(self._bn0(self._conv_stem(image)))
        return stem


class EfficientNetLite(nn.Sequential):
    """The layers up to stride 32, without those that only classification needs; `width` and `depth` scale it."""

    def __init__(self, width: float, depth: float) -> None:
        layers: list[nn.Module] = [Stem()]
        channels = _STEM
        for number, (blocks, wide, kernel, stride, expansion) in enumerate(_STAGES):
            out = scale_channels(wide, width)
            first_or_last = number in {0, len(_STAGES) - 1}
            for place in range(blocks if first_or_last else math.ceil(blocks * depth)):
                layers.append(MobileBlock(channels, out, kernel, 1 if place else stride, expansion))
                channels = out
        super().__init__(*layers)


def scale_channels(channels: int, width: float) -> int:
    """Return a number of channels scaled by `width`, as a multiple of 8 that is at most a tenth smaller."""
    scaled = max(8, int(channels * width + 4) // 8 * 8)
    return scaled + 8 if scaled < 0.9 * channels * width else scaled


def list_taps(width: float, depth: float) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the names of the last layers at strides 4, 8, 16 and 32, and their channels."""
    names, channels, last = [], [], 0
    for number, (blocks, wide, *_) in enumerate(_STAGES):
        last += blocks if number in {0, len(_STAGES) - 1} else math.ceil(blocks * depth)
        if number in _TAPPED:
            names.append(str(last))
            channels.append(scale_channels(wide, width))
    return tuple(names), tuple(channels)


def rename_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return published weights by the names that they have here: the stem is layer 0, block n is layer n + 1."""
    renamed = {}
    for name, tensor in state.items():
        if name.startswith(("_conv_stem.", "_bn0.")):
            renamed[f"0.{name}"] = tensor
        elif name.startswith("_blocks."):
            _, block, rest = name.split(".", 2)
            renamed[f"{int(block) + 1}.{rest}"] = tensor
    return renamed


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)
