"""What is kept of a measurement answers for any other threshold exactly as a new measurement would."""

import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fakes import BlockRuntime, DotRuntime, block_pack, blocks, dot_pack, dots
from planimeter.errors import StoreFailed
from planimeter.masks.counted import Counted
from planimeter.masks.rle import rle_encode, rle_window
from planimeter.masks.window import WindowMask, trim
from planimeter.measurement import Measurement
from planimeter.measuring.candidates import Candidate, Candidates, PackedCandidates
from planimeter.measuring.coverage import at_threshold
from planimeter.measuring.duplicates import line_up
from planimeter.measuring.opening import load
from planimeter.measuring.segmenter import Segmenter
from planimeter.packs.manifest import Architecture
from planimeter.packs.pack import Pack
from planimeter.pictures.tiles import Tile, list_tiles
from planimeter.samples import list_samples

HEIGHT, WIDTH = 60, 150
TILES = list_tiles(HEIGHT, WIDTH, 60, 20)
THOUSANDTHS = st.integers(0, 1000).map(lambda number: number / 1000)


@st.composite
def objects(draw: st.DrawFn, tile: Tile) -> Candidate:
    """An object in a tile: its box to a thousandth of a pixel, its mask the pixels that the box touches."""
    x0 = draw(st.integers(1000 * tile.x0, 1000 * tile.x1 - 1000)) / 1000
    y0 = draw(st.integers(1000 * tile.y0, 1000 * tile.y1 - 1000)) / 1000
    x1 = min(round(x0 + draw(st.integers(1, 40_000)) / 1000, 3), tile.x1)
    y1 = min(round(y0 + draw(st.integers(1, 40_000)) / 1000, 3), tile.y1)
    shape = int(np.ceil(y1)) - int(y0), int(np.ceil(x1)) - int(x0)
    mask = trim(WindowMask(int(x0), int(y0), np.ones(shape, bool)))
    return Candidate((x0, y0, x1, y1), draw(st.integers(1, 2)), draw(THOUSANDTHS), mask)


def described(found: list[Candidate]) -> list[Any]:
    return [
        (entry.box, entry.label, entry.score, rle_encode(entry.mask, HEIGHT, WIDTH).counts) for entry in found
    ]


@settings(deadline=None)
@given(
    parts=st.tuples(*[st.lists(objects(tile), max_size=6) for tile in TILES]),
    thresholds=st.lists(THOUSANDTHS, min_size=1, max_size=4),
    mask_nms_iou=st.sampled_from((1.0, 0.6, 0.2)),
)
def test_cutting_what_was_kept_is_merging_what_was_cut(
    parts: tuple[list[Candidate], ...], thresholds: list[float], mask_nms_iou: float
) -> None:
    everything = candidates_of(parts, mask_nms_iou)
    kept = PackedCandidates.unpack(everything.packed().pack()).opened()
    for threshold in thresholds:
        cut = [[entry for entry in found if entry.score >= threshold] for found in parts]
        fresh = described(candidates_of(cut, mask_nms_iou).above(0.0))
        full = any(len(found) >= 4 for found in cut)
        for source in (everything, kept):
            assert (described(source.above(threshold)), source.limit_reached(threshold)) == (fresh, full)


@settings(deadline=None)
@given(
    found=st.lists(objects(Tile(0, 0, 60, 60)), max_size=12),
    mask_nms_iou=st.floats(0.05, 1),
    least=THOUSANDTHS,
)
def test_two_masks_of_one_class_that_overlap_too_much_count_once(
    found: list[Candidate], mask_nms_iou: float, least: float
) -> None:
    kept: list[Candidate] = []
    for entry in sorted(found, key=lambda entry: -entry.score):
        others = [other for other in kept if other.label == entry.label]
        if entry.score >= least and (
            mask_nms_iou == 1 or all(_iou(entry, other) < mask_nms_iou for other in others)
        ):
            kept.append(entry)
    entries = line_up([(Tile(0, 0, 60, 60), found)], HEIGHT, WIDTH, mask_nms_iou)
    assert described(Candidates(Counted(HEIGHT, WIDTH), entries).above(least)) == described(kept)


def _iou(one: Candidate, other: Candidate) -> float:
    """Return the IoU of two masks; 0 where their boxes do not meet, though both may touch one pixel."""
    (left, top, right, bottom), (x0, y0, x1, y1) = one.box, other.box
    if left >= x1 or x0 >= right or top >= y1 or y0 >= bottom:
        return 0.0
    first, second = np.zeros((2, HEIGHT, WIDTH), bool)
    first[one.mask.window] = one.mask.pixels
    second[other.mask.window] = other.mask.pixels
    return float((first & second).sum() / (first | second).sum())


