"""What a program gets from `import planimeter`, with the model that comes with it."""

import subprocess
import sys
from io import BytesIO, StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

import planimeter
import planimeter.store
from planimeter import Measured, Measurement, Segmenter
from planimeter.errors import (
    InvalidOption,
    MissingPicture,
    TooManyBytes,
    TooManyPixels,
    UndecodablePicture,
    UnknownModel,
)
from planimeter.masks.rle import rle_decode
from planimeter.measurement import Polygons, Rle
from planimeter.pictures.decode import decode
from planimeter.runtimes.drivers import has_driver
from planimeter.samples import Sample, find_sample, list_samples
from planimeter.settings import Limits


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return planimeter.load("nuclei", infer_with_cpu=True)


@pytest.fixture(scope="module")
def sample() -> Sample:
    return find_sample("nuclei-large")


@pytest.fixture(scope="module")
def measured(segmenter: Segmenter, sample: Sample) -> Measured:
    return segmenter.measure(sample.path)


def test_a_path_gives_a_typed_answer(measured: Measured, sample: Sample) -> None:
    assert isinstance(measured, Measurement)
    image, coverage = measured.image, measured.coverage
    assert (image.filename, image.format, image.width, image.height) == ("nuclei-large.png", "PNG", 640, 480)
    assert image.sha256 == sample.sha256
    assert (measured.model.name, measured.model.runtime, measured.model.precision) == (
        "nuclei",
        "openvino",
        "f32",
    )
    assert coverage.pixels_counted == 640 * 480
    assert coverage.percent_masked == 100 * coverage.pixels_masked / coverage.pixels_counted
    assert [(entry.class_name, entry.count) for entry in coverage.by_class] == [
        ("nucleus", len(measured.instances))
    ]
    assert [instance.id for instance in measured.instances] == list(range(1, len(measured.instances) + 1))
    assert all(instance.score >= measured.options.score_threshold for instance in measured.instances)


def test_path_text_bytes_array_and_picture_give_the_same_answer(
    segmenter: Segmenter, measured: Measured, sample: Sample
) -> None:
    data = sample.read()
    grey = np.asarray(Image.open(BytesIO(data)))
    color = np.repeat(grey[:, :, np.newaxis], 3, axis=2)
    for source in (str(sample.path), data, grey, color, decode(data)):
        again = segmenter.measure(source)
        assert again.coverage == measured.coverage
        assert again.instances == measured.instances


def test_an_image_of_pillows_an_open_file_and_other_bytes_give_the_same_answer(
    segmenter: Segmenter, measured: Measured, sample: Sample
) -> None:
    data = sample.read()
    with sample.path.open("rb") as file, Image.open(sample.path) as image:
        sources = [BytesIO(data), file, image, image.convert("RGB"), bytearray(data), memoryview(data)]
        for source in sources:
            again = segmenter.measure(source)
            assert again.coverage == measured.coverage
            assert again.instances == measured.instances
    with sample.path.open("rb") as file:
        assert segmenter.measure(file).image == measured.image


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_an_image_of_pillows_is_turned_upright_as_its_file_would_be(
    segmenter: Segmenter, orientation: int
) -> None:
    pixels = np.zeros((60, 90, 3), np.uint8)
    pixels[:20, :20] = (250, 20, 30)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", exif=exif)
    image = Image.open(BytesIO(stream.getvalue()))
    from_file, from_image = segmenter.measure(stream.getvalue()), segmenter.measure(image)
    assert (from_image.image.width, from_image.image.height) == (
        from_file.image.width,
        from_file.image.height,
    )
    assert np.array_equal(from_image.draw(), from_file.draw())
    assert from_image.image.format == "ARRAY"


@pytest.mark.parametrize(
    ("mode", "note"),
    [
        ("I;16", "16-bit grey scaled"),
        ("RGBA", "alpha dropped"),
        ("CMYK", "CMYK converted"),
        ("P", None),
        ("LA", "alpha dropped"),
        ("1", None),
    ],
)
def test_every_mode_of_an_image_is_handled_as_in_a_file(
    segmenter: Segmenter, mode: str, note: str | None
) -> None:
    notes = [
        entry.message
        for entry in segmenter.measure(Image.new(mode, (40, 40))).notes
        if entry.code not in {"interval_unknown", "interval_withheld", "unlike_training"}
    ]
    assert any(entry.startswith(note) for entry in notes) if note else notes == []


