"""The report: one page that stands alone, and `metrics.json` beside it."""

import json
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from planimeter.errors import DataError
from planimeter.evaluation.calibration import Calibration
from planimeter.evaluation.matching import Confusion
from planimeter.labels.census import SIZE_EDGES
from planimeter.numbers import write_decimals, write_signed
from planimeter.packs.pack import REPORT_PAGE
from planimeter.reports import plot_style, plots
from planimeter.reports.findings import by_kind
from planimeter.reports.gallery import worst_and_best
from planimeter.reports.study import Evaluated, Study
from planimeter.reports.training_record import RECORD, TrainingRecord

METRICS = "metrics.json"
MOST_CLASS_PLOTS = 6
EN_DASH = "\N{EN DASH}"


def write_report(
    folder: Path,
    evaluated: Sequence[Evaluated],
    training: TrainingRecord | None = None,
    calibration: Calibration | None = None,
    *,
    pictures: bool = True,
) -> Path:
    """Write the report of one model, or of several on the same pictures; returns its page.

    Without `pictures` it shows none of those that it is about: for where they must not be shared.
    `training` is shown, and kept in the folder for the model's next report; `calibration` replaces its own. Files are
    written aside first: a full disk leaves the report before this one whole. Raises `DataError` where the folder
    cannot be written.
    """
    studies = [entry.study for entry in evaluated]
    if training is not None and calibration is not None:
        training = training.model_copy(update={"calibration": calibration})
    files = {
        METRICS: json.dumps({"studies": [entry.model_dump(mode="json") for entry in studies]}) + "\n",
        REPORT_PAGE: render(evaluated, training, calibration, pictures=pictures),
    }
    if training is not None:
        files[RECORD] = training.model_dump_json() + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / f"{name}.part").write_text(text, "utf-8")
        for name in files:
            (folder / f"{name}.part").replace(folder / name)
    except OSError as error:
        raise DataError(f"the report cannot be written into {folder}: {error.strerror}") from error
    return folder / REPORT_PAGE


