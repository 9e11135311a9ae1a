"""What a network learns from a batch: its losses, and their gradient."""

import torch
from torch import Tensor
from torchvision.models.detection.image_list import ImageList

from planimeter.networks.own import PixelMaskRCNN
from planimeter.networks.pixels import pixel_loss

Batch = tuple[Tensor, list[dict[str, Tensor]]]
"""Crops at network size, normalised, float32 [B, 3, H, W], and what each shows."""


def learn_from(
    network: PixelMaskRCNN,
    batch: Batch,
    arithmetic: torch.dtype,
    scaler: torch.amp.GradScaler | None = None,
) -> dict[str, Tensor]:
    """Add the gradient of a batch to that of the network; returns the losses, detached.

    Layers compute in `arithmetic`; `scaler` scales the loss where that loses small gradients.
    """
    images, targets = batch
    device = images.device.type
    images = images.contiguous(memory_format=torch.channels_last)
    with torch.autocast(device, arithmetic, enabled=arithmetic is not torch.float32):
        losses = forward_losses(network, images, targets)
    total = torch.stack([loss.float() for loss in losses.values()]).sum()
    (total if scaler is None else scaler.scale(total)).backward()
    return {name: loss.detach() for name, loss in losses.items()}


def forward_losses(
    network: PixelMaskRCNN, images: Tensor, targets: list[dict[str, Tensor]]
) -> dict[str, Tensor]:
    """Return the losses of a batch at network size, normalised: Mask R-CNN's five, and that of the pixel branch."""
    sizes = [(images.shape[2], images.shape[3])] * len(images)
    features = network.backbone(images)
    proposals, rpn_losses = network.rpn(ImageList(images, sizes), features, targets)
    _, roi_losses = network.roi_heads(features, proposals, sizes, targets)
    if network.pixel_branch is None:
        return {**rpn_losses, **roi_losses}
    truth = torch.stack([target["pixels"] for target in targets]).long()
    return {**rpn_losses, **roi_losses, "loss_pixels": pixel_loss(network.pixel_branch(features), truth)}
