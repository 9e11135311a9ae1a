"""From a model and labelled pictures to their study."""

import os
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planimeter.evaluation.agreement import errors_at, found_percent, true_percent
from planimeter.evaluation.calibration import DEFAULT, Setting
from planimeter.evaluation.comparison import Compared, compare, with_mask_threshold
from planimeter.evaluation.intervals import covered
from planimeter.evaluation.matching import Matches, confusion, match, match_above, precision_recall
from planimeter.evaluation.metrics import summarise
from planimeter.labels import LabelledPictures
from planimeter.labels.audit import audit
from planimeter.labels.census import count
from planimeter.measuring.segmenter import Segmenter
from planimeter.packs.manifest import Thresholds
from planimeter.packs.trust import Trust
from planimeter.reports.machine import describe_machine
from planimeter.reports.study import ClassCount, Curve, Data, Evaluated, Latency, Model, PictureRow, Study

CURVE = tuple(round(0.01 * step, 2) for step in range(5, 100))


def evaluate(
    segmenter: Segmenter,
    data: LabelledPictures,
    *,
    name: str = "labelled pictures",
    part: str = "test",
    findings: Sequence[str] = (),
    thresholds: Thresholds | None = None,
    trust: Trust | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> Evaluated:
    """Measure every picture of `data` and compare with the truth; `name` says what the data is, for people.

    `thresholds` replace the pack's own; `trust` is tried, where it was not made from these same pictures.
    """
    compared = compare(segmenter, data, progress)
    return study(
        segmenter,
        data,
        compared,
        name=name,
        part=part,
        findings=findings,
        thresholds=thresholds,
        trust=trust,
    )


def study(
    segmenter: Segmenter,
    data: LabelledPictures,
    compared: list[Compared],
    *,
    name: str,
    part: str,
    findings: Sequence[str] = (),
    thresholds: Thresholds | None = None,
    trust: Trust | None = None,
) -> Evaluated:
    """Return the study of what `compare` returned; the options are those of `evaluate`."""
    own = segmenter.pack.manifest.thresholds
    thresholds = thresholds or own
    if thresholds.mask != own.mask:
        compared = with_mask_threshold(compared, thresholds.mask)
    classes = data.classes
    matches = [match(entry) for entry in compared]
    return Evaluated(
        Study(
            created_at=datetime.now(timezone.utc).replace(microsecond=0),
            part=part,
            model=_model(segmenter, thresholds),
            data=describe_data(data, name, findings),
            metrics=summarise(compared, classes, thresholds.score, trust),
            curve=_curve(compared, matches, len(classes)),
            confusion=confusion(compared, matches, classes, thresholds.score),
            uncalibrated=_uncalibrated(compared, thresholds, len(classes)),
            pictures=tuple(
                _row(entry, partners, thresholds.score, classes, trust)
                for entry, partners in zip(compared, matches, strict=True)
            ),
            latency=_latency(compared),
            machine=describe_machine(),
        ),
        compared,
    )


def list_findings(
    data: Path,
    images: Path | None = None,
    against: Path | None = None,
    against_images: Path | None = None,
) -> list[str]:
    """Return what the audit finds in labelled pictures, without the folders of this machine in it.

    `against` is another part that must share no picture with them.
    """
    findings = [str(finding) for finding in audit(data, images, against, against_images).findings]
    for path in filter(None, (data, against)):
        findings = [text.replace(f"{path.parent}{os.sep}", "") for text in findings]
    return findings


def describe_data(data: LabelledPictures, name: str, findings: Sequence[str] = ()) -> Data:
    """Return what was understood of labelled pictures."""
    census = count(data)
    frequent = census.picture_sizes.most_common(3)
    sizes = [f"{width} x {height} px ({number})" for (height, width), number in frequent]
    if len(census.picture_sizes) > len(frequent):
        sizes.append(f"{len(census.picture_sizes) - len(frequent)} other sizes")
    return Data(
        name=name,
        format=census.format,
        pictures=census.pictures,
        empty=census.empty,
        instances=census.instances,
        sizes=tuple(sizes),
        classes=tuple(
            ClassCount(
                name=class_name,
                instances=len(census.sizes[class_name]),
                pictures=census.pictures_with[class_name],
                median_size=round(census.median_size(class_name), 1),
                histogram=census.histogram(class_name),
            )
            for class_name in data.classes
        ),
        findings=tuple(findings),
    )


def _model(segmenter: Segmenter, thresholds: Thresholds) -> Model:
    pack, info = segmenter.pack, segmenter.info
    manifest = pack.manifest
    network = pack.folder / manifest.onnx.name
    return Model(
        name=manifest.name,
        version=manifest.version,
        title=manifest.title,
        classes=manifest.classes,
        backbone=manifest.architecture.backbone if manifest.architecture else "imported",
        sha256=info.sha256,
        size_bytes=network.stat().st_size if network.is_file() else 0,
        thresholds=thresholds,
        runtime=info.runtime,
        precision=info.precision,
        device=info.device,
    )


def _curve(compared: Sequence[Compared], matches: Sequence[Matches], classes: int) -> Curve:
    errors = errors_at(compared, CURVE, classes)[:, :, 0]
    rates = precision_recall(compared, matches, CURVE)
    return Curve(
        score_thresholds=CURVE,
        precision=_rounded(rates[:, 0]),
        recall=_rounded(rates[:, 1]),
        f1=_rounded(rates[:, 2]),
        bias=_rounded(errors.mean(axis=0)),
        mean_absolute_error=_rounded(np.abs(errors).mean(axis=0)),
    )


def _uncalibrated(compared: Sequence[Compared], thresholds: Thresholds, classes: int) -> Setting | None:
    """Return what the default thresholds would have given, where the model has others."""
    if (thresholds.score, thresholds.mask) == (DEFAULT, DEFAULT) or any(
        not entry.detections for entry in compared
    ):
        return None
    again = list(compared) if thresholds.mask == DEFAULT else with_mask_threshold(compared, DEFAULT)
    errors = errors_at(again, [DEFAULT], classes)[:, 0, 0]
    return Setting(
        score=DEFAULT,
        mask=DEFAULT,
        bias=float(errors.mean()),
        mean_absolute_error=float(np.abs(errors).mean()),
        f1=float(precision_recall(again, [match(entry) for entry in again], [DEFAULT])[0, 2]),
    )


def _row(
    entry: Compared,
    matches: Matches,
    score_threshold: float,
    classes: Sequence[str],
    trust: Trust | None,
) -> PictureRow:
    true = _rounded(true_percent(entry, len(classes)))
    measured = _rounded(found_percent(entry, [score_threshold], len(classes))[0])
    intervals = None if trust is None else trust.intervals
    coverage = None if intervals is None else covered(entry, classes, score_threshold, intervals)
    interval = None if coverage is None else coverage.interval
    found, kept = match_above(entry, matches, score_threshold)
    return PictureRow(
        name=entry.picture.name,
        width=entry.counted.width,
        height=entry.counted.height,
        true_percent=true[0],
        measured_percent=measured[0],
        true_by_class=true[1:],
        measured_by_class=measured[1:],
        interval=None if interval is None else (interval.low, interval.high),
        true_instances=len(entry.picture.labels),
        found_instances=len(found),
        matched_instances=int(np.count_nonzero(kept.within_class >= 0)),
    )


def _latency(compared: Sequence[Compared]) -> Latency:
    # The first picture warms up what is made at first use.
    timed = compared[1:] or compared
    network = np.percentile([entry.network_ms for entry in timed], [50, 95])
    total = np.percentile([entry.total_ms for entry in timed], [50, 95])
    return Latency(
        pictures=len(timed),
        network_p50=round(float(network[0]), 1),
        network_p95=round(float(network[1]), 1),
        total_p50=round(float(total[0]), 1),
        total_p95=round(float(total[1]), 1),
    )


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(value, 5) for value in values.tolist())
