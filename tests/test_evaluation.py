"""The figures that say how far a percentage can be trusted, against cases computed by hand."""

import contextlib
import io
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from fakes import BlockRuntime, DotRuntime, block_pack, blocks, dot_pack, dots
from labelled import ellipse, write_dataset
from planimeter.errors import DataError
from planimeter.evaluation import Compared, Metrics, best_threshold, compare, summarise, with_mask_threshold
from planimeter.evaluation.agreement import coverage_error, errors_at, summarise_errors
from planimeter.evaluation.average_precision import as_coco, average_precision
from planimeter.evaluation.matching import confusion, match, precision_recall, window_iou
from planimeter.labels import LabelledPicture, LabelledPictures, read_labels, split
from planimeter.masks.counted import Counted
from planimeter.masks.union import count_coverage
from planimeter.masks.window import WindowMask
from planimeter.measuring.candidates import Candidate, Candidates
from planimeter.measuring.segmenter import Segmenter
from planimeter.packs.pack import BUNDLED_FOLDER, read_pack
from planimeter.runtimes import RawDetections

CLASSES = ("square", "other")


def square(x: int, y: int, side: int) -> WindowMask:
    return WindowMask(x, y, np.ones((side, side), bool))


def compared(
    true: list[WindowMask],
    found: list[WindowMask],
    scores: list[float],
    *,
    true_labels: list[int] | None = None,
    found_labels: list[int] | None = None,
) -> Compared:
    """Return a 100 x 100 picture, so that 100 pixels are one percentage point; all of class 1 unless given."""
    labels = tuple(true_labels or [1] * len(true))
    picture = LabelledPicture("p", np.zeros((100, 100, 3), np.uint8), labels, tuple(true))
    return Compared(picture, candidates(found, found_labels or [1] * len(found), scores, (100, 100)))


def candidates(
    masks: list[WindowMask], labels: list[int], scores: list[float], size: tuple[int, int]
) -> Candidates:
    boxes = [(mask.x, mask.y, mask.x + mask.pixels.shape[1], mask.y + mask.pixels.shape[0]) for mask in masks]
    return Candidates(
        Counted(*size),
        [Candidate(*entry) for entry in zip(boxes, labels, scores, masks, strict=True)],
    )


def random_compared(seed: int, height: int = 120, width: int = 150) -> Compared:
    """Return a picture of ellipses of two classes and three sizes, found shifted, doubled, or not at all."""
    chooser = np.random.default_rng(seed)
    true: list[WindowMask] = []
    found: list[WindowMask] = []
    labels: list[int] = []
    found_labels: list[int] = []
    for _ in range(12):
        center = tuple(chooser.uniform((10, 10), (width - 10, height - 10)))
        axes = tuple(chooser.choice([4, 12, 25]) * chooser.uniform(0.8, 1.2, 2))
        true.append(ellipse(height, width, center, axes))
        labels.append(int(chooser.integers(1, 3)))
        for _ in range(chooser.integers(0, 4)):
            moved = tuple(np.clip(center + chooser.normal(0, 1.5, 2), 5, (width - 5, height - 5)))
            found.append(ellipse(height, width, moved, axes))
            found_labels.append(labels[-1] if chooser.random() < 0.8 else 3 - labels[-1])
    scores = sorted(chooser.uniform(0.05, 1, len(found)).round(2).tolist(), reverse=True)
    picture = LabelledPicture(str(seed), np.zeros((height, width, 3), np.uint8), tuple(labels), tuple(true))
    return Compared(picture, candidates(found, found_labels, scores, (height, width)))


def test_a_perfect_answer_has_ap_1_and_no_coverage_error() -> None:
    masks = [square(0, 0, 10), square(50, 50, 20)]
    metrics = summarise([compared(masks, masks, [0.9, 0.8])], CLASSES, 0.5)
    assert (metrics.mask_ap, metrics.mask_ap50, metrics.mask_ap75) == (1.0, 1.0, 1.0)
    assert (metrics.precision, metrics.recall, metrics.f1) == (1.0, 1.0, 1.0)
    assert metrics.coverage.bias == metrics.coverage.mean_absolute_error == 0.0
    assert metrics.pixel_iou_by_class == {"square": 1.0}
    assert metrics.ap50_by_class == {"square": 1.0}


def test_one_of_two_objects_found_gives_half_the_recall_and_coco_interpolated_precision() -> None:
    true = [square(0, 0, 10), square(50, 50, 10)]
    metrics = summarise([compared(true, true[:1], [0.9])], CLASSES, 0.5)
    assert metrics.recall == 0.5
    assert metrics.precision == 1.0
    # 51 of the 101 recall levels are reached, each with precision 1.
    assert metrics.mask_ap50 == pytest.approx(51 / 101)


