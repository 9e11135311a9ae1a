"""A pack that knows the size of a pixel: pictures of other magnifications come to the network as it learnt them."""

import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from fakes import BlockRuntime, block_pack, blocks
from labelled import write_dataset
from planimeter.labels import LabelledPicture, LabelledPictures, read_labels
from planimeter.masks.window import WindowMask
from planimeter.measurement import UNLIKE_TRAINING, percent_of_whole
from planimeter.measuring.known_size import MOST_ENLARGED, MOST_REDUCED, SCALED, network_scale
from planimeter.measuring.measured import Measured
from planimeter.measuring.opening import open_segmenter
from planimeter.measuring.segmenter import Segmenter
from planimeter.packs.manifest import Manifest, Preprocessing
from planimeter.packs.pack import Pack, find_pack
from planimeter.pictures.preprocessing import choose_tiles
from planimeter.pictures.tiles import Tile
from planimeter.samples import find_sample
from planimeter.scale import square
from planimeter.settings import Inference


def knowing(pack: Pack, pixel_size_um: float | None, **preprocessing: Any) -> Pack:
    """Return a pack that learnt from pixels of that size."""
    manifest = pack.manifest
    data = manifest.training_data.model_copy(update={"pixel_size_um": pixel_size_um})
    scaling = manifest.preprocessing.model_copy(update=preprocessing)
    return replace(
        pack, manifest=manifest.model_copy(update={"training_data": data, "preprocessing": scaling})
    )


