"""What an operator sees: metrics and their dashboard, a log with the ids of requests, traces."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from planimeter.errors import NotReady
from planimeter.outputs.payload import write_event
from planimeter.service.context import EXTENSION
from planimeter.service.logs import JsonLines
from planimeter.service.tracing import ENDPOINT, Tracing, from_environment
from planimeter.settings import Settings
from planimeter.store import Store
from test_api import MEASUREMENTS, OVERLAPPING, body, post

DASHBOARD = Path(__file__).parents[1] / "deploy" / "grafana.json"
QUERIES = [
    target["expr"]
    for panel in json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    for target in panel["targets"]
]
FUNCTIONS = {"sum", "rate", "histogram_quantile", "by", "le"}


def samples(client: FlaskClient) -> dict[str, set[str]]:
    """Return the labels of each metric that the service shows."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


# ---- Metrics


def test_requests_are_counted_by_route_and_rejections_by_code(client: FlaskClient) -> None:
    id_ = body(post(client, OVERLAPPING))["id"]
    for path in (f"{MEASUREMENTS}/{id_}", f"{MEASUREMENTS}/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/no/such/page"):
        client.get(path)
    client.open("/api/v1/models", method="BREW")
    text = client.get("/metrics").text
    route = f"{MEASUREMENTS}/<id>"
    for line in (
        f'planimeter_requests_total{{method="GET",route="{route}",status="200"}} 1.0',
        f'planimeter_requests_total{{method="GET",route="{route}",status="404"}} 1.0',
        f'planimeter_requests_total{{method="POST",route="{MEASUREMENTS}",status="201"}} 1.0',
        'planimeter_requests_total{method="GET",route="none",status="404"} 1.0',
        'planimeter_requests_total{method="other",route="none",status="405"} 1.0',
        f'planimeter_request_seconds_count{{route="{route}"}} 2.0',
        'planimeter_rejections_total{code="unknown_measurement",status="404"} 1.0',
        'planimeter_rejections_total{code="not_found",status="404"} 1.0',
        "planimeter_memory_reserved_bytes 0.0",
    ):
        assert line in text.splitlines()
    assert id_ not in text


@pytest.mark.parametrize("query", QUERIES)
def test_each_query_of_the_dashboard_names_what_the_service_shows(
    client: FlaskClient, app: Flask, store: Store, query: str
) -> None:
    store.outbox.tell(["https://mes.example.org"], write_event)
    app.extensions[EXTENSION].metrics.count_sent("https://mes.example.org", 1, 1)
    app.extensions[EXTENSION].metrics.count_given_up("https://mes.example.org", 1)
    post(client, OVERLAPPING)
    post(client, b"text")
    shown = samples(client)
    bare = re.sub(r'"[^"]*"', "", query)
    names = set(re.findall(r"\b[a-z][a-z_]*(?=[{\[]|$| )", bare)) - FUNCTIONS
    metrics = {name for name in names if "_" in name}
    assert metrics
    assert metrics <= shown.keys()
    labels = set(re.findall(r"(\w+)(?=\s*(?:=~|!=|=))", bare))
    for group in re.findall(r"by \(([^)]*)\)", bare):
        labels |= {name.strip() for name in group.split(",")}
    for name in metrics:
        assert labels <= shown[name], name


