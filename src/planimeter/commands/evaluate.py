"""`planimeter evaluate`: how far a model's percentage can be trusted, on labelled pictures."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from planimeter.commands.options import options_of, report_pictures
from planimeter.commands.printing import understood
from planimeter.evaluation import Metrics
from planimeter.labels import read_labels
from planimeter.packs.manifest import Thresholds
from planimeter.reports.run import Job, run
from planimeter.reports.study import Evaluated
from planimeter.settings import Inference


@click.command()
@click.argument("packs", metavar="MODEL...", nargs=-1, required=True)
@click.argument("data", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--images", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Folder of the pictures."
)
@click.option("--score-threshold", type=click.FloatRange(0, 1), help="Instead of the model's own.")
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the report, a page and metrics.json, into this folder.",
)
@click.option(
    "--record",
    "part",
    help="Write the figures into the model, its card and its report, under this name (test).",
)
@click.option(
    "--calibrate",
    "calibrating",
    is_flag=True,
    help="First choose score and mask threshold on DATA, so that the percentage is right, and write them into "
    "the model. For validation pictures, never for a test.",
)
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures as JSON here too."
)
@report_pictures
@options_of(Inference, "inference")
def evaluate(
    packs: tuple[str, ...],
    data: Path,
    images: Path | None,
    score_threshold: float | None,
    report: Path | None,
    part: str | None,
    calibrating: bool,
    output: Path | None,
    pictures: bool,
    inference: Inference,
) -> None:
    """Compare each MODEL (a name or a folder) with the truth in DATA: labels in any of the formats of `train`.

    With several models the report compares them: accuracy against milliseconds.
    """
    console = Console(stderr=True)
    if calibrating and score_threshold is not None:
        raise click.UsageError("--calibrate chooses the score threshold: leave --score-threshold out")
    labelled = read_labels(data, images)
    for line in understood(labelled):
        console.print(line)
    job = Job(
        packs=packs,
        data=data,
        inference=inference,
        images=images,
        score_threshold=score_threshold,
        calibrating=calibrating,
        part=part,
        report=report,
        figures=output,
        pictures=pictures,
    )
    run(job, labelled, _Progress(console))


class _Progress:
    """Progress and sentences on one console, the figures on the other."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, line: str) -> None:
        self._console.print(line, soft_wrap=True)

    def track(self, model: str, pictures: int) -> Callable[[Iterable[Any]], Iterable[Any]]:
        return lambda entries: track(entries, f"measuring with {model}", pictures, console=self._console)

    def evaluated(self, entry: Evaluated) -> None:
        Console().print(_table(entry.study.metrics, entry.study.model.name, entry.study.model.thresholds))


def _table(metrics: Metrics, name: str, thresholds: Thresholds) -> Table:
    coverage = metrics.coverage
    low, high = coverage.limits_of_agreement
    table = Table(
        "figure", "value", title=f"{name}: {metrics.pictures} pictures, {metrics.instances} instances"
    )
    table.add_row("score threshold, mask threshold", f"{thresholds.score:g}, {thresholds.mask:g}")
    table.add_row(
        "percent masked: mean absolute error",
        f"{coverage.mean_absolute_error:.2f} points{_interval(coverage.mean_absolute_error_interval, '.2f')}",
    )
    table.add_row(
        "percent masked: bias", f"{coverage.bias:+.2f} points{_interval(coverage.bias_interval, '+.2f')}"
    )
    table.add_row("percent masked: 95 % limits of agreement", f"{low:+.2f} to {high:+.2f} points")
    if (interval := metrics.interval) is not None:
        table.add_row(
            f"truth inside the interval ({100 * interval.level:.0f} % stated)",
            f"{100 * interval.inside:.1f} %",
        )
        table.add_row("mean width of an interval", f"{interval.mean_width:.2f} points")
    if metrics.unlike_training is not None:
        table.add_row(
            "pictures unlike those of the training", f"{metrics.unlike_training} of {metrics.pictures}"
        )
    if len(metrics.coverage_by_class) > 1:
        for class_name, error in metrics.coverage_by_class.items():
            table.add_row(
                f"percent masked, {class_name}: mean absolute error, bias",
                f"{error.mean_absolute_error:.2f}, {error.bias:+.2f} points",
            )
    table.add_row(
        "mask AP / AP50 / AP75", f"{metrics.mask_ap:.3f} / {metrics.mask_ap50:.3f} / {metrics.mask_ap75:.3f}"
    )
    table.add_row(
        "box AP / AP50 / AP75", f"{metrics.box_ap:.3f} / {metrics.box_ap50:.3f} / {metrics.box_ap75:.3f}"
    )
    table.add_row(
        "precision / recall / F1 at IoU 0.5",
        f"{metrics.precision:.3f} / {metrics.recall:.3f} / {metrics.f1:.3f}",
    )
    for class_name, value in metrics.pixel_iou_by_class.items():
        table.add_row(
            f"pooled pixel IoU, Dice, {class_name}", f"{value:.3f}, {metrics.dice_by_class[class_name]:.3f}"
        )
    if metrics.mean_pixel_iou is not None and len(metrics.pixel_iou_by_class) > 1:
        table.add_row("pooled pixel IoU, mean over classes", f"{metrics.mean_pixel_iou:.3f}")
    if metrics.empty_pictures:
        table.add_row(
            "pictures without an object in which something was found",
            f"{metrics.empty_pictures_with_instances} of {metrics.empty_pictures}",
        )
    return table


def _interval(pair: tuple[float, float] | None, form: str) -> str:
    return f" (95 %: {pair[0]:{form}} to {pair[1]:{form}})" if pair else ""