class Watching(BlockRuntime):
    """Remembers the inputs of the network."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, ...]] = []

    def run(self, image: NDArray[np.float32]) -> Any:
        self.shapes.append(image.shape[2:])
        return super().run(image)


def codes(measured: Measured) -> list[str]:
    return [note.code for note in measured.notes if note.code != "interval_unknown"]


def measure(
    pixels: NDArray[np.uint8], side: float | None, learnt: float | None = 0.5, **preprocessing: Any
) -> tuple[Measured, list[tuple[int, ...]]]:
    runtime = Watching()
    pack = knowing(block_pack(), learnt, **{"scale": 1.0, **preprocessing})
    measured = Segmenter(pack, runtime).measure(pixels, pixel_size=side, unit=None if side is None else "um")
    return measured, runtime.shapes


PIXELS = blocks(red=(32, 32, 96, 96), width=128, height=128)


@pytest.mark.parametrize(
    ("side", "shape", "notes"),
    [
        (None, (128, 128), []),
        (0.5, (128, 128), []),
        (0.505, (160, 160), []),  # 129, filled up; too little to be worth telling
        (1.0, (256, 256), [SCALED]),
        (0.25, (64, 64), [SCALED]),
        (0.03125, (32, 32), [SCALED]),
        (1.5, (384, 384), [SCALED, UNLIKE_TRAINING]),
        (2.0, (512, 512), [SCALED, UNLIKE_TRAINING]),
        (2.1, (128, 128), [UNLIKE_TRAINING]),
        (0.03, (128, 128), [UNLIKE_TRAINING]),
    ],
)
def test_the_network_sees_objects_as_large_as_it_learnt_them(
    side: float | None, shape: tuple[int, int], notes: list[str]
) -> None:
    measured, shapes = measure(PIXELS, side)
    assert shapes == [shape]
    assert codes(measured) == notes
    if shape != (160, 160):
        assert measured.coverage.percent_masked == 25, (
            "counted in the picture's own pixels, whatever the scale"
        )


@pytest.mark.parametrize("fit", ["edges", "scale"])
def test_it_is_so_whether_pictures_have_one_scale_or_one_size(fit: str) -> None:
    preprocessing = (
        {"scale": 2.0} if fit == "scale" else {"scale": None, "shortest_edge": 128, "tile_scale": 2.0}
    )
    _, usual = measure(blocks(red=(0, 0, 9, 9), width=64, height=64), 0.5, **preprocessing)
    _, finer = measure(blocks(red=(0, 0, 9, 9), width=128, height=128), 0.25, **preprocessing)
    assert usual == finer == [(128, 128)]


def test_what_is_enlarged_over_a_tile_is_measured_in_tiles() -> None:
    pixels = blocks(red=(10, 10, 290, 290), width=300, height=300)
    measured, shapes = measure(pixels, 1.0, tile=256, tile_overlap=64)
    assert len(shapes) == 9
    assert set(shapes) == {(256, 256)}
    assert codes(measured) == [SCALED, "measured_in_tiles"]
    assert measured.coverage.pixels_masked == 280 * 280
    tiles, scale = choose_tiles(300, 300, Preprocessing(least_scale=0.5), 0.25)
    assert (tiles, scale) == ([Tile(0, 0, 300, 300)], 0.25), (
        "what is reduced is whole, and least_scale is no matter"
    )


@pytest.mark.parametrize("side", [None, 0.1, 0.5, 3.0])
def test_a_pack_that_knows_no_size_measures_as_ever(side: float | None) -> None:
    measured, shapes = measure(PIXELS, side, learnt=None)
    plain, as_ever = measure(PIXELS, None, learnt=None)
    assert shapes == as_ever
    assert codes(measured) == []
    assert measured.candidates().packed() == plain.candidates().packed()


def test_the_limits_are_those_of_scaling() -> None:
    manifest = knowing(block_pack(), 1.0, scale=1.5).manifest
    for side in (1 / MOST_REDUCED, 1.0, MOST_ENLARGED):
        assert network_scale(manifest, square(side, "um", "given")) == pytest.approx(1.5 * side)
    for side in (0.99 / MOST_REDUCED, 1.01 * MOST_ENLARGED):
        assert network_scale(manifest, square(side, "um", "given")) is None
    assert network_scale(manifest, square(0.002, "mm", "given")) == pytest.approx(3.0)
    assert network_scale(manifest, None) is None


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "small"])
def test_a_manifest_with_no_size_of_a_pixel_is_refused(value: Any) -> None:
    described = block_pack().manifest.model_dump()
    described["training_data"]["pixel_size_um"] = value
    with pytest.raises(ValueError, match="pixel_size_um"):
        Manifest.model_validate(described)


@pytest.mark.slow
@pytest.mark.parametrize("times", [0.5, 2.0])
def test_a_resampled_picture_has_nearly_the_same_percentage_when_its_pixel_size_is_known(
    times: float,
) -> None:
    """With the bundled model of nuclei, told that it learnt from pixels of half a micrometre."""
    sample = find_sample("nuclei-culture")
    pixels = Image.open(BytesIO(sample.read())).convert("RGB")
    size = (round(pixels.width / times), round(pixels.height / times))
    how = Image.Resampling.BOX if times > 1 else Image.Resampling.BICUBIC
    resampled = np.asarray(pixels.resize(size, how))
    segmenter = open_segmenter(knowing(find_pack("nuclei", None), 0.5), Inference(infer_with_cpu=True))
    usual = segmenter.measure(np.asarray(pixels), pixel_size=0.5, unit="um")
    known = segmenter.measure(resampled, pixel_size=0.5 * times, unit="um")
    unknown = segmenter.measure(resampled)
    percent = percent_of_whole(usual.coverage)
    assert known.coverage.percent_masked == pytest.approx(percent, abs=0.5)
    assert len(known.instances) == pytest.approx(len(usual.instances), abs=2)
    assert known.coverage.area_masked == pytest.approx(usual.coverage.area_masked, rel=0.04)
    off = [abs(percent_of_whole(measured.coverage) - percent) for measured in (unknown, known)]
    assert off[0] > off[1]


# ---- What training records


def labelled(*sides: float | None, size: int = 96) -> LabelledPictures:
    masks = (WindowMask(10, 10, np.ones((20, 20), bool)),)
    return LabelledPictures(
        ("blob",),
        tuple(
            LabelledPicture(
                f"{number}.png",
                np.zeros((size, size, 3), np.uint8),
                (1,),
                masks,
                None if side is None else square(side, "um", "OME"),
            )
            for number, side in enumerate(sides)
        ),
    )


@pytest.mark.training
@pytest.mark.parametrize(
    ("sides", "recorded", "told"),
    [
        ((0.5, 0.5, 0.5), 0.5, "a pixel measures 0.5 µm"),
        ((0.5, 0.55, 0.6), 0.55, "a pixel measures 0.55 µm"),
        ((0.5, None, 0.5), None, "only 2 of 3 pictures say it"),
        ((0.5, 0.5, 1.0), None, "differ by more than 1.25 times"),
        ((None, None, None), None, ""),
    ],
)
def test_training_records_the_size_of_a_pixel_where_pictures_agree(
    sides: tuple[float | None, ...], recorded: float | None, told: str
) -> None:
    pytest.importorskip("torch", reason="needs the train extra")
    from planimeter.training.export import draft_pack  # noqa: PLC0415
    from planimeter.training.pixel_size import describe_pixel_size  # noqa: PLC0415
    from planimeter.training.plan import PackPlan  # noqa: PLC0415

    data = labelled(*sides)
    for plan in (PackPlan(name="blobs", scale=1.5), PackPlan(name="blobs", shortest_edge=192)):
        manifest = draft_pack(plan, data, data).manifest
        assert manifest.training_data.pixel_size_um == recorded
        assert told in describe_pixel_size(manifest, data.pictures)
    given = data.with_scale(PackPlan(name="blobs", pixel_size=2, unit="um").given_scale())
    assert (
        draft_pack(PackPlan(name="blobs", scale=1.5), given, given).manifest.training_data.pixel_size_um == 2
    )
    written = json.loads(draft_pack(plan, data, data).manifest.model_dump_json(exclude_none=True))
    assert ("pixel_size_um" in written["training_data"]) == (recorded is not None)


def test_labelled_pictures_carry_the_size_of_their_pixels(tmp_path: Path) -> None:
    description = b'<OME><Image><Pixels PhysicalSizeX="0.5" PhysicalSizeY="0.5"/></Image></OME>'
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    tifffile.imwrite(
        tmp_path / "images" / "a.tif", PIXELS, description=description, metadata=None, photometric="rgb"
    )
    Image.fromarray((PIXELS[..., 0] > 0).astype(np.uint8) * 255).save(tmp_path / "masks" / "a.png")
    (picture,) = read_labels(tmp_path).pictures
    assert picture.scale == square(0.5, "um", "OME")


@pytest.mark.slow
@pytest.mark.training
def test_a_training_that_is_given_the_size_makes_a_pack_that_scales(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the train extra")
    from test_training import train  # noqa: PLC0415

    data = write_dataset(tmp_path / "data", pictures=6)
    output = train(tmp_path, data, "--epochs", "1", "--scale", "1", "--pixel-size", "0.4", "--unit", "um")
    assert "a pixel measures 0.4 µm" in " ".join(output.split())
    pack = find_pack("blobs", tmp_path / "packs")
    assert pack.manifest.training_data.pixel_size_um == 0.4
    assert "0.4 µm" in (pack.folder / "CARD.md").read_text("utf-8")
    segmenter = open_segmenter(pack, Inference(infer_with_cpu=True))
    pixels = np.zeros((64, 64, 3), np.uint8)
    assert SCALED in codes(segmenter.measure(pixels, pixel_size=0.2, unit="um"))
    assert SCALED not in codes(segmenter.measure(pixels))
