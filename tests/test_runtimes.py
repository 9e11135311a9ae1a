"""What runs a network: chosen by name or by what is there, and the same answers from each."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import numpy as np
import openvino as ov
import openvino.opset13 as opset
import pytest
from numpy.typing import NDArray

import planimeter
from fakes import MODEL, blocks, write_block_pack
from planimeter.errors import InvalidPack, PlanimeterError, RuntimeUnavailable
from planimeter.measurement import Measurement, percent_of_whole
from planimeter.measuring.opening import open_segmenter
from planimeter.packs.pack import find_pack
from planimeter.pictures.decode import decode
from planimeter.runtimes.cores import available
from planimeter.runtimes.openvino import OpenVinoRuntime
from planimeter.runtimes.requests import WAITING, Streams
from planimeter.samples import find_sample
from planimeter.settings import Inference, Precision, RuntimeName

needs_onnxruntime = pytest.mark.skipif(
    not find_spec("onnxruntime"), reason="the onnxruntime extra is not installed"
)
needs_torch = pytest.mark.skipif(not find_spec("torch"), reason="the train extra is not installed")


def assert_same(one: Measurement, other: Measurement) -> None:
    """Compare measurements as two runtimes may differ: boxes by 0.05 px, scores by 0.001, percent by 0.02."""
    assert abs(percent_of_whole(one.coverage) - percent_of_whole(other.coverage)) <= 0.02
    assert [entry.class_id for entry in one.instances] == [entry.class_id for entry in other.instances]
    boxes = np.array([entry.bbox for entry in other.instances]).reshape(-1, 4)
    for entry in one.instances:
        distances = np.abs(boxes - entry.bbox).max(axis=1)
        partner = other.instances[int(distances.argmin())]
        assert distances.min() <= 0.05
        assert abs(entry.score - partner.score) <= 1e-3


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the threads by /proc")
@pytest.mark.skipif(available() < 2, reason="there is one core")
def test_a_network_with_a_share_of_the_cores_is_tied_to_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planimeter.runtimes.cores._share", 1)
    tasks = Path("/proc/self/task")
    before = {task.name for task in tasks.iterdir()}  # networks of other tests have all cores, and are tied
    segmenter = planimeter.load("tiles", runtime="openvino")
    tied: set[int] = set()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            for name in {task.name for task in tasks.iterdir()} - before:
                with suppress(OSError):  # it has ended
                    if len(os.sched_getaffinity(int(name))) < available_to_all:
                        tied.add(int(name))

    available_to_all = len(os.sched_getaffinity(0))
    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(3):
            segmenter.segment(np.zeros((256, 256, 3), np.uint8))
    finally:
        over.set()
        looking.join()
    assert not tied


@pytest.mark.slow
@pytest.mark.parametrize(
    "runtime",
    [pytest.param("onnxruntime", marks=needs_onnxruntime), pytest.param("torch", marks=needs_torch)],
)
def test_every_runtime_measures_the_same_as_openvino(runtime: RuntimeName) -> None:
    openvino = planimeter.load("nuclei", runtime="openvino")
    segmenter = planimeter.load("nuclei", runtime=runtime, infer_with_cpu=True)
    assert (segmenter.info.runtime, segmenter.info.precision, segmenter.info.device) == (
        runtime,
        "f32",
        "cpu",
    )
    sample = decode(find_sample("nuclei-culture").read(), filename="sample").pixels[:200, :260]
    pictures: list[NDArray[np.uint8]] = [sample, np.zeros((64, 96, 3), np.uint8)]
    found = []
    for pixels in pictures:
        one, other = openvino.measure(pixels), segmenter.measure(pixels)
        assert_same(one, other)
        found.append(len(one.instances))
    assert found[0] > 3
    assert found[1] == 0


def test_pictures_that_come_together_are_answered_to_the_bit_as_one_by_one() -> None:
    """Also while the network for several at once is still compiled, and by a second model beside it."""
    pixels = decode(find_sample("steel-scratches").read(), filename="sample").pixels
    pictures = [np.ascontiguousarray(np.roll(pixels, 10 * shift, axis=1)) for shift in range(8)]
    segmenters = [
        open_segmenter(find_pack(name, None), Inference(infer_with_cpu=True, streams=4))
        for name in ("steel", "tiles")
    ]
    at_work = min(4, available())
    assert all(segmenter.streams == at_work + (at_work > 1) for segmenter in segmenters), "one more waits"

    def measure(turn: int) -> Measurement:
        return segmenters[turn % 2].measure(pictures[turn % len(pictures)])

    alone = [measure(turn) for turn in range(len(pictures))]
    for _ in range(2):
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(measure, range(3 * len(pictures))))
        for turn, measured in enumerate(together):
            before = alone[turn % len(pictures)]
            assert measured.coverage == before.coverage
            assert measured.instances == before.instances
        wait_for("streams")
    assert sum(len(measured.instances) for measured in alone) > len(pictures)


def test_a_size_that_comes_often_gets_a_network_of_its_own_with_the_same_answers_to_the_bit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Alone and together, while it is compiled and after it was; other sizes go on as before."""
    monkeypatch.setattr("planimeter.runtimes.usual_size.OFTEN", 3)
    pixels = decode(find_sample("steel-scratches").read(), filename="sample").pixels[:200, :200]  # one tile
    pictures = [np.ascontiguousarray(np.roll(pixels, 10 * shift, axis=1)) for shift in range(8)]
    usual, others = segmenters = [
        open_segmenter(find_pack("steel", None), Inference(infer_with_cpu=True, streams=2)) for _ in range(2)
    ]
    alone = [others.detect(picture)[0] for picture in pictures[:2]]
    smaller = pictures[0][:150, :170]
    unusual = others.detect(smaller)[0]
    for picture in (*pictures, smaller):
        usual.measure(picture)
    wait_for("usual size")
    sizes = [cast("OpenVinoRuntime", each._runtime)._usual_size for each in segmenters]
    assert [size is not None and size._compiled is not None for size in sizes] == [True, False]
    for _ in range(2):
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda turn: usual.detect(pictures[turn % 2])[0], range(12)))
        for turn, answer in enumerate(found):
            before = alone[turn % 2]
            assert answer.boxes.tobytes() == before.boxes.tobytes()
            assert answer.scores == before.scores
            assert np.asarray(answer.masks).tobytes() == np.asarray(before.masks).tobytes()
        wait_for("streams")
    assert usual.detect(smaller)[0].boxes.tobytes() == unusual.boxes.tobytes()
    assert all(len(answer.boxes) for answer in (*alone, unusual))


