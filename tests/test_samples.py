import json
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

import planimeter
from planimeter.errors import UnknownSample
from planimeter.samples import Sample, find_sample, list_samples, sample_by_sha256, sha256_of
from planimeter.samples.fluorescence import Scene, draw_scene
from planimeter.samples.scenes import SCENES
from planimeter.samples.surfaces import SteelScene, TileScene, draw_steel, draw_tile

SMALL = Scene(
    seed=1,
    height=96,
    width=128,
    nuclei=8,
    radius=(8.0, 11.0),
    elongation=(1.1, 1.4),
    bend=0.1,
    touching=0.5,
    light=(400.0, 900.0),
)


def test_samples_for_every_bundled_model_come_with_the_package_and_are_small() -> None:
    assert {sample.model for sample in list_samples()} == {"nuclei", "steel", "tiles"}
    assert all(len(sample.read()) <= 150_000 for sample in list_samples())


def test_a_sample_is_found_by_its_name_and_by_its_bytes() -> None:
    for sample in list_samples():
        assert find_sample(sample.name) is sample
        assert sample_by_sha256(sha256_of(sample.read())) is sample


def test_an_unknown_sample_names_the_known_ones() -> None:
    with pytest.raises(UnknownSample, match="no sample 'cat'; known: nuclei-culture"):
        find_sample("cat")
    assert sample_by_sha256("0" * 64) is None


@pytest.mark.parametrize("sample", list_samples(), ids=lambda sample: sample.name)
def test_the_generator_gives_the_shipped_picture_and_its_truth_again(sample: Sample) -> None:
    picture = SCENES[sample.name].draw()
    shipped = np.asarray(Image.open(BytesIO(sample.read())))
    assert shipped.shape == picture.pixels.shape
    assert int(np.abs(shipped.astype(int) - picture.pixels).max()) <= 1
    assert picture.instances_true == sample.instances_true
    assert picture.percent_true == pytest.approx(sample.percent_true, abs=0.001)


def test_the_true_percent_is_the_share_of_pixels_of_any_nucleus() -> None:
    picture = draw_scene(SMALL)
    counted = int((picture.instances > 0).sum())
    assert picture.percent_true == 100 * counted / (96 * 128)
    assert sorted(set(np.unique(picture.instances)) - {0}) == list(range(1, picture.instances_true + 1))
    assert picture.instances_true == 8


def test_nuclei_are_brighter_than_what_surrounds_them() -> None:
    picture = draw_scene(SMALL)
    inside = picture.pixels[picture.instances > 0].mean()
    outside = picture.pixels[picture.instances == 0].mean()
    assert inside > 3 * outside


def test_the_same_seed_gives_the_same_picture_and_another_seed_another() -> None:
    again, other = draw_scene(SMALL), draw_scene(Scene(**{**SMALL.__dict__, "seed": 2}))
    assert np.array_equal(draw_scene(SMALL).pixels, again.pixels)
    assert not np.array_equal(again.pixels, other.pixels)


def test_flaws_of_a_surface_share_no_pixel_and_are_all_counted() -> None:
    picture = draw_steel(SteelScene(seed=1, height=160, width=200, scratches=2, inclusions=2))
    assert picture.instances_true == 4
    counted = [int((picture.instances == number).sum()) for number in range(1, 5)]
    assert min(counted) >= 12
    assert picture.percent_true == 100 * sum(counted) / (160 * 200)


def test_scratches_are_bright_and_holes_are_dark() -> None:
    scratched = draw_steel(SteelScene(seed=1, height=160, width=200, scratches=2))
    assert (
        scratched.pixels[scratched.instances > 0].mean()
        > scratched.pixels[scratched.instances == 0].mean() + 50
    )
    holed = draw_tile(TileScene(seed=1, height=200, width=160, blowholes=3))
    assert holed.instances_true == 3
    assert holed.pixels[holed.instances > 0].mean() < holed.pixels[holed.instances == 0].mean() - 25


def test_a_surface_without_flaws_has_nothing_to_find() -> None:
    picture = draw_tile(TileScene(seed=1, height=60, width=60))
    assert (picture.instances_true, picture.percent_true) == (0, 0.0)


def test_the_index_is_plain_json_that_another_program_can_read() -> None:
    path = list_samples()[0].path.with_name("index.json")
    entries = json.loads(path.read_text("utf-8"))
    assert [set(entry) >= {"name", "sha256", "percent_true"} for entry in entries] == [True] * len(
        list_samples()
    )


def test_a_surface_looks_like_the_training_whatever_its_size_and_not_at_any_scale() -> None:
    """The same steel, half of it, and continued; then enlarged four times, and another material."""
    segmenter = planimeter.load("steel", infer_with_cpu=True)
    steel = np.asarray(Image.open(BytesIO(find_sample("steel-scratches").read())).convert("RGB"))
    alike = [steel, steel[:, : steel.shape[1] // 2], np.tile(steel, (3, 3, 1))]
    enlarged = np.asarray(Image.fromarray(steel).resize((4 * steel.shape[1], 4 * steel.shape[0])))
    cells = np.asarray(Image.open(BytesIO(find_sample("nuclei-culture").read())).convert("RGB"))
    assert [segmenter.measure(pixels).coverage.interval is not None for pixels in alike] == [True] * 3
    assert [segmenter.measure(pixels).coverage.interval for pixels in (enlarged, cells)] == [None] * 2