def candidates_of(parts: Sequence[list[Candidate]], mask_nms_iou: float = 1) -> Candidates:
    entries = line_up(list(zip(TILES, parts, strict=True)), HEIGHT, WIDTH, mask_nms_iou)
    return Candidates(Counted(HEIGHT, WIDTH), entries, len(parts), most_instances=4, score_floor=0.05)


def without_time(measurement: Measurement) -> dict[str, Any]:
    return measurement.model_dump(exclude={"timing_ms"})


def tiling(pack: Pack) -> Pack:
    preprocessing = pack.manifest.preprocessing.model_copy(
        update={"least_scale": 1.0, "tile": 256, "tile_overlap": 64}
    )
    return replace(pack, manifest=pack.manifest.model_copy(update={"preprocessing": preprocessing}))


@pytest.mark.parametrize("pack", [dot_pack(), tiling(dot_pack())], ids=["whole", "in tiles"])
def test_every_threshold_gives_what_a_new_measurement_gives(pack: Pack) -> None:
    chance = np.random.default_rng(7)
    pixels = dots(chance.integers(0, 256, (12, 17)), second=chance.integers(0, 2, (12, 17)))
    runtime = DotRuntime()
    segmenter = Segmenter(pack, runtime)
    measured = segmenter.measure(pixels, score_threshold=0.5)
    kept, ran = PackedCandidates.unpack(measured.candidates().packed().pack()).opened(), runtime.ran
    for threshold in (0.0, 0.05, 0.2, 0.5, 0.70588, 0.9, 1.0):
        derived = at_threshold(measured, kept, threshold)
        assert runtime.ran == ran
        fresh = segmenter.measure(pixels, score_threshold=threshold)
        ran = runtime.ran
        assert without_time(derived) == without_time(fresh)
        assert derived.instances or threshold == 1.0


def test_notes_about_the_picture_and_about_the_limit_follow_the_threshold() -> None:
    pixels = np.dstack([blocks(red=(0, 0, 32, 32)), np.zeros((64, 64), np.uint8)])
    pack = block_pack()
    architecture = Architecture(detections=1)
    limited = replace(pack, manifest=pack.manifest.model_copy(update={"architecture": architecture}))
    segmenter = Segmenter(limited, BlockRuntime())
    low, high = (segmenter.measure(pixels, score_threshold=threshold) for threshold in (0.01, 0.95))
    assert len(low.notes) > len(high.notes) > 0
    assert at_threshold(high, high.candidates(), 0.01).notes == low.notes
    assert at_threshold(low, low.candidates(), 0.95).notes == high.notes


@settings(deadline=None)
@given(st.data())
def test_a_trimmed_mask_is_the_same_mask_as_rle_gives_it_back(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    bits = data.draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    pixels: NDArray[np.bool_] = np.array(bits).reshape(height, width)
    mask = trim(WindowMask(2, 3, pixels))
    rle = rle_encode(WindowMask(2, 3, pixels), height + 5, width + 5)
    again = rle_window(rle)
    assert rle_encode(mask, height + 5, width + 5) == rle
    assert (mask.x, mask.y, mask.pixels.tolist()) == (again.x, again.y, again.pixels.tolist())


def test_damaged_candidates_are_an_error_that_says_what_to_do() -> None:
    good = Segmenter(block_pack(), BlockRuntime()).measure(blocks(red=(0, 0, 9, 9))).candidates().packed()
    unknown = gzip.compress(json.dumps(good.model_dump() | {"colour": 1}).encode())
    for packed in (b"", good.pack()[:-12], b"not gzip", gzip.compress(b"{}"), unknown):
        with pytest.raises(StoreFailed, match="measure the picture again"):
            PackedCandidates.unpack(packed)
    assert PackedCandidates.unpack(good.pack()) == good


@pytest.mark.slow
def test_the_bundled_model_answers_every_threshold_from_what_was_kept() -> None:
    segmenter = load("nuclei", infer_with_cpu=True)
    pixels = np.asarray(segmenter_picture())
    measured = segmenter.measure(pixels)
    kept = PackedCandidates.unpack(measured.candidates().packed().pack()).opened()
    counts = []
    for threshold in (0.1, 0.3, 0.65, 0.95):
        derived = at_threshold(measured, kept, threshold)
        assert without_time(derived) == without_time(segmenter.measure(pixels, score_threshold=threshold))
        counts.append(len(derived.instances))
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


def segmenter_picture() -> NDArray[np.uint8]:
    """Return a sample repeated two by two: large enough for tiles."""
    from PIL import Image  # noqa: PLC0415 - the slow test alone needs it

    sample = next(entry for entry in list_samples() if entry.name == "nuclei-dense")
    return np.tile(np.asarray(Image.open(sample.path).convert("RGB")), (2, 2, 1))