def test_coverage_error_is_measured_minus_true_in_points() -> None:
    over = compared([square(0, 0, 10)], [square(0, 0, 20)], [0.9])  # 4 % measured, 1 % true
    under = compared([square(0, 0, 10)], [], [])  # 0 % measured, 1 % true
    error = coverage_error([over, under], 0.5)
    assert error.bias == pytest.approx((3 - 1) / 2)
    assert error.mean_absolute_error == pytest.approx((3 + 1) / 2)
    spread = 1.96 * np.std([3, -1], ddof=1)
    assert error.limits_of_agreement == pytest.approx((1 - spread, 1 + spread))


def test_coverage_error_counts_overlapping_instances_once() -> None:
    twice = compared([square(0, 0, 10)], [square(0, 0, 10), square(0, 0, 10)], [0.9, 0.8])
    assert coverage_error([twice], 0.5).bias == 0.0


def test_the_best_threshold_drops_what_is_false() -> None:
    entry = compared([square(0, 0, 10)], [square(0, 0, 10), square(50, 50, 20)], [0.9, 0.4])
    assert 0.4 < best_threshold([entry]) <= 0.9


def test_window_iou_equals_that_of_full_canvases() -> None:
    one, other = ellipse(80, 90, (40, 40), (20, 14)), ellipse(80, 90, (50, 36), (12, 25))
    canvases = np.zeros((2, 80, 90), bool)
    for canvas, mask in zip(canvases, (one, other), strict=True):
        canvas[mask.window] = mask.pixels
    assert window_iou(one, other) == pytest.approx(
        (canvases[0] & canvases[1]).sum() / (canvases[0] | canvases[1]).sum()
    )
    assert window_iou(one, replace(other, x=70, y=0)) == 0.0


@pytest.mark.parametrize("kind", ["mask", "box"])
def test_ap_is_what_pycocotools_says_to_the_last_bit(kind: Literal["mask", "box"]) -> None:
    pictures = [random_compared(seed) for seed in range(12)]
    truth, results = as_coco(pictures, CLASSES, kind)
    with contextlib.redirect_stdout(io.StringIO()):
        ground = COCO()
        ground.dataset = truth  # type: ignore[assignment]
        ground.createIndex()
        official = COCOeval(ground, ground.loadRes(results), "segm" if kind == "mask" else "bbox")
        official.params.maxDets = [1, 100, 1000]
        official.evaluate()
        official.accumulate()
    table = official.eval["precision"][..., -1]  # IoU, recall, class, area

    def mean(values: NDArray[np.float64]) -> float:
        return float(values[values > -1].mean())

    mine = average_precision(pictures, CLASSES, kind)
    assert 0.05 < mine.ap < 0.95
    assert (mine.ap, mine.ap50, mine.ap75) == (
        mean(table[:, :, :, 0]),
        mean(table[0, :, :, 0]),
        mean(table[5, :, :, 0]),
    )
    sizes = {name: mean(table[:, :, :, index]) for index, name in enumerate(("small", "medium"), start=1)}
    assert mine.by_size == sizes
    assert {name: entry.ap for name, entry in mine.by_class.items()} == {
        name: mean(table[:, :, index, 0]) for index, name in enumerate(CLASSES)
    }


def test_nothing_found_is_ap_0_of_every_class_and_size_that_is_there() -> None:
    metrics = summarise([compared([square(0, 0, 10)], [], [])], CLASSES, 0.5)
    assert metrics.mask_ap == metrics.box_ap == 0.0
    assert metrics.mask_ap_by_size == {"small": 0.0}
    assert metrics.mask_ap_by_class == {"square": 0.0}


def test_boxes_have_an_ap_of_their_own() -> None:
    hollow = np.ones((20, 20), bool)
    hollow[4:16, 4:16] = False  # the same box, but an IoU of 0.64 with the full square
    metrics = summarise([compared([square(0, 0, 20)], [WindowMask(0, 0, hollow)], [0.9])], CLASSES, 0.5)
    assert metrics.box_ap == pytest.approx(1.0)
    assert (metrics.mask_ap50, metrics.mask_ap75) == pytest.approx((1.0, 0.0))
    assert metrics.mask_ap == pytest.approx(3 / 10)  # at 0.50, 0.55 and 0.60


def test_iou_and_dice_are_pooled_over_pictures_and_averaged_over_classes() -> None:
    one = compared([square(0, 0, 10)], [square(0, 0, 20)], [0.9])  # 100 of 400
    other = compared(
        [square(0, 0, 20), square(50, 50, 10)],
        [square(0, 0, 20), square(50, 50, 10)],
        [0.9, 0.8],
        true_labels=[1, 2],
        found_labels=[1, 2],
    )
    metrics = summarise([one, other], CLASSES, 0.5)
    assert metrics.pixel_iou_by_class == {"square": 500 / 800, "other": 1.0}
    assert metrics.dice_by_class == {"square": 1000 / 1300, "other": 1.0}
    assert metrics.mean_pixel_iou == (500 / 800 + 1) / 2
    assert metrics.mean_dice == pytest.approx((1000 / 1300 + 1) / 2)


