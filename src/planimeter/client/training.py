"""Trainings beside a service, what to review for them, and the versions of models that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from planimeter.client.answers import DriftAnswer, JobAnswer, JobLine, JobList, QueueAnswer, VersionList
from planimeter.client.transport import Transport, place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Unpack

    from planimeter.client import options as asked

JOBS = "/jobs"


class Trainings:
    """What is done with jobs."""

    _transport: Transport

    def train(self, plan: Mapping[str, Any]) -> JobAnswer:
        """Have a model trained: `plan` is what docs/learning.md says of it, `data` and `name` at least."""
        return self._transport.read(JobAnswer, "POST", JOBS, document=dict(plan), repeatable=False)

    def jobs(self) -> list[JobLine]:
        """Return the newest hundred jobs."""
        return self._transport.read(JobList, "GET", JOBS).jobs

    def job(self, id_: str) -> JobAnswer:
        """Return how far a job is, and what came of it."""
        return self._transport.read(JobAnswer, "GET", f"{JOBS}{place(id_)}")

    def stop_job(self, id_: str) -> JobAnswer:
        """Let a job end, so that it can go on later."""
        return self._change(id_, "stop")

    def resume_job(self, id_: str) -> JobAnswer:
        """Let a job go on from where it was."""
        return self._change(id_, "resume")

    def take_over(self, id_: str) -> JobAnswer:
        """Put the model that a job made to use."""
        return self._change(id_, "take-over")

    def delete_job(self, id_: str) -> None:
        """Delete a job that does not run, with its checkpoints and the model that it made unless it is in use."""
        self._transport.call("DELETE", f"{JOBS}{place(id_)}", repeatable=False)

    def model_versions(self, model: str) -> VersionList:
        """Return the versions of a model that are there, and what was put to use when."""
        return self._transport.read(VersionList, "GET", f"/models{place(model)}/versions")

    def use_version(self, model: str, key: str) -> VersionList:
        """Put another version of a model to use; `key` is the one that `model_versions` gives it."""
        path = f"/models{place(model)}/versions{place(key)}/use"
        return self._transport.read(VersionList, "POST", path, repeatable=False)

    def drift(self, model: str) -> DriftAnswer:
        """Return the real error of the version of a model that is in use, of what people reviewed."""
        return self._transport.read(DriftAnswer, "GET", f"/models{place(model)}/drift")

    def review_queue(self, **options: Unpack[asked.QueueOptions]) -> QueueAnswer:
        """Return what is to be reviewed first; `by="chance"` a fair sample."""
        return self._transport.read(QueueAnswer, "GET", "/review-queue", options=options)

    def _change(self, id_: str, what: str) -> JobAnswer:
        path = f"{JOBS}{place(id_)}/{what}"
        return self._transport.read(JobAnswer, "POST", path, repeatable=False)
