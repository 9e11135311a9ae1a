"""What a supervisor asks: alive, ready, and how it goes."""

from contextlib import suppress

from flask import Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST

from planimeter.errors import NotReady, StoreFailed
from planimeter.service.api.answers.base import Health
from planimeter.service.api.described import TEXT, DescribedBlueprint, answer_of
from planimeter.service.context import context

probes = DescribedBlueprint("probes", __name__)


@probes.get(
    "/healthz",
    "Is the process alive?",
    answer_of("It is alive.", Health),
    options=None,
    errors=(),
    role="open",
)
def show_health() -> Response:
    """Answer that the process is alive."""
    return jsonify(Health(status="ok").model_dump())


@probes.get(
    "/readyz",
    "Can it measure and store?",
    answer_of("It can.", Health),
    options=None,
    errors=(503,),
    role="open",
)
def show_readiness() -> Response:
    """Answer 200 once the default model is loaded and while the store can be written, 503 otherwise."""
    check_ready()
    return jsonify(Health(status="ready").model_dump())


def check_ready() -> None:
    """Raise `NotReady` until the default model is loaded, and while the store cannot be written."""
    parts = context()
    if not parts.models.ready:
        raise NotReady(f"the model {parts.models.default!r} is not loaded yet")
    try:
        parts.store.check()
    except StoreFailed as error:
        raise NotReady(str(error)) from error


@probes.get(
    "/metrics",
    "Get counts and times, for Prometheus",
    {"description": "Prometheus' text format.", "content": {"text/plain": TEXT}},
    role="read",
    options=None,
    errors=(),
)
def show_metrics() -> Response:
    """Answer the metrics in Prometheus' text format."""
    parts = context()
    with suppress(StoreFailed):  # what is wrong with it, /readyz says
        parts.metrics.tell_waiting(parts.store.outbox.waiting())
    return Response(parts.metrics.render(), content_type=CONTENT_TYPE_LATEST)