def test_an_image_of_floats_and_one_beyond_the_limits_are_refused(segmenter: Segmenter) -> None:
    with pytest.raises(UndecodablePicture, match="floating-point"):
        segmenter.measure(Image.new("F", (40, 40)))
    with pytest.raises(TooManyPixels, match="limit is 100"):
        segmenter.measure(Image.new("L", (40, 40)), limits=Limits(max_pixels=100))
    with pytest.raises(TooManyBytes, match="limit of 100"):
        segmenter.measure(BytesIO(bytes(200)), limits=Limits(max_bytes=100))


def test_a_planar_tiff_that_pillow_opened_is_referred_to_its_file(segmenter: Segmenter) -> None:
    stream = BytesIO()
    planes = np.random.default_rng(0).integers(0, 65_536, (3, 40, 40)).astype(np.uint16)
    tifffile.imwrite(stream, planes, photometric="rgb", planarconfig="separate")
    with pytest.raises(InvalidOption, match="path or the bytes of its file"):
        segmenter.measure(Image.open(BytesIO(stream.getvalue())))
    assert segmenter.measure(stream.getvalue()).image.format == "TIFF"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (None, "None is no picture here; taken are a path"),
        (3, r"type builtins\.int is no picture here; taken are a path.* PIL\.Image\.Image"),
        (["a.png", "b.png"], "a list of 2 came.* call measure for each"),
        ("https://example.org/a.png", "is an address, not a path; fetch it"),
        (StringIO("text"), 'open it with "rb"'),
    ],
)
def test_what_is_no_picture_is_answered_with_what_is_taken(
    segmenter: Segmenter, source: Any, words: str
) -> None:
    with pytest.raises(InvalidOption, match=words):
        segmenter.measure(source)


def test_an_open_file_that_stands_at_its_end_is_told_so(segmenter: Segmenter) -> None:
    stream = BytesIO()
    Image.new("L", (40, 40)).save(stream, "PNG")
    with pytest.raises(MissingPicture, match=r"seek\(0\)"):
        segmenter.measure(stream)
    stream.close()
    with pytest.raises(MissingPicture, match="cannot be read"):
        segmenter.measure(stream)


def test_a_picture_without_a_name_gets_the_one_that_is_given(segmenter: Segmenter) -> None:
    pixels = np.zeros((32, 32), np.uint8)
    assert segmenter.measure(pixels).image.filename == "array"
    assert segmenter.measure(pixels, filename="dish 4").image.filename == "dish 4"
    assert segmenter.measure(pixels).image.format == "ARRAY"


def test_the_mask_has_as_many_pixels_as_are_masked(measured: Measured) -> None:
    mask = measured.mask()
    assert mask.shape == (480, 640)
    assert mask.dtype == np.bool_
    assert int(mask.sum()) == measured.coverage.pixels_masked


def test_the_union_of_the_rle_masks_is_the_mask(measured: Measured) -> None:
    layers = [rle_decode(entry.mask) for entry in measured.instances if isinstance(entry.mask, Rle)]
    assert [int(layer.sum()) for layer in layers] == [entry.area_px for entry in measured.instances]
    assert np.array_equal(np.any(layers, axis=0), measured.mask())
    assert int((np.sum(layers, axis=0) >= 2).sum()) == measured.coverage.pixels_overlapping


def test_each_style_draws_a_picture_of_the_same_size(measured: Measured, sample: Sample) -> None:
    original = np.asarray(Image.open(sample.path).convert("RGB"))
    drawings = [measured.overlay(), measured.overlay("outline"), measured.overlay("splash")]
    for drawing in drawings:
        assert (drawing.size, drawing.mode) == ((640, 480), "RGB")
        assert not np.array_equal(np.asarray(drawing), original)
    assert len({drawing.tobytes() for drawing in drawings}) == 3


def test_masks_come_as_polygons_or_not_at_all_where_asked(segmenter: Segmenter, sample: Sample) -> None:
    drawn = segmenter.measure(sample.path, mask_format="polygon")
    assert all(isinstance(entry.mask, Polygons) for entry in drawn.instances)
    assert {entry.mask for entry in segmenter.measure(sample.path, mask_format="none").instances} == {None}


