"""`planimeter evaluate`: how far a model's percentage can be trusted, on labelled pictures."""

import json
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from planimeter.commands.options import options_of
from planimeter.commands.printing import understood
from planimeter.evaluation import Metrics, compare, summarise
from planimeter.labels import read_labels
from planimeter.segmenter import load
from planimeter.settings import Settings


@click.command()
@click.argument("pack")
@click.argument("data", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--images", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Folder of the pictures."
)
@click.option("--score-threshold", type=click.FloatRange(0, 1), help="Instead of the pack's own.")
@click.option(
    "--record", "part", help="Write the figures into the pack and its card, under this name (test)."
)
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures as JSON here too."
)
@options_of(Settings, "settings", only=("packs_folder", "infer_with_cpu", "runtime", "precision"))
def evaluate(
    pack: str,
    data: Path,
    images: Path | None,
    score_threshold: float | None,
    part: str | None,
    output: Path | None,
    settings: Settings,
) -> None:
    """Compare PACK (a name or a folder) with the truth in DATA: labels in any of the formats of `train`."""
    console = Console(stderr=True)
    segmenter = load(
        pack,
        packs_folder=settings.packs_folder,
        infer_with_cpu=settings.infer_with_cpu,
        precision=settings.precision,
        runtime=settings.runtime,
    )
    labelled = read_labels(data, images).with_classes(segmenter.classes)
    for line in understood(labelled):
        console.print(line)
    compared = compare(
        segmenter,
        labelled,
        lambda pictures: track(pictures, "measuring", len(labelled.pictures), console=console),
    )
    threshold = segmenter.default_threshold if score_threshold is None else score_threshold
    metrics = summarise(compared, labelled.classes, threshold)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(metrics.model_dump(mode="json"), indent=2) + "\n", "utf-8")
    if part is not None:
        from planimeter.training.export import record_metrics  # noqa: PLC0415 - needs the train extra

        record_metrics(segmenter.pack, part, metrics)
    Console().print(_table(metrics, segmenter.pack.name))


def _table(metrics: Metrics, name: str) -> Table:
    coverage = metrics.coverage
    low, high = coverage.limits_of_agreement
    table = Table(
        "figure", "value", title=f"{name}: {metrics.pictures} pictures, {metrics.instances} instances"
    )
    table.add_row("score threshold", f"{metrics.score_threshold:g}")
    table.add_row("percent masked: mean absolute error", f"{coverage.mean_absolute_error:.2f} points")
    table.add_row("percent masked: bias", f"{coverage.bias:+.2f} points")
    table.add_row("percent masked: 95 % limits of agreement", f"{low:+.2f} to {high:+.2f} points")
    table.add_row(
        "mask AP / AP50 / AP75", f"{metrics.mask_ap:.3f} / {metrics.mask_ap50:.3f} / {metrics.mask_ap75:.3f}"
    )
    table.add_row(
        "precision / recall / F1 at IoU 0.5",
        f"{metrics.precision:.3f} / {metrics.recall:.3f} / {metrics.f1:.3f}",
    )
    for class_name, value in metrics.pixel_iou_by_class.items():
        table.add_row(f"pooled pixel IoU, {class_name}", f"{value:.3f}")
    return table
