"""The 80 classes of COCO, in the order of their numbers there."""

from torchvision.models.detection import MaskRCNN_ResNet50_FPN_Weights

COCO_CATEGORIES: tuple[str, ...] = tuple(MaskRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"])
"""COCO's own numbering from 0, the background; numbers that it does not use are "N/A"."""
COCO_CLASSES: tuple[str, ...] = tuple(name for name in COCO_CATEGORIES[1:] if name != "N/A")
