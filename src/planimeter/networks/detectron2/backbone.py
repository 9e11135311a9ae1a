"""Detectron2's ResNets and its feature pyramid.

Modules have the names that Detectron2 0.6 gives them, so its checkpoints load by name.
"""

import math
from typing import cast

from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import FrozenBatchNorm2d

from planimeter.packs.architectures import (
    FeaturePyramid,
    Norm,
    ResNet,
)

_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
_STAGES = ("res2", "res3", "res4", "res5")
Features = dict[str, Tensor]


class Convolution(nn.Conv2d):
    """A convolution, its normalisation (`norm`), and a rectifier where `relu` is set."""

    def __init__(
        self,
        channels: int,
        out_channels: int,
        kernel: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        norm: Norm = "",
        bias: bool | None = None,
        relu: bool = False,
    ) -> None:
        super().__init__(
            channels,
            out_channels,
            kernel,
            stride=stride,
            padding=dilation * (kernel // 2),
            dilation=dilation,
            groups=groups,
            bias=not norm if bias is None else bias,
        )
        self.norm = _norm(norm, out_channels)
        self._relu = relu

    def forward(self, features: Tensor) -> Tensor:
        """Return [1, out_channels, H / stride, W / stride]."""
        features = super().forward(features)
        if self.norm is not None:
            features = self.norm(features)
        return features.relu() if self._relu else features


def _norm(norm: Norm, channels: int) -> nn.Module | None:
    if norm == "BN":
        return cast("nn.Module", FrozenBatchNorm2d(channels))
    return nn.GroupNorm(32, channels) if norm == "GN" else None


class Block(nn.Module):
    """A residual block: two 3x3 convolutions, or 1x1, 3x3 and 1x1 where it has a bottleneck."""

    def __init__(
        self, resnet: ResNet, channels: int, out_channels: int, width: int, *, stride: int, dilation: int
    ) -> None:
        super().__init__()
        norm = resnet.norm
        self.shortcut = (
            Convolution(channels, out_channels, 1, stride=stride, norm=norm, bias=False)
            if channels != out_channels
            else None
        )
        if resnet.depth < 50:
            self.conv1 = Convolution(
                channels, out_channels, 3, stride=stride, norm=norm, bias=False, relu=True
            )
            self.conv2 = Convolution(out_channels, out_channels, 3, norm=norm, bias=False)
            self.conv3: Convolution | None = None
            return
        first, second = (stride, 1) if resnet.stride_in_1x1 else (1, stride)
        self.conv1 = Convolution(channels, width, 1, stride=first, norm=norm, bias=False, relu=True)
        self.conv2 = Convolution(
            width,
            width,
            3,
            stride=second,
            dilation=dilation,
            groups=resnet.groups,
            norm=norm,
            bias=False,
            relu=True,
        )
        self.conv3 = Convolution(width, out_channels, 1, norm=norm, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return the block's features, smaller where it has a stride."""
        found = self.conv2(self.conv1(features))
        if self.conv3 is not None:
            found = self.conv3(found)
        return cast(
            "Tensor", (found + (features if self.shortcut is None else self.shortcut(features))).relu()
        )


def make_stage(resnet: ResNet, index: int, blocks: int, stride: int, dilation: int) -> nn.Sequential:
    """Return stage res<index + 2>."""
    out_channels = resnet.res2_channels * 2**index
    channels = resnet.stem_channels if index == 0 else out_channels // 2
    width = resnet.groups * resnet.width_per_group * 2**index
    return nn.Sequential(
        *(
            Block(
                resnet,
                out_channels if number else channels,
                out_channels,
                width,
                stride=1 if number else stride,
                dilation=dilation,
            )
            for number in range(blocks)
        )
    )


class Stem(nn.Module):
    """A 7x7 convolution and a maximum, each with stride 2."""

    def __init__(self, resnet: ResNet) -> None:
        super().__init__()
        self.conv1 = Convolution(
            3, resnet.stem_channels, 7, stride=2, norm=resnet.norm, bias=False, relu=True
        )

    def forward(self, image: Tensor) -> Tensor:
        """Return features at a quarter of the size."""
        return functional.max_pool2d(self.conv1(image), kernel_size=3, stride=2, padding=1)


class Backbone(nn.Module):
    """The ResNet as far as its features are needed."""

    def __init__(self, resnet: ResNet) -> None:
        super().__init__()
        self.stem = Stem(resnet)
        self._features = resnet.features
        self._names = _STAGES[: max(map(_STAGES.index, resnet.features)) + 1]
        self.shapes: dict[str, tuple[int, int]] = {}
        """Channels and stride of each feature map."""
        total = 4
        for index, name in enumerate(self._names):
            dilation = resnet.res5_dilation if name == "res5" else 1
            stride = 1 if index == 0 or dilation == 2 else 2
            total *= stride
            self.add_module(name, make_stage(resnet, index, _BLOCKS[resnet.depth][index], stride, dilation))
            if name in resnet.features:
                self.shapes[name] = resnet.res2_channels * 2**index, total

    def forward(self, image: Tensor) -> Features:
        """Return the features by name."""
        features, found = self.stem(image), {}
        for name in self._names:
            features = self.get_submodule(name)(features)
            if name in self._features:
                found[name] = features
        return found


class Pyramid(nn.Module):
    """A ResNet with a feature pyramid on top of it."""

    def __init__(self, resnet: ResNet, pyramid: FeaturePyramid) -> None:
        super().__init__()
        self.bottom_up = Backbone(resnet)
        self._average = pyramid.fuse == "avg"
        self._levels: list[tuple[str, int]] = []
        for name, (channels, stride) in self.bottom_up.shapes.items():
            level = int(math.log2(stride))
            self._levels.append((name, level))
            self.add_module(
                f"fpn_lateral{level}", Convolution(channels, pyramid.channels, 1, norm=pyramid.norm)
            )
            self.add_module(
                f"fpn_output{level}", Convolution(pyramid.channels, pyramid.channels, 3, norm=pyramid.norm)
            )
        last = self._levels[-1][1] + 1
        self.shapes = {f"p{level}": (pyramid.channels, 2**level) for _, level in (*self._levels, ("", last))}

    def forward(self, image: Tensor) -> Features:
        """Return the levels by name, from the finest; the last is every second pixel of the one before."""
        bottom_up, above, found = self.bottom_up(image), None, {}
        for name, level in reversed(self._levels):
            merged = self.get_submodule(f"fpn_lateral{level}")(bottom_up[name])
            if above is not None:
                merged = merged + functional.interpolate(above, scale_factor=2.0, mode="nearest")
                if self._average:
                    merged = merged / 2
            above = merged
            found[f"p{level}"] = self.get_submodule(f"fpn_output{level}")(merged)
        last = self._levels[-1][1]
        found[f"p{last + 1}"] = functional.max_pool2d(found[f"p{last}"], kernel_size=1, stride=2)
        return found