# ---- Log


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """What the log says as JSON."""
    written: list[dict[str, Any]] = []

    class Reader(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(json.loads(self.format(record)))

    reader = Reader()
    reader.setFormatter(JsonLines())
    root = logging.getLogger("planimeter")
    level = root.level
    root.addHandler(reader)
    root.setLevel(logging.INFO)
    yield written
    root.removeHandler(reader)
    root.setLevel(level)


def test_each_request_has_an_id_in_its_answer_and_in_every_line_of_its_log(
    client: FlaskClient, lines: list[dict[str, Any]]
) -> None:
    answer = client.post(f"{MEASUREMENTS}?batch=secret-batch", data=OVERLAPPING, content_type="image/png")
    id_ = answer.headers["X-Request-ID"]
    assert re.fullmatch(r"[0-9a-f]{16}", id_)
    assert {line["request_id"] for line in lines} == {id_}
    seen = lines[-1]
    assert (seen["logger"], seen["level"], seen["status"]) == ("planimeter.requests", "info", 201)
    assert (seen["method"], seen["path"], seen["route"]) == ("POST", MEASUREMENTS, MEASUREMENTS)
    assert seen["ms"] > 0
    assert "secret-batch" not in json.dumps(lines)


@pytest.mark.parametrize(
    ("given", "taken"), [("line3-000017", True), ("a b", False), ("x" * 65, False), ("ü", False)]
)
def test_a_request_may_bring_its_id(client: FlaskClient, given: str, taken: bool) -> None:
    answered = client.get("/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"]
    assert (answered == given) == taken


def test_the_log_names_a_key_by_its_id_and_never_says_it(
    settings: Settings, app: Flask, store: Store, lines: list[dict[str, Any]]
) -> None:
    app.extensions[EXTENSION].settings = settings.model_copy(update={"host": "0.0.0.0"})  # noqa: S104
    key = store.keys.add("line 3", "read")
    assert app.test_client().get(MEASUREMENTS, headers={"X-API-Key": key}).status_code == 200
    assert lines[-1]["key"] == key.split("_")[1]
    assert key.split("_", 2)[2] not in json.dumps(lines)


def test_a_defect_is_found_in_the_log_by_the_id_that_the_client_was_told(
    app: Flask, lines: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.view_functions, "api.list_models", lambda: 1 / 0)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = app.test_client().get("/api/v1/models")
    assert answer.status_code == 500
    id_ = answer.headers["X-Request-ID"]
    assert f"request {id_}" in body(answer)["error"]["message"]
    assert "ZeroDivisionError" in next(line for line in lines if line["request_id"] == id_)["exception"]


# ---- Traces


def test_a_request_is_traced_with_its_steps_in_the_trace_of_who_sent_it(app: Flask) -> None:
    trace = pytest.importorskip("opentelemetry.sdk.trace", reason="needs the otel extra")
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    kept = memory.InMemorySpanExporter()
    provider = trace.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(kept))
    app.extensions[EXTENSION].tracing = Tracing(provider.get_tracer("planimeter"), provider.shutdown)
    client = app.test_client()
    sender = f"00-{'ab' * 16}-{'cd' * 8}-01"
    headers = {"traceparent": sender, "Content-Type": "image/png"}
    assert client.post(MEASUREMENTS, data=OVERLAPPING, headers=headers).status_code == 201
    assert client.get(f"{MEASUREMENTS}/none").status_code == 404
    *steps, whole, missing = kept.get_finished_spans()
    assert [span.name for span in steps] == ["decode", "wait", "network", "draw", "store"]
    assert whole.name == f"POST {MEASUREMENTS}"
    assert whole.attributes["http.response.status_code"] == 201
    assert f"{whole.context.trace_id:032x}" == "ab" * 16
    assert f"{whole.parent.span_id:016x}" == "cd" * 8
    for span in steps:
        assert span.parent.span_id == whole.context.span_id
        assert whole.start_time <= span.start_time <= span.end_time <= whole.end_time
    assert missing.attributes["http.response.status_code"] == 404
    assert missing.context.trace_id != whole.context.trace_id


def test_traces_are_off_unless_told_where_they_go(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("opentelemetry.sdk.trace", reason="needs the otel extra")
    monkeypatch.delenv(ENDPOINT, raising=False)
    assert from_environment()._tracer is None
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:9")
    tracing = from_environment()
    assert tracing._tracer is not None
    tracing.stop()
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(NotReady, match=r"planimeter\[otel\]"):
        from_environment()
