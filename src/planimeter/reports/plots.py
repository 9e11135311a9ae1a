"""The plots of a report, as SVG for a page."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from planimeter.evaluation.agreement import CoverageError
from planimeter.evaluation.calibration import Calibration
from planimeter.reports.plot_style import (
    ACCENT,
    BRASS,
    INK,
    LINE,
    QUIET,
    SERIES,
    SOFT,
    Plot,
    new_axes,
    svg_of,
)
from planimeter.reports.study import Curve, Study
from planimeter.reports.training_record import TrainingRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def bland_altman(true: Sequence[float], measured: Sequence[float], error: CoverageError, what: str) -> Plot:
    """Plot measured minus true against their mean, with bias and 95 % limits of agreement."""
    mean, difference = _pairs(true, measured)
    low, high = error.limits_of_agreement
    with new_axes() as (figure, axes):
        axes.axhspan(low, high, color=SOFT, lw=0)
        axes.axhline(0, color=LINE, lw=1)
        for value, color, name in (
            (error.bias, ACCENT, "bias"),
            (low, BRASS, "95 % limit"),
            (high, BRASS, "95 % limit"),
        ):
            axes.axhline(value, color=color, lw=1.3, ls="-" if name == "bias" else (0, (4, 3)))
        _dots(axes, mean, difference)
        _margin_labels(axes, [(error.bias, ACCENT), (low, BRASS), (high, BRASS)])
        axes.set_xlabel("mean of measured and true, % of the picture")
        axes.set_ylabel("measured \N{MINUS SIGN} true, points")
        axes.set_xlim(left=min(0.0, *mean) if len(mean) else 0.0)
        svg = svg_of(figure)
    return Plot(
        svg,
        f"Bland-Altman plot, {what}: bias {error.bias:+.2f} points, 95 % limits {low:+.2f} to {high:+.2f} points, "
        f"{len(mean)} pictures",
    )


def measured_against_true(true: Sequence[float], measured: Sequence[float]) -> Plot:
    """Plot measured against true percent, with the line on which they are equal."""
    _, difference = _pairs(true, measured)
    most = max([1.0, *true, *measured]) * 1.04
    with new_axes() as (figure, axes):
        axes.plot([0, most], [0, most], color=QUIET, lw=1, ls=(0, (4, 3)))
        _dots(axes, np.asarray(true), np.asarray(measured))
        axes.set(xlim=(0, most), ylim=(0, most), xlabel="true, % of the picture", ylabel="measured, %")
        svg = svg_of(figure)
    return Plot(svg, f"Measured against true percentage of {len(difference)} pictures")


def interval_of_each(
    true: Sequence[float], measured: Sequence[float], intervals: Sequence[tuple[float, float]]
) -> Plot:
    """Plot the interval of each picture, by rising measured percentage, and where its truth lies."""
    order = np.argsort(measured, kind="stable")
    truth, spans = np.asarray(true)[order], np.asarray(intervals)[order]
    inside = (spans[:, 0] <= truth) & (truth <= spans[:, 1])
    place = np.arange(1, len(order) + 1)
    with new_axes() as (figure, axes):
        axes.vlines(place, spans[:, 0], spans[:, 1], color=SOFT, lw=max(1.0, min(5.0, 300 / len(order))))
        axes.plot(place, np.asarray(measured)[order], color=QUIET, lw=1, label="measured")
        for here, color, name in ((inside, ACCENT, "truth inside"), (~inside, BRASS, "truth outside")):
            axes.scatter(place[here], truth[here], s=12, color=color, lw=0, zorder=3, label=name)
        axes.legend(loc="upper left")
        axes.set(xlabel="pictures, by what was measured", ylabel="% of the picture", ylim=(0, None))
        svg = svg_of(figure)
    return Plot(svg, f"Intervals of {len(order)} pictures: the truth lies inside of {int(inside.sum())}")


def rates_by_threshold(curve: Curve, score_threshold: float) -> Plot:
    """Plot precision, recall and F1 against the score threshold."""
    x = curve.score_thresholds
    with new_axes() as (figure, axes):
        for values, color, style, name in (
            (curve.precision, BRASS, (0, (5, 2)), "precision"),
            (curve.recall, QUIET, (0, (1.5, 1.5)), "recall"),
            (curve.f1, ACCENT, "-", "F1"),
        ):
            axes.plot(x, values, color=color, ls=style, label=name)
        _mark(axes, score_threshold, "in use")
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="score threshold")
        axes.legend(loc="lower left", ncols=3)
        svg = svg_of(figure)
    return Plot(svg, f"Precision, recall and F1 by score threshold; F1 is highest at {curve.best_f1:.2f}")


def precision_by_recall(curve: Curve, score_threshold: float) -> Plot:
    """Plot precision against recall as the score threshold falls."""
    chosen = int(np.argmin(np.abs(np.asarray(curve.score_thresholds) - score_threshold)))
    with new_axes() as (figure, axes):
        axes.plot(curve.recall, curve.precision, color=ACCENT)
        axes.plot([curve.recall[chosen]], [curve.precision[chosen]], "o", color=BRASS, ms=6)
        axes.annotate(
            f"score {score_threshold:.2f}",
            (curve.recall[chosen], curve.precision[chosen]),
            xytext=(-8, -12),
            textcoords="offset points",
            ha="right",
            color=BRASS,
        )
        axes.set(xlim=(0, 1.01), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
        svg = svg_of(figure)
    return Plot(svg, "Precision against recall at IoU 0.5 over all score thresholds")


def error_by_threshold(curve: Curve, score_threshold: float) -> Plot:
    """Plot bias and mean absolute error of the percentage against the score threshold."""
    x = curve.score_thresholds
    with new_axes() as (figure, axes):
        axes.axhline(0, color=LINE, lw=1)
        axes.plot(x, curve.mean_absolute_error, color=ACCENT, label="mean absolute error")
        axes.plot(x, curve.bias, color=BRASS, ls=(0, (5, 2)), label="bias")
        _mark(axes, score_threshold, "in use")
        axes.set(xlim=(0, 1), xlabel="score threshold", ylabel="points")
        axes.legend(loc="best")
        svg = svg_of(figure)
    return Plot(svg, "Bias and mean absolute error of the percentage by score threshold")


def calibration_map(calibration: Calibration) -> Plot:
    """Plot the cost of every pair of thresholds, with the default and the chosen pair."""
    scores = sorted({entry.score for entry in calibration.table})
    masks = sorted({entry.mask for entry in calibration.table})
    cost = np.full((len(masks), len(scores)), np.nan)
    for entry in calibration.table:
        cost[masks.index(entry.mask), scores.index(entry.score)] = entry.cost
    lowest = calibration.lowest.cost
    levels = lowest + np.array([0.1, 0.25, 0.5, 1.0, 2.0, 4.0])
    with new_axes() as (figure, axes):
        axes.grid(visible=False)
        lines = axes.contour(scores, masks, cost, levels=levels, colors=QUIET, linewidths=0.9)
        axes.clabel(lines, fmt=lambda value: f"{value:.2f}", fontsize=7.5, inline_spacing=3)
        before, after = calibration.before, calibration.after
        axes.plot([before.score], [before.mask], "o", mfc="none", mec=INK, ms=9, label="default")
        axes.plot([after.score], [after.mask], "o", color=ACCENT, ms=6, label="chosen")
        axes.plot([calibration.lowest.score], [calibration.lowest.mask], "x", color=BRASS, label="lowest")
        axes.set(xlabel="score threshold", ylabel="mask threshold")
        axes.legend(loc="upper left", ncols=3, bbox_to_anchor=(0, 1.12), borderaxespad=0)
        svg = svg_of(figure)
    return Plot(svg, "Bias plus mean absolute error in points, for every pair of thresholds on validation")


def training_losses(record: TrainingRecord) -> Plot:
    """Plot the losses of training, on a logarithmic scale."""
    names = sorted({name for entry in record.losses for name in entry.losses})
    with new_axes() as (figure, axes):
        epochs = [entry.epoch for entry in record.losses]
        axes.plot(epochs, [sum(entry.losses.values()) for entry in record.losses], color=INK, label="sum")
        for index, name in enumerate(names):
            axes.plot(
                epochs,
                [entry.losses.get(name, np.nan) for entry in record.losses],
                color=SERIES[index % len(SERIES)],
                lw=1,
                ls=(0, (1 + index, 1 + index % 2)) if index else "-",
                label=name.replace("_", " "),
            )
        axes.set_yscale("log")
        axes.set(xlabel="epoch", ylabel="loss")
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)
        svg = svg_of(figure)
    return Plot(svg, "Losses of training by epoch")


def validation_figures(record: TrainingRecord) -> Plot:
    """Plot AP50, F1 and the error of the percentage of each validation."""
    epochs = [entry.epoch for entry in record.validations]
    with new_axes() as (figure, axes):
        for values, color, style, name in (
            ([entry.mask_ap50 for entry in record.validations], ACCENT, "-", "AP50"),
            ([entry.mask_ap for entry in record.validations], QUIET, "-", "AP"),
            ([entry.f1 for entry in record.validations], INK, (0, (1.5, 1.5)), "F1"),
        ):
            axes.plot(epochs, values, color=color, ls=style, marker=".", label=name)
        axes.set(ylim=(0, 1.02), xlabel="epoch", ylabel="AP, F1")
        other = axes.twinx()
        other.spines["right"].set_visible(True)
        other.grid(visible=False)
        other.plot(
            epochs,
            [entry.mean_absolute_error for entry in record.validations],
            color=BRASS,
            ls=(0, (5, 2)),
            marker=".",
            label="error of the percentage (right)",
        )
        other.set_ylim(bottom=0)
        other.set_ylabel("mean absolute error, points", color=BRASS)
        lines = [*axes.get_lines(), *other.get_lines()]
        axes.legend(
            lines,
            [str(line.get_label()) for line in lines],
            loc="upper left",
            ncols=4,
            bbox_to_anchor=(0, 1.12),
            borderaxespad=0,
            columnspacing=1,
            handlelength=1.5,
        )
        svg = svg_of(figure)
    return Plot(svg, "AP, AP50, F1 and the error of the percentage on validation by epoch")


def accuracy_against_time(studies: Sequence[Study], names: Sequence[str]) -> tuple[Plot, Plot]:
    """Plot the error of the percentage, and mask AP, against milliseconds; discs grow with the network's file."""
    plots = []
    for title, values in (
        ("mean absolute error, points", [study.metrics.coverage.mean_absolute_error for study in studies]),
        ("mask AP", [study.metrics.mask_ap for study in studies]),
    ):
        with new_axes() as (figure, axes):
            for index, (study, name, value) in enumerate(zip(studies, names, values, strict=True)):
                color = SERIES[index % len(SERIES)]
                size = 30 + 1.2 * study.model.size_bytes / 2**20
                axes.scatter([study.latency.total_p50], [value], s=size, color=color, alpha=0.85, lw=0)
                axes.annotate(
                    name, (study.latency.total_p50, value), xytext=(9, 5), textcoords="offset points"
                )
            axes.set_xlabel("milliseconds a picture (median)")
            axes.set_ylabel(title)
            axes.set_xlim(0, 1.35 * max(study.latency.total_p50 for study in studies))
            axes.set_ylim(0, 1.25 * max([*values, 0.01]))
            svg = svg_of(figure)
        plots.append(Plot(svg, f"{title} against milliseconds of {len(studies)} models"))
    return plots[0], plots[1]


def _pairs(
    true: Sequence[float], measured: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    one, other = np.asarray(true, float), np.asarray(measured, float)
    return (one + other) / 2, other - one


def _dots(axes: "Axes", x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    """Draw one disc a picture; the more there are the lighter they are."""
    axes.scatter(
        x, y, s=14, color=ACCENT, alpha=0.75 if len(x) < 100 else 0.5 if len(x) < 400 else 0.35, lw=0
    )


def _margin_labels(axes: "Axes", lines: Sequence[tuple[float, str]]) -> None:
    """Write each line's value at the right margin."""
    for value, color in lines:
        axes.annotate(
            f"{value:+.2f}".replace("-", "\N{MINUS SIGN}"),
            (1, value),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=color,
        )


def _mark(axes: "Axes", threshold: float, text: str) -> None:
    axes.axvline(threshold, color=INK, lw=1, ls=(0, (1, 2)))
    left = threshold > 0.75
    axes.annotate(
        f"{text}: {threshold:.2f}",
        (threshold, 0.97),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if left else 4, 0),
        textcoords="offset points",
        ha="right" if left else "left",
        va="top",
        color=INK,
        fontsize=8,
    )
