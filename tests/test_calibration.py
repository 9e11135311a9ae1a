"""Choosing thresholds so that the percentage is right, where the right answer is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from planimeter.evaluation import Compared, calibrate
from planimeter.evaluation.calibration import LEAST_PICTURES
from planimeter.labels import LabelledPicture
from planimeter.masks.counted import Counted
from planimeter.masks.window import WindowMask
from planimeter.measuring.detections import Detections, make_candidates
from planimeter.pictures.tiles import Tile

SIDE, OBJECT = 112, 56
CERTAIN = np.ones((28, 28), np.float32)


def timid() -> NDArray[np.float32]:
    """Return a mask that is certain only of its middle: 0.9 in 10 of 28 columns, 0.42 in 20, 0.38 in the others.

    Where those 20 columns are the truth, a mask threshold of 0.40 is right, and 0.5 measures half too little.
    """
    mask = np.full((28, 28), 0.38, np.float32)
    mask[:, 4:24] = 0.42
    mask[:, 9:19] = 0.9
    return mask


def picture(
    seed: int,
    mask: NDArray[np.float32] = CERTAIN,
    *,
    invented: float | None = None,
    faint: float | None = None,
) -> Compared:
    """Return a picture with one true object; `invented` and `faint` are scores of a second instance in a corner.

    The first is not there, the second is.
    """
    x, y = (int(value) for value in np.random.default_rng(seed).integers(32, SIDE - OBJECT, 2))
    cut = 8 if mask is not CERTAIN else 0  # of the timid mask's 28 cells, 4 at each side are not the object
    true = [WindowMask(x + cut, y, np.ones((OBJECT, OBJECT - 2 * cut), bool))]
    boxes, scores, masks = [(x, y, x + OBJECT, y + OBJECT)], [0.9], [mask]
    for score, there in ((invented, False), (faint, True)):
        if score is not None:
            boxes.append((0, 0, 30, 30))
            scores.append(score)
            masks.append(CERTAIN)
            true += [WindowMask(0, 0, np.ones((30, 30), bool))] * there
    tile = Detections(
        Tile(0, 0, SIDE, SIDE), np.array(boxes, float), [1] * len(boxes), scores, np.stack(masks)
    )
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    labelled = LabelledPicture(f"{seed}.png", pixels, (1,) * len(true), tuple(true))
    return Compared(labelled, make_candidates((tile,), Counted(SIDE, SIDE), 0.5), (tile,))


def twice(seed: int, score: float) -> Compared:
    """Return a picture whose one object is found once more, in a part of it, with another score."""
    once = picture(seed)
    x, y, width, height = once.found[0].box[0], once.found[0].box[1], OBJECT, OBJECT
    boxes = np.array([(x, y, x + width, y + height), (x, y, x + width // 2, y + height // 2)], float)
    tile = Detections(Tile(0, 0, SIDE, SIDE), boxes, [1, 1], [0.9, score], np.stack([CERTAIN, CERTAIN]))
    return Compared(once.picture, make_candidates((tile,), Counted(SIDE, SIDE), 0.5), (tile,))


def test_the_mask_threshold_at_which_areas_are_right_is_found() -> None:
    calibration = calibrate([picture(seed, timid()) for seed in range(12)])
    assert (calibration.score, calibration.mask) == (0.5, 0.4)
    assert calibration.before.bias < -5
    assert abs(calibration.after.bias) < 0.2
    assert calibration.after.mean_absolute_error < 0.2


def test_the_score_threshold_goes_just_above_what_is_invented_and_no_further() -> None:
    calibration = calibrate([picture(seed, timid(), invented=0.62) for seed in range(12)])
    assert (calibration.score, calibration.mask) == (0.65, 0.4)
    assert calibration.after.f1 == 1.0


def test_where_nothing_is_to_gain_the_defaults_stay() -> None:
    calibration = calibrate([picture(seed) for seed in range(12)])
    assert (calibration.score, calibration.mask) == (0.5, 0.5)
    assert calibration.before == calibration.after == calibration.lowest


def test_a_gain_within_its_standard_error_does_not_move_the_defaults() -> None:
    steady = [picture(seed) for seed in range(10, 20)]
    # Above 0.62 two pictures gain and one loses as much: more gain than loss, but that may be chance.
    mixed = [picture(6, invented=0.62), picture(7, invented=0.62), picture(8, faint=0.62)]
    calibration = calibrate([*steady, *mixed])
    assert calibration.lowest.score == 0.65
    assert (calibration.score, calibration.mask) == (0.5, 0.5)


def test_where_areas_are_equally_right_objects_decide() -> None:
    # One true object and one that is found twice, the second time within it: the area knows nothing of that.
    compared = [twice(seed, score=0.72) for seed in range(12)]
    calibration = calibrate(compared)
    assert (calibration.score, calibration.mask) == (0.75, 0.5)
    assert calibration.before.cost == calibration.after.cost
    assert calibration.before.f1 == pytest.approx(2 / 3)
    assert calibration.after.f1 == 1.0


def test_objects_do_not_decide_where_areas_pay_for_it() -> None:
    # What is invented costs nothing on average, as much is missed above it: above 0.6 each area is off.
    compared = [picture(seed, faint=0.62, invented=0.6) for seed in range(12)]
    calibration = calibrate(compared)
    assert calibration.score < 0.65
    assert calibration.after.cost <= calibration.before.cost


def test_a_calibration_is_never_worse_than_the_defaults_whatever_the_guard_says() -> None:
    # Above 0.6 F1 is perfect, but what is faint and there is missed: half of what there is to measure.
    compared = [picture(seed, faint=0.55) if seed % 2 else picture(seed, invented=0.55) for seed in range(12)]
    calibration = calibrate(compared)
    assert calibration.after.cost <= calibration.before.cost


def test_too_few_pictures_choose_nothing() -> None:
    calibration = calibrate([picture(seed, timid()) for seed in range(LEAST_PICTURES - 1)])
    assert (calibration.score, calibration.mask) == (0.5, 0.5)


@pytest.mark.parametrize("score", [0.05, 0.5, 0.72])
def test_a_score_threshold_that_is_given_stays(score: float) -> None:
    calibration = calibrate([picture(seed, timid()) for seed in range(12)], score_threshold=score)
    assert (calibration.score, calibration.mask) == (score, 0.4)
    assert calibration.before.score == 0.5


def test_the_table_holds_every_pair_once() -> None:
    table = calibrate([picture(seed) for seed in range(5)]).table
    assert len(table) == len({(entry.score, entry.mask) for entry in table}) == 19 * 9
