"""Versions of models put to use: what a job made, or one from before. Noted in the store, whenever a process ends."""

import logging
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter

from planimeter.errors import ContradictoryOptions, ModelsBusy, StoreFailed, WrongJobState
from planimeter.jobs.states import WORDS
from planimeter.packs import changing
from planimeter.packs.pack import Pack
from planimeter.packs.versions import Version, find_version, made_ready
from planimeter.service.caller import caller
from planimeter.service.context import context
from planimeter.service.training import candidate_of, read_plan_of
from planimeter.store.jobs import Job
from planimeter.store.model_changes import ModelChange, ModelChanges

log = logging.getLogger(__name__)
_CHANGE = TypeAdapter(ModelChange)


def take_over(id_: str) -> Job:
    """Put the model that a job made to use; the one before is kept."""
    parts = context()
    job = parts.store.jobs.get(id_)
    made = candidate_of(parts.jobs.folder(id_), read_plan_of(job).name)
    if job.state != "done" or made is None:
        raise WrongJobState(f"the job {WORDS[job.state]}; there is no model to put to use")
    _put_to_use(made, job_id=id_)
    return job


def use_version(name: str, key: str) -> Version:
    """Put a version of a model to use that was in use before, or came with Planimeter."""
    version = find_version(name, key, context().settings.packs_folder)
    if not version.in_use:
        _put_to_use(version.pack)
    return version


def is_in_use(made: Pack | None) -> bool:
    """Return whether a model that a job made is the one that answers for its name."""
    if made is None:
        return False
    current = context().models.packs().get(made.name)
    return current is not None and current.manifest == made.manifest


def settle(changes: ModelChanges, packs_folder: Path, patience: float | None = None) -> None:
    """Finish or take back what killed processes left in the packs folder, and note what they had not noted yet.

    What cannot be settled now is said in the log, and is tried again later.
    """
    try:
        if changing.is_unsettled(packs_folder):
            with changing.changing(packs_folder, patience):
                _note(changes, packs_folder)
    except (ModelsBusy, StoreFailed) as error:
        log.warning("what a killed process left in %s is not settled yet: %s", packs_folder, error)


def _note(changes: ModelChanges, packs_folder: Path) -> None:
    """Note what was done and is not noted yet; within `changing`."""
    for kept, found in changing.untold(packs_folder):
        if found.told.get("store") == changes.store_id:  # another store may have this folder, too
            changes.add(_CHANGE.validate_python(found.told["change"]))
            with suppress(OSError):  # it is known by its id the next time
                changing.forget(kept, found)


def _put_to_use(new: Pack, job_id: str | None = None) -> None:
    """Let a pack answer for its name; what says so in the store is there where that is done, and only there."""
    parts = context()
    folder, changes = parts.settings.packs_folder, parts.store.model_changes
    if is_in_use(new):
        return
    _refuse_elsewhere(parts.models.packs().get(new.name))
    parts.models.try_out(new)
    with changing.changing(folder):
        _note(changes, folder)
        if is_in_use(new):  # somebody else was quicker
            return
        before = parts.models.packs().get(new.name)
        change = changes.new(
            new.name,
            now=_named(new),
            before=None if before is None else _named(before),
            by=caller(),
            job_id=job_id,
        )
        with made_ready(new, folder, id_=change.id, told=_told(changes, change)) as replace:
            try:
                changes.add(change, lambda: parts.models.exchange(replace))
            except StoreFailed as error:
                if is_in_use(new):
                    raise StoreFailed(
                        f"the version {new.manifest.version} of {new.name} measures from now on, and that is noted as "
                        f"soon as it can be: {error}"
                    ) from error
                raise
        _note(changes, folder)
    parts.models.get(new.name)


def _told(changes: ModelChanges, change: ModelChange) -> dict[str, object]:
    return {"store": changes.store_id, "change": _CHANGE.dump_python(change, mode="json")}


def _named(pack: Pack) -> tuple[str, str]:
    return pack.manifest.version, pack.manifest.onnx.sha256


def _refuse_elsewhere(before: Pack | None) -> None:
    """Raise `ContradictoryOptions` where a folder was named that goes on answering, whatever is put to use."""
    folder = context().settings.packs_folder
    if before is None or before.bundled or before.folder.absolute().parent == folder.absolute():
        return
    raise ContradictoryOptions(
        f"the service was started with the model in {before.folder}, which answers for {before.name!r} whatever else "
        f"is put to use: move it into {folder}, and start the service with --model {before.name}"
    )
