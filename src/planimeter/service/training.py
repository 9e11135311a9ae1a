"""Trainings that people ask a service for: begun, stopped, taken up again, and deleted."""

import importlib.util
import shutil
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from planimeter.errors import (
    ContradictoryOptions,
    InvalidOption,
    InvalidPack,
    StoreFailed,
    TrainingUnavailable,
    WrongJobState,
)
from planimeter.jobs import process, unlisted
from planimeter.jobs.folder import JobFolder
from planimeter.jobs.plan import REVIEWED, Prepared, TrainingPlan, next_version
from planimeter.jobs.states import refuse_deletion, resumed, stopped
from planimeter.packs.pack import MANIFEST, Pack, read_pack
from planimeter.service.caller import caller
from planimeter.service.context import context
from planimeter.service.learning_from import write_reviewed
from planimeter.service.reviewed import LABELS
from planimeter.store.jobs import Job

NEEDED = ("torch", "torchvision", "onnx", "safetensors", "scipy", "tensorboardX", "matplotlib")
"""What the extra `train` brings."""


def refuse_without_extra() -> None:
    """Raise `TrainingUnavailable` where this service cannot train; PyTorch itself is not imported."""
    process.refuse_other_systems()
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise TrainingUnavailable(
            f"this service cannot train: {', '.join(missing)} is not installed where it runs; run make train-extra "
            "there, or pip install '.[train]' in the clone"
        )


def data_sets() -> list[str]:
    """Return the names of the labelled pictures in the folder that a training may learn from."""
    folder = context().settings.training_data
    if folder is None or not folder.is_dir():
        return []
    return sorted(
        path.name
        for path in folder.iterdir()
        if not path.name.startswith(".") and (path.is_dir() or path.suffix.lower() in {".json", ".zip"})
    )


def read_plan(given: Any) -> TrainingPlan:
    """Return the plan that a document says; raises what names what is wrong with it."""
    try:
        return TrainingPlan.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        reason = first["msg"].removeprefix("Value error, ").replace("Input", "it", 1)
        if first["type"] == "missing":
            raise InvalidOption(
                f"{where} is missing: {TrainingPlan.model_fields[where].description}"
            ) from None
        shown = f"{where} is {str(first['input'])[:100]!r}: " if where else ""
        # What is right by itself, and cannot be with the rest or on this machine.
        kind = ContradictoryOptions if first["type"] == "value_error" else InvalidOption
        raise kind(f"{shown}{reason}") from None


def begin(plan: TrainingPlan) -> Job:
    """Take a training on; it begins when its turn comes. Raises what says why it cannot be; nothing is left then."""
    refuse_without_extra()
    parts = context()
    packs = parts.models.packs()
    in_use = packs.get(plan.name)
    start = parts.models.find(plan.start_from) if plan.start_from else in_use
    if start is not None:
        _refuse_foreign(start)
    place, id_ = parts.jobs.place, parts.store.jobs.new_id()
    folder = parts.jobs.folder(id_)
    model = in_use or start
    prepared = Prepared(
        plan=plan,
        version=plan.version or (next_version(in_use.manifest.version) if in_use else "1"),
        data=folder.data / LABELS if plan.data == REVIEWED else _data(plan.data),
        data_name="pictures reviewed in the service" if plan.data == REVIEWED else plan.data,
        start=start is not None,
        title=in_use.manifest.title if in_use else plan.name,
        summary=model.manifest.summary if model else "",
        limitations=in_use.manifest.limitations if in_use else "",
    )
    folder.create()
    try:
        with process.held(folder):  # nobody takes it for a leftover, and nothing begins before all is there
            unlisted.note(folder, parts.store.jobs.store_id)
            folder.prepare(prepared)
            if plan.data == REVIEWED:
                write_reviewed(parts.store, plan.start_from or plan.name, folder.data)
            _copy(start, folder.start)
            if in_use is not None and in_use != start:
                _copy(in_use, folder.path / "in-use")
            job = parts.store.jobs.add(
                id_, kind=plan.kind, place=place, plan=plan.model_dump_json(exclude_unset=True), by=caller()
            )
            unlisted.take_back(folder, parts.store.jobs.store_id)
    except BaseException:
        unlisted.remove(folder)
        raise
    parts.jobs.wake()
    return job


def stop(id_: str) -> Job:
    """Let a job save where it stands and end; one that waits does not begin."""
    job = context().store.jobs.change(id_, stopped)
    context().jobs.wake()
    return job


def resume(id_: str) -> Job:
    """Let a job go on from where it was, when its turn comes."""
    refuse_without_extra()
    parts = context()
    job = parts.store.jobs.get(id_)
    _refuse_elsewhere(job)
    resumed(job.state)  # before anything of it is changed
    folder = parts.jobs.folder(id_)
    folder.prepared()
    folder.begin()  # else a service that ends before the process has begun would take the old end for its own
    job = parts.store.jobs.change(id_, resumed)
    parts.jobs.wake()
    return job


def delete(id_: str) -> None:
    """Delete a job with all that it made; a model that was put to use stays."""
    parts = context()
    folder, jobs = parts.jobs.folder(id_), parts.store.jobs
    _refuse_elsewhere(jobs.get(id_))  # its folder would stay for ever

    def note() -> None:
        if folder.path.is_dir():
            unlisted.note(folder, jobs.store_id)

    jobs.delete(id_, refuse_deletion, note)
    unlisted.remove(folder)


def candidate_of(folder: JobFolder, name: str) -> Pack | None:
    """Return the model that a job made."""
    made = folder.packs / name
    try:
        return read_pack(made) if (made / MANIFEST).is_file() else None
    except InvalidPack:
        return None


def read_plan_of(job: Job) -> TrainingPlan:
    """Return what was asked for."""
    return TrainingPlan.model_validate_json(job.plan)


def _refuse_elsewhere(job: Job) -> None:
    """Raise `WrongJobState` for a job of another service on the same store."""
    if job.place != context().jobs.place:
        raise WrongJobState(
            "the job lies in the folder of another service, or in another --jobs-folder of this one: ask the service "
            "that has that folder"
        )


def _refuse_foreign(start: Pack) -> None:
    """Raise `ContradictoryOptions` where training cannot start from a model."""
    try:
        _ = start.manifest.own_architecture
    except InvalidPack as error:
        raise ContradictoryOptions(str(error)) from error
    if start.manifest.weights is None:
        raise ContradictoryOptions(
            f"the model {start.name!r} has no weights to start from, but its network alone"
        )


def _data(name: str) -> Path:
    """Return where the labelled pictures of this name are; raises `ContradictoryOptions` where there are none."""
    folder, known = context().settings.training_data, data_sets()
    if folder is None or name not in known:
        where = (
            "no folder of labelled pictures is named by --training-data"
            if folder is None
            else f"known: {', '.join(known) or 'none'}"
        )
        raise ContradictoryOptions(f"data is {name!r}: there are no such labelled pictures; {where}")
    return (folder / name).absolute()


def _copy(pack: Pack | None, target: Path) -> None:
    if pack is None:
        return
    try:
        shutil.copytree(pack.folder, target, ignore=shutil.ignore_patterns("report"))
    except (OSError, shutil.Error) as error:
        raise StoreFailed(f"the model {pack.name!r} cannot be copied for the job: {error}") from error
