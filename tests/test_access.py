"""Who may do what: nobody is asked on this machine; elsewhere each key has a role, and without keys nothing starts."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from flask.testing import FlaskClient

from fakes import MODEL
from planimeter.commands import main
from planimeter.service.access import MOST_FAILURES
from planimeter.service.api.openapi import describe
from planimeter.service.app import create_app
from planimeter.service.models import Models
from planimeter.service.roles import needed_by
from planimeter.settings import Settings
from planimeter.store import Store
from planimeter.store.keys import ROLES, Role
from test_api import MEASUREMENTS, OVERLAPPING, assert_problem, body, post
from test_server import Start, start

__all__ = ["start"]
CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
Get = Callable[[Role], dict[str, str]]


@pytest.fixture
def guarded(settings: Settings, store: Store, models: Models) -> Flask:
    return create_app(settings.model_copy(update={"host": "0.0.0.0"}), store, models)  # noqa: S104


@pytest.fixture
def headers(store: Store) -> Get:
    return lambda role: {"Authorization": f"Bearer {store.keys.add('somebody', role)}"}


def keys(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["keys", *arguments, "--database", settings.database])


@pytest.mark.parametrize("options", [("--host", "0.0.0.0"), ("--host", "::")])  # noqa: S104
def test_a_service_that_others_reach_does_not_start_without_a_key(
    start: Start, options: tuple[str, ...]
) -> None:
    status, _, err = start(*options).wait()
    assert status == 1
    assert "planimeter keys add" in err
    assert "--insecure-no-auth" in err
    assert "Traceback" not in err


def test_nobody_is_asked_for_a_key_on_this_machine(client: FlaskClient, store: Store) -> None:
    store.keys.add("somebody", "read")
    assert post(client, OVERLAPPING).status_code == 201


def test_who_insists_may_leave_it_open(settings: Settings, store: Store, models: Models) -> None:
    open_ = settings.model_copy(update={"host": "0.0.0.0", "insecure_no_auth": True})  # noqa: S104
    assert post(create_app(open_, store, models).test_client(), OVERLAPPING).status_code == 201


def test_each_role_may_do_its_own_and_no_more(guarded: Flask, store: Store, headers: Get) -> None:
    client = guarded.test_client()
    sent = {"data": OVERLAPPING, "content_type": "image/png"}
    assert client.get("/healthz").status_code == 200
    for path in (MEASUREMENTS, "/metrics", "/openapi.json"):
        answer = client.get(path)
        assert_problem(answer, 401, "unauthorized", "X-API-Key")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert_problem(client.post(MEASUREMENTS, **sent, headers=headers("read")), 403, "forbidden", "measure")
    created = client.post(MEASUREMENTS, **sent, headers=headers("measure"))
    assert created.status_code == 201
    one = f"{MEASUREMENTS}/{body(created)['id']}"
    assert client.get(one, headers=headers("read")).status_code == 200
    assert_problem(client.delete(one, headers=headers("measure")), 403, "forbidden", "admin")
    assert client.delete(one, headers=headers("admin")).status_code == 204
    assert store.count() == 0


def test_a_page_offers_to_correct_to_those_who_may(guarded: Flask, headers: Get) -> None:
    client = guarded.test_client()
    sent = {"data": OVERLAPPING, "content_type": "image/png"}
    id_ = body(client.post(MEASUREMENTS, **sent, headers=headers("measure")))["id"]
    offers: dict[Role, bool] = {"read": False, "measure": True, "admin": True}
    for role, offered in offers.items():
        page = client.get(f"/measurements/{id_}", headers=headers(role)).text
        assert ("data-correct-begin" in page) is offered
        assert ("data-correct-bar" in page) is offered


def test_a_key_is_shown_once_and_worthless_when_revoked(settings: Settings, guarded: Flask) -> None:
    key = keys(settings, "add", "line 3", "--role", "read").stdout.splitlines()[0]
    client = guarded.test_client()
    assert client.get(MEASUREMENTS, headers={"X-API-Key": key}).status_code == 200
    listed = keys(settings, "list").output
    assert "line 3" in listed
    assert key not in listed
    database = Path(settings.database.removeprefix("sqlite:///")).read_bytes()
    assert key.encode() not in database
    assert keys(settings, "revoke", key.split("_")[1]).exit_code == 0
    assert client.get(MEASUREMENTS, headers={"X-API-Key": key}).status_code == 401
    again = keys(settings, "revoke", key.split("_")[1])
    assert again.exit_code == 1
    assert "not revoked yet" in again.output


def test_a_page_asks_once_and_keeps_a_cookie_that_no_script_reads(guarded: Flask, store: Store) -> None:
    client = guarded.test_client()
    asked = client.get("/")
    assert (asked.status_code, asked.headers["Location"]) == (303, "key")
    assert client.post("/key", data={"key": "pm_0_x"}).status_code == 401
    key = store.keys.add("a person", "admin")
    foreign = client.post("/key", data={"key": key}, headers={"Origin": "http://evil.example"})
    assert foreign.status_code == 403
    taken = client.post("/key", data={"key": key})
    assert taken.status_code == 303
    cookie = taken.headers["Set-Cookie"]
    assert re.search(r"HttpOnly.*SameSite=Strict", cookie)
    assert key not in cookie
    assert client.get("/").status_code == 200
    store.keys.revoke(key.split("_")[1])
    assert client.get("/").status_code == 303


def test_wrong_keys_make_an_address_wait(guarded: Flask) -> None:
    client = guarded.test_client()
    statuses = [
        client.get(MEASUREMENTS, headers={"X-API-Key": f"pm_{number}_x"}).status_code
        for number in range(MOST_FAILURES + 3)
    ]
    assert statuses == [401] * MOST_FAILURES + [429] * 3


def test_every_route_says_at_its_view_which_role_it_needs(app: Flask) -> None:
    needed = {
        (rule.endpoint, *(rule.methods or ())): needed_by(app.view_functions[rule.endpoint])
        for rule in app.url_map.iter_rules()
    }
    assert [route for route, role in needed.items() if role not in {"open", *ROLES}] == []
    assert {route[0] for route, role in needed.items() if role == "open"} == {
        "static", "probes.show_health", "probes.show_readiness", "inference.live", "inference.ready",
        "label_studio.health", "label_studio.health_of_model", "ask_for_key", "take_key",
    }  # fmt: skip
    changing = {route[0]: role for route, role in needed.items() if CHANGING.intersection(route)}
    assert {name for name, role in changing.items() if role not in {"measure", "admin"}} == {"take_key"}


def test_the_document_says_which_role_each_operation_needs_and_what_is_answered_without_it(
    app: Flask,
) -> None:
    document = describe()
    assert set(document["components"]["securitySchemes"]) == {"bearer", "key", "cookie"}
    roles = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            asked = {"401", "403", "429"} <= operation["responses"].keys()
            assert asked == (operation["x-role"] != "open"), path
            assert operation.get("security", document["security"]) == (
                [] if not asked else document["security"]
            )
            roles[method, path] = operation["x-role"]
    assert roles["post", MEASUREMENTS] == "measure"
    assert roles["put", f"{MEASUREMENTS}/{{id}}/threshold"] == "measure"
    assert roles["delete", f"{MEASUREMENTS}/{{id}}"] == "admin"
    assert "Role: admin" in app.test_client().get("/docs").text


def test_who_measures_may_keep_a_threshold_and_not_the_default_of_a_model(
    guarded: Flask, headers: Get
) -> None:
    client, mine = guarded.test_client(), headers("measure")
    sent = {"data": OVERLAPPING, "content_type": "image/png"}
    kept = f"{MEASUREMENTS}/{body(client.post(MEASUREMENTS, **sent, headers=mine))['id']}/threshold?score_threshold=0.9"
    assert_problem(client.put(kept, headers=headers("read")), 403, "forbidden", "measure")
    assert client.put(kept, headers=mine).status_code == 200
    assert client.delete(kept.partition("?")[0], headers=mine).status_code == 200
    defaults = f"/api/v1/models/{MODEL}/defaults?score_threshold=0.9"
    assert_problem(client.put(defaults, headers=mine), 403, "forbidden", "admin")
