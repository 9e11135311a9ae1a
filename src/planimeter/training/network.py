"""The network: torchvision's Mask R-CNN with a feature pyramid, cut so that masks stay in box space.

Source: He, Gkioxari, Dollár and Girshick, "Mask R-CNN" (2017), arXiv:1703.06870, on the feature pyramid of
Lin et al. (2017), arXiv:1612.03144, both as torchvision implements them. The backbone is MobileNetV2
(Sandler et al. 2018, arXiv:1801.04381) without its last 1280-channel layer, which only classification needs.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torchvision.models import MobileNet_V2_Weights, mobilenet_v2
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import AnchorGenerator, RPNHead
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from planimeter.errors import TrainingError
from planimeter.packs import Architecture

# MobileNetV2's last layers at strides 4, 8, 16 and 32, and their channels.
_PYRAMID_LAYERS = {"3": "0", "6": "1", "13": "2", "17": "3"}
_PYRAMID_CHANNELS = [24, 32, 96, 320]
_LEVELS = ["0", "1", "2", "3"]


def build_network(architecture: Architecture, classes: int) -> MaskRCNN:
    """Return the untrained network that `architecture` describes, for `classes` object classes.

    The network's own resizing and normalising are never used: pictures come in at network size, normalised.
    """
    if architecture.backbone != "mobilenet_v2":
        raise TrainingError(f"architecture {architecture.backbone!r} is not known; known: mobilenet_v2")
    channels = architecture.fpn_channels
    backbone = BackboneWithFPN(
        mobilenet_v2(weights=None).features[:18],
        _PYRAMID_LAYERS,
        _PYRAMID_CHANNELS,
        channels,
        extra_blocks=LastLevelMaxPool(),
    )
    anchors = AnchorGenerator(
        tuple((size,) for size in architecture.anchor_sizes),
        (tuple(architecture.anchor_ratios),) * len(architecture.anchor_sizes),
    )
    network = MaskRCNN(
        backbone,
        rpn_anchor_generator=anchors,
        rpn_head=RPNHead(channels, len(architecture.anchor_ratios)),
        rpn_pre_nms_top_n_train=1000,
        rpn_post_nms_top_n_train=500,
        rpn_pre_nms_top_n_test=architecture.proposals,
        rpn_post_nms_top_n_test=architecture.proposals,
        rpn_batch_size_per_image=256,
        box_roi_pool=MultiScaleRoIAlign(_LEVELS, output_size=7, sampling_ratio=2),
        box_head=TwoMLPHead(channels * 7 * 7, architecture.box_features),
        box_predictor=FastRCNNPredictor(architecture.box_features, classes + 1),
        box_score_thresh=architecture.score_floor,
        box_nms_thresh=architecture.nms_iou,
        box_detections_per_img=architecture.detections,
        box_batch_size_per_image=128,
        mask_roi_pool=MultiScaleRoIAlign(_LEVELS, output_size=14, sampling_ratio=2),
        mask_head=MaskRCNNHeads(channels, [architecture.mask_channels] * 4, 1),
        mask_predictor=MaskRCNNPredictor(
            architecture.mask_channels, architecture.mask_channels, classes + 1
        ),
    )
    return cast(MaskRCNN, network)


def load_backbone_weights(network: MaskRCNN, file: Path | None) -> None:
    """Start the backbone from torchvision's ImageNet weights, downloaded or from the same `file`."""
    if file is None:
        try:
            state = MobileNet_V2_Weights.IMAGENET1K_V1.get_state_dict(progress=True, check_hash=True)
        except OSError as error:
            raise TrainingError(
                f"the ImageNet weights could not be downloaded ({error}); fetch mobilenet_v2-b0353104.pth "
                "elsewhere and name it with --backbone-weights FILE, or train from scratch with "
                "--backbone-weights none"
            ) from error
    else:
        state = torch.load(file, map_location="cpu", weights_only=True)
    body = network.backbone.body
    kept = {
        name.removeprefix("features."): tensor
        for name, tensor in state.items()
        if name.startswith("features.") and not name.startswith("features.18.")
    }
    body.load_state_dict(kept)


class BoxSpaceNetwork(nn.Module):
    """The network as it is served: one picture in, its detections out, masks left in box space.

    Input: float32 [1, 3, H, W], normalised, H and W multiples of 32.
    Output: boxes float32 [N, 4] as x0, y0, x1, y1 in input pixels; labels int64 [N], 1 = the first class;
    scores float32 [N] in [0, 1]; masks float32 [N, 28, 28], the probability inside each box.
    """

    def __init__(self, network: MaskRCNN) -> None:
        super().__init__()
        self.backbone = network.backbone
        self.rpn = network.rpn
        self.roi_heads = network.roi_heads

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        sizes: Sequence[tuple[int, int]] = [(image.shape[2], image.shape[3])]
        features = self.backbone(image)
        proposals, _ = self.rpn(ImageList(image, list(sizes)), features)
        detections, _ = self.roi_heads(features, proposals, list(sizes))
        found = detections[0]
        return found["boxes"], found["labels"], found["scores"], found["masks"][:, 0]
