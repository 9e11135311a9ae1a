"""`planimeter train`: from labelled pictures to a pack."""

import signal
from pathlib import Path

import click
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from planimeter.commands.options import options_of, report_pictures
from planimeter.commands.printing import understood
from planimeter.errors import TrainingError
from planimeter.evaluation import Metrics
from planimeter.evaluation.study import list_findings
from planimeter.evaluation.training_report import report_training
from planimeter.labels import LabelledPictures, read_labels, read_split, split, write_split
from planimeter.networks.own import build_network
from planimeter.packs import find_pack
from planimeter.training.engine import LAST, Trainer
from planimeter.training.export import PackPlan, draft_pack
from planimeter.training.finish import finish
from planimeter.training.history import HISTORY, History
from planimeter.training.recipe import Recipe, Status
from planimeter.training.start import choose_device, load_backbone_weights, start_from

SPLIT = "split.json"


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--images", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Folder of the pictures."
)
@click.option(
    "--validation",
    type=click.Path(path_type=Path, exists=True),
    help="Labelled pictures to validate on; unless given, part of DATA is kept for that.",
)
@click.option(
    "--backbone-weights",
    default="imagenet",
    show_default=True,
    help="'imagenet' downloads them, 'none' starts from scratch, else a file as torchvision gives it.",
)
@click.option(
    "--work-folder",
    type=click.Path(path_type=Path),
    default=Path("planimeter-data/training"),
    show_default=True,
    help="Receives checkpoints and the log; the same folder again resumes.",
)
@click.option("--infer-with-cpu", is_flag=True, help="Train on the CPU even where a GPU could.")
@report_pictures
@options_of(PackPlan, "plan")
@options_of(Recipe, "recipe")
def train(
    data: Path,
    images: Path | None,
    validation: Path | None,
    backbone_weights: str,
    work_folder: Path,
    infer_with_cpu: bool,
    pictures: bool,
    plan: PackPlan,
    recipe: Recipe,
) -> None:
    """Train a model on labelled pictures, DATA: COCO, VIA or LabelMe json, a YOLO folder, or masks.

    Part of the pictures is kept for validation: it chooses the checkpoint and the score threshold. The result
    is a pack in the packs folder, ready for `planimeter serve --model NAME`.
    """
    console = Console()
    device = choose_device(cpu_only=infer_with_cpu)
    torch.manual_seed(recipe.seed)
    labelled = read_labels(data, images)
    for line in understood(labelled):
        console.print(line)
    learn, validate = _parts(labelled, validation, work_folder, recipe)
    console.print(
        f"{len(learn.pictures)} pictures to learn from, {len(validate.pictures)} to validate on; on {device}"
    )
    if plan.start_from is None and backbone_weights == "none":
        recipe = recipe.model_copy(update={"freeze": False})  # layers that know nothing are not worth keeping
    pack = draft_pack(plan, learn, validate)
    network = build_network(pack.manifest.own_architecture, len(labelled.classes))
    trainer = Trainer(network, pack, recipe, work_folder, device)
    if trainer.resume():
        console.print(f"resumed from {work_folder / LAST} at step {trainer.step}")
    elif plan.start_from is not None:
        shared = start_from(network, learn.classes, find_pack(plan.start_from, plan.packs_folder))
        trainer.restart_average()
        console.print(
            f"started from the model {plan.start_from}; classes taken over: {', '.join(shared) or 'none'}"
        )
    elif backbone_weights != "none":
        file = None if backbone_weights == "imagenet" else Path(backbone_weights)
        load_backbone_weights(network, pack.manifest.own_architecture.backbone, file)
        trainer.restart_average()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: trainer.stop())
    history = History(work_folder, trainer.step)
    with _Report(console, history) as report:
        finished = trainer.run(learn, validate, report.step, report.validation)
    if not finished:
        console.print(f"stopped at step {trainer.step}; the same command goes on from there")
        raise click.exceptions.Exit(130)
    console.print("choosing the thresholds on the validation pictures")
    written, calibration = finish(trainer, validate, score_threshold=plan.score_threshold)
    console.print(
        f"thresholds: score {calibration.score}, mask {calibration.mask}; percent masked on validation: "
        f"bias {calibration.after.bias:+.2f}, mean absolute error {calibration.after.mean_absolute_error:.2f} points "
        f"({calibration.before.bias:+.2f} and {calibration.before.mean_absolute_error:.2f} at 0.5 and 0.5)"
    )
    console.print(f"wrote {written.folder}; now its report")
    page = report_training(
        written,
        trainer.segmenter(),
        learn,
        validate,
        device=str(device),
        configuration={
            "model": plan.model_dump(exclude={"packs_folder", "start_from"}, exclude_none=True)
            | {"started from": written.manifest.training_data.started_from or Path(backbone_weights).name},
            "recipe": recipe.model_dump(exclude_none=True),
        },
        calibration=calibration,
        history=work_folder / HISTORY,
        findings=list_findings(data, images, validation),
        pictures=pictures,
    )
    console.print(f"wrote {page}")


def _parts(
    labelled: LabelledPictures, validation: Path | None, work_folder: Path, recipe: Recipe
) -> tuple[LabelledPictures, LabelledPictures]:
    """Return what to learn from and what to validate on; a training that goes on keeps its parts."""
    if validation is not None:
        return labelled, read_labels(validation).with_classes(labelled.classes)
    kept = work_folder / SPLIT
    if kept.is_file():
        return read_split(kept, labelled)
    parts = split(labelled, recipe.validation_fraction, recipe.seed, recipe.keep_together)
    try:
        write_split(kept, *parts)
    except OSError as error:
        raise TrainingError(f"{kept} cannot be written: {error}; choose another --work-folder") from error
    return parts


class _Report:
    """Progress for a person: a live bar on a terminal, a line now and then in a log."""

    def __init__(self, console: Console, history: History) -> None:
        self._console = console
        self._history = history
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._progress.add_task("starting", total=1.0)

    def __enter__(self) -> "_Report":
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
        self._history.close()

    def step(self, status: Status) -> None:
        self._history.step(status)
        losses = " ".join(f"{name} {value:.3f}" for name, value in status.losses.items())
        line = (
            f"step {status.step} epoch {status.epoch:.2f} loss {sum(status.losses.values()):.3f} ({losses}) "
            f"rate {status.rate:.2e} {status.pictures_per_second:.1f} pictures/s"
        )
        self._progress.update(self._task, completed=status.fraction, description=line)
        if not self._console.is_terminal and (status.step == 1 or status.step % 25 == 0):
            left = status.elapsed * (1 - status.fraction) / max(status.fraction, 1e-6)
            self._console.print(f"{status.fraction:4.0%} {line}, {left / 60:.0f} min left", soft_wrap=True)

    def validation(self, status: Status, metrics: Metrics) -> None:
        self._history.validation(status, metrics)
        self._console.print(
            f"validation at step {status.step}: AP50 {metrics.mask_ap50:.3f} AP {metrics.mask_ap:.3f} "
            f"F1 {metrics.f1:.3f} "
            f"coverage error {metrics.coverage.mean_absolute_error:.2f} points, bias {metrics.coverage.bias:+.2f} "
            f"at score {metrics.score_threshold}",
            soft_wrap=True,
        )
