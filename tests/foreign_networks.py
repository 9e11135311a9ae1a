"""Tiny ONNX networks that answer as the common families do, so that percentages can be computed by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Shape = Sequence[int | str]
ULTRALYTICS = {
    "description": "Ultralytics YOLO11n-seg model trained on /home/someone/secret.yaml",
    "license": "AGPL-3.0",
    "task": "segment",
    "names": "{0: 'cat', 1: 'dog'}",
    "imgsz": "[64, 64]",
}


def write_network(
    path: Path,
    outputs: Mapping[str, NDArray[Any]],
    *,
    shape: Shape = (1, 3, 64, 64),
    kind: str = "FLOAT",
    metadata: Mapping[str, str] | None = None,
    declared: Mapping[str, Shape] | None = None,
) -> Path:
    """Write a network that gives the same answer for every picture."""
    onnx = pytest.importorskip("onnx", reason="needs the train extra")
    helper = onnx.helper
    constants = [onnx.numpy_helper.from_array(values, f"{name}.values") for name, values in outputs.items()]
    nodes = [helper.make_node("Identity", [f"{name}.values"], [name]) for name in outputs]
    graph = helper.make_graph(
        nodes,
        "constant",
        [helper.make_tensor_value_info("picture", getattr(onnx.TensorProto, kind), list(shape))],
        [_declare(onnx, name, values, (declared or {}).get(name)) for name, values in outputs.items()],
        constants,
    )
    return _save(onnx, graph, path, metadata)


def write_bright(path: Path) -> Path:
    """Write a network with torchvision's answer: two instances over the whole picture, masked where it is bright.

    The masks are the red and the green channel, and change with the picture as those of a real network do.
    """
    onnx = pytest.importorskip("onnx", reason="needs the train extra")
    helper = onnx.helper
    values = {
        "boxes": np.array([[0, 0, 64, 64], [0, 0, 64, 64]], np.float32),
        "labels": np.array([1, 2]),
        "scores": np.array([0.9, 0.8], np.float32),
    }
    constants = [onnx.numpy_helper.from_array(given, f"{name}.values") for name, given in values.items()]
    constants += [onnx.numpy_helper.from_array(np.array([at]), f"at{at}") for at in (0, 1, 2)]
    nodes = [helper.make_node("Identity", [f"{name}.values"], [name]) for name in values]
    nodes.append(helper.make_node("Slice", ["image", "at0", "at2", "at0"], ["colors"]))
    nodes.append(helper.make_node("Unsqueeze", ["colors", "at1"], ["masks"]))
    outputs = [_declare(onnx, name, given, ["n", *given.shape[1:]]) for name, given in values.items()]
    outputs.append(
        helper.make_tensor_value_info("masks", onnx.TensorProto.FLOAT, ["n", 1, "height", "width"])
    )
    image = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [3, "height", "width"])
    return _save(onnx, helper.make_graph(nodes, "bright", [image], outputs, constants), path, None)


def yolo_outputs() -> dict[str, NDArray[Any]]:
    """Return one dog of 20 x 10 pixels in the middle, and a place below any threshold."""
    places = np.array([[32, 32, 20, 10, 0.1, 0.9, 1, 1], [9, 9, 4, 4, 0.01, 0.0, 1, 1]], np.float32)
    return {"output0": places.T[None].copy(), "output1": np.ones((1, 2, 16, 16), np.float32)}


def end_to_end_outputs() -> dict[str, NDArray[Any]]:
    """Return the same dog, finished."""
    rows = np.zeros((1, 6, 8), np.float32)
    rows[0, 0] = [22, 27, 42, 37, 0.9, 1, 1, 1]
    return {"output0": rows, "output1": np.ones((1, 2, 16, 16), np.float32)}


def rf_detr_outputs(columns: int = 3) -> dict[str, NDArray[Any]]:
    """Return a mask over the left half, of the second class."""
    logits = np.full((1, 2, columns), -9, np.float32)
    logits[0, 0, 1] = 2
    masks = np.full((1, 2, 16, 16), -5, np.float32)
    masks[0, 0, :, :8] = 5
    boxes = np.full((1, 2, 4), 0.5, np.float32)
    return {"dets": boxes, "labels": logits, "masks": masks}


def detectron2_outputs() -> dict[str, NDArray[Any]]:
    """Return two instances in box space, with the numbers that a tracer gives as names, and the picture's size."""
    return {
        "value.3": np.array([[0, 0, 10, 20], [30, 30, 50, 40]], np.float32),
        "2211": np.array([1, 0]),
        "2305": np.ones((2, 1, 28, 28), np.float32),
        "2210": np.array([0.9, 0.8], np.float32),
        "2306": np.array([64, 64]),
    }


DETECTRON2_SHAPES: dict[str, Shape] = {
    "value.3": ("n", 4),
    "2211": ("n",),
    "2305": ("n", 1, 28, 28),
    "2210": ("n",),
}


def _declare(onnx: Any, name: str, values: NDArray[Any], shape: Shape | None) -> Any:
    kind = onnx.helper.np_dtype_to_tensor_dtype(values.dtype)
    return onnx.helper.make_tensor_value_info(name, kind, list(shape or values.shape))


def _save(onnx: Any, graph: Any, path: Path, metadata: Mapping[str, str] | None) -> Path:
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    onnx.helper.set_model_props(model, dict(metadata or {}))
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def write_endless(path: Path) -> Path:
    """Write a network of torchvision's kind that counts almost to 2^63 before it answers."""
    onnx = pytest.importorskip("onnx", reason="needs the train extra")
    helper, kinds = onnx.helper, onnx.TensorProto
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["on"]),
            helper.make_node("Sin", ["before"], ["waves"]),
            helper.make_node("Add", ["waves", "step"], ["after"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", kinds.INT64, []),
            helper.make_tensor_value_info("go", kinds.BOOL, []),
            helper.make_tensor_value_info("before", kinds.FLOAT, [1, 3, 64, 64]),
        ],
        [
            helper.make_tensor_value_info("on", kinds.BOOL, []),
            helper.make_tensor_value_info("after", kinds.FLOAT, [1, 3, 64, 64]),
        ],
        [onnx.numpy_helper.from_array(np.array([0.5], np.float32), "step")],
    )
    values = yolo_outputs()
    constants = [
        onnx.numpy_helper.from_array(np.array(2**62), "turns"),
        onnx.numpy_helper.from_array(np.array(True), "true"),
        onnx.numpy_helper.from_array(np.array([0.0], np.float32), "none"),
        *(onnx.numpy_helper.from_array(given, f"{name}.values") for name, given in values.items()),
    ]
    nodes = [
        helper.make_node("Loop", ["turns", "true", "picture"], ["looped"], body=body),
        helper.make_node("ReduceMax", ["looped"], ["most"], keepdims=0),
        helper.make_node("Mul", ["most", "none"], ["nothing"]),
        *(helper.make_node("Add", [f"{name}.values", "nothing"], [name]) for name in values),
    ]
    outputs = [_declare(onnx, name, given, None) for name, given in values.items()]
    image = helper.make_tensor_value_info("picture", kinds.FLOAT, [1, 3, 64, 64])
    return _save(onnx, helper.make_graph(nodes, "endless", [image], outputs, constants), path, None)
