"""What a supervisor asks: alive, ready, and how it goes."""

from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST

from planimeter.errors import NotReady, StoreFailed
from planimeter.service.api.answers import Health
from planimeter.service.context import context

blueprint = Blueprint("probes", __name__)


@blueprint.get("/healthz")
def show_health() -> Response:
    """Answer that the process is alive."""
    return jsonify(Health(status="ok").model_dump())


@blueprint.get("/readyz")
def show_readiness() -> Response:
    """Answer 200 once the default model is loaded and while the store can be written, 503 otherwise."""
    parts = context()
    if not parts.models.ready:
        raise NotReady(f"the model {parts.models.default!r} is not loaded yet")
    try:
        parts.store.check()
    except StoreFailed as error:
        raise NotReady(str(error)) from error
    return jsonify(Health(status="ready").model_dump())


@blueprint.get("/metrics")
def show_metrics() -> Response:
    """Answer the metrics in Prometheus' text format."""
    return Response(context().metrics.render(), content_type=CONTENT_TYPE_LATEST)
