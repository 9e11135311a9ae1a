"""Jobs: trainings beside the service. And the versions of models that they make."""

from flask import Response

from planimeter.jobs.plan import TrainingPlan
from planimeter.packs.versions import versions_of
from planimeter.service import taking_over, training
from planimeter.service.api.answering import json_answer
from planimeter.service.api.answers.jobs import (
    JobAnswer,
    JobList,
    VersionList,
    job_answer,
    job_line,
    version_list,
)
from planimeter.service.api.bodies import read_json
from planimeter.service.api.described import answer_of
from planimeter.service.api.options.filters import ID_PATTERN
from planimeter.service.api.options.parsing import NoOptions
from planimeter.service.api.routes import api
from planimeter.service.context import context
from planimeter.service.links import link

EXAMPLE = '{"data": "strips.json", "name": "steel", "minutes": 60}'
LARGEST = 64_000
ID = {"id": {"pattern": ID_PATTERN}}


@api.get("/jobs", "List the jobs", answer_of("The newest hundred.", JobList), role="read")
def list_jobs(_: NoOptions) -> Response:
    """List what runs, waits, and has ended."""
    return json_answer(JobList(jobs=[job_line(job) for job in context().store.jobs.list()]))


@api.route(
    "POST",
    "/jobs",
    "Train a model",
    answer_of("The job, which waits for its turn: one runs at a time.", JobAnswer),
    role="admin",
    status=201,
    errors=(400, 403, 404, 409, 413, 503, 507),
    body=TrainingPlan,
    description="A process of its own trains, with low priority, and goes on where the service is started anew. The "
    "model that it makes is put to use by nothing but POST …/take-over.",
)
def create_job(_: NoOptions) -> Response:
    """Take a training on."""
    job = training.begin(training.read_plan(read_json("what to train", EXAMPLE, LARGEST)))
    answer = json_answer(job_answer(job), 201)
    answer.headers["Location"] = link("api.show_job", id=job.id)
    return answer


@api.get(
    "/jobs/<id>", "Read a job", answer_of("The job.", JobAnswer), role="read", errors=(400, 404), places=ID
)
def show_job(_: NoOptions, id: str) -> Response:  # noqa: A002  named so in the address
    """Answer how far a job is, and what came of it."""
    return json_answer(job_answer(context().store.jobs.get(id)))


@api.route(
    "POST",
    "/jobs/<id>/stop",
    "Stop a job",
    answer_of("The job; its process saves where it stands, and ends.", JobAnswer),
    role="admin",
    errors=(400, 403, 404, 409, 503),
    places=ID,
)
def stop_job(_: NoOptions, id: str) -> Response:  # noqa: A002
    """Let a job end, so that it can go on later."""
    return json_answer(job_answer(training.stop(id)))


@api.route(
    "POST",
    "/jobs/<id>/resume",
    "Let a job go on",
    answer_of("The job, which waits for its turn.", JobAnswer),
    role="admin",
    errors=(400, 403, 404, 409, 503),
    places=ID,
    description="From where it was, where it was stopped or has failed.",
)
def resume_job(_: NoOptions, id: str) -> Response:  # noqa: A002
    """Let a job go on."""
    return json_answer(job_answer(training.resume(id)))


@api.route(
    "DELETE",
    "/jobs/<id>",
    "Delete a job",
    {
        "description": "It is gone, with its checkpoints and the model that it made; one that was put to use stays."
    },
    role="admin",
    status=204,
    errors=(400, 403, 404, 409, 503),
    places=ID,
)
def delete_job(_: NoOptions, id: str) -> Response:  # noqa: A002
    """Delete a job that does not run."""
    training.delete(id)
    return Response(status=204)


@api.route(
    "POST",
    "/jobs/<id>/take-over",
    "Put the model that a job made to use",
    answer_of("The job, whose model measures for its name from now on.", JobAnswer),
    role="admin",
    errors=(400, 403, 404, 409, 503),
    places=ID,
    description="The version before is kept, and put to use again by POST /models/{name}/versions/{key}/use.",
)
def take_over(_: NoOptions, id: str) -> Response:  # noqa: A002
    """Let the new model measure."""
    return json_answer(job_answer(taking_over.take_over(id)))


@api.get(
    "/models/<name>/versions",
    "List the versions of a model",
    answer_of("Those that are here.", VersionList),
    role="read",
    errors=(400, 404),
)
def list_versions(_: NoOptions, name: str) -> Response:
    """List what can be put to use under a name, and what was when."""
    return json_answer(_versions(name))


@api.route(
    "POST",
    "/models/<name>/versions/<key>/use",
    "Put a version of a model to use",
    answer_of("The versions, this one in use.", VersionList),
    role="admin",
    errors=(400, 403, 404, 409, 503),
    description="One that was in use before, or the one that came with Planimeter.",
)
def use_version(_: NoOptions, name: str, key: str) -> Response:
    """Take another version back into use."""
    taking_over.use_version(name, key)
    return json_answer(_versions(name))


def _versions(name: str) -> VersionList:
    parts = context()
    versions = versions_of(parts.models.find(name).name, parts.settings.packs_folder)
    return version_list(name, versions, parts.store.model_changes.list(name))
