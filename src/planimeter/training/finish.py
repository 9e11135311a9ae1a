"""The end of training: the thresholds that make the percentage right, and the pack."""

from planimeter.evaluation import Calibration, calibrate, compare, summarise, with_mask_threshold
from planimeter.evaluation.calibration import LEAST_PICTURES
from planimeter.labels import LabelledPictures
from planimeter.packs.manifest import Thresholds
from planimeter.packs.pack import Pack
from planimeter.training.engine import Trainer
from planimeter.training.export import write_pack


def finish(
    trainer: Trainer,
    validation: LabelledPictures,
    *,
    score_threshold: float | None = None,
    fallback: Thresholds | None = None,
) -> tuple[Pack, Calibration]:
    """Write the pack of the averaged weights.

    `score_threshold` is given where it is not to be chosen, `fallback` what to keep where there are too few pictures
    to choose by: the thresholds of the model that training started from.
    """
    compared = compare(trainer.segmenter(), validation)
    calibration = calibrate(compared, score_threshold=score_threshold)
    thresholds = Thresholds(score=calibration.score, mask=calibration.mask)
    if fallback is not None and len(validation.pictures) < LEAST_PICTURES:
        thresholds = (
            fallback if score_threshold is None else fallback.model_copy(update={"score": score_threshold})
        )
    metrics = summarise(with_mask_threshold(compared, thresholds.mask), validation.classes, thresholds.score)
    return write_pack(
        trainer.averaged(), trainer.pack, thresholds=thresholds, metrics={"validation": metrics}
    ), calibration
