"""An object store that is not there, answers nothing, refuses; and what a kill leaves behind in one.

Run as a script, this file is the process that gets killed.
"""

import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

import buckets
from buckets import BUCKET, OBJECTS, RCLONE, SECRET, Server, objects_under, prefix_of
from planimeter.commands import main
from planimeter.errors import StoreFailed
from planimeter.store import FileKind, Store, places
from stored import add, files_of, files_under, ids, measurement, open_store
from test_api import MEASUREMENTS, OVERLAPPING, assert_problem, body, post

pytest.importorskip("obstore")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    started = Server(RCLONE)
    buckets.use(OBJECTS, started)
    yield started
    buckets.use(buckets.FOLDERS)
    started.remove()


@pytest.fixture(autouse=True)
def _in_the_store(server: Server) -> None:
    """Every test here keeps its files there."""


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take what was noted for left behind at once."""
    monkeypatch.setattr(places, "LEFT_SECONDS", -60.0)


# ---- At the start


def _said(tmp_path: Path, place: str) -> str:
    with pytest.raises(StoreFailed) as caught:
        Store.open(f"sqlite:///{tmp_path / 'records.db'}", place, tmp_path / "outputs", begin_anew=True)
    assert SECRET not in str(caught.value)
    assert "s3cret" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("s3://no-such-bucket/x", "there is no bucket no-such-bucket. Create it"),
        ("s3://somebody:s3cret@bucket/x", "Credentials are taken from the environment only"),
        ("s3://bucket/x?secret=s3cret", "Credentials are taken from the environment only"),
        ("s3://bucket:s3cret/x", "Credentials are taken from the environment only"),
        ("s3://", "name a bucket"),
        ("s3://bucket/a//b", "without empty parts"),
        ("s3://bucket/../b", "without empty parts"),
        ("az://container/x", "check AZURE_STORAGE_ACCOUNT_NAME"),
        ("ftp://bucket/x", "not by ftp://"),
        ("https://user:s3cret@store.example.org/x", "not by https://"),
    ],
)
def test_a_place_that_cannot_be_used_is_named_with_what_to_do(
    tmp_path: Path, place: str, reason: str
) -> None:
    said = _said(tmp_path, place)
    assert reason in said
    assert "upload folder" in said


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "s3cret-and-wrong"}, "it is refused (SignatureDoesNotMatch)"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "it cannot be reached at 127.0.0.1:9."),
        (
            {"AWS_ENDPOINT_URL": "http://nowhere.invalid:9", "AWS_ALLOW_HTTP": "true"},
            "it cannot be reached at nowhere",
        ),
        ({"AWS_ENDPOINT_URL": "http://store.example.org"}, "http://store.example.org is not encrypted"),
        (
            {"AWS_ENDPOINT_URL": "https://user:s3cret@store.example.org"},
            "AWS_ENDPOINT_URL is no plain address",
        ),
        ({"AWS_ENDPOINT_URL": "nonsense"}, "AWS_ENDPOINT_URL is no plain address"),
    ],
)
def test_an_environment_that_does_not_lead_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], reason: str
) -> None:
    for name, value in changed.items():
        monkeypatch.setenv(name, value)
    said = _said(tmp_path, f"s3://{BUCKET}/x")
    assert reason in said
    assert f"upload folder s3://{BUCKET}/x" in said


def test_a_store_that_takes_all_and_answers_nothing_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert "it does not answer at 127.0.0.1" in _said(tmp_path, f"s3://{BUCKET}/x")


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "planimeter.store.objects", raising=False)
    monkeypatch.setitem(sys.modules, "obstore", None)
    assert "pip install 'planimeter[objects]'" in _said(tmp_path, f"s3://{BUCKET}/x")


def test_the_service_does_not_start_and_says_why_in_one_sentence(tmp_path: Path) -> None:
    places_ = ["--upload-folder", "s3://no-such-bucket/in", "--output-folder", "s3://no-such-bucket/out"]
    database = ["--database", f"sqlite:///{tmp_path / 'records.db'}", "--port", "0"]
    ran = CliRunner().invoke(main, ["serve", *places_, *database])
    assert ran.exit_code == 1
    assert "the upload folder s3://no-such-bucket/in: there is no bucket no-such-bucket." in ran.output
    assert "Traceback" not in ran.output


def test_pictures_are_drawn_into_folders_of_this_machine_only(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(OVERLAPPING)
    ran = CliRunner().invoke(main, ["measure", str(picture), "--output-folder", "s3://bucket/drawn"])
    assert ran.exit_code == 2
    assert "planimeter serve" in ran.output


# ---- Later


def test_a_store_that_goes_is_a_503_and_comes_back_by_itself(
    client: FlaskClient, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("planimeter.store.objects.CHECKED_SECONDS", 0.0)
    url = f"{MEASUREMENTS}/{body(post(client, OVERLAPPING))['id']}"
    server.stop()
    try:
        for answer in (
            post(client, OVERLAPPING),
            client.get(f"{url}/image"),
            client.delete(f"{url}?for_good=true"),
        ):
            assert_problem(answer, 503, "store_failed", "cannot be reached")
        assert_problem(client.get("/readyz"), 503, "not_ready", BUCKET, "cannot be reached")
        assert client.get("/healthz").status_code == 200
        assert client.get(url).status_code == 200  # the record is elsewhere
        assert client.delete(url).status_code == 204  # into the trash: its files stay
    finally:
        server.start()
    assert client.post(f"/api/v1/trash/{url.rpartition('/')[2]}/restore").status_code == 200
    assert client.get("/readyz").status_code == 200
    assert client.get(f"{url}/image").data == OVERLAPPING
    assert post(client, OVERLAPPING).status_code == 201
    assert client.delete(f"{url}?for_good=true").status_code == 204
    assert len(body(client.get(MEASUREMENTS))["measurements"]) == 1


@pytest.mark.slow
def test_a_store_that_falls_silent_costs_a_request_some_seconds_and_comes_back_by_itself(
    server: Server, tmp_path: Path
) -> None:
    store = open_store(tmp_path)
    record = add(store)
    server.pause()
    try:
        with pytest.raises(StoreFailed, match="does not answer"):
            add(store)
        with pytest.raises(StoreFailed, match="does not answer"):
            store.read(record, "image")
    finally:
        server.go_on()
    assert ids(store.list()) == [record.id]
    assert store.read(record, "image") == b"picture"
    add(store)
    store.close()


# ---- What is left behind


def test_leftovers_go_by_their_age_and_what_is_recorded_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path)
    kept = add(store)
    with monkeypatch.context() as broken:
        broken.setattr("planimeter.store.records.Records.insert", _fail)
        broken.setattr("planimeter.store.unfinished.Unfinished.take_back", lambda *_: None)
        with pytest.raises(StoreFailed, match="gone"):
            add(store)
    assert len(files_under(tmp_path)) == 6
    monkeypatch.setattr(places, "LEFT_SECONDS", -60.0)
    store.tidy()
    assert files_under(tmp_path) == files_of(kept, tmp_path)
    assert not [name for name in objects_under(prefix_of(tmp_path)) if name.endswith(".json")]
    store.close()


def test_what_is_young_or_of_another_database_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path)
    monkeypatch.setattr("planimeter.store.records.Records.insert", _fail)
    monkeypatch.setattr("planimeter.store.unfinished.Unfinished.take_back", lambda *_: None)
    with pytest.raises(StoreFailed, match="gone"):
        add(store)
    left = files_under(tmp_path)
    assert len(left) == 3
    store.tidy()
    assert files_under(tmp_path) == left
    monkeypatch.setattr(places, "LEFT_SECONDS", -60.0)
    shared = buckets.place(tmp_path, "uploads"), buckets.place(tmp_path, "outputs")
    other = Store.open(f"sqlite:///{tmp_path / 'other.db'}", *shared, begin_anew=True)
    other.tidy()
    other.close()
    assert files_under(tmp_path) == left
    store.close()


def test_work_that_took_too_long_is_not_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(tmp_path)
    monkeypatch.setattr(places, "LEFT_SECONDS", 0.0)
    with pytest.raises(StoreFailed, match="given up"):
        add(store)
    assert (store.count(), files_under(tmp_path)) == (0, set())
    store.close()


def _fail(*_: object, **__: object) -> None:
    raise StoreFailed("the database is gone")


@pytest.mark.slow
@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("action", ["add", "delete"])
def test_killed_at_any_step_no_record_is_without_its_files_and_no_file_stays(
    tmp_path: Path, action: str
) -> None:
    subprocess.run([sys.executable, __file__, action, str(tmp_path)], check=True, timeout=300)
    counts = []
    for home in sorted(home for home in tmp_path.iterdir() if home.name.isdigit()):
        store = open_store(home)
        records = store.list()
        for record in records:
            found = [store.read(record, kind) for kind in get_args(FileKind)]
            assert found == [b"picture", b"overlay", b"mask"]
        store.tidy()
        kept = set().union(*(files_of(record, home) for record in records))
        assert files_under(home) == kept, home
        store.close()
        counts.append(len(records))
    assert len(counts) > 6
    assert counts == sorted(counts, reverse=action == "delete")
    assert set(counts) == ({1, 2} if action == "add" else {0, 1})


def _killed(action: str, home: Path, step: int) -> None:
    """Have SIGKILL strike at the n-th moment before the object store or the database is asked."""
    buckets.Kind.name = OBJECTS
    store = open_store(home)
    record = add(store, measurement("kept.png"))
    store._folders.uploads.forget_now()
    store._folders.outputs.forget_now()
    moments = itertools.count(1)

    def strike(_frame: object, event: str, called: object) -> None:
        if event != "c_call" or getattr(called, "__name__", "") not in {"put", "delete", "commit"}:
            return
        if next(moments) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(strike)
    sys.setprofile(strike)
    if action == "add":
        add(store)
    else:
        store.delete(record.id)
    os._exit(0)


def main_of_the_killed() -> None:
    """Fork a process for each step of the action and have it killed there, until one survives."""
    action, base = sys.argv[1], Path(sys.argv[2])
    for step in itertools.count(1):
        home = base / f"{step:03}"
        home.mkdir()
        child = os.fork()
        if not child:
            try:
                _killed(action, home, step)
            except BaseException:  # noqa: BLE001 - the fork must not return into the loop of its parent
                traceback.print_exc()
            os._exit(1)
        _, ended = os.waitpid(child, 0)
        if not os.WIFSIGNALED(ended):
            sys.exit(os.WEXITSTATUS(ended))


if __name__ == "__main__":
    main_of_the_killed()
