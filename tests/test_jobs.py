"""Jobs through the API: taken on, one at a time, stopped, taken up again, and no worse for a service that ends."""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from fakes import MODEL
from labelled import write_dataset
from planimeter.jobs import folder as job_folder
from planimeter.jobs import process, unlisted
from planimeter.jobs.folder import JobFolder
from planimeter.jobs.plan import next_version
from planimeter.jobs.process import is_running
from planimeter.labels import read_labels
from planimeter.labels.content import content_of, digest_of, hold_out
from planimeter.labels.likeness import pixels_digest
from planimeter.packs.pack import read_pack
from planimeter.service.app import create_app
from planimeter.service.context import EXTENSION, Context
from planimeter.service.job_runner import MOST_ATTEMPTS, JobRunner
from planimeter.service.models import Models
from planimeter.settings import Settings
from planimeter.store import Store
from test_api import assert_problem, body

pytest.importorskip("torch", reason="the train extra is not installed")

JOBS = "/api/v1/jobs"
PROCESS = """
import json, pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[1])
stopping = []
signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
step = 7 if "steps" in sys.argv else 0
told = {"phase": "training", "step": step, "fraction": 0.25, "seconds_left": 30, "told_at": "2026-01-01T00:00:00Z"}
(folder / "progress.json").write_text(json.dumps(told))
print("here I am", flush=True)
if "die" in sys.argv:
    sys.exit(3)
while not stopping:
    time.sleep(0.02)
(folder / "end.json").write_text(json.dumps({"state": "stopped", "message": "stopped at step 7"}))
"""
"""What a training tells and does, without one: it goes on until it is told to stop."""


def fake(*how: str) -> Callable[[JobFolder], list[str]]:
    return lambda folder: [sys.executable, "-S", "-c", PROCESS, str(folder.path), *how]


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    write_dataset(tmp_path / "labelled" / "strips", pictures=4)
    return settings.model_copy(update={"training_data": tmp_path / "labelled"})


@pytest.fixture
def parts(app: Flask) -> Iterator[Context]:
    parts: Context = app.extensions[EXTENSION]
    parts.jobs = JobRunner(parts.store, parts.settings.jobs_folder, command=fake("steps"))
    yield parts
    for job in parts.store.jobs.list():
        folder = parts.jobs.folder(job.id)
        if is_running(folder):
            os.kill(pid_of(folder), signal.SIGKILL)


def pid_of(folder: JobFolder) -> int:
    return int((folder.path / "pid").read_text())


def begin(client: FlaskClient, **more: Any) -> str:
    answer = client.post(JOBS, json={"data": "strips", "name": "mine", **more})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"].endswith(body(answer)["id"])
    return str(body(answer)["id"])


def state(client: FlaskClient, id_: str) -> tuple[str, str]:
    found = body(client.get(f"{JOBS}/{id_}"))
    return found["state"], found["message"]


def until(client: FlaskClient, parts: Context, id_: str, wanted: str) -> str:
    """Look after jobs until one is in a state; return its message."""
    for _ in range(1500):
        parts.jobs.round()
        found, message = state(client, id_)
        told = parts.jobs.folder(id_).progress() is not None
        if found == wanted and (told or found != "running"):
            return message
        time.sleep(0.02)
    pytest.fail(f"the job is {state(client, id_)}, not {wanted}")