def test_the_error_of_each_class_is_its_own_while_the_total_is_of_the_union() -> None:
    entry = compared(
        [square(0, 0, 10)],
        [square(0, 0, 10), square(0, 0, 20)],
        [0.9, 0.8],
        found_labels=[1, 2],
    )
    metrics = summarise([entry], CLASSES, 0.5)
    assert metrics.coverage.bias == pytest.approx(3.0)
    assert metrics.coverage_by_class["square"].bias == 0.0
    assert metrics.coverage_by_class["other"].bias == pytest.approx(4.0)


def test_every_threshold_is_counted_in_one_pass_as_it_is_one_by_one() -> None:
    pictures = [random_compared(seed) for seed in range(4)]
    thresholds = (0.0, 0.2, 0.5, 0.77, 1.0)
    errors = errors_at(pictures, thresholds, 2)
    rates = precision_recall(pictures, [match(entry) for entry in pictures], thresholds)
    for index, threshold in enumerate(thresholds):
        for row, entry in zip(errors, pictures, strict=True):
            kept, size = entry.above(threshold), entry.counted.size
            found = count_coverage([one.mask for one in kept], [one.label for one in kept], *size, 2)
            true = count_coverage(entry.picture.masks, entry.picture.labels, *size, 2)
            pixels = np.array([found.masked, *found.by_class]) - [true.masked, *true.by_class]
            assert row[index] == pytest.approx(100 * pixels / (size[0] * size[1]))
        alone = [
            replace(entry, candidates=replace(entry.candidates, entries=entry.above(threshold)))
            for entry in pictures
        ]
        expected = precision_recall(alone, [match(entry) for entry in alone], [0.0])
        assert rates[index] == pytest.approx(expected[0])


class EdgyRuntime(DotRuntime):
    """Trusts most what an edge cuts: the whole object, seen from another tile, has half its score."""

    def run(self, image: NDArray[np.float32]) -> RawDetections:
        raw = super().run(image)
        height, width = image.shape[2:]
        x0, y0, x1, y1 = raw.boxes.T
        whole = (x0 > 2) & (y0 > 2) & (x1 < width - 2) & (y1 < height - 2)
        return replace(raw, scores=np.where(whole, raw.scores / 2, raw.scores).astype(np.float32))


def test_a_picture_in_tiles_is_judged_by_what_measuring_it_answers_at_each_threshold() -> None:
    pack = dot_pack()
    preprocessing = pack.manifest.preprocessing.model_copy(update={"tile": 256, "tile_overlap": 64})
    tiled = replace(pack, manifest=pack.manifest.model_copy(update={"preprocessing": preprocessing}))
    segmenter = Segmenter(tiled, EdgyRuntime())
    chance = np.random.default_rng(3)
    pixels = dots(chance.integers(0, 256, (12, 17)), second=chance.integers(0, 2, (12, 17)))
    truth = LabelledPicture("dots.png", pixels, (1, 2), (square(70, 75, 40), square(230, 230, 60)))
    [entry] = compare(segmenter, LabelledPictures(("red", "green"), (truth,)))
    matches = match(entry)
    true = 100 * (40**2 + 60**2) / (pixels.shape[0] * pixels.shape[1])
    nested = []
    for threshold in (0.05, 0.2, 0.4, 0.6, 0.8):
        measured = segmenter.measure(pixels, score_threshold=threshold)
        metrics = summarise([entry], ["red", "green"], threshold)
        assert metrics.coverage.bias == pytest.approx(measured.coverage.percent_masked - true, abs=1e-9)
        found = confusion([entry], [matches], ["red", "green"], threshold).counts
        columns = [sum(column) for column in zip(*found, strict=True)]
        assert columns[:2] == [cover.count for cover in measured.coverage.by_class]
        hits = metrics.precision * len(measured.instances)
        assert hits == pytest.approx(metrics.recall * 2)
        kept = [candidate for candidate in entry.found if candidate.score >= threshold]
        nested.append(len(kept) == len(measured.instances))
    assert not all(nested)


def test_an_instance_matches_once_and_the_higher_score_chooses_first() -> None:
    entry = compared([square(0, 0, 10)], [square(0, 0, 9), square(0, 0, 10)], [0.9, 0.8])
    assert match(entry).within_class.tolist() == [0, -1]


