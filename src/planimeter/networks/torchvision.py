"""torchvision's Mask R-CNN as it was trained elsewhere, as a box-space network.

The network is torchvision's own; what comes before it (scaling, normalising) and after it (pasting) is not used.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN, maskrcnn_resnet50_fpn, maskrcnn_resnet50_fpn_v2
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.mask_rcnn import MaskRCNNPredictor
from torchvision.ops.boxes import clip_boxes_to_image

from planimeter.networks.detectron2.network import pad
from planimeter.networks.suppression import select
from planimeter.packs.architectures import TorchvisionArchitecture

_BUILDERS = {
    "maskrcnn_resnet50_fpn": maskrcnn_resnet50_fpn,
    "maskrcnn_resnet50_fpn_v2": maskrcnn_resnet50_fpn_v2,
}
_MULTIPLE = 32
_LEAST_SIDE = 0.01
"""torchvision drops smaller boxes, in input pixels."""


def build_torchvision(architecture: TorchvisionArchitecture) -> MaskRCNN:
    """Return torchvision's network without weights."""
    network: MaskRCNN = _BUILDERS[architecture.model](
        weights=None,
        weights_backbone=None,
        num_classes=architecture.outputs,
        box_score_thresh=architecture.score_floor,
        box_nms_thresh=architecture.nms_iou,
        box_detections_per_img=architecture.detections,
    )
    if architecture.mask_channels != 256:
        network.roi_heads.mask_predictor = MaskRCNNPredictor(
            256, architecture.mask_channels, architecture.outputs
        )
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = architecture.norm_eps
    return network.eval()


class TorchvisionNetwork(nn.Module):
    """The network as it is served: one picture in, its detections out, masks left in box space.

    Input: float32 [1, 3, H, W], normalised, of any size. It is not padded: boxes end where the picture does, so
    the network has to know its size, and pads by itself.
    Output: as of `planimeter.networks.own.BoxSpaceNetwork`, the sentinel row included. Of the classes that the network
    tells apart, those of the pack are kept; labels count them from 1.
    """

    def __init__(self, architecture: TorchvisionArchitecture) -> None:
        super().__init__()
        network = build_torchvision(architecture)
        self.backbone = network.backbone
        self.rpn = network.rpn
        self.roi_heads = network.roi_heads
        self._architecture = architecture

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Detect in one picture."""
        sizes: list[tuple[int, int]] = [(image.shape[2], image.shape[3])]
        padded = pad(image, _MULTIPLE)
        features = self.backbone(padded)
        proposals, _ = self.rpn(ImageList(padded, sizes), features)
        heads, architecture = self.roi_heads, self._architecture
        logits, offsets = heads.box_predictor(heads.box_head(heads.box_roi_pool(features, proposals, sizes)))
        kept = torch.tensor(architecture.kept, device=image.device)
        boxes = clip_boxes_to_image(heads.box_coder.decode(offsets, proposals), sizes[0])[:, kept]
        boxes, labels, scores = select(
            boxes,
            logits.softmax(-1)[:, kept],
            (boxes[..., 2:] - boxes[..., :2] >= _LEAST_SIDE).all(dim=-1),
            floor=architecture.score_floor,
            nms_iou=architecture.nms_iou,
            detections=architecture.detections,
        )
        pooled = heads.mask_roi_pool(features, [boxes], sizes)
        masks = cast("Tensor", heads.mask_predictor(heads.mask_head(pooled))).sigmoid()
        rows = torch.arange(masks.shape[0], device=masks.device)
        return boxes, labels, scores, masks[rows, kept[(labels - 1).clamp(min=0)]]
