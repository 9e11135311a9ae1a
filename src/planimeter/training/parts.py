"""Which pictures a training learns from, which choose its checkpoint and thresholds, which make its intervals."""

from planimeter.errors import DataError, TrainingError
from planimeter.labels import LabelledPictures, read_labels, read_split, split, write_split
from planimeter.training.plan import Job

SPLIT = "split.json"
ENOUGH_FOR_BOTH = 100
"""Validation pictures from which on half of them are put aside to make intervals, and choose nothing."""


def parts_of(job: Job, labelled: LabelledPictures) -> tuple[LabelledPictures, LabelledPictures]:
    """Return what to learn from and what to validate on; a training that goes on keeps its parts."""
    recipe = job.recipe
    if job.validation is not None:
        held = read_labels(job.validation, job.validation_images, leave_out_broken=job.leave_out_broken)
        return labelled, held.with_classes(labelled.classes).with_scale(job.plan.given_scale())
    kept = job.work_folder / SPLIT
    if kept.is_file():
        return read_split(kept, labelled)
    return split(labelled, recipe.validation_fraction, recipe.seed, recipe.keep_together)


def put_aside(job: Job, held_out: LabelledPictures) -> tuple[LabelledPictures, LabelledPictures | None]:
    """Return the pictures that choose checkpoint and thresholds, and those that make intervals, where both suffice."""
    if len(held_out.pictures) < ENOUGH_FOR_BOTH:
        return held_out, None
    try:
        apart, validate = split(held_out, 0.5, job.recipe.seed, job.recipe.keep_together)
    except DataError:  # all are copies of one picture, or kept together
        return held_out, None
    return validate, apart


def keep_parts(job: Job, learn: LabelledPictures, validate: LabelledPictures) -> None:
    """Write down which pictures are in which part, for a training that goes on."""
    kept = job.work_folder / SPLIT
    if job.validation is not None or kept.is_file():
        return
    try:
        write_split(kept, learn, validate)
    except OSError as error:
        raise TrainingError(f"{kept} cannot be written: {error}; choose another --work-folder") from error