def render(
    evaluated: Sequence[Evaluated],
    training: TrainingRecord | None = None,
    calibration: Calibration | None = None,
    *,
    pictures: bool = True,
) -> str:
    """Return the page."""
    if calibration is None and training is not None:
        calibration = training.calibration
    environment = Environment(
        loader=PackageLoader("planimeter.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "signed": write_signed,
        "points": lambda value: write_decimals(value, 2),
        "grouped": lambda value: f"{value:,}",
        "score": lambda value: EN_DASH if value is None else f"{value:.3f}",
        "duration": write_duration,
        "megabytes": lambda value: f"{value / 2**20:.1f} MB",
        "day": lambda moment: f"{moment.day} {moment:%B %Y, %H:%M} UTC",
    }
    environment.filters["by_kind"] = by_kind
    studies = [entry.study for entry in evaluated]
    names = label_models(studies)
    worst, best = worst_and_best(evaluated) if pictures else ([], [])
    return environment.get_template("report.html").render(
        studies=list(zip(names, studies, strict=True)),
        first=studies[0],
        names=names,
        pictures_of={name: _study_plots(study) for name, study in zip(names, studies, strict=True)},
        comparison=_comparison(studies, names),
        shares={name: confusion_shares(study.confusion) for name, study in zip(names, studies, strict=True)},
        within={name: share_within_limits(study) for name, study in zip(names, studies, strict=True)},
        worst=worst,
        best=best,
        training=training,
        overlap=known_names(studies[0], training),
        training_plots=_training_plots(training),
        calibration=calibration,
        calibration_plot=_calibration_plot(calibration),
        size_bins=_size_bins(),
        missing_plots=None if plot_style.HAVE_MATPLOTLIB else plot_style.MISSING,
        version=version("planimeter"),
        css=Markup(environment.get_template("report.css").render()),  # noqa: S704  our own file
    )


def label_models(studies: Sequence[Study]) -> list[str]:
    """Return a name for each model, told apart where two have the same."""
    names = [study.model.name for study in studies]
    twice = {name for name, number in Counter(names).items() if number > 1}
    labels = [
        f"{study.model.name} {study.model.version}, {study.model.backbone}"
        if study.model.name in twice
        else name
        for name, study in zip(names, studies, strict=True)
    ]
    return [
        label if labels.count(label) == 1 else f"{label} ({index})"
        for index, label in enumerate(labels, start=1)
    ]


def confusion_shares(confusion: Confusion) -> list[list[float]]:
    """Return how much each cell weighs: its share of all that truly is this.

    What was invented has no truth: there it is the share of all that was found as this class.
    """
    *true, invented = confusion.counts
    found = [max(1, sum(column)) for column in zip(*confusion.counts, strict=True)]
    shares = [[cell / max(1, sum(row)) for cell in row] for row in true]
    return [*shares, [cell / total for cell, total in zip(invented, found, strict=True)]]


def known_names(study: Study, training: TrainingRecord | None) -> list[str]:
    """Return the names of pictures that are in the lists of the model's training, too."""
    if training is None:
        return []
    known = {*training.train_names, *training.validation_names}
    return sorted(row.name for row in study.pictures if row.name in known)


def share_within_limits(study: Study) -> float:
    """Return the percent of pictures whose error really lies within the limits of agreement."""
    low, high = study.metrics.coverage.limits_of_agreement
    inside = [low <= row.error <= high for row in study.pictures]
    return 100 * statistics.fmean(inside)


def write_duration(seconds: float) -> str:
    """Write a time for people: 45 s, 12 min, 3 h 5 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _svg(plot: plot_style.Plot) -> Markup:
    return Markup(plot.svg)  # noqa: S704  drawn here; its texts are escaped by matplotlib


def _study_plots(study: Study) -> Mapping[str, Any]:
    if not plot_style.HAVE_MATPLOTLIB:
        return {}
    rows, threshold = study.pictures, study.metrics.score_threshold
    true, measured = [row.true_percent for row in rows], [row.measured_percent for row in rows]
    by_class: dict[str, Markup] = {}
    for index, entry in enumerate(study.model.classes[: MOST_CLASS_PLOTS + 1]):
        error = study.metrics.coverage_by_class.get(entry.name)
        if error is None or len(study.model.classes) == 1 or len(by_class) == MOST_CLASS_PLOTS:
            continue
        there = [row for row in rows if row.true_by_class[index] or row.measured_by_class[index]]
        by_class[entry.name] = _svg(
            plots.bland_altman(
                [row.true_by_class[index] for row in there],
                [row.measured_by_class[index] for row in there],
                error,
                entry.name,
            )
        )
    return {
        "agreement": _svg(plots.bland_altman(true, measured, study.metrics.coverage, "all classes")),
        "measured": _svg(plots.measured_against_true(true, measured)),
        "intervals": _interval_plot(study),
        "by_class": by_class,
        "rates": _svg(plots.rates_by_threshold(study.curve, threshold)),
        "precision": _svg(plots.precision_by_recall(study.curve, threshold)),
        "error": _svg(plots.error_by_threshold(study.curve, threshold)),
    }


def _interval_plot(study: Study) -> Markup | None:
    rows = [(row, row.interval) for row in study.pictures if row.interval is not None]
    if not rows:
        return None
    return _svg(
        plots.interval_of_each(
            [row.true_percent for row, _ in rows],
            [row.measured_percent for row, _ in rows],
            [interval for _, interval in rows],
        )
    )


def _comparison(studies: Sequence[Study], names: Sequence[str]) -> list[Markup]:
    if len(studies) < 2 or not plot_style.HAVE_MATPLOTLIB:
        return []
    return [_svg(plot) for plot in plots.accuracy_against_time(studies, names)]


def _training_plots(training: TrainingRecord | None) -> list[Markup]:
    if training is None or not plot_style.HAVE_MATPLOTLIB:
        return []
    drawn = []
    if training.validations:
        drawn.append(_svg(plots.validation_figures(training)))
    if training.losses:
        drawn.append(_svg(plots.training_losses(training)))
    return drawn


def _calibration_plot(calibration: Calibration | None) -> Markup | None:
    # A map needs both directions; where the score threshold was given there is but a line.
    if (
        calibration is None
        or not plot_style.HAVE_MATPLOTLIB
        or len({entry.score for entry in calibration.table}) < 3
    ):
        return None
    return _svg(plots.calibration_map(calibration))


def _size_bins() -> list[str]:
    between = [f"{low}{EN_DASH}{high}" for low, high in pairwise(SIZE_EDGES)]
    return [f"< {SIZE_EDGES[0]}", *between, f"\N{GREATER-THAN OR EQUAL TO} {SIZE_EDGES[-1]}"]
