"""The whole job of training: from labelled pictures to a pack with its report."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from planimeter.errors import TrainingError
from planimeter.evaluation import (
    Compared,
    Metrics,
    calibrate,
    calibrate_intervals,
    compare,
    with_mask_threshold,
)
from planimeter.evaluation.familiarity import learn_familiarity, look_at
from planimeter.evaluation.record import calibrated
from planimeter.labels import LabelledPictures, fold
from planimeter.networks.own import build_network
from planimeter.packs.pack import Pack, find_pack
from planimeter.packs.trust import Trust
from planimeter.reports.studying import list_findings
from planimeter.reports.training_report import report_folds, report_training
from planimeter.training.choice import compare_with_start, describe_calibration, describe_choice
from planimeter.training.engine import LAST, Trainer
from planimeter.training.export import draft_pack, write_pack
from planimeter.training.finish import finish
from planimeter.training.history import HISTORY, History
from planimeter.training.learnt import learnt_from
from planimeter.training.parts import keep_parts, parts_of, put_aside
from planimeter.training.pixel_size import describe_pixel_size
from planimeter.training.plan import IMAGENET, SCRATCH, Job, Stopped, Watcher
from planimeter.training.recipe import Status
from planimeter.training.start import choose_device, load_backbone_weights, start_from
from planimeter.training.unchanged import Unchanged


def run(job: Job, labelled: LabelledPictures, watcher: Watcher) -> Pack:
    """Train on `labelled`, the pictures at `job.data`; returns the pack that was written, with its report.

    The same job again goes on from where it was. Raises `Stopped` where the watcher wants it.
    """
    torch.manual_seed(job.recipe.seed)
    labelled = labelled.with_scale(job.plan.given_scale())
    if job.plan.start_from is None and job.backbone_weights == SCRATCH:
        # Layers that know nothing are not worth keeping.
        job = replace(job, recipe=job.recipe.model_copy(update={"freeze": False}))
    whole = Unchanged(job.work_folder, labelled)
    whole.check()
    # The audit reads every picture again: what it stumbles over is to be known before hours of training.
    findings = list_findings(job.data, job.images, job.validation, job.validation_images)
    if job.recipe.folds is not None:
        return _run_folds(job, labelled, findings, watcher, whole)
    learn, held_out = parts_of(job, labelled)
    contents = [whole]
    if job.validation is not None:
        contents.append(Unchanged(job.work_folder, held_out, "validation"))
        contents[-1].check()
    validate, apart = put_aside(job, held_out)
    trainer = _trainer(job, learn, held_out, job.work_folder, watcher)
    aside = f", {len(apart.pictures)} for intervals" if apart else ""
    watcher.say(
        f"{len(learn.pictures)} pictures to learn from, {len(validate.pictures)} to validate on{aside}; "
        f"on {trainer.device}{_side_by_side(trainer)}"
    )
    if told := describe_pixel_size(trainer.pack.manifest, (*learn.pictures, *held_out.pictures)):
        watcher.say(told)

    def begin() -> None:
        keep_parts(job, learn, held_out)
        for content in contents:
            content.keep()

    # Nothing is written before the first step: a training that cannot begin leaves nothing behind.
    _train(trainer, learn, validate, watcher, begin)
    watcher.say("choosing the thresholds on the validation pictures")
    start = None if job.plan.start_from is None else find_pack(job.plan.start_from, job.plan.packs_folder)
    written, calibration = finish(
        trainer,
        learn,
        validate,
        apart,
        score_threshold=job.plan.score_threshold,
        fallback=None if start is None else start.manifest.thresholds,
        reviewed=job.reviewed,
    )
    watcher.say(describe_choice(calibration, written, start))
    if start is not None:
        watcher.say(compare_with_start(written, start, validate))
    watcher.say(f"wrote {written.folder}; now its report")
    page = report_training(
        written,
        trainer.segmenter(),
        learn,
        validate,
        held=apart,
        device=str(trainer.device),
        configuration=_configuration(job, written),
        calibration=calibration,
        history=job.work_folder / HISTORY,
        findings=findings,
        pictures=job.pictures,
    )
    watcher.say(f"wrote {page}")
    return written


def cross_validate(
    job: Job, labelled: LabelledPictures, watcher: Watcher, begin: Callable[[], None] = lambda: None
) -> list[Compared]:
    """Train a model for each fold, on the pictures outside of it, and compare it with the truth of those inside.

    So every picture is measured by a model that never saw it, nor any copy of it: Stone 1974, "Cross-validatory
    choice and assessment of statistical predictions". `begin` is called after the first step of each.
    """
    compared: list[Compared] = []
    for number, (learn, held) in enumerate(_folds(job, labelled), start=1):
        folder = job.work_folder / f"fold-{number}"
        trainer = _trainer(job, learn, held, folder, watcher)
        watcher.begin(f"fold {number} of {job.recipe.folds}")
        watcher.say(
            f"fold {number}: {len(learn.pictures)} pictures to learn from, {len(held.pictures)} held out; "
            f"on {trainer.device}{_side_by_side(trainer)}"
        )
        _train(trainer, learn, None, watcher, begin)
        compared += compare(trainer.segmenter(), held)
    return compared


def _run_folds(
    job: Job,
    labelled: LabelledPictures,
    findings: Sequence[str],
    watcher: Watcher,
    whole: Unchanged,
) -> Pack:
    """Learn thresholds and error from folds, then the model from all pictures."""
    compared = cross_validate(job, labelled, watcher, whole.keep)
    calibration = calibrate(compared, score_threshold=job.plan.score_threshold)
    watcher.say(describe_calibration(calibration, "pictures that the models had not seen"))
    trainer = _trainer(job, labelled, labelled, job.work_folder, watcher)
    watcher.begin("all pictures")
    _train(trainer, labelled, None, watcher)
    thresholds = calibrated(trainer.pack, calibration)
    intervals = calibrate_intervals(
        with_mask_threshold(compared, thresholds.mask),
        len(labelled.classes),
        calibrated_on=f"{len(compared):,} pictures, each measured by a model that had not seen it",
    )
    written = write_pack(
        trainer.averaged(),
        trainer.pack,
        thresholds=thresholds,
        metrics={},
        trust=Trust(
            intervals=intervals, familiarity=learn_familiarity(look_at(trainer.segmenter(), labelled))
        ),
        learnt=learnt_from(labelled, reviewed=job.reviewed),
    )
    watcher.say(f"wrote {written.folder}; now its report")
    written, page = report_folds(
        written,
        trainer.segmenter(),
        labelled,
        compared,
        device=str(trainer.device),
        configuration=_configuration(job, written),
        calibration=calibration,
        history=job.work_folder / HISTORY,
        findings=findings,
        pictures=job.pictures,
    )
    watcher.say(f"wrote {page}")
    return written


def _folds(job: Job, labelled: LabelledPictures) -> Iterator[tuple[LabelledPictures, LabelledPictures]]:
    recipe = job.recipe
    assert recipe.folds is not None  # noqa: S101  asked for
    if job.validation is not None:
        raise TrainingError("--folds validates on DATA itself: leave --validation out")
    return iter(fold(labelled, recipe.folds, recipe.seed, recipe.keep_together))


def _trainer(
    job: Job,
    learn: LabelledPictures,
    validate: LabelledPictures,
    folder: Path,
    watcher: Watcher,
) -> Trainer:
    """Return a trainer at its start, or where the work folder says that it was."""
    plan = job.plan
    pack = draft_pack(plan, learn, validate, mosaic=job.recipe.mosaic > 0)
    network = build_network(pack.manifest.own_architecture, len(learn.classes))
    trainer = Trainer(network, pack, job.recipe, folder, choose_device(cpu_only=job.cpu_only))
    trainer.stopping = watcher.stopping
    if trainer.resume():
        watcher.say(f"resumed from {folder / LAST} at step {trainer.step}")
    elif plan.start_from is not None:
        start = find_pack(plan.start_from, plan.packs_folder)
        shared = start_from(network, learn.classes, start)
        trainer.restart_average()
        watcher.say(f"started from the model {start.name}; classes taken over: {', '.join(shared) or 'none'}")
    elif job.backbone_weights != SCRATCH:
        file = None if job.backbone_weights == IMAGENET else Path(job.backbone_weights)
        load_backbone_weights(network, pack.manifest.own_architecture.backbone, file)
        trainer.restart_average()
    return trainer


def _train(
    trainer: Trainer,
    learn: LabelledPictures,
    validate: LabelledPictures | None,
    watcher: Watcher,
    begin: Callable[[], None] = lambda: None,
) -> None:
    """Train to the end; `begin` is called after the first step that is taken."""
    with ExitStack() as closing:
        kept: list[History] = []
        resumed_at = trainer.step

        def history() -> History:
            if not kept:
                begin()
                kept.append(closing.enter_context(History(trainer.folder, resumed_at)))
            return kept[0]

        def on_step(status: Status) -> None:
            history().step(status)
            watcher.step(status)

        def on_validation(status: Status, metrics: Metrics) -> None:
            history().validation(status, metrics)
            watcher.validation(status, metrics)

        if not trainer.run(learn, validate, on_step, on_validation):
            raise Stopped(trainer.step)
    trainer.load_best()


def _side_by_side(trainer: Trainer) -> str:
    return f", {trainer.processes} processes side by side" if trainer.processes > 1 else ""


def _configuration(job: Job, written: Pack) -> dict[str, Any]:
    """Return what the report shows of how the model was made."""
    start = written.manifest.training_data.started_from or Path(job.backbone_weights).name
    return {
        "model": job.plan.model_dump(
            exclude={"packs_folder", "start_from", "instead_of_bundled"}, exclude_none=True
        )
        | {"started from": start},
        "recipe": job.recipe.model_dump(exclude_none=True),
    }
