"""Detectron2's Mask R-CNN, built from PyTorch and torchvision parts, as a box-space network.

Modules have the names that Detectron2 0.6 gives them, so its checkpoints load by name. What it computes is
after Detectron2's documentation and configuration: resolution rules, anchors, level assignment, RoIAlign and
the order of every step; the arithmetic is torch's own.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import FrozenBatchNorm2d, roi_align

from planimeter.networks.suppression import select, suppress
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

_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
_STAGES = ("res2", "res3", "res4", "res5")
_LARGEST_GROWTH = math.log(1000 / 16)
"""A proposal grows by this exponent at most."""
_CANONICAL_SIDE, _CANONICAL_LEVEL = 224, 4
"""A box of this side is read from this level of the pyramid (arXiv:1612.03144, equation 1)."""
_NEVER = -1e9

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


def _stage(resnet: ResNet, index: int, blocks: int, stride: int, dilation: int) -> nn.Sequential:
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
            self.add_module(name, _stage(resnet, index, _BLOCKS[resnet.depth][index], stride, dilation))
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
        """Return all anchors of a level, [H * W * A, 4]."""
        stride = self._strides[level]
        down, across = (
            (torch.arange(features.shape[axis], device=features.device) + self._stage.anchors.offset) * stride
            for axis in (2, 3)
        )
        rows, columns = torch.meshgrid(down.to(features), across.to(features), indexing="ij")
        shifts = torch.stack((columns, rows, columns, rows), dim=-1).reshape(-1, 1, 4)
        return (shifts + self._cells[level].to(features)).reshape(-1, 4)


def _at_most(limit: int, values: Tensor) -> int:
    """Return `limit`, or the length of `values` where that is less; while tracing, as part of the graph."""
    if torch.onnx.is_in_onnx_export():
        return cast("int", torch.minimum(torch.tensor(limit), torch.as_tensor(values.shape[0])))
    return min(limit, values.shape[0])


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
            self.res5 = _stage(architecture.resnet, 3, 3, 2, 1)
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
