"""What was pooled from several levels of a pyramid is put into order by one look-up: the same numbers to the bit."""

from collections.abc import Callable
from functools import cache

import numpy as np
import openvino as ov
import openvino.opset13 as opset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from planimeter.packs.pack import find_pack
from planimeter.runtimes.levels import merge_levels

CHANNELS, SIDE, LEVELS = 3, 2, 4
OPTIONS = {"INFERENCE_PRECISION_HINT": "f32"}
Answer = list[NDArray[np.float32]]


def scattered(
    levels: int = LEVELS, *, numbers: tuple[int, ...] = tuple(range(LEVELS)), base: float = 0.0
) -> ov.Model:
    """Return a network that pools boxes [N, 4] from the level that each of them names, as torchvision exports it."""
    maps = [opset.parameter([1, CHANNELS, -1, -1], np.float32) for _ in range(levels)]
    boxes, level = opset.parameter([-1, 4], np.float32), opset.parameter([-1], np.int64)
    size = np.array([CHANNELS, SIDE, SIDE])
    shape = opset.concat([opset.shape_of(level), size], 0)
    rows = opset.broadcast(np.float32(base), shape)
    for number, features in zip(numbers, maps, strict=True):
        chosen = opset.non_zero(opset.equal(level, np.int64(number)))
        index = opset.squeeze(opset.transpose(chosen, [1, 0]), [1])
        own = opset.gather(boxes, index, np.int64(0))
        first = opset.convert(opset.multiply(index, np.int64(0)), "i32")
        pooled = opset.roi_align(features, own, first, SIDE, SIDE, 2, 1.0, "avg")
        column = opset.reshape(index, [-1, 1, 1, 1], special_zero=False)
        expanded = opset.broadcast(column, opset.shape_of(pooled), broadcast_spec="BIDIRECTIONAL")
        rows = opset.scatter_elements_update(rows, expanded, pooled, np.int64(0))
    # As in a network, something comes behind it.
    return ov.Model([opset.relu(rows)], [*maps, boxes, level])


def ready(model: ov.Model) -> ov.InferRequest:
    return ov.Core().compile_model(model, "CPU", OPTIONS).create_infer_request()


@cache
def plain_and_merged() -> tuple[ov.InferRequest, ov.InferRequest]:
    plain, merged = scattered(), scattered()
    assert merge_levels(merged) == 1
    assert merge_levels(merged) == 0
    return ready(plain), ready(merged)


def answer(request: ov.InferRequest, inputs: list[NDArray[np.generic]]) -> Answer:
    request.infer(dict(enumerate(inputs)))
    return [tensor.data.copy() for tensor in request.output_tensors]


def pictured(levels: list[int], seed: int) -> list[NDArray[np.generic]]:
    chance = np.random.default_rng(seed)
    maps = [chance.random((1, CHANNELS, 32 >> number, 24 >> number), np.float32) for number in range(LEVELS)]
    corners = chance.random((len(levels), 2), np.float32) * 8
    boxes = np.concatenate((corners, corners + 1 + chance.random((len(levels), 2), np.float32) * 8), axis=1)
    return [*maps, boxes, np.array(levels, np.int64)]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, LEVELS), min_size=1, max_size=40), st.integers(0, 2**31))
def test_rows_are_the_same_whatever_the_levels(levels: list[int], seed: int) -> None:
    plain, merged = plain_and_merged()
    inputs = pictured(levels, seed)
    (expected,), (found,) = answer(plain, inputs), answer(merged, inputs)
    assert np.array_equal(found, expected)
    # A box of a level that there is none of keeps its zeros.
    assert not found[np.array(levels) == LEVELS].any()


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda: scattered(numbers=(0, 1, 1, 2)), id="a level twice: the last write counts"),
        pytest.param(lambda: scattered(base=0.5), id="not on zeros"),
    ],
)
def test_what_looks_different_is_left_alone(other: Callable[[], ov.Model]) -> None:
    assert merge_levels(other()) == 0


@pytest.mark.parametrize("name", ["nuclei", "steel", "tiles"])
def test_bundled_networks_answer_the_same_to_the_bit(name: str) -> None:
    onnx = find_pack(name).folder / "model.onnx"
    plain, merged = ov.Core().read_model(onnx), ov.Core().read_model(onnx)
    assert merge_levels(merged) == 2
    chance = np.random.default_rng(7)
    noise = chance.standard_normal((1, 3, 96, 128)).astype(np.float32)
    noise[..., 30:60, 40:90] += 4
    one_by_one, at_once = ready(plain), ready(merged)
    for image in (noise, np.zeros((1, 3, 64, 64), np.float32)):
        for one, other in zip(answer(one_by_one, [image]), answer(at_once, [image]), strict=True):
            assert np.array_equal(one, other)
