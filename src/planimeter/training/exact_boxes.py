"""Boxes in float32, whatever arithmetic the layers use."""

from typing import Any

from torch import Tensor, nn

from planimeter.networks.own import PixelMaskRCNN


def keep_boxes_exact(network: PixelMaskRCNN) -> None:
    """Let a network that is trained under autocast compute anchors, proposals and what boxes are to learn in float32.

    torchvision takes the type of the features for all of them, and bfloat16 has 8 bits: between 256 and 512 it knows
    even coordinates only. Proposals and the true boxes would be rounded to those, a defect of one pixel's width to
    none at all, whose logarithm ends the training. An answer is always computed in float32, so it would also be
    another network than the one that learnt. The layers before and after stay in the arithmetic that was chosen.
    """
    network.rpn.anchor_generator.register_forward_pre_hook(_float32_anchors)
    for layer in (network.rpn.head, network.roi_heads.box_predictor, network.roi_heads.mask_predictor):
        layer.register_forward_hook(_float32_answer)


def _float32_anchors(_: nn.Module, given: tuple[Any, list[Tensor]]) -> tuple[Any, list[Tensor]]:
    """Anchors have the type of the features, of which nothing else but their height and width is asked."""
    images, features = given
    return images, [feature[:1, :1].float() for feature in features]


def _float32_answer(_: nn.Module, __: Any, answer: Any) -> Any:
    if isinstance(answer, Tensor):
        return answer.float()
    return type(answer)(_float32_answer(_, __, part) for part in answer)
