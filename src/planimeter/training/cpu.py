"""What PyTorch trains slowly on a CPU, computed in another way: the same results, within rounding."""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.poolers import LevelMapper

from planimeter.networks.own import PixelMaskRCNN

# A sample more than this far outside the features counts as zero, one nearer as on their edge.
_OUTSIDE = 1.0


def suit_cpu(network: PixelMaskRCNN) -> None:
    """Change a network that is trained on a CPU, in place; its weights and their names stay."""
    heads = network.roi_heads
    heads.box_roi_pool = SeparableRoIAlign(heads.box_roi_pool)
    heads.mask_roi_pool = SeparableRoIAlign(heads.mask_roi_pool)
    for parent in list(network.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, nn.Conv2d) and _is_slow_in_bfloat16(layer):
                setattr(parent, name, Float32Conv2d(layer))


def _is_slow_in_bfloat16(layer: nn.Conv2d) -> bool:
    """Return whether this is a convolution of one channel each, strided or 5 x 5 and more, that learns."""
    alone = layer.groups == layer.in_channels > 1
    return alone and layer.weight.requires_grad and max(*layer.stride, layer.kernel_size[0] // 2) > 1


class Float32Conv2d(nn.Conv2d):
    """A convolution that stays in float32 under autocast.

    For the strided convolutions of one channel each the backward pass in bfloat16 took 5 to 15 times as long, for
    those of 5 x 5 pixels 2 to 4 times.
    """

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__(
            layer.in_channels,
            layer.out_channels,
            cast("tuple[int, int]", layer.kernel_size),
            cast("tuple[int, int]", layer.stride),
            cast("tuple[int, int]", layer.padding),
            groups=layer.groups,
            bias=layer.bias is not None,
        )
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  the name that torch gives it
        """Return the convolved batch, float32 [B, C, H, W]."""
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.float())


class SeparableRoIAlign(nn.Module):
    """What `MultiScaleRoIAlign` answers, within rounding, from float or bfloat16 features of any layout.

    Bilinear samples on a grid along both axes, and their mean in each cell, are linear in rows and in columns
    alone: `rows @ features @ columns.T` for each box (He et al. 2017, arXiv:1703.06870). A product with a matrix
    that is mostly zero is more arithmetic than gathering, and still several times as fast: its gradient is such
    a product as well, spread over all cores, where torchvision adds to scattered places on one.
    """

    def __init__(self, pooling: MultiScaleRoIAlign) -> None:
        super().__init__()
        self._pooling = pooling

    def forward(
        self, features: dict[str, Tensor], boxes: list[Tensor], sizes: list[tuple[int, int]]
    ) -> Tensor:
        """Return [boxes of all pictures, C, P, P]; `boxes` are float32 [N, 4] in pixels of each picture."""
        levels = [features[name] for name in self._pooling.featmap_names]
        # Feature pixels per picture pixel, in powers of two, as torchvision rounds them.
        powers = [round(math.log2(level.shape[-2] / sizes[0][0])) for level in levels]
        mapper = LevelMapper(
            -powers[0], -powers[-1], self._pooling.canonical_scale, self._pooling.canonical_level
        )
        # Unbound at once: the gradient of an index would fill a batch with zeros for every picture.
        pictures = list(zip(*(level.unbind() for level in levels), strict=True))
        cells = self._pooling.output_size[0]
        parts = [levels[0].new_zeros((0, cells, cells, levels[0].shape[1]))]
        places, start = [torch.zeros(0, dtype=torch.int64)], 0
        for picture, own in enumerate(boxes):
            numbers = mapper([own])
            for number, (level, power) in enumerate(zip(pictures[picture], powers, strict=True)):
                chosen = torch.where(numbers == number)[0]
                if len(chosen):
                    part = _pool(level, own[chosen] * 2.0**power, cells, self._pooling.sampling_ratio)
                    parts.append(part.to(level.dtype))
                    places.append(start + chosen)
            start += len(own)
        return torch.cat(parts)[torch.cat(places).argsort()].permute(0, 3, 1, 2)


def _pool(level: Tensor, boxes: Tensor, cells: int, samples: int) -> Tensor:
    """Return [N, P, P, C] of one picture's features [C, H, W] for boxes in feature pixels."""
    channels, height, width = level.shape
    rows = _weights(boxes[:, 1], boxes[:, 3], height, cells, samples).to(level.dtype)
    columns = _weights(boxes[:, 0], boxes[:, 2], width, cells, samples).to(level.dtype)
    # Channels last, rows first: the large product then needs no copy of the features.
    flat = level.permute(1, 2, 0).reshape(height, width * channels)
    by_row = (rows.reshape(-1, height) @ flat).reshape(len(boxes), cells, width, channels)
    return columns[:, None] @ by_row


def _weights(low: Tensor, high: Tensor, length: int, cells: int, samples: int) -> Tensor:
    """Return float32 [N, P, length]: how much each feature pixel along an axis counts in each cell."""
    extent = (high - low).clamp(min=1.0)
    steps = (torch.arange(cells * samples, device=low.device) + 0.5) / (cells * samples)
    at = low[:, None] + extent[:, None] * steps
    inside = (at >= -_OUTSIDE) & (at <= length)
    at = at.clamp(0, length - 1)
    distance = (at[..., None] - torch.arange(length, device=low.device)).abs()
    weights = (1 - distance).clamp(min=0) * inside[..., None]
    return weights.reshape(len(low), cells, samples, length).mean(dim=2)
