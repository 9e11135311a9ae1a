"""Jobs, and the versions of models, as they are answered."""

from typing import Any

from pydantic import Field

from planimeter.jobs.comparison import Comparison
from planimeter.jobs.folder import Progress
from planimeter.jobs.plan import TrainingPlan
from planimeter.jobs.states import State
from planimeter.packs.pack import Pack
from planimeter.packs.versions import Version
from planimeter.reports.training_record import Loss, Validation
from planimeter.service.api.answers.base import Answer, Link, Moment
from planimeter.service.context import context
from planimeter.service.links import link
from planimeter.service.taking_over import is_in_use
from planimeter.service.training import candidate_of, read_plan_of
from planimeter.store.jobs import Job
from planimeter.store.model_changes import ModelChange


class JobLine(Answer):
    """A job in the list."""

    id: str
    state: State
    message: str = Field(description="Why it is in this state, where that is to be said.")
    plan: TrainingPlan
    created_at: Moment
    created_by: str | None = Field(description="The name of the key; null where nobody was asked for one.")
    started_at: Moment | None
    ended_at: Moment | None
    progress: Progress | None = Field(description="Null until its process has told how far it is.")
    bytes: int = Field(
        description="How large its folder is: checkpoints go once it is done, the rest by DELETE."
    )
    url: Link


class JobList(Answer):
    """The jobs, the newest first."""

    jobs: list[JobLine]


class MadeModel(Answer):
    """The model that a job made."""

    name: str
    version: str
    sha256: str = Field(description="Of its network.")
    data_sha256: str | None = Field(description="Of the content of what it learnt from.")
    in_use: bool = Field(description="Whether it is the one that measures for this name now.")


class JobAnswer(JobLine):
    """A job, complete."""

    losses: list[Loss] = Field(description="Over the steps: each the mean of some of them.")
    validations: list[Validation]
    said: list[str] = Field(description="The last lines of its log.")
    made: MadeModel | None = Field(description="Null until there is a model.")
    comparison: Comparison | None = Field(
        description="The new model beside the one that was in use when the job was begun, on pictures that neither "
        "learnt from; null until both were compared."
    )


class VersionAnswer(Answer):
    """A version of a model that is here."""

    key: str = Field(description="What it is put to use by.")
    version: str
    title: str
    sha256: str = Field(description="Of its network.")
    data_sha256: str | None = Field(
        description="Of the content of what it learnt from; null where it does not say."
    )
    in_use: bool
    bundled: bool


class ChangeAnswer(Answer):
    """A version was put to use."""

    made_at: Moment
    made_by: str | None
    version: str
    sha256: str
    before_version: str | None
    before_sha256: str | None
    job_id: str | None = Field(
        description="The job that made it; null where an earlier version was taken again."
    )


class VersionList(Answer):
    """The versions of a model that are here, the one in use first, and what was put to use when."""

    model: str
    versions: list[VersionAnswer]
    changes: list[ChangeAnswer] = Field(description="The last one first.")


def job_line(job: Job) -> JobLine:
    """Return a job in the list."""
    return JobLine(**_head(job))


def job_answer(job: Job) -> JobAnswer:
    """Return all of a job."""
    folder = context().jobs.folder(job.id)
    losses, validations = folder.series()
    made = candidate_of(folder, read_plan_of(job).name)
    return JobAnswer(
        **_head(job),
        losses=list(losses),
        validations=list(validations),
        said=folder.said(),
        made=None if made is None else made_model(made),
        comparison=folder.comparison(),
    )


def made_model(made: Pack) -> MadeModel:
    """Return the model that a job made."""
    return MadeModel(
        name=made.name,
        version=made.manifest.version,
        sha256=made.manifest.onnx.sha256,
        data_sha256=made.manifest.training_data.sha256,
        in_use=is_in_use(made),
    )


def version_list(name: str, versions: list[Version], changes: list[ModelChange]) -> VersionList:
    """Return the versions of a model."""
    return VersionList(
        model=name,
        versions=[
            VersionAnswer(
                key=entry.key,
                version=entry.pack.manifest.version,
                title=entry.pack.manifest.title,
                sha256=entry.pack.manifest.onnx.sha256,
                data_sha256=entry.pack.manifest.training_data.sha256,
                in_use=entry.in_use,
                bundled=entry.pack.bundled,
            )
            for entry in versions
        ],
        changes=[
            ChangeAnswer(
                made_at=entry.made_at,
                made_by=entry.made_by,
                version=entry.version,
                sha256=entry.sha256,
                before_version=entry.before_version,
                before_sha256=entry.before_sha256,
                job_id=entry.job_id,
            )
            for entry in changes
        ],
    )


def _head(job: Job) -> dict[str, Any]:
    folder = context().jobs.folder(job.id)
    return {
        "id": job.id,
        "state": job.state,
        "message": job.message,
        "plan": read_plan_of(job),
        "created_at": job.created_at,
        "created_by": job.created_by,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "progress": folder.progress(),
        "bytes": folder.bytes(),
        "url": link("api.show_job", id=job.id),
    }
