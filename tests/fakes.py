"""A model whose answer can be computed by hand: it finds the red and the green rectangle of a picture."""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from planimeter.measuring.segmenter import Segmenter
from planimeter.packs.manifest import (
    Architecture,
    Manifest,
    PackClass,
    PackFile,
    Preprocessing,
    Thresholds,
    TrainingData,
)
from planimeter.packs.pack import Pack
from planimeter.runtimes import SENTINEL_SCORE, RawDetections

MODEL = "blocks"
SIDE = 64
"""Pictures whose shorter side has this length are measured without scaling: every count is exact."""
SCORES = (0.9, 0.6)

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels; x1 and y1 are outside."""


class BlockRuntime:
    """Answers the rectangle around all that is red (class 1) and the one around all that is green (class 2).

    Yellow is both, so rectangles can overlap. `during` is called while the network "runs"; `mask` holds the
    probabilities of every mask, float32 [28, 28].
    """

    name = "blocks"
    precision = "f32"
    device = "cpu"
    streams = 1

    def __init__(
        self, during: Callable[[], None] = lambda: None, mask: NDArray[np.float32] | None = None
    ) -> None:
        self._during = during
        self._mask = np.ones((28, 28), np.float32) if mask is None else mask
        self._running = threading.Lock()
        self.ran = 0
        self.rested = False

    def rest(self) -> None:
        self.rested = True

    def run(self, image: NDArray[np.float32]) -> RawDetections:
        assert self._running.acquire(blocking=False), "two pictures were in the network at once"
        try:
            self._during()
            self.ran += 1
            return self._detect(image)
        finally:
            self._running.release()

    def _detect(self, image: NDArray[np.float32]) -> RawDetections:
        found = []
        for channel, score in enumerate(SCORES):
            rows, columns = np.nonzero(image[0, channel] > 0.5)
            if len(rows):
                found.append(
                    (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1, channel + 1, score)
                )
        table = np.array(found, np.float32).reshape(-1, 6)
        return RawDetections(
            boxes=table[:, :4],
            labels=table[:, 4].astype(np.int64),
            scores=table[:, 5],
            masks=np.repeat(self._mask[None], len(table), axis=0),
        )


class DotRuntime:
    """Answers a disc for each cell of 32 x 32 pixels whose centre is lit: red is its score, any green makes class 2.

    Discs are wider than their cell, so neighbours overlap.
    """

    name = "dots"
    precision = "f32"
    device = "cpu"
    streams = 1
    cell = 32

    def __init__(self) -> None:
        self.ran = 0
        self.rested = False

    def rest(self) -> None:
        self.rested = True

    def run(self, image: NDArray[np.float32]) -> RawDetections:
        self.ran += 1
        half = self.cell // 2
        centres = image[0, :, half :: self.cell, half :: self.cell]
        rows, columns = np.nonzero(centres[0] > 0)
        scores = centres[0, rows, columns].astype(np.float32)
        order = np.argsort(-scores, kind="stable")
        y, x = rows[order] * self.cell + half, columns[order] * self.cell + half
        radius = half * 1.3
        steps = (np.arange(28) - 13.5) / 14
        disc = (steps[:, np.newaxis] ** 2 + steps**2 < 1).astype(np.float32)
        return RawDetections(
            boxes=np.stack([x - radius, y - radius, x + radius, y + radius], 1).astype(np.float32),
            labels=(1 + (centres[1, rows, columns][order] > 0)).astype(np.int64),
            scores=scores[order],
            masks=np.repeat(disc[np.newaxis], len(order), axis=0),
        )


def dots(scores: NDArray[Any], *, second: NDArray[Any] | None = None) -> NDArray[np.uint8]:
    """Return a picture for `DotRuntime`: a cell for each of `scores` [rows, columns], 0 to 255; `second` is class 2."""
    pixels = np.zeros((*scores.shape, 3), np.uint8)
    pixels[..., 0] = scores
    if second is not None:
        pixels[..., 1] = second * np.uint8(200)
    return np.repeat(np.repeat(pixels, DotRuntime.cell, 0), DotRuntime.cell, 1)


def dot_pack(name: str = MODEL) -> Pack:
    """Return a pack for `DotRuntime`; pictures of any size are measured as they are."""
    pack = block_pack(name)
    preprocessing = pack.manifest.preprocessing.model_copy(update={"least_scale": 1.0, "tile": 4096})
    return replace(pack, manifest=pack.manifest.model_copy(update={"preprocessing": preprocessing}))


def block_pack(name: str = MODEL) -> Pack:
    """Return a pack in memory for the fake runtime; it has no files."""
    manifest = Manifest(
        schema_version=1,
        name=name,
        version="1",
        title="Blocks",
        summary="Red and green rectangles.",
        classes=(PackClass(name="red", color="#d55e00"), PackClass(name="green", color="#009e73")),
        preprocessing=Preprocessing(
            shortest_edge=SIDE, longest_edge=8192, multiple=32, mean=(0, 0, 0), std=(255, 255, 255)
        ),
        architecture=Architecture(),
        thresholds=Thresholds(),
        onnx=PackFile(name="model.onnx", sha256="0" * 64),
        training_data=TrainingData(name="none", licence="CC0-1.0", pictures=0, instances=0),
        metrics={"coverage_mae": 0.0},
    )
    return Pack(Path("nowhere") / name, manifest)


def block_segmenter(runtime: BlockRuntime | None = None) -> Segmenter:
    """Return a segmenter with the fake runtime."""
    return Segmenter(block_pack(), runtime or BlockRuntime())


def blocks(
    *, red: Box | None = None, green: Box | None = None, width: int = SIDE, height: int = SIDE
) -> NDArray[np.uint8]:
    """Return a black picture with a red and a green rectangle, yellow where they overlap."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for channel, box in enumerate((red, green)):
        if box:
            pixels[box[1] : box[3], box[0] : box[2], channel] = 255
    return pixels


