"""Boxes are learnt in float32, whatever the arithmetic of the layers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

pytest.importorskip("torchvision", reason="the train extra is not installed")

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from planimeter.networks.exact_boxes import keep_boxes_exact
from planimeter.networks.own import PixelMaskRCNN, build_network
from planimeter.packs.manifest import Architecture
from planimeter.packs.pack import find_pack
from planimeter.pictures.preprocessing import preprocess
from planimeter.runtimes.torch import TorchRuntime
from planimeter.samples.fluorescence import Scene, draw_scene
from planimeter.training.losses import forward_losses

SIDE = 384
COLUMN = 299
"""An odd one beyond 256: bfloat16 knows even numbers only there."""


@contextmanager
def arguments_of(network: PixelMaskRCNN) -> Iterator[list[Any]]:
    """Collect with which proposals the heads are asked."""
    seen: list[Any] = []
    handle = network.roi_heads.register_forward_pre_hook(lambda _, given: seen.append(given[1]))
    yield seen
    handle.remove()


def losses_of(network: PixelMaskRCNN) -> dict[str, Tensor]:
    """Return the losses, in bfloat16, of a picture that shows a defect one pixel wide."""
    masks = torch.zeros(1, SIDE, SIDE, dtype=torch.uint8)
    masks[0, 100:140, COLUMN] = 1
    target = {
        "boxes": torch.tensor([[COLUMN, 100.0, COLUMN + 1, 140]]),
        "labels": torch.tensor([1]),
        "masks": masks,
        "pixels": masks[0].to(torch.int16),
    }
    with torch.autocast("cpu", torch.bfloat16):
        return forward_losses(network, torch.randn(1, 3, SIDE, SIDE), [target])


@pytest.mark.slow
def test_a_defect_of_one_pixels_width_is_learnt_in_bfloat16() -> None:
    torch.manual_seed(0)
    network = build_network(Architecture(fpn_channels=16, box_features=16, mask_channels=16), 1).train()
    assert not torch.isfinite(losses_of(network)["loss_box_reg"]), "what torchvision does by itself"
    keep_boxes_exact(network)
    with arguments_of(network) as asked:
        losses = losses_of(network)
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert [proposals.dtype for proposals in asked[0]] == [torch.float32]


def test_anchors_are_those_of_an_answer() -> None:
    network = build_network(Architecture(fpn_channels=16, box_features=16, mask_channels=16), 1)
    images = torch.zeros(1, 3, SIDE, SIDE)
    features = [torch.zeros(1, 16, SIDE >> level, SIDE >> level) for level in range(2, 7)]
    listed = type("Images", (), {"tensors": images, "image_sizes": [(SIDE, SIDE)]})()
    expected = network.rpn.anchor_generator(listed, features)
    coarse = network.rpn.anchor_generator(listed, [feature.bfloat16() for feature in features])
    keep_boxes_exact(network)
    exact = network.rpn.anchor_generator(listed, [feature.bfloat16() for feature in features])
    assert not torch.equal(coarse[0].float(), expected[0])
    torch.testing.assert_close(exact, expected, rtol=0, atol=0)


@pytest.mark.slow
def test_in_float16_boxes_are_answered_as_exactly_as_in_float32() -> None:
    """As on a GPU; on a CPU this arithmetic is slow, and no option of the product."""
    pack = find_pack("nuclei")
    network = TorchRuntime.from_pack(pack, "cpu")._network
    scene = Scene(
        seed=1, width=480, height=480, nuclei=50, radius=(8, 14), elongation=(1.1, 1.5), bend=0.1, touching=0.1,
        light=(420.0, 1000.0),
    )  # fmt: skip
    pixels = np.asarray(Image.fromarray(draw_scene(scene).pixels).convert("RGB"))
    preprocessing = pack.manifest.preprocessing
    image = torch.from_numpy(preprocess(pixels, preprocessing, preprocessing.scale)[0])
    with torch.inference_mode():
        exact = network(image)[0][1:]
        with torch.autocast("cpu", torch.float16):
            found = network(image)[0][1:]
    assert found.dtype == torch.float32
    assert len(exact) > 20
    distances = torch.cdist(exact, found, p=float("inf")).min(dim=1).values
    assert distances.median() < 0.05  # 0.3 where boxes are float16
