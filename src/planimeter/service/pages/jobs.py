"""Trainings as pages: begun by a form, watched, stopped, and what they made put to use."""

from typing import Any

from flask import Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from planimeter.errors import PlanimeterError, UnknownJob
from planimeter.jobs.plan import DEFAULT_MINUTES
from planimeter.jobs.states import WORDS
from planimeter.service import taking_over, training
from planimeter.service.api.answers.jobs import job_answer, job_line
from planimeter.service.context import context
from planimeter.service.learning_from import LEAST_REVIEWED
from planimeter.service.links import link
from planimeter.service.pages.models import REPORT_POLICY
from planimeter.service.pages.site import blueprint
from planimeter.service.problems import status_of
from planimeter.service.roles import needs
from planimeter.store import Filter

FIELDS = ("data", "name", "start_from", "minutes")
"""What the form asks for; all else has defaults, or is asked for by the API."""


@blueprint.get("/jobs")
@needs("read")
def jobs() -> str:
    """List the trainings, and ask for a new one."""
    model = request.args.get("model", "")
    return _list({"name": model, "start_from": model})


@blueprint.post("/jobs")
@needs("admin")
def begin_job() -> AnyResponse | tuple[str, int]:
    """Begin a training, or show the form again and say what is wrong."""
    texts = {name: request.form.get(name, "").strip() for name in FIELDS}
    given: dict[str, Any] = {name: text for name, text in texts.items() if text}
    try:
        job = training.begin(training.read_plan(given))
    except PlanimeterError as error:
        return _list(texts, str(error)), status_of(error)
    return redirect(link("pages.job", id=job.id), 303)


@blueprint.get("/jobs/<id>")
@needs("read")
def job(id: str) -> str:  # noqa: A002  named so in the address
    """Show how far a training is, and what came of it."""
    answer = job_answer(context().store.jobs.get(id))
    return render_template("job.html", job=answer, words=WORDS)


@blueprint.post("/jobs/<id>/stop")
@needs("admin")
def stop_job(id: str) -> AnyResponse:  # noqa: A002
    """Let a training save where it stands, and end."""
    training.stop(id)
    return redirect(link("pages.job", id=id), 303)


@blueprint.post("/jobs/<id>/resume")
@needs("admin")
def resume_job(id: str) -> AnyResponse:  # noqa: A002
    """Let a training go on."""
    training.resume(id)
    return redirect(link("pages.job", id=id), 303)


@blueprint.post("/jobs/<id>/delete")
@needs("admin")
def delete_job(id: str) -> AnyResponse:  # noqa: A002
    """Delete a training with what it made."""
    training.delete(id)
    return redirect(link("pages.jobs"), 303)


@blueprint.post("/jobs/<id>/take-over")
@needs("admin")
def take_over(id: str) -> AnyResponse:  # noqa: A002
    """Put the model of a training to use."""
    name = training.read_plan_of(taking_over.take_over(id)).name
    return redirect(link("pages.model", name=name), 303)


@blueprint.get("/jobs/<id>/report")
@needs("read")
def job_report(id: str) -> AnyResponse:  # noqa: A002
    """Send the report of the model that a training made."""
    parts = context()
    found = parts.store.jobs.get(id)
    made = training.candidate_of(parts.jobs.folder(id), training.read_plan_of(found).name)
    if made is None or made.report is None:
        raise UnknownJob(f"the job {id} has made no report yet")
    return Response(
        made.report.read_bytes(), mimetype="text/html", headers={"Content-Security-Policy": REPORT_POLICY}
    )


@blueprint.post("/models/<name>/use")
@needs("admin")
def use_version(name: str) -> AnyResponse:
    """Put a version of a model to use again."""
    taking_over.use_version(name, request.form.get("key", ""))
    return redirect(link("pages.model", name=name), 303)


def _list(texts: dict[str, str], problem: str | None = None) -> str:
    parts = context()
    unavailable = None
    try:
        training.refuse_without_extra()
    except PlanimeterError as error:
        unavailable = str(error)
    return render_template(
        "jobs.html",
        jobs=[job_line(entry) for entry in parts.store.jobs.list()],
        words=WORDS,
        texts=texts,
        problem=problem,
        unavailable=unavailable,
        data_sets=training.data_sets(),
        reviewed=parts.store.count(Filter(reviewed=True)),
        least_reviewed=LEAST_REVIEWED,
        packs=list(parts.models.packs().values()),
        minutes=DEFAULT_MINUTES,
    )