def encoded(pixels: NDArray[np.uint8], kind: str = "PNG") -> bytes:
    """Return `pixels` as the bytes of a picture file."""
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def write_block_pack(packs_folder: Path, name: str = MODEL) -> Path:
    """Write a pack whose ONNX network answers what `BlockRuntime` does; for tests that load models for real."""
    network = _block_network()
    pack = block_pack(name)
    onnx_file = PackFile(name="model.onnx", sha256=hashlib.sha256(network).hexdigest())
    folder = packs_folder / name
    folder.mkdir(parents=True)
    (folder / onnx_file.name).write_bytes(network)
    manifest = pack.manifest.model_copy(update={"onnx": onnx_file})
    (folder / "pack.json").write_text(manifest.model_dump_json(), "utf-8")
    (folder / "CARD.md").write_text("# Blocks\n\nFinds *rectangles*.\n", "utf-8")
    return folder


def _block_network() -> bytes:
    """Return an ONNX network: for each of two channels the rectangle around what is above 0.5, and its score."""
    onnx = pytest.importorskip("onnx", reason="needs the train extra")
    helper, kinds = onnx.helper, onnx.TensorProto
    nodes: list[Any] = []
    constants: list[Any] = []

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(name: str, values: NDArray[Any]) -> str:
        constants.append(onnx.numpy_helper.from_array(values, name))
        return name

    half = constant("half", np.float32(0.5).reshape(1))
    one = constant("one", np.ones(1, np.int64))
    boxes = [constant("sentinel_box", np.zeros((1, 4), np.float32))]
    scores = [constant("sentinel_score", np.array([SENTINEL_SCORE], np.float32))]
    for index, score in enumerate(SCORES):
        ends = [
            constant(f"{edge}{index}", np.array([value]))
            for edge, value in (("from", index), ("to", index + 1))
        ]
        channel = node("Slice", ["image", *ends, one], f"channel{index}")
        bright = node(
            "Cast", [node("Greater", [channel, half], f"is{index}")], f"bright{index}", to=kinds.FLOAT
        )
        edges = []
        for axis, across in ((3, 2), (2, 3)):
            line = node("ReduceMax", [bright], f"line{index}{axis}", axes=[0, 1, across], keepdims=0)
            first = node("ArgMax", [line], f"first{index}{axis}", axis=0, keepdims=1)
            last = node("ArgMax", [line], f"last{index}{axis}", axis=0, keepdims=1, select_last_index=1)
            edges.append((first, node("Add", [last, one], f"end{index}{axis}")))
        box = node("Concat", [edges[0][0], edges[1][0], edges[0][1], edges[1][1]], f"box{index}", axis=0)
        boxes.append(
            node("Unsqueeze", [node("Cast", [box], f"fbox{index}", to=kinds.FLOAT), "zero"], f"row{index}")
        )
        found = node("ReduceMax", [bright], f"found{index}", axes=[0, 1, 2, 3], keepdims=0)
        flat = node("Unsqueeze", [found, "zero"], f"flat{index}")
        scores.append(
            node("Mul", [flat, constant(f"top{index}", np.array([score], np.float32))], f"score{index}")
        )
    constant("zero", np.zeros(1, np.int64))
    node("Concat", boxes, "boxes", axis=0)
    node("Concat", scores, "scores", axis=0)
    node("Identity", [constant("label_values", np.array([1, 1, 2]))], "labels")
    node("Identity", [constant("mask_values", np.ones((3, 28, 28), np.float32))], "masks")
    graph = helper.make_graph(
        nodes,
        "blocks",
        [helper.make_tensor_value_info("image", kinds.FLOAT, [1, 3, "height", "width"])],
        [
            helper.make_tensor_value_info("boxes", kinds.FLOAT, [3, 4]),
            helper.make_tensor_value_info("labels", kinds.INT64, [3]),
            helper.make_tensor_value_info("scores", kinds.FLOAT, [3]),
            helper.make_tensor_value_info("masks", kinds.FLOAT, [3, 28, 28]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
