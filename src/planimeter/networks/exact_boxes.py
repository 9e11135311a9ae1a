"""Boxes in float32, whatever arithmetic the layers use."""

from typing import Any

from torch import Tensor, nn


def keep_boxes_exact(network: nn.Module) -> None:
    """Let a network compute anchors, proposals and boxes in float32 under autocast too.

    `network` has `rpn` and `roi_heads` as torchvision's Mask R-CNN does. Torchvision takes the type of the features for
    all boxes, and bfloat16 has 8 bits: between 256 and 512 it knows even coordinates only, float16 whole ones beyond
    1024. In training proposals and the true boxes would be rounded to those, a defect of one pixel's width to none at
    all, whose logarithm ends the training. The layers before and after stay in the arithmetic that was chosen.
    """
    rpn: Any = network.rpn
    heads: Any = network.roi_heads
    rpn.anchor_generator.register_forward_pre_hook(_float32_anchors)
    for layer in (rpn.head, heads.box_predictor, heads.mask_predictor):
        layer.register_forward_hook(_float32_answer)


def _float32_anchors(_: nn.Module, given: tuple[Any, list[Tensor]]) -> tuple[Any, list[Tensor]]:
    """Anchors have the type of the features, of which nothing else but their height and width is asked."""
    images, features = given
    return images, [feature[:1, :1].float() for feature in features]


def _float32_answer(layer: nn.Module, given: Any, answer: Any) -> Any:
    if isinstance(answer, Tensor):
        return answer.float()
    return type(answer)(_float32_answer(layer, given, part) for part in answer)