def test_the_confusion_shows_the_wrong_class_the_missed_and_the_invented() -> None:
    entry = compared(
        [square(0, 0, 10), square(30, 30, 10), square(60, 60, 10)],
        [square(0, 0, 10), square(30, 30, 10), square(80, 0, 10), square(80, 80, 10)],
        [0.9, 0.8, 0.7, 0.2],
        found_labels=[1, 2, 2, 1],
    )
    table = confusion([entry], [match(entry)], CLASSES, 0.5)
    # Right; taken for the other; missed. Nothing of the other is there. One invented; the one below 0.5 not counted.
    assert table.counts == [[1, 1, 1], [0, 0, 0], [0, 1, 0]]


def test_pictures_without_objects_count_where_anything_is_found_in_them() -> None:
    empty = [compared([], [square(0, 0, 10)], [score]) for score in (0.9, 0.5, 0.3)]
    metrics = summarise([*empty, compared([square(0, 0, 10)], [], [])], CLASSES, 0.5)
    assert (metrics.empty_pictures, metrics.empty_pictures_with_instances) == (3, 2)


def test_the_intervals_of_an_error_hold_it_and_are_the_same_each_time() -> None:
    errors = np.random.default_rng(1).normal(0.5, 2.0, 200)
    error = summarise_errors(errors)
    assert error == summarise_errors(errors)
    assert error.bias_interval is not None
    low, high = error.bias_interval
    assert low < error.bias < high
    # The bootstrap agrees with the textbook: ± 1.96 standard errors of the mean.
    assert (high - low) / 2 == pytest.approx(1.96 * errors.std() / 200**0.5, rel=0.1)
    assert error.mean_absolute_error_interval is not None
    assert error.mean_absolute_error_interval[0] < error.mean_absolute_error


def test_the_error_of_a_single_picture_has_no_interval() -> None:
    assert summarise_errors(np.array([1.0])).bias_interval is None


def test_figures_recorded_by_older_versions_can_be_read() -> None:
    recorded = read_pack(BUNDLED_FOLDER / "nuclei").manifest.metrics["validation"]
    old = {
        name: recorded[name] for name in ("pictures", "instances", "score_threshold", "mask_ap", "mask_ap50")
    }
    old |= {name: recorded[name] for name in ("mask_ap75", "ap50_by_class", "precision", "recall", "f1")}
    coverage = {
        name: recorded["coverage"][name] for name in ("bias", "mean_absolute_error", "limits_of_agreement")
    }
    metrics = Metrics.model_validate(
        {**old, "coverage": coverage, "pixel_iou_by_class": recorded["pixel_iou_by_class"]}
    )
    assert metrics.coverage.bias_interval is None
    assert metrics.box_ap is None


def test_masks_are_made_again_at_another_threshold_without_the_network() -> None:
    mask = np.full((28, 28), 0.9, np.float32)
    mask[:, 14:] = 0.4
    runtime = BlockRuntime(mask=mask)
    pixels = blocks(red=(10, 20, 38, 48))
    data = LabelledPictures(("red", "green"), (LabelledPicture("p", pixels, (1,), (square(10, 20, 28),)),))
    first = compare(Segmenter(block_pack(), runtime), data)
    lower = with_mask_threshold(first, 0.3)
    assert [entry.found[0].mask.area for entry in (*first, *lower)] == [28 * 14, 28 * 28]
    assert runtime.ran == 1
    assert 0 < first[0].network_ms < first[0].total_ms


def test_a_class_without_truth_is_left_out_of_ap() -> None:
    metrics = summarise([compared([square(0, 0, 10)], [square(0, 0, 10)], [0.9])], CLASSES, 0.5)
    assert list(metrics.ap50_by_class) == ["square"]


def test_coco_labels_are_read_with_their_pictures_and_negatives_are_kept(tmp_path: Path) -> None:
    data = read_labels(write_dataset(tmp_path, pictures=4))
    assert data.classes == ("blob",)
    assert [len(picture.labels) for picture in data.pictures] == [0, 2, 2, 2]
    assert data.instances == 6
    assert data.pictures[1].masks[0].area > 300


def test_the_split_keeps_every_picture_on_one_side(tmp_path: Path) -> None:
    data = read_labels(write_dataset(tmp_path, pictures=8))
    train, validation = split(data, 0.25, seed=1)
    names = [picture.name for part in (train, validation) for picture in part.pictures]
    assert sorted(names) == sorted(picture.name for picture in data.pictures)
    assert len(validation.pictures) in (2, 3)


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (('"picture_2.png"', '"gone.png"'), "gone.png"),
        (('"image_id": 3', '"image_id": 99'), "99"),
        (('"width": 96', '"width": 97'), "97"),
        (('"category_id": 7', '"category_id": 8'), "8"),
    ],
)
def test_labels_that_do_not_fit_are_refused_with_the_object_named(
    tmp_path: Path, damage: tuple[str, str], named: str
) -> None:
    path = write_dataset(tmp_path, pictures=4)
    path.write_text(path.read_text("utf-8").replace(*damage), "utf-8")
    with pytest.raises(DataError, match=named):
        read_labels(path)
