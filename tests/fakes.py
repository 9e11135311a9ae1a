"""A model whose answer can be computed by hand: it finds the red and the green rectangle of a picture."""

import threading
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from planimeter.packs import (
    Architecture,
    Manifest,
    Pack,
    PackClass,
    PackFile,
    Preprocessing,
    Thresholds,
    TrainingData,
)
from planimeter.runtimes import RawDetections
from planimeter.segmenter import Segmenter

MODEL = "blocks"
SIDE = 64
"""Pictures whose shorter side has this length are measured without scaling: every count is exact."""
SCORES = (0.9, 0.6)

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels; x1 and y1 are outside."""


class BlockRuntime:
    """Answers one instance for all that is red (class 1), one for all that is green (class 2): their rectangles.

    Yellow is both, so rectangles can overlap. `during` is called while the network "runs".
    """

    name = "blocks"
    precision = "f32"
    device = "cpu"

    def __init__(self, during: Callable[[], None] = lambda: None) -> None:
        self._during = during
        self._running = threading.Lock()
        self.ran = 0

    def run(self, image: NDArray[np.float32]) -> RawDetections:
        assert self._running.acquire(blocking=False), "two pictures were in the network at once"
        try:
            self._during()
            self.ran += 1
            return self._detect(image)
        finally:
            self._running.release()

    @staticmethod
    def _detect(image: NDArray[np.float32]) -> RawDetections:
        found = []
        for channel, score in enumerate(SCORES):
            rows, columns = np.nonzero(image[0, channel] > 0.5)
            if len(rows):
                found.append((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1, channel + 1, score))
        table = np.array(found, np.float32).reshape(-1, 6)
        return RawDetections(
            boxes=table[:, :4],
            labels=table[:, 4].astype(np.int64),
            scores=table[:, 5],
            masks=np.ones((len(table), 28, 28), np.float32),
        )


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
