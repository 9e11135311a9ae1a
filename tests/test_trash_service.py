"""The trash through the front door: the API, the pages, and who threw away."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin

import pytest
from flask import Flask
from flask.testing import FlaskClient

from planimeter.errors import StoreFailed
from planimeter.service.app import create_app
from planimeter.service.models import Models
from planimeter.settings import Settings
from planimeter.store import Store
from test_api import MEASUREMENTS, OVERLAPPING, assert_problem, body, files, post
from test_pages import shown

TRASH = "/api/v1/trash"


@pytest.fixture
def url(client: FlaskClient) -> str:
    return f"{MEASUREMENTS}/{body(post(client, OVERLAPPING))['id']}"


@pytest.fixture
def guarded(settings: Settings, store: Store, models: Models) -> Flask:
    return create_app(settings.model_copy(update={"host": "0.0.0.0"}), store, models)  # noqa: S104


def test_what_is_deleted_is_nowhere_but_in_the_trash_until_it_is_brought_back(
    client: FlaskClient, settings: Settings, url: str
) -> None:
    id_ = url.rpartition("/")[2]
    before, figures = body(client.get(url)), body(client.get(f"{MEASUREMENTS}/statistics"))
    assert client.delete(url).status_code == 204
    for path in ("", "/image", "/overlay", "/mask", "/coco", "/instances", "/candidates", "/neighbours"):
        assert_problem(client.get(url + path), 404, "unknown_measurement", "in the trash")
    for path in (f"/measurements/{id_}", f"/measurements/{id_}/thumbnail", f"/measurements/{id_}/picture"):
        assert client.get(path).status_code == 404
    assert body(client.get(MEASUREMENTS)) == {"measurements": [], "count": 0, "next_url": None}
    assert body(client.get(f"{MEASUREMENTS}/lines"))["count"] == 0
    assert body(client.get(f"{MEASUREMENTS}/statistics"))["count"] == 0
    assert body(client.get(f"{MEASUREMENTS}/trend"))["count"] == 0
    assert id_ not in client.get(f"{MEASUREMENTS}/csv").text
    assert body(client.get(f"{MEASUREMENTS}/coco"))["images"] == []
    with client.get(f"{MEASUREMENTS}/zip?content=image") as answer:
        assert b".png" not in answer.data
    assert len(files(settings)) == 3

    listed = body(client.get(TRASH))
    (entry,) = listed["measurements"]
    assert (listed["count"], listed["keep_days"]) == (1, 30.0)
    assert (entry["id"], entry["filename"], entry["percent_masked"]) == (
        id_,
        before["image"]["filename"],
        before["coverage"]["percent_masked"],
    )
    assert (entry["measured_by"], entry["deleted_by"]) == (None, None)
    deleted, gone = (datetime.fromisoformat(entry[name][:-1]) for name in ("deleted_at", "removed_after"))
    assert gone - deleted == timedelta(days=30)

    answer = client.post(urljoin(TRASH, entry["restore_url"]))
    assert (answer.status_code, body(answer)) == (200, {"restored": 1})
    assert body(client.get(url)) == before
    assert body(client.get(f"{MEASUREMENTS}/statistics")) == figures
    assert_problem(client.post(f"{TRASH}/{id_}/restore"), 404, "unknown_measurement", "brought back")


def test_many_are_brought_back_by_what_the_answer_tells(client: FlaskClient, url: str) -> None:
    others = [body(post(client, OVERLAPPING))["id"] for _ in range(2)]
    answer = body(client.delete(MEASUREMENTS, query_string={"ids": ",".join(others), "count": 2}))
    assert answer["deleted"] == 2
    again = client.post(f"{TRASH}/restore", query_string={"deletion": answer["deletion"]})
    assert body(again) == {"restored": 2}
    assert body(client.get(MEASUREMENTS))["count"] == 3
    nothing = client.post(f"{TRASH}/restore", query_string={"deletion": answer["deletion"]})
    assert_problem(nothing, 404, "unknown_measurement", answer["deletion"])
    assert_problem(client.post(f"{TRASH}/restore"), 400, "invalid_option", "deletion is missing")
    assert client.get(url).status_code == 200


def test_what_is_deleted_for_good_is_gone_with_its_files(
    client: FlaskClient, settings: Settings, url: str
) -> None:
    others = [body(post(client, OVERLAPPING))["id"] for _ in range(3)]
    assert_problem(client.delete(f"{url}?for_good=yes"), 400, "invalid_option", "true or false")
    assert client.delete(f"{url}?for_good=true").status_code == 204
    assert_problem(client.post(f"{TRASH}/{url.rpartition('/')[2]}/restore"), 404, "unknown_measurement")
    assert len(files(settings)) == 9
    client.delete(MEASUREMENTS, query_string={"count": 3})
    assert client.delete(f"{TRASH}/{others[0]}").status_code == 204
    assert_problem(client.delete(f"{TRASH}/{others[0]}"), 404, "unknown_measurement")
    assert len(files(settings)) == 6
    assert_problem(client.delete(TRASH), 400, "invalid_option", "count is missing")
    assert_problem(
        client.delete(f"{TRASH}?count=3"), 409, "count_differs", "2 measurements are in the trash, not 3"
    )
    assert body(client.delete(f"{TRASH}?count=2")) == {"deleted": 2, "deletion": None}
    assert files(settings) == set()


def test_without_days_for_the_trash_deleting_is_for_good(
    settings: Settings, store: Store, models: Models
) -> None:
    client = create_app(settings.model_copy(update={"keep_trash_days": 0}), store, models).test_client()
    ids = [body(post(client, OVERLAPPING))["id"] for _ in range(3)]
    assert "Delete for good" in client.get(f"/measurements/{ids[0]}").text
    assert "Nothing brings them back" in client.get("/measurements/delete").text
    assert client.delete(f"{MEASUREMENTS}/{ids[0]}").status_code == 204
    assert client.post(f"/measurements/{ids[1]}/delete").location.endswith("measurements?deleted=1")
    assert body(client.delete(f"{MEASUREMENTS}?count=1")) == {"deleted": 1, "deletion": None}
    assert (store.trash.count(), files(settings)) == (0, set())
    assert "deletes for good at once" in client.get("/trash").text


def test_who_measured_and_who_deleted_is_told(guarded: Flask, store: Store) -> None:
    client = guarded.test_client()
    line = {"X-API-Key": store.keys.add("line 3", "measure")}
    boss = {"X-API-Key": store.keys.add("Ms Ä", "admin")}
    created = client.post(MEASUREMENTS, data=OVERLAPPING, content_type="image/png", headers=line)
    assert body(created)["measured_by"] == "line 3"
    url = f"{MEASUREMENTS}/{body(created)['id']}"
    assert body(client.get(url, headers=line))["measured_by"] == "line 3"
    assert body(client.get(MEASUREMENTS, headers=line))["measurements"][0]["measured_by"] == "line 3"
    (row,) = csv.DictReader(io.StringIO(client.get(f"{MEASUREMENTS}/csv", headers=line).text))
    assert row["measured_by"] == "line 3"
    page = client.get(f"/measurements/{body(created)['id']}", headers=line).text
    assert re.search(r"<dt>Measured by</dt><dd>line 3</dd>", page)
    assert_problem(client.delete(url, headers=line), 403, "forbidden")
    assert client.delete(url, headers=boss).status_code == 204
    (entry,) = body(client.get(TRASH, headers=line))["measurements"]
    assert (entry["measured_by"], entry["deleted_by"]) == ("line 3", "Ms Ä")
    (row,) = csv.DictReader(io.StringIO(client.get(f"{TRASH}?format=csv", headers=line).text))
    assert (row["id"], row["measured_by"], row["deleted_by"]) == (entry["id"], "line 3", "Ms Ä")
    assert "by Ms Ä" in client.get("/trash", headers=line).text
    for method, path in (
        ("POST", f"{TRASH}/{entry['id']}/restore"),
        ("POST", f"{TRASH}/restore?deletion={entry['deletion']}"),
        ("DELETE", f"{TRASH}/{entry['id']}"),
        ("DELETE", f"{TRASH}?count=1"),
        ("POST", "/trash/restore"),
        ("POST", "/trash/delete"),
    ):
        assert client.open(path, method=method, headers=line).status_code == 403, path
    assert client.post(f"{TRASH}/{entry['id']}/restore", headers=boss).status_code == 200
    assert body(client.get(url, headers=line))["measured_by"] == "line 3"


def test_a_page_undoes_what_it_deleted(client: FlaskClient, store: Store) -> None:
    ids = [body(post(client, OVERLAPPING))["id"] for _ in range(3)]
    after = client.post(f"/measurements/{ids[1]}/delete?order=created_at")
    assert (
        urljoin("/measurements/x/", after.location).startswith(f"/measurements/{ids[2]}")
        or ids[2] in after.location
    )
    page = client.get(urljoin(f"/measurements/{ids[1]}/delete", after.location))
    assert "The one before was deleted." in shown(page)
    undone = client.post("/trash/restore", data=_fields(page.text))
    assert undone.status_code == 303
    history = client.get(urljoin("/trash/restore", undone.location))
    assert "1 measurement is back." in shown(history)
    assert "order=created_at" in undone.location
    assert [record.id for record in store.list()] == ids[::-1]

    alone = client.post(f"/measurements/{ids[0]}/delete")
    page = client.get(urljoin(f"/measurements/{ids[0]}/delete", alone.location))
    assert "1 measurement was deleted." in shown(page)
    assert "1 in the trash" in shown(page)
    assert client.post("/trash/restore", data=_fields(page.text)).status_code == 303
    assert store.count() == 3


def test_the_trash_is_a_page(client: FlaskClient, store: Store, settings: Settings) -> None:
    assert "The trash is empty" in client.get("/trash").text
    ids = [body(post(client, OVERLAPPING))["id"] for _ in range(4)]
    client.delete(MEASUREMENTS, query_string={"count": 4})
    page = client.get("/trash")
    assert "4 measurements, deleted last first; what was deleted can be brought back for 30 days" in shown(
        page
    )
    assert page.text.count("Bring back") == 4
    back = client.post("/trash/restore", data={"id": ids[0]})
    assert back.location.endswith(f"measurements/{ids[0]}")
    gone = client.post("/trash/delete", data={"id": ids[1]})
    assert "1 measurement was deleted for good" in client.get(urljoin("/trash/delete", gone.location)).text
    assert client.post("/trash/delete", data={"count": "9"}).status_code == 409
    assert client.post("/trash/delete", data={"count": "2"}).status_code == 303
    assert [record.id for record in store.list()] == [ids[0]]
    assert (store.trash.count(), len(files(settings))) == (0, 3)
    for path in ("/trash/restore", "/trash/delete"):
        foreign = client.post(path, data={"id": ids[0]}, headers={"Sec-Fetch-Site": "cross-site"})
        assert foreign.status_code == 403


def test_a_full_disk_offers_to_delete_for_good(
    client: FlaskClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database has no room for what moves, as on a full disk; removing needs none."""
    ids = [body(post(client, OVERLAPPING))["id"] for _ in range(3)]

    def fail(_connection: object, _ids: object) -> None:
        raise StoreFailed("database or disk is full")

    monkeypatch.setattr("planimeter.store.trash.move_to_trash", fail)
    monkeypatch.setattr("planimeter.store.folders.Folders.full", property(lambda _: True))
    refused = client.delete(f"{MEASUREMENTS}/{ids[0]}")
    assert_problem(refused, 507, "no_room", "delete for good instead", "empty the trash")
    assert_problem(client.delete(f"{MEASUREMENTS}?count=3"), 507, "no_room")
    for path, form in ((f"/measurements/{ids[0]}/delete", {}), ("/measurements/delete", {"count": "3"})):
        offered = client.get(urljoin(path, client.post(path, data=form).location))
        assert "The disk is full" in offered.text
        assert "for good</button>" in offered.text
    assert client.delete(f"{MEASUREMENTS}/{ids[0]}?for_good=true").status_code == 204
    assert store.count() == 2


def _fields(page: str) -> dict[str, Any]:
    """Return the fields of the form that undoes."""
    form = re.search(r'<form class="undo".*?</form>', page, re.DOTALL)
    assert form
    return dict(_hidden(form[0]))


def _hidden(form: str) -> Iterator[tuple[str, str]]:
    yield from re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form)
