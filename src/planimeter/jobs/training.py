"""The whole job of a training, in its own process: learn, write the new model, compare it with the one in use."""

import threading
import time
import traceback

from planimeter.allocator import keep_freed_memory
from planimeter.errors import PlanimeterError, TooFewPictures
from planimeter.evaluation import Metrics
from planimeter.jobs.comparison import compare_models
from planimeter.jobs.folder import End, JobFolder, Progress, now
from planimeter.labels import LabelledPictures, read_labels
from planimeter.labels.content import hold_out
from planimeter.packs.pack import MANIFEST, Pack, read_pack
from planimeter.signals import stop_on_signals
from planimeter.training.plan import Stopped
from planimeter.training.recipe import Status
from planimeter.training.reviews import read_reviews
from planimeter.training.run import run

LEAST_TO_LEARN = 4
_TOLD_EVERY = 1.0


def run_job(folder: JobFolder) -> None:
    """Do the job, and write how it ended, whatever happens."""
    keep_freed_memory()
    watcher = _Watcher(folder)
    stop_on_signals(watcher.stopping)
    try:
        end = _run(folder, watcher)
    except Stopped as stopped:
        end = End(state="stopped", message=f"stopped at step {stopped.step}")
    except PlanimeterError as error:
        end = End(state="failed", message=str(error))
    except OSError as error:
        end = End(state="failed", message=f"{error.filename or 'a file'}: {error.strerror or error}")
    except Exception as error:  # noqa: BLE001  told where people look for it
        traceback.print_exc()
        end = End(
            state="failed", message=f"something failed inside the training: {error}; its log says where"
        )
    folder.finish(end)


def _run(folder: JobFolder, watcher: "_Watcher") -> End:
    watcher.enter("reading the pictures")
    prepared = folder.prepared()
    job = prepared.job(
        work_folder=folder.work,
        packs_folder=folder.packs,
        start=folder.start,
        reviewed=read_reviews(folder.data),
    )
    in_use = read_pack(folder.in_use) if (folder.in_use / MANIFEST).is_file() else None
    data = read_labels(prepared.data)
    if in_use is not None and in_use.name == prepared.plan.name:
        data = _with_classes_of(in_use, data, watcher)
    learn, held = hold_out(data)
    watcher.say(
        f"{len(learn.pictures)} pictures to learn from, {len(held.pictures)} kept apart to compare models on"
    )
    if len(learn.pictures) < LEAST_TO_LEARN:
        raise TooFewPictures(
            f"{len(learn.pictures)} pictures to learn from are too few, {LEAST_TO_LEARN} are the least: a fifth is "
            "kept apart; label more"
        )
    if watcher.stopping.is_set():
        raise Stopped(0)
    pack = run(job, learn, watcher)
    watcher.enter("comparing")
    folder.compared(compare_models(pack, in_use, held))
    watcher.enter("done")
    return End(state="done")


def _with_classes_of(before: Pack, data: LabelledPictures, watcher: "_Watcher") -> LabelledPictures:
    """Return the data with the classes of the version before, in its order, and what is new after them.

    Who asks for a model by its name counts on its classes.
    """
    known = [entry.name for entry in before.manifest.classes]
    shown = {data.classes[label - 1] for picture in data.pictures for label in picture.labels}
    if missing := [name for name in known if name not in shown]:
        watcher.say(f"no picture shows {', '.join(missing)}: the new version keeps them, but may forget them")
    return data.with_classes((*known, *(name for name in data.classes if name not in known)))


class _Watcher:
    """Writes what happens: sentences into the log, and how far it is into the folder."""

    def __init__(self, folder: JobFolder) -> None:
        self._folder = folder
        before = folder.progress()
        self._progress = before or Progress(phase="starting", told_at=now())
        self._told = 0.0
        self.stopping = threading.Event()

    def enter(self, phase: str) -> None:
        """Begin with another part of the job."""
        self._tell(phase=phase, seconds_left=None)

    def say(self, line: str) -> None:
        """Write a sentence."""
        print(line, flush=True)  # noqa: T201  the log of this process
        if self._progress.phase == "training":
            self.enter("finishing")

    def begin(self, task: str) -> None:
        """Begin to train a model."""
        self.say(task)

    def step(self, status: Status) -> None:
        """Note a step."""
        if time.monotonic() - self._told < _TOLD_EVERY and status.fraction < 1:
            return
        left = status.elapsed * (1 - status.fraction) / status.fraction if status.fraction > 0 else None
        self._tell(
            phase="training",
            step=status.step,
            epoch=status.epoch,
            fraction=status.fraction,
            seconds=status.elapsed,
            seconds_left=left,
            losses=status.losses,
        )

    def validation(self, status: Status, metrics: Metrics) -> None:
        """Note the figures of a validation."""
        print(  # noqa: T201
            f"validation at step {status.step}: AP50 {metrics.mask_ap50:.3f}, F1 {metrics.f1:.3f}, "
            f"percent masked {metrics.coverage.mean_absolute_error:.2f} points off",
            flush=True,
        )

    def _tell(self, **changes: object) -> None:
        self._told = time.monotonic()
        self._progress = self._progress.model_copy(update={**changes, "told_at": now()})
        self._folder.tell(self._progress)