def test_one_runs_at_a_time_and_what_is_stopped_goes_on_later(client: FlaskClient, parts: Context) -> None:
    first, second = begin(client, version="a", minutes=5), begin(client)
    until(client, parts, first, "running")
    parts.jobs.round()
    assert state(client, second) == ("queued", "")
    (_, shown) = body(client.get(JOBS))["jobs"]
    assert (shown["id"], shown["plan"]["minutes"], shown["created_by"]) == (first, 5, None)
    progress = body(client.get(f"{JOBS}/{first}"))["progress"]
    assert (progress["step"], progress["fraction"], progress["seconds_left"]) == (7, 0.25, 30)
    assert_problem(client.delete(f"{JOBS}/{first}"), 409, "wrong_job_state", "stop it first")
    assert_problem(client.post(f"{JOBS}/{first}/resume"), 409, "wrong_job_state", "is running")

    assert body(client.post(f"{JOBS}/{first}/stop"))["state"] == "stopping"
    assert until(client, parts, first, "stopped") == "stopped at step 7"
    assert body(client.get(f"{JOBS}/{first}"))["said"] == ["here I am"]
    until(client, parts, second, "running")
    assert body(client.post(f"{JOBS}/{first}/resume"))["state"] == "queued"
    parts.jobs.round()
    assert state(client, first)[0] == "queued"
    client.post(f"{JOBS}/{second}/stop")
    until(client, parts, second, "stopped")
    until(client, parts, first, "running")
    assert body(client.get(f"{JOBS}/{first}"))["ended_at"] is None
    client.post(f"{JOBS}/{first}/stop")
    until(client, parts, first, "stopped")
    assert client.delete(f"{JOBS}/{second}").status_code == 204
    assert not parts.jobs.folder(second).path.exists()
    assert_problem(client.get(f"{JOBS}/{second}"), 404, "unknown_job", second)


def test_what_waits_is_stopped_without_having_begun(client: FlaskClient, parts: Context) -> None:
    id_ = begin(client)
    assert body(client.post(f"{JOBS}/{id_}/stop"))["state"] == "stopped"
    parts.jobs.round()
    assert state(client, id_)[0] == "stopped"
    assert_problem(client.post(f"{JOBS}/{id_}/stop"), 409, "wrong_job_state", "nothing to stop")
    assert_problem(client.post(f"{JOBS}/{id_}/take-over"), 409, "wrong_job_state", "is stopped")


def test_a_process_that_dies_is_told_with_its_last_words(client: FlaskClient, parts: Context) -> None:
    id_ = begin(client)
    until(client, parts, id_, "running")
    os.kill(pid_of(parts.jobs.folder(id_)), signal.SIGKILL)
    message = until(client, parts, id_, "failed")
    assert "killed by signal 9" in message
    assert "here I am" in message
    assert body(client.post(f"{JOBS}/{id_}/resume"))["state"] == "queued"
    until(client, parts, id_, "running")
    client.post(f"{JOBS}/{id_}/stop")
    until(client, parts, id_, "stopped")


def test_a_service_that_is_started_anew_takes_over_what_runs_and_starts_again_what_ended(
    client: FlaskClient, parts: Context
) -> None:
    id_ = begin(client)
    until(client, parts, id_, "running")
    folder, earlier = parts.jobs.folder(id_), parts.jobs
    first = pid_of(folder)
    parts.jobs = JobRunner(parts.store, parts.settings.jobs_folder, command=fake("steps"))
    parts.jobs.round()
    assert (state(client, id_)[0], pid_of(folder)) == ("running", first)  # it goes on, once

    os.kill(first, signal.SIGKILL)
    while is_running(folder):
        time.sleep(0.02)
    until(client, parts, id_, "running")
    assert pid_of(folder) != first
    earlier.round()  # two services look after the same folder
    assert is_running(folder)
    client.post(f"{JOBS}/{id_}/stop")
    until(client, parts, id_, "stopped")
    earlier.stop()


def test_a_service_that_ends_before_what_goes_on_has_begun_does_not_take_the_old_end_for_it(
    client: FlaskClient, parts: Context
) -> None:
    id_ = begin(client)
    until(client, parts, id_, "running")
    client.post(f"{JOBS}/{id_}/stop")
    until(client, parts, id_, "stopped")
    assert client.post(f"{JOBS}/{id_}/resume").status_code == 200
    assert parts.store.jobs.start_next(parts.jobs.place)  # noted, and there it was killed
    parts.jobs = JobRunner(parts.store, parts.settings.jobs_folder, command=fake("steps"))
    parts.jobs.round()
    assert (state(client, id_)[0], is_running(parts.jobs.folder(id_))) == ("running", True)
    client.post(f"{JOBS}/{id_}/stop")
    until(client, parts, id_, "stopped")


