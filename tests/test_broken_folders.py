"""Folders that are read-only or vanish while a service runs, and two services on one store: a sentence, nothing lost.

Run as a script, this file is the process whose folders are made read-only.
"""

import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from planimeter.errors import StoreFailed
from planimeter.service.app import create_app
from planimeter.service.models import Models
from planimeter.settings import Settings
from planimeter.store import Filter, Store
from planimeter.store.records import Records
from stored import add, files_of, files_under, ids, open_store, unfinished_work
from test_api import MEASUREMENTS, OVERLAPPING, assert_problem, body, files, post
from test_full_disk import MOUNT, can_mount

# ---- Read-only


@pytest.mark.skipif(not can_mount(), reason="a folder of its own cannot be mounted here")
@pytest.mark.parametrize("name", ["uploads", "outputs", "records"])
def test_a_read_only_folder_is_told_and_nothing_is_lost(tmp_path: Path, name: str) -> None:
    script = f'exec "{sys.executable}" "{__file__}" "{tmp_path}" {name}'
    ran = subprocess.run([*MOUNT, script], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    named = {"uploads": "the upload folder", "outputs": "the output folder", "records": "planimeter.db"}[name]
    said = found["said"]
    assert set(said) == {"check", "add", "keep", "delete", "delete_many", "open"} | (
        {"discard"} if name == "records" else set()
    )
    for action, sentence in said.items():
        if not (action == "keep" and name == "uploads"):
            assert named in sentence, action
            assert "read-only" in sentence.lower() or "readonly" in sentence, action
    assert found["read"] == ["picture", "overlay", "mask"]
    assert (found["before"], found["after"]) == (3, 4), "and it stores again when it is writable again"
    assert found["whole"] is True


def read_only(folder: Path, *, on: bool) -> None:
    if on:
        subprocess.run(["mount", "--bind", folder, folder], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
    else:
        subprocess.run(["umount", folder], check=True)


def main(home: Path, name: str) -> None:
    store = open_store(home)
    records = [add(store) for _ in range(3)]
    other = records[0].measurement.model_copy(
        update={"options": records[0].measurement.options.model_copy(update={"score_threshold": 0.75})}
    )
    before = files_under(home)
    store.close()
    # As that of another service, it keeps SQLite's files beside the database there: none could be made.
    held = sqlite3.connect(home / "records" / "planimeter.db")
    held.execute("SELECT count(*) FROM measurements").fetchall()
    said: dict[str, str] = {}

    def hear(action: str, act: Callable[[], object]) -> None:
        try:
            act()
        except StoreFailed as error:
            said[action] = str(error)

    store = opened_before(home, name)
    hear("check", store.check)
    hear("add", lambda: add(store))
    if name != "uploads":
        hear("keep", lambda: store.keep(records[0], other, overlay_png=b"overlay", mask_png=b"mask"))
    else:
        said["keep"] = ""
    hear("delete", lambda: store.delete(records[1].id))
    hear("delete_many", lambda: store.delete_many(Filter(), count=3))
    hear("discard", lambda: store.discard(records[2].id))
    if "discard" not in said:  # only the database is written
        store.trash.restore(records[2].id)
    read = [store.read(store.get(records[0].id), kind).decode() for kind in ("image", "overlay", "mask")]
    hear("open", lambda: open_store(home))
    unchanged = store.count(), files_under(home) == before
    store.close()
    held.close()
    read_only(home / name, on=False)
    again = open_store(home)
    add(again)
    whole = files_under(home) == set().union(*(files_of(record, home) for record in again.walk()))
    answer = {
        "said": said,
        "read": read,
        "before": unchanged[0],
        "after": again.count(),
        "whole": whole and unchanged[1],
    }
    print(json.dumps(answer))  # noqa: T201
    again.close()


def opened_before(home: Path, name: str) -> Store:
    """Open a store while its folders are writable, and then make one read-only, for each connection from then on."""
    store = open_store(home)
    read_only(home / name, on=True)
    store._database._engine.dispose()
    return store


# ---- Vanished


@pytest.mark.parametrize("kind", ["upload", "output"])
def test_a_folder_that_vanishes_while_the_service_runs_is_told_and_nothing_is_lost(
    client: FlaskClient, settings: Settings, store: Store, kind: str
) -> None:
    first, second = (body(post(client, OVERLAPPING))["id"] for _ in range(2))
    before = files(settings)
    folder = Path(settings.upload_folder if kind == "upload" else settings.output_folder)
    away = folder.rename(folder.with_name("away"))
    url = f"{MEASUREMENTS}/{first}"
    told = f"the {kind} folder {folder}"
    assert_problem(post(client, OVERLAPPING), 503, "store_failed", told, "Create the folder again")
    assert_problem(client.delete(f"{url}?for_good=true"), 503, "store_failed", told)
    assert_problem(client.delete(f"{MEASUREMENTS}?count=2&for_good=true"), 503, "store_failed", told)
    assert_problem(client.get("/readyz"), 503, "not_ready", told)
    if kind == "output":
        assert_problem(client.put(f"{url}/threshold?score_threshold=0.9"), 503, "store_failed", told)
    path = "image" if kind == "upload" else "mask"
    assert_problem(client.get(f"{url}/{path}"), 503, "store_failed", first, "moved by hand")
    assert body(client.get(MEASUREMENTS))["count"] == 2
    assert client.get(url).status_code == 200
    assert client.delete(url).status_code == 204, "only the database is written"
    assert client.post(f"/api/v1/trash/{first}/restore").status_code == 200
    assert not folder.exists(), "nothing is begun anew beside what may come back"

    away.rename(folder)
    assert files(settings) == before
    assert client.get("/readyz").status_code == 200
    assert [record.id for record in store.list()] == [second, first]
    for id_ in (first, second):
        assert all(
            client.get(f"{MEASUREMENTS}/{id_}/{path}").status_code == 200 for path in ("image", "mask")
        )
    assert post(client, OVERLAPPING).status_code == 201
    assert client.delete(f"{url}?for_good=true").status_code == 204
    assert len(files(settings)) == 6


def test_a_folder_that_is_missing_at_the_start_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(tmp_path)
    record = add(store)
    store.close()
    (tmp_path / "uploads").rename(tmp_path / "away")
    again = open_store(tmp_path)
    assert f"The folder {tmp_path / 'uploads'} is new, but 1 measurement is recorded" in caplog.text
    assert again.get(record.id) == record
    again.close()
    shutil.rmtree(tmp_path / "uploads")
    (tmp_path / "away").rename(tmp_path / "uploads")
    caplog.clear()
    again = open_store(tmp_path)
    assert again.read(record, "image") == b"picture"
    assert "is new" not in caplog.text
    again.close()


# ---- Two services


@pytest.fixture
def pair(settings: Settings, store: Store, models: Models) -> Iterator[tuple[Flask, Flask]]:
    other = Store.open(settings.database, settings.upload_folder, settings.output_folder)
    yield create_app(settings, store, models), create_app(settings, other, models)
    other.close()


def test_two_services_on_one_store_see_and_delete_the_same(pair: tuple[Flask, Flask], store: Store) -> None:
    one, other = (app.test_client() for app in pair)
    sent: dict[str, Any] = {"data": OVERLAPPING, "content_type": "image/png"}
    key = {"Idempotency-Key": "once"}
    id_ = body(one.post(MEASUREMENTS, **sent, headers=key))["id"]
    assert body(other.post(MEASUREMENTS, **sent, headers=key))["id"] == id_, "it is measured once"
    url = f"{MEASUREMENTS}/{id_}"
    assert other.get(f"{url}/mask").status_code == 200
    assert other.delete(url).status_code == 204
    assert_problem(one.get(url), 404, "unknown_measurement", "in the trash")
    assert one.post(f"/api/v1/trash/{id_}/restore").status_code == 200
    assert other.get(url).status_code == 200
    assert store.count() == 1


def test_neither_of_two_services_sweeps_what_the_other_is_at_work_on(
    settings: Settings, store: Store, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One stands still with files and no record yet, another with its record removed and its files still there."""
    client = create_app(settings, store, models).test_client()
    stays = body(post(client, OVERLAPPING))["id"]
    goes = body(post(client, OVERLAPPING))["id"]
    reached, go_on = threading.Barrier(3), threading.Event()

    def stopping(method: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
        def stopped(*given: Any, **more: Any) -> Any:
            done = method(*given, **more) if after else None
            reached.wait(20)
            assert go_on.wait(20)
            return done if after else method(*given, **more)

        return stopped

    monkeypatch.setattr(Records, "insert", stopping(Records.insert, after=False))
    monkeypatch.setattr(Records, "remove", stopping(Records.remove, after=True))
    with ThreadPoolExecutor(2) as threads:
        adding = threads.submit(lambda: post(create_app(settings, store, models).test_client(), OVERLAPPING))
        deleting = threads.submit(lambda: store.delete(goes))
        reached.wait(20)
        before = files(settings)
        for _ in range(2):
            Store.open(settings.database, settings.upload_folder, settings.output_folder).close()
        assert files(settings) == before
        go_on.set()
        added = body(adding.result())["id"]
        deleting.result()
    monkeypatch.undo()
    assert [record.id for record in store.list()] == [added, stays]
    for id_ in (added, stays):
        assert all(
            client.get(f"{MEASUREMENTS}/{id_}/{path}").status_code == 200 for path in ("image", "mask")
        )
    assert len(files(settings)) == 6


def test_what_a_killed_service_left_is_swept_when_the_last_other_is_gone(tmp_path: Path) -> None:
    one, other = open_store(tmp_path), open_store(tmp_path)
    kept = add(one)
    _, left = unfinished_work(tmp_path)
    one.close()
    open_store(tmp_path).close()
    assert files_under(tmp_path) == files_of(kept, tmp_path) | left
    other.close()
    last = open_store(tmp_path)
    assert files_under(tmp_path) == files_of(kept, tmp_path)
    assert ids(last.list()) == [kept.id]
    last.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
