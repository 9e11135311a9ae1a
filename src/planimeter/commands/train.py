"""`planimeter train`: from labelled pictures to a pack."""

import threading
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from planimeter.allocator import keep_freed_memory
from planimeter.commands.lazy import needed
from planimeter.commands.options import options_of, report_pictures
from planimeter.commands.printing import understood
from planimeter.evaluation import Metrics
from planimeter.labels import read_labels
from planimeter.service.learning_from import write_reviewed
from planimeter.service.reviewed import LABELS
from planimeter.settings import Settings
from planimeter.signals import stop_on_signals
from planimeter.store import Store
from planimeter.training.plan import IMAGENET, WORK_FOLDER, Job, PackPlan, Stopped
from planimeter.training.recipe import Recipe, Status
from planimeter.training.reviews import REVIEWS, read_reviews


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True), required=False)
@click.option(
    "--from-reviewed",
    is_flag=True,
    help="Learn from the pictures that people reviewed in a service of what the model --start-from measured, instead "
    "of DATA; --database and --upload-folder say where they are.",
)
@click.option(
    "--images", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Folder of the pictures."
)
@click.option(
    "--validation",
    type=click.Path(path_type=Path, exists=True),
    help="Labelled pictures to validate on; unless given, part of DATA is kept for that.",
)
@click.option(
    "--validation-images",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of those pictures.",
)
@click.option(
    "--leave-out",
    type=click.Choice(["broken"]),
    help="Go on without broken objects and pictures; they are counted, and listed in the report.",
)
@click.option(
    "--backbone-weights",
    default=IMAGENET,
    show_default=True,
    help="'imagenet' takes the published ones, 'none' starts from scratch, else a file that holds them.",
)
@click.option(
    "--work-folder",
    type=click.Path(path_type=Path),
    help="Receives checkpoints and the log; the same folder again resumes. Unless given, "
    "planimeter-data/training/NAME.",
)
@click.option("--infer-with-cpu", is_flag=True, help="Train on the CPU even where a GPU could.")
@report_pictures
@options_of(Settings, "where", only=("database", "upload_folder", "output_folder"))
@options_of(PackPlan, "plan")
@options_of(Recipe, "recipe")
def train(
    data: Path | None,
    from_reviewed: bool,
    images: Path | None,
    validation: Path | None,
    validation_images: Path | None,
    leave_out: str | None,
    backbone_weights: str,
    work_folder: Path | None,
    infer_with_cpu: bool,
    pictures: bool,
    where: Settings,
    plan: PackPlan,
    recipe: Recipe,
) -> None:
    """Train a model on labelled pictures, DATA: COCO json, a YOLO folder, masks, or what most labelling tools export.

    Part of the pictures is kept for validation: it chooses the checkpoint and the thresholds. With few pictures
    rather have several models take turns, each without its share of them (--folds 5): then every picture helps to
    choose the thresholds and to tell the error, and the model that is kept has learnt from all of them. The result
    is in the packs folder, ready for `planimeter serve --model NAME`.
    """
    run = needed("planimeter.training.run").run
    console = Console()
    work_folder = work_folder or WORK_FOLDER / plan.name
    if from_reviewed == (data is not None):
        raise click.UsageError(
            "learn from DATA or, with --from-reviewed, from what people reviewed: give one of them"
        )
    if data is None:
        data = _reviewed(plan, where, work_folder)
    labelled = read_labels(data, images, leave_out_broken=leave_out is not None)
    for line in understood(labelled):
        console.print(line)
    job = Job(
        data=data,
        plan=plan,
        recipe=recipe,
        work_folder=work_folder,
        images=images,
        validation=validation,
        validation_images=validation_images,
        leave_out_broken=leave_out is not None,
        backbone_weights=backbone_weights,
        cpu_only=infer_with_cpu,
        pictures=pictures,
        reviewed=read_reviews(data.parent) if from_reviewed else {},
    )
    keep_freed_memory()
    with _Report(console) as report:
        stop_on_signals(report.stopping)
        try:
            run(job, labelled, report)
        except Stopped as stopped:
            console.print(f"stopped at step {stopped.step}; the same command goes on from there")
            raise click.exceptions.Exit(130) from stopped


def _reviewed(plan: PackPlan, where: Settings, work_folder: Path) -> Path:
    """Return the labels of the reviewed pictures, copied into the work folder; a training that goes on has its own."""
    if plan.start_from is None:
        raise click.UsageError(
            "--from-reviewed needs --start-from: the model whose measurements people reviewed"
        )
    folder = work_folder / "data"
    if (folder / LABELS).is_file() and (folder / REVIEWS).is_file():
        return folder / LABELS
    store = Store.open(where.database, where.upload_folder, where.output_folder)
    try:
        return write_reviewed(store, plan.start_from, folder)
    finally:
        store.close()


class _Report:
    """Progress for a person: a live bar on a terminal, a line now and then in a log."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.stopping = threading.Event()
        self._model = ""
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

    def say(self, line: str) -> None:
        self._console.print(line, soft_wrap=True)

    def begin(self, task: str) -> None:
        self._model = f"{task}: "

    def step(self, status: Status) -> None:
        losses = " ".join(f"{name} {value:.3f}" for name, value in status.losses.items())
        line = (
            f"{self._model}step {status.step} epoch {status.epoch:.2f} "
            f"loss {sum(status.losses.values()):.3f} ({losses}) rate {status.rate:.2e} "
            f"{status.pictures_per_second:.1f} pictures/s"
        )
        self._progress.update(self._task, completed=status.fraction, description=line)
        if not self._console.is_terminal and (status.step == 1 or status.step % 25 == 0):
            left = status.elapsed * (1 - status.fraction) / max(status.fraction, 1e-6)
            self._console.print(f"{status.fraction:4.0%} {line}, {left / 60:.0f} min left", soft_wrap=True)

    def validation(self, status: Status, metrics: Metrics) -> None:
        self._console.print(
            f"{self._model}validation at step {status.step}: AP50 {metrics.mask_ap50:.3f} AP {metrics.mask_ap:.3f} "
            f"F1 {metrics.f1:.3f} "
            f"coverage error {metrics.coverage.mean_absolute_error:.2f} points, bias {metrics.coverage.bias:+.2f} "
            f"at score {metrics.score_threshold}",
            soft_wrap=True,
        )
