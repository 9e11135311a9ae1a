"""Anchors in the sizes and shapes of the objects."""

import numpy as np
import pytest

from planimeter.errors import TrainingError
from planimeter.labels import LabelledPicture, LabelledPictures
from planimeter.masks.window import WindowMask
from planimeter.packs.manifest import Preprocessing
from planimeter.training.anchors import fitness, keep_or_match, match_anchors

AS_THEY_ARE = Preprocessing(shortest_edge=100, longest_edge=1000, scale=1.0)


def boxes_of(*boxes: tuple[int, int]) -> LabelledPictures:
    """Return one picture with an object of each height and width."""
    masks = tuple(WindowMask(0, 0, np.ones(box, bool)) for box in boxes)
    picture = LabelledPicture("a.png", np.zeros((400, 400, 3), np.uint8), (1,) * len(boxes), masks)
    return LabelledPictures(("thing",), (picture,))


def test_fitness_is_the_mean_best_iou_with_a_common_centre() -> None:
    boxes = np.array([[10.0, 10.0], [20.0, 5.0]])
    # 10 x 10 in 10 x 10 is 1; 20 x 5 and 10 x 10 share 50 of 150 pixels.
    assert fitness(boxes, ((10, 20, 40, 80, 160), (1.0,))) == pytest.approx((1 + 50 / 150) / 2)


def test_thin_scratches_get_long_anchors_and_round_cells_do_not() -> None:
    scratches = boxes_of((8, 64), (64, 8), (10, 90), (100, 12), (16, 128), (20, 40))
    sizes, ratios = match_anchors(scratches, AS_THEY_ARE)
    assert len(ratios) == 5
    assert ratios[0] <= 1 / 6
    assert ratios[-1] >= 6
    cells = boxes_of((20, 21), (22, 20), (40, 41), (43, 40))
    sizes, ratios = match_anchors(cells, AS_THEY_ARE)
    assert len(ratios) == 3
    assert ratios[-1] <= 1.5
    assert {20, 40} <= set(sizes)


def test_blowholes_of_five_pixels_get_larger_ones_from_the_scale_not_from_anchors_that_cannot_be_placed() -> (
    None
):
    sizes, _ = match_anchors(boxes_of((5, 5), (5, 6)), AS_THEY_ARE)
    assert sizes[0] == 8
    doubled = AS_THEY_ARE.model_copy(update={"scale": 2.0})
    assert match_anchors(boxes_of((5, 5), (5, 6)), doubled)[0][0] == 10


def test_anchors_already_learnt_with_stay_unless_they_hardly_fit() -> None:
    known = ((20, 40, 80, 160, 320), (0.667, 1.0, 1.5))
    near = boxes_of((22, 24), (44, 40))
    assert keep_or_match(near, AS_THEY_ARE, known) == known
    far = boxes_of((9, 80), (80, 9))
    _, ratios = keep_or_match(far, AS_THEY_ARE, known)
    assert len(ratios) == 3
    assert ratios[-1] == 8.0


def test_pictures_without_any_object_are_refused() -> None:
    with pytest.raises(TrainingError, match="nothing to learn"):
        match_anchors(boxes_of(), AS_THEY_ARE)
