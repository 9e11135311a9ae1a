"""Large pictures in tiles: nothing lost at the seams, nothing counted twice."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fakes import BlockRuntime, block_pack, blocks
from planimeter.masks.counted import Counted
from planimeter.masks.window import WindowMask
from planimeter.measuring.candidates import Candidate, Candidates
from planimeter.measuring.detections import make_candidates
from planimeter.measuring.duplicates import line_up
from planimeter.measuring.opening import load
from planimeter.measuring.segmenter import Segmenter
from planimeter.packs.manifest import Preprocessing
from planimeter.pictures.preprocessing import choose_tiles, network_size
from planimeter.pictures.tiles import Tile, list_tiles
from planimeter.samples import list_samples

RED = (255, 0, 0)


def tiling_segmenter() -> Segmenter:
    """The fake model, which is told to measure whatever is larger than 64 pixels in tiles of 256, 64 of them shared."""
    pack = block_pack()
    preprocessing = pack.manifest.preprocessing.model_copy(
        update={"least_scale": 1.0, "tile": 256, "tile_overlap": 64}
    )
    return Segmenter(
        replace(pack, manifest=pack.manifest.model_copy(update={"preprocessing": preprocessing})),
        BlockRuntime(),
    )


@given(
    height=st.integers(1, 900),
    width=st.integers(1, 900),
    side=st.integers(100, 300),
    overlap=st.integers(0, 99),
)
def test_tiles_cover_the_picture_and_share_what_they_must(
    height: int, width: int, side: int, overlap: int
) -> None:
    seen = np.zeros((height, width), bool)
    tiles = list_tiles(height, width, side, overlap)
    for tile in tiles:
        assert 0 <= tile.x0 < tile.x1 <= width
        assert 0 <= tile.y0 < tile.y1 <= height
        seen[tile.y0 : tile.y1, tile.x0 : tile.x1] = True
    assert seen.all()
    rows = sorted({(tile.y0, tile.y1) for tile in tiles})
    assert all(upper[1] - lower[0] >= overlap for upper, lower in pairwise(rows))


def test_an_object_in_the_overlap_counts_once() -> None:
    pixels = np.zeros((100, 448, 3), np.uint8)
    pixels[40:60, 210:240] = RED  # both tiles, 0-256 and 192-448, show it whole
    measured = tiling_segmenter().measure(pixels)
    assert [entry.area_px for entry in measured.instances] == [600]
    assert measured.instances[0].bbox == (210, 40, 30, 20)
    assert any("2 overlapping tiles" in note.message for note in measured.notes)


def test_an_object_larger_than_the_overlap_keeps_its_exact_area() -> None:
    pixels = np.zeros((100, 900, 3), np.uint8)
    pixels[10:30, 50:850] = RED
    measured = tiling_segmenter().measure(pixels)
    assert measured.coverage.pixels_masked == 800 * 20


def counting(parts: list[tuple[Tile, list[Candidate]]]) -> list[Candidate]:
    return Candidates(Counted(100, 416), line_up(parts, 100, 416), len(parts)).above(0.0)


def test_a_part_cut_by_a_tile_gives_way_to_the_whole() -> None:
    whole = Candidate((180, 10, 260, 30), 1, 0.6, WindowMask(180, 10, np.ones((20, 80), bool)))
    part = Candidate((180, 10, 256, 30), 1, 0.9, WindowMask(180, 10, np.ones((20, 76), bool)))
    parts = [(Tile(0, 0, 256, 100), [part]), (Tile(160, 0, 416, 100), [whole])]
    assert [entry.mask for entry in counting(parts)] == [whole.mask]


def test_neighbours_of_two_tiles_both_stay() -> None:
    left = Candidate((200, 10, 220, 30), 1, 0.9, WindowMask(200, 10, np.ones((20, 20), bool)))
    right = Candidate((218, 10, 240, 30), 1, 0.8, WindowMask(218, 10, np.ones((20, 22), bool)))
    parts = [(Tile(0, 0, 256, 100), [left]), (Tile(160, 0, 416, 100), [right])]
    assert [entry.mask for entry in counting(parts)] == [left.mask, right.mask]


def test_detections_give_masks_at_any_threshold_without_the_network() -> None:
    mask = np.full((28, 28), 0.9, np.float32)
    mask[:, 7:14], mask[:, 14:] = 0.6, 0.4  # a cell is a pixel: the rectangle is 28 x 28
    runtime = BlockRuntime(mask=mask)
    segmenter = Segmenter(block_pack(), runtime)
    pixels = blocks(red=(10, 20, 38, 48))
    detections = segmenter.detect(pixels)
    counted = Counted(*pixels.shape[:2])
    areas = [
        make_candidates(detections, counted, threshold).above(0.0)[0].mask.area
        for threshold in (0.3, 0.5, 0.7)
    ]
    assert areas == [28 * 28, 28 * 14, 28 * 7]
    assert runtime.ran == 1
    assert segmenter.segment(pixels)[0].mask.area == areas[1]


def test_detections_in_tiles_count_an_object_once() -> None:
    pixels = np.zeros((100, 448, 3), np.uint8)
    pixels[40:60, 210:240] = RED
    detections = tiling_segmenter().detect(pixels)
    assert len(detections) == 2
    found = make_candidates(detections, Counted(100, 448), 0.5).above(0.0)
    assert [entry.mask.area for entry in found] == [600]


def test_a_small_picture_is_not_tiled() -> None:
    measured = tiling_segmenter().measure(np.zeros((64, 90, 3), np.uint8))
    assert [note.code for note in measured.notes] == ["interval_unknown"]


def test_a_fixed_scale_keeps_objects_at_their_size_whatever_the_picture() -> None:
    fixed = Preprocessing(shortest_edge=512, longest_edge=512, scale=1.5, tile=256, tile_overlap=64)
    assert network_size(40, 60, fixed) == (60, 90)
    assert network_size(400, 600, fixed) == (600, 900)
    assert choose_tiles(40, 60, fixed) == ([Tile(0, 0, 60, 40)], 1.5)
    tiles, scale = choose_tiles(100, 400, fixed)
    assert scale == 1.5
    assert {(tile.x1 - tile.x0, tile.y1 - tile.y0) for tile in tiles} == {(171, 100)}


@pytest.mark.slow
def test_a_sample_repeated_four_by_four_keeps_its_percentage() -> None:
    segmenter = load("nuclei", infer_with_cpu=True)
    sample = next(entry for entry in list_samples() if entry.name == "nuclei-large")
    pixels = np.asarray(Image.open(sample.path).convert("RGB"))
    one = segmenter.measure(pixels)
    many = segmenter.measure(np.tile(pixels, (4, 4, 1)))
    assert many.coverage.percent_masked == pytest.approx(one.coverage.percent_masked, abs=1.0)
    assert 0.85 < len(many.instances) / (16 * len(one.instances)) < 1.1
