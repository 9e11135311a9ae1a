"""Traces with OpenTelemetry, the extra `otel`: where the time of a request went, step by step.

Off unless `OTEL_EXPORTER_OTLP_ENDPOINT` says where traces go; then a span for each request, and in it one for each time
that a picture is decoded, waits for its turn, is in the network, is drawn and stored.
"""

import importlib.util
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, TypeAlias

from planimeter.errors import NotReady

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
Step: TypeAlias = Literal["decode", "wait", "network", "draw", "store"]


class RequestSpan:
    """The span of a request; without a trace it does nothing."""

    def __init__(self, entered: AbstractContextManager[Any] | None) -> None:
        self._entered = entered
        self._span = entered.__enter__() if entered else None

    def set(self, name: str, value: str | int) -> None:
        """Say something about the request."""
        if self._span is not None:
            self._span.set_attribute(name, value)

    def end(self) -> None:
        """End it."""
        if self._entered is not None:
            self._entered.__exit__(None, None, None)


class Tracing:
    """Makes spans with a tracer of OpenTelemetry; without one, none."""

    def __init__(self, tracer: Any = None, stop: Callable[[], None] = lambda: None) -> None:
        """`stop` sends what is not sent yet."""
        self._tracer = tracer
        self.stop = stop

    def step(self, name: Step) -> AbstractContextManager[Any]:
        """Return the span of a step in the request under way, to be entered."""
        return nullcontext() if self._tracer is None else self._tracer.start_as_current_span(name)

    def of_request(self, name: str, headers: Mapping[str, str]) -> RequestSpan:
        """Begin the span of a request, in the trace of who sent it, where `headers` name one."""
        if self._tracer is None:
            return RequestSpan(None)
        from opentelemetry.propagate import extract  # noqa: PLC0415  an extra
        from opentelemetry.trace import SpanKind  # noqa: PLC0415

        context = extract({key.lower(): value for key, value in headers.items()})
        return RequestSpan(self._tracer.start_as_current_span(name, context, SpanKind.SERVER))


def from_environment() -> Tracing:
    """Return what sends traces where OpenTelemetry's own variables say; raises `NotReady` where it is not installed."""
    if not os.environ.get(ENDPOINT):
        return Tracing()
    if importlib.util.find_spec("opentelemetry") is None:
        raise NotReady(
            f"{ENDPOINT} says where traces go, but OpenTelemetry is not installed: pip install 'planimeter[otel]', or "
            "unset the variable"
        )
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    named = {"service.name": os.environ.get("OTEL_SERVICE_NAME", "planimeter")}
    provider = TracerProvider(resource=Resource.create(named))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider.get_tracer("planimeter"), provider.shutdown)
