"""The whole job of an evaluation: models against labelled pictures, what is recorded of it, and the reports."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from planimeter.errors import DataError
from planimeter.evaluation import Calibration, calibrate, calibrate_intervals, compare, with_mask_threshold
from planimeter.evaluation.record import calibrated, record_metrics, record_thresholds, record_trust
from planimeter.labels import LabelledPictures
from planimeter.measuring.interval import LEAST_PICTURES
from planimeter.measuring.opening import open_segmenter
from planimeter.measuring.segmenter import Segmenter
from planimeter.packs.pack import REPORT_FOLDER, find_pack
from planimeter.packs.trust import Intervals
from planimeter.reports.report import METRICS, write_report
from planimeter.reports.study import Evaluated
from planimeter.reports.studying import list_findings, study
from planimeter.reports.training_record import TrainingRecord, read_record
from planimeter.settings import Inference


@dataclass(frozen=True)
class Job:
    """Which models to evaluate, on what, and what becomes of it."""

    packs: Sequence[str]
    """Names or folders."""
    data: Path
    inference: Inference
    images: Path | None = None
    score_threshold: float | None = None
    """Instead of each pack's own."""
    calibrating: bool = False
    """Choose the thresholds on these pictures first, and write them into the pack."""
    part: str | None = None
    """The name under which figures are written into the packs, if they are."""
    report: Path | None = None
    """The folder of a report of all models together."""
    figures: Path | None = None
    """A file for the figures alone, as JSON."""
    pictures: bool = True
    """Whether reports show pictures."""


class Watcher(Protocol):
    """Who follows an evaluation."""

    def say(self, line: str) -> None:
        """Tell a person what happens."""

    def track(self, model: str, pictures: int) -> Callable[[Iterable[Any]], Iterable[Any]]:
        """Return what passes on the pictures that a model measures, and shows the progress."""

    def evaluated(self, entry: Evaluated) -> None:
        """Take the figures of a model."""


def run(job: Job, labelled: LabelledPictures, watcher: Watcher) -> list[Evaluated]:
    """Evaluate each model on `labelled`, the pictures at `job.data`; write what the job asks for."""
    part = job.part or ("validation" if job.calibrating else None)
    # The audit reads every picture again: what it stumbles over is to be known first.
    findings = list_findings(job.data, job.images) if job.report or part else []
    evaluated: list[Evaluated] = []
    training: TrainingRecord | None = None
    calibration: Calibration | None = None
    for name in job.packs:
        segmenter = open_segmenter(find_pack(name, job.inference.packs_folder), job.inference)
        training = read_record(segmenter.pack.folder / REPORT_FOLDER)
        entry, calibration, intervals = _evaluate(
            job, segmenter, labelled, findings, part=part or "test", watcher=watcher
        )
        evaluated.append(entry)
        if part is not None:
            pack = segmenter.pack
            if calibration is not None:
                # What its pictures look like has nothing to do with thresholds, and stays.
                trust = pack.trust.model_copy(update={"intervals": intervals})
                pack = record_trust(record_thresholds(pack, calibration), trust)
                watcher.say(describe_intervals(intervals, len(labelled.pictures)))
            pack = record_metrics(pack, part, entry.study.metrics)
            page = write_report(
                pack.folder / REPORT_FOLDER, [entry], training, calibration, pictures=job.pictures
            )
            watcher.say(f"wrote {page}")
        watcher.evaluated(entry)
    if job.report is not None:
        alone = len(evaluated) == 1
        page = write_report(
            job.report,
            evaluated,
            training if alone else None,
            calibration if alone else None,
            pictures=job.pictures,
        )
        watcher.say(f"wrote {page} and {page.parent / METRICS}")
    if job.figures is not None:
        _write_figures(job.figures, evaluated)
    return evaluated


def _evaluate(
    job: Job,
    segmenter: Segmenter,
    labelled: LabelledPictures,
    findings: Sequence[str],
    *,
    part: str,
    watcher: Watcher,
) -> tuple[Evaluated, Calibration | None, Intervals | None]:
    """Return the study of a model; where thresholds were chosen, also those, and intervals from the same pictures."""
    data = labelled.with_classes(segmenter.classes)
    compared = compare(segmenter, data, watcher.track(segmenter.pack.name, len(data.pictures)))
    thresholds = segmenter.pack.manifest.thresholds
    calibration = calibrate(compared) if job.calibrating else None
    if calibration is not None:
        thresholds = calibrated(segmenter.pack, calibration)
    if job.score_threshold is not None:
        thresholds = thresholds.model_copy(update={"score": job.score_threshold})
    name = _title(job.data)
    own = segmenter.pack.manifest.thresholds
    made = None
    if calibration is not None:
        made = calibrate_intervals(
            with_mask_threshold(compared, thresholds.mask),
            len(data.classes),
            calibrated_on=f"{len(compared):,} pictures ({name}), which also chose the thresholds",
        )
    # Those that these very pictures made would look too good on them.
    known = segmenter.pack.trust if calibration is None and thresholds.mask == own.mask else None
    entry = study(
        segmenter,
        data,
        compared,
        name=name,
        part=part,
        findings=findings,
        thresholds=thresholds,
        trust=known,
    )
    return entry, calibration, made


def describe_intervals(intervals: Intervals | None, pictures: int) -> str:
    """Return whether answers will have intervals, and from what, in a sentence."""
    if intervals is None:
        return (
            f"no intervals: {pictures} labelled pictures are too few to know how far off a single percentage is; "
            f"{LEAST_PICTURES} are the least, 60 and more are useful"
        )
    return f"answers will state an interval for each percentage, made from {intervals.calibrated_on}"


def _title(data: Path) -> str:
    """Return what data is called in a report: its folder and its own name, but no path of this machine."""
    path = data.resolve()
    return f"{path.parent.name}/{path.name}"


def _write_figures(output: Path, evaluated: Sequence[Evaluated]) -> None:
    figures = {entry.study.model.name: entry.study.metrics.model_dump(mode="json") for entry in evaluated}
    document = next(iter(figures.values())) if len(evaluated) == 1 else figures
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise DataError(f"{output} cannot be written: {error.strerror}") from error
