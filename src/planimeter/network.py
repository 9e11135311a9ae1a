"""The network: torchvision's Mask R-CNN with a feature pyramid, cut so that masks stay in box space.

Source: He, Gkioxari, Dollár and Girshick, "Mask R-CNN" (2017), arXiv:1703.06870, on the feature pyramid of
Lin et al. (2017), arXiv:1612.03144, both as torchvision implements them. The backbone is MobileNetV2
(Sandler et al. 2018, arXiv:1801.04381) without its last 1280-channel layer, which only classification needs, or
ResNet-50 or -101 (He et al. 2015, arXiv:1512.03385).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
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
from torchvision.models.detection.rpn import AnchorGenerator, RPNHead
from torchvision.ops import MultiScaleRoIAlign, batched_nms
from torchvision.ops.boxes import clip_boxes_to_image
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from planimeter.packs import Architecture, Backbone


@dataclass(frozen=True)
class BackboneKind:
    """One kind of backbone: how it is built, where the pyramid taps it, and its ImageNet weights."""

    build: Callable[[], nn.Module]
    layers: tuple[str, str, str, str]
    """The last layers at strides 4, 8, 16 and 32."""
    channels: tuple[int, int, int, int]
    weights: WeightsEnum
    prefix: str = ""
    """What torchvision's file writes before the name of each layer."""


BACKBONES: dict[Backbone, BackboneKind] = {
    "mobilenet_v2": BackboneKind(
        lambda: mobilenet_v2(weights=None).features[:18],
        ("3", "6", "13", "17"),
        (24, 32, 96, 320),
        MobileNet_V2_Weights.IMAGENET1K_V1,
        "features.",
    ),
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


def build_network(architecture: Architecture, classes: int) -> MaskRCNN:
    """Return the untrained network that `architecture` describes, for `classes` object classes.

    The network's own resizing and normalising are never used: pictures come in at network size, normalised.
    """
    channels, kind = architecture.fpn_channels, BACKBONES[architecture.backbone]
    backbone = BackboneWithFPN(
        kind.build(),
        {layer: str(level) for level, layer in enumerate(kind.layers)},
        list(kind.channels),
        channels,
        extra_blocks=LastLevelMaxPool(),
    )
    anchors = AnchorGenerator(
        tuple((size,) for size in architecture.anchor_sizes),
        (tuple(architecture.anchor_ratios),) * len(architecture.anchor_sizes),
    )
    return MaskRCNN(
        backbone,
        rpn_anchor_generator=anchors,
        rpn_head=RPNHead(channels, len(architecture.anchor_ratios)),
        rpn_pre_nms_top_n_train=500,
        rpn_post_nms_top_n_train=500,
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
        mask_head=MaskRCNNHeads(channels, [architecture.mask_channels] * 4, 1),
        mask_predictor=MaskRCNNPredictor(architecture.mask_channels, architecture.mask_channels, classes + 1),
    )


class BoxSpaceNetwork(nn.Module):
    """The network as it is served: one picture in, its detections out, masks left in box space.

    Input: float32 [1, 3, H, W], normalised, H and W multiples of 32.
    Output: boxes float32 [1 + N, 4] as x0, y0, x1, y1 in input pixels; labels int64 [1 + N], 1 = the first class;
    scores float32 [1 + N], falling; masks float32 [1 + N, 28, 28], the probability inside each box.

    Row 0 is a sentinel with a score of 2, to be dropped by whoever reads the answer: a picture with nothing in
    it would otherwise leave tensors of no rows in the middle of the graph, for which OpenVINO was seen to answer
    one row of uninitialised memory.
    """

    def __init__(self, network: MaskRCNN, architecture: Architecture) -> None:
        super().__init__()
        self.backbone = network.backbone
        self.rpn = network.rpn
        self.roi_heads = network.roi_heads
        self.architecture = architecture

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Detect in one picture."""
        sizes: list[tuple[int, int]] = [(image.shape[2], image.shape[3])]
        features = self.backbone(image)
        proposals, _ = self.rpn(ImageList(image, sizes), features)
        heads = self.roi_heads
        logits, offsets = heads.box_predictor(heads.box_head(heads.box_roi_pool(features, proposals, sizes)))
        boxes, labels, scores = self._detections(proposals, logits, offsets, sizes[0])
        masks = heads.mask_predictor(heads.mask_head(heads.mask_roi_pool(features, [boxes], sizes))).sigmoid()
        rows = torch.arange(masks.shape[0], device=masks.device)
        return boxes, labels, scores, masks[rows, labels]

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
