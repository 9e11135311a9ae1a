"""The figures that say how far a percentage can be trusted, against cases computed by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labelled import ellipse, write_dataset
from planimeter.errors import DataError
from planimeter.evaluation import Compared, best_threshold, summarise
from planimeter.evaluation.agreement import coverage_error
from planimeter.evaluation.matching import window_iou
from planimeter.labels import LabelledPicture, read_labels, split
from planimeter.masks import WindowMask
from planimeter.segmenter import Segmentation

CLASSES = ("square", "other")


def square(x: int, y: int, side: int) -> WindowMask:
    return WindowMask(x, y, np.ones((side, side), bool))


def compared(true: list[WindowMask], found: list[WindowMask], scores: list[float]) -> Compared:
    """Return a 100 x 100 picture, so that 100 pixels are one percentage point."""
    boxes = [(mask.x, mask.y, mask.x + mask.pixels.shape[1], mask.y + mask.pixels.shape[0]) for mask in found]
    picture = LabelledPicture("p", np.zeros((100, 100, 3), np.uint8), (1,) * len(true), tuple(true))
    found_boxes = np.array(boxes, float).reshape(-1, 4)
    return Compared(picture, Segmentation(found_boxes, [1] * len(found), scores, found))


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
