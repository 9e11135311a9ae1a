"""The end of training: the thresholds that make the percentage right, and the pack."""

from collections.abc import Mapping

from planimeter.evaluation import (
    Calibration,
    calibrate,
    calibrate_intervals,
    compare,
    summarise,
    with_mask_threshold,
)
from planimeter.evaluation.calibration import LEAST_PICTURES
from planimeter.evaluation.familiarity import learn_familiarity, look_at
from planimeter.evaluation.record import calibrated
from planimeter.labels import LabelledPictures
from planimeter.packs.manifest import Thresholds
from planimeter.packs.pack import Pack
from planimeter.packs.trust import Trust
from planimeter.training.engine import Trainer
from planimeter.training.export import write_pack
from planimeter.training.learnt import learnt_from
from planimeter.training.plan import Review


def finish(
    trainer: Trainer,
    learnt: LabelledPictures,
    validation: LabelledPictures,
    held: LabelledPictures | None = None,
    *,
    score_threshold: float | None = None,
    fallback: Thresholds | None = None,
    reviewed: Mapping[str, Review] | None = None,
) -> tuple[Pack, Calibration]:
    """Write the pack of the averaged weights.

    `learnt` are the pictures of the training. Thresholds come from `validation`, which chose the checkpoint; intervals
    from `held`, which chose neither, where there were pictures enough to put some aside for that. `score_threshold`
    is given where it is not to be chosen, `fallback` what to keep where there are too few pictures to choose by: the
    thresholds of the model that training started from.
    """
    compared = compare(trainer.segmenter(), validation)
    apart = [] if held is None else compare(trainer.segmenter(), held)
    calibration = calibrate(compared, score_threshold=score_threshold)
    thresholds = calibrated(trainer.pack, calibration)
    if fallback is not None and len(validation.pictures) < LEAST_PICTURES:
        score = fallback.score if score_threshold is None else score_threshold
        thresholds = thresholds.model_copy(update={"score": score, "mask": fallback.mask})
    final = with_mask_threshold(compared, thresholds.mask)
    metrics = summarise(final, validation.classes, thresholds.score)
    intervals = calibrate_intervals(
        with_mask_threshold(apart, thresholds.mask) if apart else final,
        len(validation.classes),
        calibrated_on=f"{len(apart):,} validation pictures, which chose neither checkpoint nor thresholds"
        if apart
        else f"{len(final):,} validation pictures, which also chose checkpoint and thresholds",
    )
    pack = write_pack(
        trainer.averaged(),
        trainer.pack,
        thresholds=thresholds,
        metrics={"validation": metrics},
        trust=Trust(intervals=intervals, familiarity=learn_familiarity(look_at(trainer.segmenter(), learnt))),
        learnt=learnt_from(learnt, validation, held, reviewed=reviewed),
    )
    return pack, calibration
