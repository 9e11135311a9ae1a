"""The report that a training writes at its end."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from planimeter.evaluation.calibration import Calibration
from planimeter.evaluation.comparison import Compared
from planimeter.evaluation.parity import Parity, measure_parity
from planimeter.evaluation.record import CROSS_VALIDATION, record_metrics
from planimeter.labels import LabelledPictures
from planimeter.measuring.opening import load
from planimeter.measuring.segmenter import Segmenter
from planimeter.packs.pack import REPORT_FOLDER, Pack
from planimeter.reports.report import write_report
from planimeter.reports.studying import evaluate, study
from planimeter.reports.training_record import record_training

PARITY_PICTURES = 8


def report_training(
    written: Pack,
    trained: Segmenter,
    learn: LabelledPictures,
    validation: LabelledPictures,
    *,
    held: LabelledPictures | None = None,
    device: str,
    configuration: Mapping[str, Any],
    calibration: Calibration | None = None,
    history: Path | None = None,
    findings: Sequence[str] = (),
    pictures: bool = True,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> Path:
    """Evaluate the pack that was written on the validation part and write its report into it; returns the page.

    It is loaded as it will be served on a CPU, and compared with the network that was trained. `configuration` is
    shown as tables, one for each mapping in it; `history` is the training's file of JSON lines; `findings` are those
    of the audit. `held` are validation pictures that only made intervals, so that those can be tried on the others.
    Without `pictures` the page shows none.
    """
    exported = load(str(written.folder.resolve()), infer_with_cpu=True)
    evaluated = evaluate(
        exported,
        validation,
        name="the validation part",
        part="validation",
        trust=None if held is None else exported.pack.trust,
        progress=progress,
    )
    pictures_held = () if held is None else held.pictures
    record = record_training(
        learn,
        replace(validation, pictures=(*validation.pictures, *pictures_held)),
        device=device,
        configuration=configuration,
        findings=findings,
        history=history,
        calibration=calibration,
        parity=_parity(trained, exported, validation),
    )
    return write_report(written.folder / REPORT_FOLDER, [evaluated], record, pictures=pictures)


def report_folds(
    written: Pack,
    trained: Segmenter,
    data: LabelledPictures,
    compared: list[Compared],
    *,
    device: str,
    configuration: Mapping[str, Any],
    calibration: Calibration,
    history: Path | None = None,
    findings: Sequence[str] = (),
    pictures: bool = True,
) -> tuple[Pack, Path]:
    """Write the report of a pack that has learnt from all of `data`; returns the pack, with its figures, and the page.

    `compared` is each picture with what a model that had not seen it found there; the other options are those of
    `report_training`.
    """
    exported = load(str(written.folder.resolve()), infer_with_cpu=True)
    evaluated = study(
        exported, data, compared, name="pictures held out in turn", part=CROSS_VALIDATION, findings=findings
    )
    record = record_training(
        data,
        data,
        device=device,
        configuration=configuration,
        findings=findings,
        history=history,
        calibration=calibration,
        parity=_parity(trained, exported, data),
    )
    written = record_metrics(written, CROSS_VALIDATION, evaluated.study.metrics)
    return written, write_report(written.folder / REPORT_FOLDER, [evaluated], record, pictures=pictures)


def _parity(trained: Segmenter, exported: Segmenter, validation: LabelledPictures) -> Parity:
    """Compare both on pictures spread over the validation part, and on one without an object where there is one."""
    pictures = validation.pictures
    spread = np.linspace(0, len(pictures) - 1, min(PARITY_PICTURES, len(pictures))).round().astype(int)
    chosen = {pictures[index].name: pictures[index].pixels for index in spread.tolist()}
    bare = next((picture for picture in pictures if not picture.labels), None)
    if bare is not None:
        chosen[bare.name] = bare.pixels
    return measure_parity(trained, exported, list(chosen.items()))
