import json
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from planimeter.service.api.openapi import describe
from planimeter.service.api.options.filters import MOST_LISTED


def test_the_document_is_valid_openapi(client: FlaskClient) -> None:
    validate = pytest.importorskip("openapi_spec_validator").validate
    validate(client.get("/openapi.json").json)


def test_every_route_of_the_api_is_described_and_nothing_else(app: Flask) -> None:
    described = {
        (method.upper(), path) for path, methods in describe()["paths"].items() for method in methods
    }
    routes = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint.startswith(("api.", "inference.", "label_studio.", "probes."))
    }
    assert described == routes


def test_options_are_described_with_their_limits() -> None:
    paths = describe()["paths"]
    form = paths["/api/v1/measurements"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["anyOf"] == [{"required": ["image"]}, {"required": ["from"]}]
    assert form["properties"]["score_threshold"] | {"description": ""} == {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "description": "",
    }
    listed = {entry["name"]: entry["schema"] for entry in paths["/api/v1/measurements"]["get"]["parameters"]}
    filters = {"ids", "batch", "model", "class", "filename", "since", "until", "min_percent", "max_percent"}
    filters |= {"lot", "sample", "operator", "tag", "profile", "verdict", "reviewed"}
    assert set(listed) == {"limit", "before", "order"} | filters
    for name in ("csv", "coco", "zip", "trend", "statistics"):
        parameters = paths[f"/api/v1/measurements/{name}"]["get"]["parameters"]
        assert {entry["name"] for entry in parameters} >= filters
    deleting = {entry["name"]: entry for entry in paths["/api/v1/measurements"]["delete"]["parameters"]}
    assert {name for name, entry in deleting.items() if entry.get("required")} == {"count"}
    assert listed["limit"] == {"type": "integer", "minimum": 1, "maximum": MOST_LISTED}
    assert listed["since"] == {"type": "string", "format": "date-time"}


def test_every_reference_leads_to_a_schema() -> None:
    document = describe()
    text = json.dumps(document)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in document["components"]["schemas"]


def test_the_docs_page_shows_every_operation_and_loads_nothing_from_elsewhere(client: FlaskClient) -> None:
    page = client.get("/docs").text
    for path, methods in describe()["paths"].items():
        assert path in page
        for operation in methods.values():
            assert operation["summary"] in page
    assert "http" not in page.replace("http://www.w3.org", "")
