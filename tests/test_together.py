"""Pictures that a network looks at together: each has the answer that it has alone, and its own error."""

import asyncio
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fakes import BlockRuntime, block_pack, blocks
from planimeter.errors import InferenceFailed
from planimeter.measuring.segmenter import Segmenter
from planimeter.runtimes import RawDetections
from planimeter.runtimes.together import run_together


class ManyBlocks(BlockRuntime):
    """The same for several pictures; one that is all blue cannot be measured."""

    device = "cuda"

    def __init__(self) -> None:
        super().__init__()
        self.together: list[int] = []

    def run_many(self, images: NDArray[np.float32]) -> list[RawDetections]:
        self.together.append(len(images))
        return [self.run(image[np.newaxis]) for image in images]

    def _detect(self, image: NDArray[np.float32]) -> RawDetections:
        if image[0, 2].min() > 0.5:
            raise InferenceFailed("this picture cannot be measured")
        return super()._detect(image)


def picture(number: int, side: int = 64) -> NDArray[np.float32]:
    pixels = np.zeros((1, 3, side, side), np.float32)
    pixels[0, 0, :, : number + 1] = 1
    return pixels


BROKEN = np.ones((1, 3, 64, 64), np.float32)


def same(one: Any, other: RawDetections) -> bool:
    names = ("boxes", "labels", "scores", "masks")
    return all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in names)


def test_pictures_of_one_network_and_one_size_are_shown_at_once() -> None:
    one, other = ManyBlocks(), ManyBlocks()
    inputs = [(one, picture(0)), (other, picture(1)), (one, picture(2, 96)), (one, picture(3))]
    found = run_together([*inputs, (other, picture(4))])
    assert (one.together, other.together) == ([2], [2])
    assert all(same(found[index], BlockRuntime().run(image)) for index, (_, image) in enumerate(inputs))


def test_one_that_fails_fails_alone() -> None:
    found = run_together([(runtime := ManyBlocks(), picture(0)), (runtime, BROKEN), (runtime, picture(2))])
    assert isinstance(found[1], InferenceFailed)
    assert same(found[0], BlockRuntime().run(picture(0)))
    assert same(found[2], BlockRuntime().run(picture(2)))


class Together:
    """A deployment that measures in batches."""

    def __init__(self) -> None:
        from planimeter.cluster.batches import Batches  # noqa: PLC0415 - an extra

        self._batches = Batches(asyncio.get_running_loop(), 16)
        self._segmenter = Segmenter(block_pack(), self._batches.around(ManyBlocks()))
        self._threads = ThreadPoolExecutor(16)

    async def measure(self, pixels: NDArray[np.uint8]) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _measure, self._segmenter, pixels)

    async def sizes(self) -> list[int]:
        return sorted(self._batches.sizes)


def _measure(segmenter: Segmenter, pixels: NDArray[np.uint8]) -> Any:
    try:
        found = segmenter.measure(pixels)
    except InferenceFailed as error:
        return str(error)
    return _answer(found), found.overlay().tobytes(), found.candidates().packed().pack()


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra ray: make test-ray")
@pytest.mark.filterwarnings("ignore")  # of Ray
def test_ray_puts_them_together_and_no_answer_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    from planimeter.cluster.connection import connected  # noqa: PLC0415 - an extra

    # Replicas import this module too.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
    blue = np.full((64, 64, 3), 255, np.uint8)
    pictures = [blocks(red=(0, 0, 1 + number % 40, 32)) for number in range(60)]
    pictures[7] = pictures[33] = blue
    with connected(cpus=2):
        from ray import serve  # noqa: PLC0415 - after the token is made

        serve.start(proxy_location="Disabled")
        deployment = serve.deployment(Together).options(max_ongoing_requests=16)
        handle = serve.run(deployment.bind(), name="together", route_prefix=None)
        asked = [handle.measure.remote(pixels) for pixels in pictures]
        answers = [each.result(timeout_s=60) for each in asked]
        assert max(handle.sizes.remote().result(timeout_s=60)) > 1
        serve.shutdown()
    here = Segmenter(block_pack(), BlockRuntime())
    for pixels, answer in zip(pictures, answers, strict=True):
        alone = "this picture cannot be measured" if pixels is blue else _measure(here, pixels)
        assert answer == alone


def _answer(measured: Any) -> Any:
    answer = json.loads(measured.without_picture().model_dump_json())
    answer["model"].pop("device")
    return {name: value for name, value in answer.items() if name != "timing_ms"}


@pytest.mark.slow
def test_a_network_of_ours_answers_the_same_for_several_at_once() -> None:
    torch = pytest.importorskip("torch", reason="needs the extra train")
    from planimeter.networks.own import BoxSpaceNetwork, build_network  # noqa: PLC0415 - an extra
    from planimeter.packs.manifest import Architecture  # noqa: PLC0415
    from planimeter.runtimes.torch import TorchRuntime  # noqa: PLC0415

    torch.manual_seed(1)
    architecture = Architecture(backbone="mobilenet_v2", score_floor=0.0, pixel_channels=16, texture=True)
    network = BoxSpaceNetwork(build_network(architecture, 2), architecture).eval()
    runtime = TorchRuntime(network, "cpu")
    images = np.random.default_rng(1).normal(size=(3, 3, 128, 160)).astype(np.float32)
    for found, image in zip(runtime.run_many(images), images, strict=True):
        alone = runtime.run(image[np.newaxis])
        assert len(found.scores) == len(alone.scores) > 0
        for name in ("boxes", "labels", "scores", "masks", "pixels", "texture"):
            np.testing.assert_allclose(getattr(found, name), getattr(alone, name), atol=1e-3)