@pytest.mark.parametrize("threshold", [-0.1, 1.1, 7, float("nan")])
def test_a_threshold_outside_0_to_1_is_refused_with_its_value(segmenter: Segmenter, threshold: float) -> None:
    with pytest.raises(InvalidOption, match=f"score_threshold is {threshold}; it must lie between 0 and 1"):
        segmenter.measure(np.zeros((32, 32), np.uint8), score_threshold=threshold)


def test_a_higher_threshold_keeps_the_instances_above_it(segmenter: Segmenter, sample: Sample) -> None:
    loose = segmenter.measure(sample.path, score_threshold=0.1)
    strict = segmenter.measure(sample.path, score_threshold=0.9)
    kept = [entry for entry in loose.instances if entry.score >= 0.9]
    assert [entry.bbox for entry in strict.instances] == [entry.bbox for entry in kept]
    assert 0 < len(strict.instances) <= len(loose.instances)
    assert strict.options.score_threshold == 0.9


def test_an_unknown_model_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownModel, match=r"there is no model 'cats'; known: .*nuclei"):
        planimeter.load("cats")


def test_a_path_that_leads_nowhere_is_named(segmenter: Segmenter, tmp_path: Path) -> None:
    with pytest.raises(MissingPicture, match=r"nowhere\.png cannot be read: No such file"):
        segmenter.measure(tmp_path / "nowhere.png")


@pytest.mark.parametrize("shape", [(64, 64), (480, 640), (1, 1), (700, 40)])
def test_a_picture_with_nothing_in_it_is_a_normal_result(
    segmenter: Segmenter, shape: tuple[int, int]
) -> None:
    empty = segmenter.measure(np.zeros(shape, np.uint8))
    assert empty.instances == []
    assert empty.coverage.percent_masked == 0.0
    assert empty.coverage.pixels_masked == empty.coverage.pixels_overlapping == 0
    assert empty.coverage.pixels_counted == shape[0] * shape[1]
    assert empty.overlay().size == (shape[1], shape[0])
    assert not empty.mask().any()


@pytest.mark.parametrize("sample", list_samples(), ids=lambda sample: sample.name)
def test_a_sample_is_measured_within_2_5_percentage_points_of_its_truth(sample: Sample) -> None:
    measured = planimeter.load(sample.model, infer_with_cpu=True).measure(sample.path)
    assert measured.coverage.percent_masked == pytest.approx(sample.percent_true, abs=2.5)


def test_the_time_of_each_step_is_told(measured: Measured) -> None:
    timing = measured.timing_ms
    assert min(timing.decode, timing.inference, timing.postprocess) > 0
    assert timing.total == pytest.approx(timing.decode + timing.inference + timing.postprocess)


@pytest.mark.parametrize(
    ("statement", "never"),
    [
        ("import planimeter", {"numpy", "pydantic", "PIL", "openvino"}),
        ("import planimeter; planimeter.load", {"sqlalchemy", "flask", "openvino"}),
        ("import planimeter.commands.measure", {"sqlalchemy", "flask", "openvino"}),
        ("import planimeter.pictures.worker", {"sqlalchemy", "flask", "openvino", "pycocotools"}),
    ],
)
def test_what_is_imported_is_what_is_used(statement: str, never: set[str]) -> None:
    code = f"import sys; {statement}; print(*sorted({never} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "\n"


@pytest.mark.parametrize("package", [planimeter, planimeter.store])
def test_public_names_are_there_before_they_are_asked_for(package: ModuleType) -> None:
    assert set(package.__all__) <= set(dir(package))
    for name in package.__all__:
        assert getattr(package, name) is vars(package)[name]
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'nothing'"):
        _ = package.nothing


@pytest.mark.parametrize("statement", ["import planimeter", "from planimeter.service.app import create_app"])
def test_neither_python_nor_the_service_imports_torch_at_start(statement: str) -> None:
    code = f"import sys; {statement}; print(*sorted({{'torch', 'torchvision', 'onnx'}} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "\n"


@pytest.mark.skipif(
    has_driver(), reason="this machine has the driver of a GPU, which the libraries are asked for"
)
def test_a_model_is_loaded_without_the_libraries_of_gpus_where_there_is_no_driver_of_one() -> None:
    code = (
        "import sys, planimeter; planimeter.load('steel'); "
        "print(*sorted({'torch', 'onnxruntime', 'openvino'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "openvino\n"


def test_the_version_is_that_of_the_package() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "planimeter", "--version"], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip().endswith(planimeter.__version__)