def test_what_gets_no_further_is_not_started_without_end(client: FlaskClient, parts: Context) -> None:
    id_ = begin(client)
    for _ in range(MOST_ATTEMPTS + 1):  # each time the service is another one
        parts.jobs = JobRunner(parts.store, parts.settings.jobs_folder, command=fake("die"))
        parts.jobs.round()
        while is_running(parts.jobs.folder(id_)):
            time.sleep(0.02)
        parts.jobs.stop()
    assert state(client, id_)[0] == "failed"
    assert "3 times" in state(client, id_)[1]


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ({"data": "gone", "name": "mine"}, (409, "invalid_option", "known: strips")),
        ({"data": "../labelled", "name": "mine"}, (409, "invalid_option", "../labelled")),
        ({"data": "strips", "name": "Not a name"}, (400, "invalid_option", "name is 'Not a name'")),
        ({"data": "strips"}, (400, "invalid_option", "name is missing")),
        ({"data": "strips", "name": "mine", "minutes": 0}, (400, "invalid_option", "minutes is '0'")),
        ({"data": "strips", "name": "mine", "minutes": 1, "recipe": {"minutes": 2}}, (409, "invalid_option", "one of")),
        ({"data": "strips", "name": "mine", "recipe": {"workers": 10**9}}, (409, "invalid_option", "at most 32")),
        ({"data": "strips", "name": "mine", "recipe": {"minutes": 1e300}}, (409, "invalid_option", "at most 20160")),
        ({"data": "strips", "name": "mine", "recipe": {"folds": 5}}, (409, "invalid_option", "folds")),
        ({"data": "strips", "name": "mine", "recipe": {"epoch": 5}}, (400, "invalid_option", "recipe.epoch")),
        ({"data": "strips", "name": "mine", "start_from": "gone"}, (404, "unknown_model", "gone")),
        ({"data": "strips", "name": MODEL}, (409, "invalid_option", "no weights")),
    ],
)  # fmt: skip
def test_a_job_that_cannot_be_is_refused_and_leaves_nothing(
    client: FlaskClient, parts: Context, given: dict[str, Any], answer: tuple[int, str, str]
) -> None:
    assert_problem(client.post(JOBS, json=given), *answer)
    assert body(client.get(JOBS)) == {"jobs": []}
    assert [path for path in parts.settings.jobs_folder.glob("*") if path.is_dir()] == []


def test_what_is_no_document_is_refused(client: FlaskClient) -> None:
    assert_problem(
        client.post(JOBS, data="{", content_type="application/json"), 400, "invalid_option", "no JSON"
    )
    assert_problem(
        client.post(JOBS, data="name=mine", content_type="text/plain"),
        400,
        "invalid_option",
        "application/json",
    )
    long = client.post(JOBS, data=b" " * 64_001, content_type="application/json")
    assert_problem(long, 413, "too_many_bytes", "64,000 bytes")
    assert_problem(client.get(f"{JOBS}/x"), 404, "unknown_job", "'x'")


