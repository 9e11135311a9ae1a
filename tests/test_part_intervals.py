"""Intervals of parts of pictures: rectangles of real pictures, whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from labelled import shared_dataset
from planimeter.evaluation import compare
from planimeter.evaluation.agreement import found_percent, true_percent
from planimeter.evaluation.comparison import Compared
from planimeter.evaluation.parts import PART_SHARES, cut_out, draw_rectangle
from planimeter.labels import read_labels
from planimeter.masks.union import union_mask
from planimeter.measurement import Counting, Region
from planimeter.measuring.counting import count_within
from planimeter.measuring.coverage import measure_coverage
from planimeter.measuring.interval import with_intervals
from planimeter.measuring.opening import load
from planimeter.packs.pack import bundled_names, find_pack


def test_what_the_bundled_models_know_of_parts_never_narrows() -> None:
    for name in bundled_names():
        intervals = find_pack(name).trust.intervals
        assert intervals is not None
        for table in intervals.thresholds:
            assert tuple(part.share for part in table.parts) == PART_SHARES
            factors = [part.by for part in table.parts]
            assert factors == sorted(factors)
            assert 1 <= factors[0] <= factors[-1] < 3


@pytest.fixture(scope="module")
def compared_nuclei() -> list[Compared]:
    data = read_labels(shared_dataset("nuclei") / "test.json")
    return compare(load("nuclei", infer_with_cpu=True), replace(data, pictures=data.pictures[::4]))


def test_a_rectangle_cut_out_counts_what_the_region_of_its_corners_counts(
    compared_nuclei: list[Compared],
) -> None:
    chooser = np.random.default_rng(3)
    for entry in compared_nuclei[:8]:
        for share in PART_SHARES:
            left, top, right, bottom = draw_rectangle(chooser, *entry.counted.size, share)
            part = cut_out(entry, left, top, right, bottom)
            corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
            counting = Counting(region=Region(include=[corners], exclude=[]))
            within = replace(entry, candidates=count_within(entry.candidates, counting, ("nucleus",)))
            assert part.counted.pixels == within.counted.pixels
            thresholds = (0.1, 0.5, 0.9)
            assert np.array_equal(found_percent(part, thresholds, 1), found_percent(within, thresholds, 1))
            true = union_mask(entry.picture.masks, *entry.counted.size)[top:bottom, left:right]
            assert true_percent(part, 1)[0] == pytest.approx(100 * true.mean())


@pytest.mark.slow
def test_of_parts_of_pictures_that_made_nothing_nine_in_ten_lie_inside(
    compared_nuclei: list[Compared],
) -> None:
    """What docs/accuracy.md tells of all test pictures: 92 to 96 %; here of a quarter of them."""
    intervals = find_pack("nuclei").trust.intervals
    assert intervals is not None
    chooser, inside = np.random.default_rng(11), []
    for entry in compared_nuclei:
        for share in (0.8, 0.5, 0.25):
            left, top, right, bottom = draw_rectangle(chooser, *entry.counted.size, share)
            corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
            counting = Counting(region=Region(include=[corners], exclude=[]))
            within = count_within(entry.candidates, counting, ("nucleus",))
            coverage = measure_coverage(within.above(0.5), ("nucleus",), within.counted)
            interval = with_intervals(coverage, within, 0.5, intervals)[0].interval
            assert interval is not None
            truth = 100 * union_mask(entry.picture.masks, *entry.counted.size)[top:bottom, left:right].mean()
            inside.append(interval.low <= truth <= interval.high)
    assert len(inside) == 90
    assert np.mean(inside) >= 0.85
