"""What networks made elsewhere answer, read into instances: exact boxes, classes and areas."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from planimeter.errors import InferenceFailed
from planimeter.layouts import reader
from planimeter.layouts.yolo import suppress
from planimeter.masks.frames import Axis, FrameMasks
from planimeter.masks.paste import paste
from planimeter.packs.manifest import (
    Manifest,
    Output,
    PackClass,
    PackFile,
    Preprocessing,
    Thresholds,
    TrainingData,
)
from planimeter.pictures.preprocessing import Placement, preprocess
from planimeter.runtimes import RawDetections

FOUR = {"boxes": "boxes", "labels": "labels", "scores": "scores", "masks": "masks"}


def manifest(output: Output, classes: int = 2, size: tuple[int, int] | None = (64, 64)) -> Manifest:
    return Manifest(
        schema_version=1,
        name="foreign",
        version="1",
        title="Foreign",
        summary="",
        classes=tuple(PackClass(name=f"c{index}", color="#ffffff") for index in range(classes)),
        preprocessing=Preprocessing(fit="letterbox" if size else "native", size=size),
        output=output,
        thresholds=Thresholds(),
        onnx=PackFile(name="model.onnx", sha256="0" * 64),
        training_data=TrainingData(name="none", licence="none", pictures=0, instances=0),
    )


def letterbox(height: int, width: int) -> Placement:
    picture = np.zeros((height, width, 3), np.uint8)
    return preprocess(picture, Preprocessing(fit="letterbox", size=(64, 64)))[1]


def areas(found: RawDetections, placement: Placement) -> list[int]:
    """Return the pixels of each mask in the picture."""
    order = np.arange(len(found.boxes))
    masks = found.masks_in(placement, 0, 0, order)
    boxes = placement.in_picture(found.boxes).tolist()
    return [
        paste(masks[index], tuple(box), placement.height, placement.width).area
        for index, box in enumerate(boxes)
    ]


def yolo_answer(rows: list[list[float]], prototypes: NDArray[Any] | None = None) -> dict[str, NDArray[Any]]:
    """Return outputs as Ultralytics exports them: rows of x, y, w, h, two scores, two coefficients."""
    shared = np.ones((2, 16, 16)) if prototypes is None else prototypes
    return {
        "output0": np.array(rows, np.float32).reshape(-1, 8).T[None],
        "output1": np.asarray(shared, np.float32)[None],
    }


YOLO = Output(
    layout="yolo",
    names={"predictions": "output0", "prototypes": "output1"},
    labels=(0, 1),
    nms_iou=0.5,
    detections=3,
)


# ---- Masks on a grid


@pytest.mark.parametrize(("factor", "first", "last"), [(1, 0, 20), (4, 9, 71), (2, 5, 35)])
@pytest.mark.parametrize("length", [13, 20, 97])
def test_a_grid_is_read_at_the_centres_of_pixels_after_being_made_finer(
    factor: int, first: int, last: int, length: int
) -> None:
    cells = np.random.default_rng(3).normal(size=20).astype(np.float32)
    fine = np.interp((np.arange(20 * factor) + 0.5) / factor - 0.5, np.arange(20), cells)[first:last]
    centres = (np.arange(length) + 0.5) * (last - first) / length - 0.5
    expected = np.interp(centres, np.arange(last - first), fine)
    axis = Axis(20, first, last, 7, length, factor)
    np.testing.assert_allclose(axis.weights(7, 7 + length) @ cells, expected, atol=1e-5)


@pytest.mark.parametrize("factor", [1, 4])
@pytest.mark.parametrize("length", [9, 64, 301])
def test_the_window_around_a_mask_misses_none_of_its_pixels(factor: int, length: int) -> None:
    values = np.full((1, 16, 16), -1.0, np.float32)
    values[0, 5:8, 9] = 3
    axis = Axis(16, 2 * factor, 14 * factor, 0, length, factor)
    mask = FrameMasks(values, axis, axis, logits=True, cut=False)[0].paste((0, 0, 1, 1), 0.5)
    weights = axis.weights(0, length)
    assert mask.area == np.count_nonzero(weights @ values[0] @ weights.T > 0) > 0


def test_a_mask_that_is_cut_ends_where_its_box_does() -> None:
    found = reader(manifest(YOLO))(yolo_answer([[32, 32, 20, 10, 0.9, 0.1, 1, 1]]))
    placement = letterbox(32, 64)  # 16 rows of grey above and below, as many pixels as in the input
    assert placement.in_picture(found.boxes).tolist() == [[22, 11, 42, 21]]
    assert areas(found, placement) == [200]


def test_the_grey_around_a_letterbox_is_no_part_of_the_picture() -> None:
    found = reader(manifest(YOLO))(yolo_answer([[32, 32, 64, 64, 0.9, 0.1, 1, 1]]))
    assert areas(found, letterbox(32, 64)) == [32 * 64]
    assert areas(found, letterbox(50, 100)) == [50 * 100]
    assert areas(found, letterbox(101, 33)) == [101 * 33]


# ---- YOLO


def test_yolo_answers_the_class_with_the_highest_score_and_no_place_below_the_floor() -> None:
    found = reader(manifest(YOLO))(
        yolo_answer([[10, 10, 8, 8, 0.2, 0.7, 1, 0], [40, 40, 8, 8, 0.04, 0.03, 1, 0]])
    )
    assert found.labels.tolist() == [2]
    assert found.scores.tolist() == [np.float32(0.7)]
    assert found.boxes.tolist() == [[6, 6, 14, 14]]


def test_of_two_overlapping_places_the_lower_goes_unless_it_is_of_another_class() -> None:
    found = reader(manifest(YOLO))(
        yolo_answer(
            [[10, 10, 8, 8, 0.7, 0, 1, 0], [11, 10, 8, 8, 0.9, 0, 1, 0], [10, 10, 8, 8, 0, 0.8, 1, 0]]
        )
    )
    assert found.labels.tolist() == [1, 2]
    assert found.scores.tolist() == [np.float32(0.9), np.float32(0.8)]


def test_suppression_keeps_boxes_that_overlap_just_as_much_as_is_allowed() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10]], np.float32)  # IoU is 1/3
    labels = np.zeros(2, np.intp)
    assert suppress(boxes, labels, 0.34, 9).tolist() == [0, 1]
    assert suppress(boxes, labels, 0.33, 9).tolist() == [0]
    assert suppress(boxes, labels, 0.34, 1).tolist() == [0]


def test_yolo_masks_are_mixed_from_the_prototypes() -> None:
    prototypes = -np.ones((2, 16, 16))
    prototypes[0, :, :8] = 1  # the left half
    prototypes[1, :4] = 1  # the uppermost quarter
    whole = [32, 32, 64, 64]
    rows = [[*whole, 0.9, 0.0, 2.0, 0.0], [*whole, 0.0, 0.8, 0.0, -1.0]]
    found = reader(manifest(YOLO))(yolo_answer(rows, prototypes))
    assert areas(found, letterbox(64, 64)) == [64 * 32, 64 * 48]


def test_an_end_to_end_head_answers_rows_that_are_finished() -> None:
    output = YOLO.model_copy(update={"layout": "yolo-end-to-end"})
    rows = np.zeros((1, 5, 8), np.float32)
    rows[0, 0] = [2, 2, 12, 22, 0.9, 1, 1, 1]
    rows[0, 1] = [2, 2, 12, 22, 0.8, 1, 1, 1]  # overlaps, but nothing is dropped any more
    found = reader(manifest(output))({"output0": rows, "output1": np.ones((1, 2, 16, 16), np.float32)})
    assert found.labels.tolist() == [2, 2]
    assert areas(found, letterbox(64, 64)) == [200, 200]


def test_yolo_without_anything_found_is_a_normal_answer() -> None:
    found = reader(manifest(YOLO))(yolo_answer([]))
    assert len(found.boxes) == len(found.masks) == 0


# ---- RF-DETR


def rf_detr_answer(logits: list[list[float]], masks: NDArray[Any]) -> dict[str, NDArray[Any]]:
    boxes = [[0.5, 0.5, 0.25, 0.5]] * len(logits)
    return {
        "boxes": np.array([boxes], np.float32),
        "scores": np.array([logits], np.float32),
        "masks": np.asarray(masks, np.float32)[None],
    }


RF_DETR = Output(
    layout="rf-detr", names={name: name for name in ("boxes", "scores", "masks")}, labels=(0, 1), detections=4
)


def test_rf_detr_answers_pairs_of_query_and_class_and_no_background() -> None:
    stretched = manifest(RF_DETR)
    found = reader(stretched)(rf_detr_answer([[0.0, 2.0, 9.0], [-9, -9, 9]], np.ones((2, 16, 16))))
    assert found.labels.tolist() == [2, 1]
    np.testing.assert_allclose(found.scores, [1 / (1 + np.exp(-2)), 0.5], rtol=1e-6)
    assert found.boxes.tolist() == [[24, 16, 40, 48]] * 2


def test_rf_detr_masks_reach_beyond_their_box() -> None:
    _, placement = preprocess(np.zeros((30, 90, 3), np.uint8), Preprocessing(fit="stretch", size=(64, 64)))
    found = reader(manifest(RF_DETR))(rf_detr_answer([[3.0, -9, -9]], np.ones((1, 16, 16))))
    assert areas(found, placement) == [30 * 90]


def test_a_mask_of_nothing_has_no_pixels() -> None:
    found = reader(manifest(RF_DETR))(rf_detr_answer([[3.0, -9, -9]], -np.ones((1, 16, 16))))
    assert areas(found, letterbox(64, 64)) == [0]


# ---- torchvision and Detectron2


def instances(masks: NDArray[Any], first_label: int = 1) -> dict[str, NDArray[Any]]:
    return {
        "boxes": np.array([[0, 0, 10, 20], [30, 30, 50, 40]], np.float32),
        "labels": np.array([first_label, first_label + 1]),
        "scores": np.array([0.6, 0.9], np.float32),
        "masks": masks,
    }


def test_masks_in_box_space_fill_their_boxes() -> None:
    output = Output(layout="box-space", names=FOUR, labels=(0, 1))
    found = reader(manifest(output))(instances(np.ones((2, 1, 28, 28), np.float32), first_label=0))
    assert found.labels.tolist() == [2, 1]
    assert areas(found, letterbox(64, 64)) == [200, 200]


def test_pasted_masks_are_taken_as_they_are() -> None:
    masks = np.zeros((2, 1, 48, 80), np.float32)
    masks[0, 0, 3:5, 7:10] = 0.51
    masks[1, 0, 47, 79] = 1
    _, placement = preprocess(np.zeros((48, 80, 3), np.uint8), Preprocessing(fit="native", multiple=1))
    found = reader(manifest(Output(layout="pasted", names=FOUR), size=None))(instances(masks))
    assert found.labels.tolist() == [2, 1]
    assert areas(found, placement) == [1, 6]


def test_classes_that_the_pack_does_not_name_are_left_out() -> None:
    output = Output(layout="box-space", names=FOUR, labels=(7,))
    found = reader(manifest(output, classes=1))(instances(np.ones((2, 28, 28), np.float32), first_label=6))
    assert found.labels.tolist() == [1]
    assert found.scores.tolist() == [np.float32(0.9)]


def test_an_output_that_is_not_there_is_named() -> None:
    output = Output(layout="box-space", names={**FOUR, "masks": "pred_masks"})
    with pytest.raises(InferenceFailed, match=r"no output 'pred_masks'; it has boxes, labels, scores, masks"):
        reader(manifest(output))(instances(np.ones((2, 28, 28), np.float32)))


def test_outputs_that_do_not_fit_together_are_refused() -> None:
    output = Output(layout="box-space", names=FOUR)
    with pytest.raises(InferenceFailed, match="2 instances but gave masks of shape"):
        reader(manifest(output))(instances(np.ones((1, 1, 28, 28), np.float32)))