def test_without_the_extra_the_service_says_what_to_install(
    client: FlaskClient, parts: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert_problem(
        client.post(JOBS, json={"data": "strips", "name": "mine"}), 503, "training_unavailable", "torch"
    )
    assert parts.store.jobs.list() == []


def test_without_room_on_the_disk_no_job_begins(
    client: FlaskClient, parts: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = begin(client)
    monkeypatch.setattr(job_folder, "LEAST_FREE", 10**18)
    assert_problem(client.post(JOBS, json={"data": "strips", "name": "mine"}), 507, "no_room", "free")
    parts.jobs.round()  # it became full while the job waited
    found, message = state(client, id_)
    assert found == "failed"
    assert "1e+09 GB" in message
    assert len(parts.store.jobs.list()) == 1


def test_only_an_admin_begins_and_everybody_sees(settings: Settings, store: Store, models: Models) -> None:
    guarded = create_app(settings.model_copy(update={"host": "0.0.0.0"}), store, models).test_client()  # noqa: S104

    def keyed(role: Any) -> dict[str, str]:
        return {"X-API-Key": store.keys.add("somebody", role)}

    plan = {"data": "strips", "name": "mine"}
    assert_problem(guarded.post(JOBS, json=plan, headers=keyed("measure")), 403, "forbidden", "admin")
    made = guarded.post(JOBS, json=plan, headers=keyed("admin"))
    assert body(made)["created_by"] == "somebody"
    assert guarded.get(JOBS, headers=keyed("read")).status_code == 200


def test_a_folder_that_is_gone_costs_no_other_job(client: FlaskClient, parts: Context) -> None:
    first, second = begin(client), begin(client)
    shutil.rmtree(parts.jobs.folder(first).path)
    until(client, parts, second, "running")
    assert state(client, first)[0] == "failed"
    assert "start a new job" in state(client, first)[1]
    client.post(f"{JOBS}/{second}/stop")
    until(client, parts, second, "stopped")


def test_only_what_a_killed_process_of_this_store_left_is_swept(client: FlaskClient, parts: Context) -> None:
    kept, left, brought_back = (begin(client) for _ in range(3))
    folders = {id_: parts.jobs.folder(id_) for id_ in (kept, left, brought_back)}
    jobs = parts.store.jobs
    for id_ in (kept, left):
        unlisted.note(folders[id_], jobs.store_id)
    for id_ in (left, brought_back):  # the one is missing in a database from before
        jobs.delete(id_, lambda _: None)
    foreign = JobFolder(parts.settings.jobs_folder / jobs.new_id())
    foreign.create()
    unlisted.note(foreign, "another-store")
    with process.held(folders[left]):  # another service is at it still
        JobRunner(parts.store, parts.settings.jobs_folder).tidy()
        assert folders[left].path.is_dir()
    parts.jobs.tidy()
    assert not folders[left].path.exists()
    assert foreign.path.is_dir()
    assert folders[brought_back].path.is_dir()
    assert sorted(path.name for path in folders[kept].path.iterdir()) == ["lock", "plan.json"]
    parts.jobs.tidy()
    assert state(client, kept) == ("queued", "")


def test_a_job_of_another_service_is_seen_and_left_to_it(client: FlaskClient, parts: Context) -> None:
    other = parts.store.jobs.new_id()
    plan = json.dumps({"data": "strips", "name": "mine"})
    parts.store.jobs.add(other, kind="training", place="elsewhere", plan=plan)
    parts.store.jobs.change(other, lambda _: "stopped")
    for answer in (client.post(f"{JOBS}/{other}/resume"), client.delete(f"{JOBS}/{other}")):
        assert_problem(answer, 409, "wrong_job_state", "folder of another service")
    assert state(client, other) == ("stopped", "")


def test_a_job_that_is_done_keeps_what_is_needed_and_says_how_large_it_is(
    client: FlaskClient, parts: Context
) -> None:
    id_ = begin(client)
    folder = parts.jobs.folder(id_)
    kept = ("packs/mine/pack.json", "work/history.jsonl", "work/split.json", "data/reviewed.json", "log.txt")
    gone = (
        "work/last.pt",
        "work/best.pt.part",
        "work/fold-1/best.pt",
        "start/model.onnx",
        "in-use/model.onnx",
    )
    for name in (*kept, *gone, "data/images/a.png"):
        path = folder.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1000)
    small = sum((folder.path / name).stat().st_size for name in ("plan.json", "lock"))
    (listed,) = body(client.get(JOBS))["jobs"]
    assert listed["bytes"] == small + 11_000
    parts.store.jobs.change(id_, lambda _: "stopped")
    parts.jobs.tidy()
    assert body(client.get(f"{JOBS}/{id_}"))["bytes"] == small + 11_000  # it may go on
    parts.store.jobs.change(id_, lambda _: "done")
    parts.jobs.tidy()
    assert body(client.get(f"{JOBS}/{id_}"))["bytes"] == small + 5_000
    assert all((folder.path / name).is_file() for name in kept)


def test_versions_count_on() -> None:
    assert [next_version(given) for given in ("2", "1.9", "a", "2026-11-09")] == [
        "3",
        "1.10",
        "a-2",
        "2026-11-10",
    ]


def test_the_document_of_a_job_is_what_its_folder_says(client: FlaskClient, parts: Context) -> None:
    id_ = begin(client, recipe={"epochs": 3, "batch": 2})
    prepared = json.loads((parts.jobs.folder(id_).path / "plan.json").read_text())
    assert (prepared["version"], prepared["data_name"], prepared["start"]) == ("1", "strips", False)
    job = (
        parts.jobs.folder(id_)
        .prepared()
        .job(work_folder=Path("work"), packs_folder=Path("packs"), start=Path("start"), reviewed={})
    )
    assert (job.recipe.epochs, job.recipe.minutes, job.recipe.batch) == (3, None, 2)


@pytest.mark.slow
@pytest.mark.training
def test_a_real_training_makes_a_model_that_says_what_it_learnt_from_and_is_compared(
    settings: Settings, app: Flask, client: FlaskClient
) -> None:
    """Of a few steps: stopped after the first ones, taken up again, and done."""
    parts: Context = app.extensions[EXTENSION]
    data = read_labels(write_dataset(settings.training_data or Path(), pictures=10))
    learn, held = hold_out(data)
    recipe = {"epochs": 40, "batch": 1, "crop": 64, "workers": 0, "average": 0.5}
    id_ = begin(client, data="train.json", name="blobs", shortest_edge=96, recipe=recipe)
    parts.jobs.round()
    folder = parts.jobs.folder(id_)

    def wait(phase: str) -> None:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and is_running(folder):
            told = folder.progress()
            if told is not None and told.phase == phase:
                return
            time.sleep(0.1)

    wait("training")
    client.post(f"{JOBS}/{id_}/stop")
    assert "stopped at step" in until(client, parts, id_, "stopped"), folder.said()
    prepared = folder.prepared()
    shorter = prepared.plan.recipe.model_copy(update={"epochs": 1})  # enough of it
    plan = prepared.plan.model_copy(update={"recipe": shorter})
    (folder.path / "plan.json").write_text(
        prepared.model_copy(update={"plan": plan}).model_dump_json(exclude_unset=True)
    )
    client.post(f"{JOBS}/{id_}/resume")
    parts.jobs.round()
    while is_running(folder):
        time.sleep(0.1)
    parts.jobs.round()
    shown = body(client.get(f"{JOBS}/{id_}"))
    assert shown["state"] == "done", (shown["message"], shown["said"])
    assert shown["validations"][-1]["step"] >= 1
    assert list(folder.work.glob("*.pt")) == []
    assert (folder.work / "history.jsonl").is_file()
    assert shown["bytes"] == folder.bytes() < 60e6
    pack = read_pack(folder.packs / "blobs")
    assert pack.learnt is not None
    digests = {pixels_digest(picture) for picture in learn.pictures}
    assert pack.learnt.picture_digests == digests
    assert digests.isdisjoint(pixels_digest(picture) for picture in held.pictures)
    assert shown["made"]["data_sha256"] == digest_of(
        [content_of(entry, data.classes) for entry in learn.pictures]
    )
    assert shown["comparison"]["pictures"] == len(held.pictures) > 0
    assert shown["comparison"]["reason"] == "no model of that name was in use"
    assert shown["made"]["in_use"] is False  # nobody let it