def test_memory_can_be_given_back_while_pictures_are_measured() -> None:
    pixels = decode(find_sample("steel-scratches").read(), filename="sample").pixels
    segmenter = open_segmenter(find_pack("steel", None), Inference(infer_with_cpu=True, streams=2))
    with ThreadPoolExecutor(3) as pool:
        found = [pool.submit(segmenter.measure, pixels) for _ in range(12)]
        while not all(each.done() for each in found):
            segmenter.rest()
    assert len({each.result().coverage.pixels_masked for each in found}) == 1


def wait_for(name: str) -> None:
    """Wait for what is compiled in threads of this name."""
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join()


@needs_onnxruntime
def test_onnx_runtime_counts_rectangles_exactly(tmp_path: Path) -> None:
    write_block_pack(tmp_path)
    segmenter = planimeter.load(MODEL, packs_folder=tmp_path, runtime="onnxruntime", infer_with_cpu=True)
    measured = segmenter.measure(blocks(red=(0, 0, 32, 32), green=(16, 0, 48, 32)))
    assert measured.coverage.percent_masked == 37.5


@pytest.mark.parametrize(
    ("runtime", "precision", "error", "message"),
    [
        ("openvino", "f16", RuntimeUnavailable, "OpenVINO computes in f32 or bf16 on a CPU, not in f16"),
        pytest.param(
            "onnxruntime", "bf16", RuntimeUnavailable, "ONNX Runtime computes in f32", marks=needs_onnxruntime
        ),
        pytest.param("torch", "f16", RuntimeUnavailable, "f16 is for CUDA GPUs", marks=needs_torch),
        pytest.param("torch", "bf16", RuntimeUnavailable, "PyTorch computes in f32", marks=needs_torch),
    ],
)
def test_an_arithmetic_that_a_runtime_does_not_have_is_refused(
    runtime: RuntimeName, precision: Precision, error: type[PlanimeterError], message: str
) -> None:
    with pytest.raises(error, match=message):
        planimeter.load("nuclei", runtime=runtime, precision=precision, infer_with_cpu=True)


@needs_torch
def test_a_pack_without_pytorch_weights_names_the_runtimes_that_it_has(tmp_path: Path) -> None:
    write_block_pack(tmp_path)
    with pytest.raises(InvalidPack, match="no PyTorch weights; use --runtime openvino or onnxruntime"):
        planimeter.load(MODEL, packs_folder=tmp_path, runtime="torch")


@pytest.mark.parametrize("runtime", ["torch", "onnxruntime"])
def test_a_runtime_that_is_not_installed_says_how_to_get_it(
    runtime: RuntimeName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("planimeter.runtimes.choice.find_spec", lambda _: None)
    with pytest.raises(RuntimeUnavailable, match=r"pip install '\.\["):
        planimeter.load("nuclei", runtime=runtime)


@needs_onnxruntime
def test_a_file_that_onnx_runtime_cannot_read_is_refused_by_name(tmp_path: Path) -> None:
    runtimes = pytest.importorskip("planimeter.runtimes.onnxruntime")
    (tmp_path / "model.onnx").write_bytes(b"not a network")
    with pytest.raises(InvalidPack, match=r"model\.onnx cannot be loaded by ONNX Runtime"):
        runtimes.OnnxRuntime(tmp_path / "model.onnx")


def test_the_input_of_a_tile_may_be_written_over_while_a_network_of_its_size_is_compiled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("planimeter.runtimes.usual_size.OFTEN", 1)
    runtime = OpenVinoRuntime(find_pack("steel", None).folder / "model.onnx")
    image = np.random.default_rng(1).normal(size=(1, 3, 96, 96)).astype(np.float32)
    runtime.run(image)
    image[:] = 0
    wait_for("usual size")
    size = runtime._usual_size
    assert size is not None
    assert size._compiled is not None


def test_a_request_that_was_forgotten_while_it_was_at_work_is_not_taken_again() -> None:
    """It would keep all that was compiled for it: some 150 MiB for two small pictures at a time."""
    core = ov.Core()
    shown = opset.parameter([1, 3, -1, -1], np.float32)
    streams = Streams(core, ov.Model([opset.relu(shown)], [shown]), {}, 2)

    def take() -> ov.InferRequest:
        while (request := streams.take()) is None:
            time.sleep(0.01)
        return request

    older = take()
    streams.forget()
    newer = [take() for _ in range(2 + WAITING)]
    streams.give_back(older)
    assert streams.take() is None
    streams.give_back(newer[0])
    assert streams.take() is newer[0]
