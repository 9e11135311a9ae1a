"""A running service in Python: `planimeter.Client`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from planimeter.client.answers import (
    Health,
    ModelAnswer,
    ModelList,
    ModelSummary,
    ProfileAnswer,
    ProfileLine,
    ProfileList,
)
from planimeter.client.files import Downloads
from planimeter.client.many import Many
from planimeter.client.measurements import Measurements
from planimeter.client.training import Trainings
from planimeter.client.transport import Transport, place
from planimeter.errors import NotReady

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Unpack

    from planimeter.client import options as asked

HERE = "http://127.0.0.1:8000"
LEFT_OUT = {
    ("get", "/api/v1/measurements/coco"): "export_many with the format coco gives the same",
    ("get", "/api/v1/measurements/{id}/coco"): "export with the format coco gives it, and says more",
    ("get", "/api/v1/audit"): "planimeter audit export writes it, and verifies it",
    ("get", "/metrics"): "for Prometheus",
    ("get", "/healthz"): "for supervisors; ready asks more",
}
"""Operations that the client has no method for, and why."""
OTHER_PROTOCOLS = ("/v2", "/label-studio")
"""Where the service speaks as programs of others ask."""


class Client(Measurements, Many, Downloads, Trainings):
    """A running service, this machine's own unless another address is given. Safe to use from many threads.

    >>> client = Client("http://lab-pc:8000", key="pm_…")  # doctest: +SKIP
    >>> client.measure("dish.png", model="nuclei", lot="A-17").coverage.percent_masked  # doctest: +SKIP
    12.45

    Whatever goes wrong is a `PlanimeterError` of `planimeter.errors`: what the service refuses is raised as the class
    that it raised there, with the same `code` and message; `Unreachable` where there is no answer, and
    `ServiceAnswered` for a missing key or right, or a defect of the service.
    """

    def __init__(
        self, url: str = HERE, key: str | None = None, *, timeout: float = 300.0, retries: int = 3
    ) -> None:
        """Take where the service is, and a key where it asks for one; nothing is sent yet.

        `timeout` is in seconds, for one try and all of its answer; a picture's wait in the queue counts. What was not
        answered, and what the service was too busy for, is sent again up to `retries` times, when the service says.
        """
        self._transport = Transport(url, key, timeout=timeout, retries=retries)

    @property
    def url(self) -> str:
        """Where the service is."""
        return self._transport.url

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def ready(self) -> bool:
        """Return whether the service can measure and store now; raises `Unreachable` where it does not answer."""
        try:
            return self._transport.read(Health, "GET", "/readyz", root="").status == "ready"
        except NotReady:
            return False

    # ---- Models

    def models(self) -> list[ModelSummary]:
        """Return the models that can measure there."""
        return self._transport.read(ModelList, "GET", "/models").models

    def model(self, name: str) -> ModelAnswer:
        """Return all about a model."""
        return self._transport.read(ModelAnswer, "GET", f"/models{place(name)}")

    def save_default_threshold(self, model: str, score_threshold: float | None) -> ModelAnswer:
        """Save the score threshold that a model takes where a request names none; None goes back to its own."""
        method = "DELETE" if score_threshold is None else "PUT"
        options = {"score_threshold": score_threshold}
        return self._transport.read(ModelAnswer, method, f"/models{place(model)}/defaults", options=options)

    # ---- Profiles

    def profiles(self) -> list[ProfileLine]:
        """Return the profiles by which pictures can be measured."""
        return self._transport.read(ProfileList, "GET", "/profiles").profiles

    def profile(self, name: str, **options: Unpack[asked.VersionOptions]) -> ProfileAnswer:
        """Return a profile, as it is or as it was in a `version`."""
        return self._transport.read(ProfileAnswer, "GET", f"/profiles{place(name)}", options=options)

    def put_profile(
        self, name: str, profile: Mapping[str, Any], **options: Unpack[asked.ProfileOptions]
    ) -> ProfileAnswer:
        """Make a profile, or change it: `profile` is all that it says, as docs/profiles.md has it.

        With `after`, the version that the change was made from, it is refused where somebody else was quicker.
        """
        return self._transport.read(
            ProfileAnswer, "PUT", f"/profiles{place(name)}", document=dict(profile), options=options
        )

    def delete_profile(self, name: str) -> None:
        """Let nobody measure by a profile any more; its versions stay readable."""
        self._transport.call("DELETE", f"/profiles{place(name)}", repeatable=False)
