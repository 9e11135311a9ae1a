"""What is computed in another way to train quickly on a CPU: the same numbers as torchvision's."""

import copy

import pytest

pytest.importorskip("torchvision", reason="the train extra is not installed")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.models.detection import MaskRCNN
from torchvision.ops import MultiScaleRoIAlign

from planimeter.networks.own import build_network
from planimeter.packs.manifest import Architecture
from planimeter.training.cpu import Float32Conv2d, SeparableRoIAlign, suit_cpu
from planimeter.training.losses import forward_losses
from planimeter.training.start import freeze

LEVELS = ["0", "1", "2", "3"]
SIDE = 256


def pooled_and_gradients(
    pooling: torch.nn.Module, features: dict[str, Tensor], boxes: list[Tensor], weight: Tensor
) -> tuple[Tensor, list[Tensor]]:
    leaves = {name: value.clone().requires_grad_() for name, value in features.items()}
    pooled = pooling(leaves, boxes, [(SIDE, SIDE)] * len(boxes))
    # What no box reads has no gradient, or one of zeros: both are right.
    untouched = sum(leaf.sum() * 0 for leaf in leaves.values())
    ((pooled * weight).sum() + untouched).backward()
    return pooled.detach(), [leaf.grad for leaf in leaves.values() if leaf.grad is not None]


corner = st.floats(-8, SIDE - 1, width=32)
extent = st.floats(0, SIDE, width=32)
box = st.tuples(corner, corner, extent, extent)


@settings(max_examples=40, deadline=None)
@given(boxes=st.lists(st.lists(box, max_size=5), min_size=1, max_size=3), cells=st.sampled_from([1, 7, 14]))
def test_pooling_by_products_answers_as_roi_align_and_has_its_gradient(
    boxes: list[list[tuple[float, float, float, float]]], cells: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    features = {
        name: torch.randn(len(boxes), 3, SIDE >> 2 + level, SIDE >> 2 + level, generator=generator)
        for level, name in enumerate(LEVELS)
    }
    given_boxes = [
        torch.tensor([(x, y, x + w, y + h) for x, y, w, h in own], dtype=torch.float32).reshape(-1, 4)
        for own in boxes
    ]
    count = sum(map(len, boxes))
    weight = torch.randn(count, 3, cells, cells, generator=generator)
    reference = MultiScaleRoIAlign(LEVELS, cells, sampling_ratio=2)
    expected, expected_gradients = pooled_and_gradients(reference, features, given_boxes, weight)
    ours, our_gradients = pooled_and_gradients(SeparableRoIAlign(reference), features, given_boxes, weight)
    assert ours.shape == (count, 3, cells, cells)
    torch.testing.assert_close(ours, expected, atol=2e-4, rtol=0)
    for mine, theirs in zip(our_gradients, expected_gradients, strict=True):
        torch.testing.assert_close(mine, theirs, atol=2e-3, rtol=1e-4)


@pytest.fixture(scope="module")
def network() -> MaskRCNN:
    torch.manual_seed(0)
    return build_network(Architecture(fpn_channels=16, box_features=16, mask_channels=16), 2)


def example() -> tuple[Tensor, list[dict[str, Tensor]]]:
    masks = torch.zeros(1, 128, 128, dtype=torch.uint8)
    masks[:, 30:90, 20:100] = 1
    target = {"boxes": torch.tensor([[20.0, 30, 100, 90]]), "labels": torch.tensor([1]), "masks": masks}
    return torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(1)), [target, target]


def test_a_network_suited_to_the_cpu_has_the_same_losses_and_the_same_weights(network: MaskRCNN) -> None:
    suited = copy.deepcopy(network)
    suit_cpu(suited)
    assert list(suited.state_dict()) == list(network.state_dict())
    strides = [4, 8, 16, 32]
    assert sum(isinstance(layer, Float32Conv2d) for layer in suited.modules()) == len(strides)
    images, targets = example()
    losses = []
    for one in (network, suited):
        torch.manual_seed(2)  # proposals are drawn at random
        losses.append(forward_losses(one.train(), images, targets))
    for name in losses[0]:
        torch.testing.assert_close(losses[0][name], losses[1][name], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("backbone", ["mobilenet_v2", "resnet50"])
def test_frozen_layers_are_those_up_to_stride_4(backbone: str) -> None:
    architecture = Architecture.model_validate(
        {"backbone": backbone, "fpn_channels": 16, "box_features": 16, "mask_channels": 16}
    )
    body = build_network(architecture, 1)
    frozen = freeze(body)
    image = torch.zeros(1, 3, 64, 64)
    for layer in frozen:
        image = layer(image)
    assert image.shape[2:] == (16, 16)
    held = {id(parameter) for layer in frozen for parameter in layer.parameters()}
    assert held
    for parameter in body.parameters():
        assert parameter.requires_grad == (id(parameter) not in held)
