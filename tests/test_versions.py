"""Versions of a model: what a job made takes over by one request, measures at once, and gives its place back."""

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient

from fakes import MODEL, blocks, encoded, write_block_pack
from planimeter.errors import ModelsBusy, StoreFailed
from planimeter.evaluation.record import record_trust
from planimeter.jobs.folder import End
from planimeter.packs import changing
from planimeter.packs.changing import EARLIER, Replacement, key_of, settle
from planimeter.packs.pack import find_packs, read_pack
from planimeter.packs.packing import finished_folder
from planimeter.packs.trust import Trust
from planimeter.packs.versions import put_to_use, versions_of
from planimeter.service.app import create_app
from planimeter.service.context import EXTENSION, Context
from planimeter.service.models import Models
from planimeter.settings import Settings
from planimeter.store import Store
from test_api import MEASUREMENTS, assert_problem, body, post
from test_intervals import INTERVALS

HOLD = """
import fcntl, sys
held = open(sys.argv[1], "a")
fcntl.flock(held, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""
"""Another process that is changing the models."""
PICTURE = encoded(blocks(red=(0, 0, 32, 32)))


def write_version(folder: Path, version: str, name: str = MODEL) -> Path:
    """Write a pack that differs from others by its version."""
    made = write_block_pack(folder, name)
    manifest = json.loads((made / "pack.json").read_text())
    (made / "pack.json").write_text(json.dumps({**manifest, "version": version}))
    return made


@pytest.fixture
def packs(settings: Settings) -> Path:
    write_block_pack(settings.packs_folder)
    return settings.packs_folder


@pytest.fixture
def models(packs: Path, settings: Settings) -> Models:
    assert packs.is_dir()
    return Models(settings)


@pytest.fixture
def parts(app: Flask) -> Context:
    found: Context = app.extensions[EXTENSION]
    return found


def finished_job(parts: Context, version: str, name: str = MODEL) -> str:
    """Return a job as it is when its process has made a model."""
    jobs = parts.store.jobs
    id_ = jobs.new_id()
    folder = parts.jobs.folder(id_)
    write_version(folder.packs, version, name)
    folder.finish(End(state="done"))
    plan = json.dumps({"data": "strips", "name": name})
    jobs.add(id_, kind="training", place=parts.jobs.place, plan=plan)
    jobs.change(id_, lambda _: "done")
    return id_


def measured_by(client: FlaskClient) -> str:
    answer = post(client, PICTURE)
    assert body(answer)["coverage"]["percent_masked"] == 25
    return str(body(answer)["model"]["version"])


def shown(client: FlaskClient, name: str = MODEL) -> list[tuple[str, bool, bool]]:
    listed = body(client.get(f"/api/v1/models/{name}/versions"))["versions"]
    return [(entry["version"], entry["in_use"], entry["bundled"]) for entry in listed]


def test_what_a_job_made_measures_once_a_person_lets_it_and_gives_its_place_back(
    client: FlaskClient, parts: Context
) -> None:
    job = finished_job(parts, "2")
    assert measured_by(client) == "1"
    made = body(client.get(f"/api/v1/jobs/{job}"))["made"]
    assert (made["version"], made["in_use"]) == ("2", False)

    taken = client.post(f"/api/v1/jobs/{job}/take-over")
    assert body(taken)["made"]["in_use"] is True
    assert measured_by(client) == "2"  # the running service follows
    assert shown(client) == [("2", True, False), ("1", False, False)]
    assert client.post(f"/api/v1/jobs/{job}/take-over").status_code == 200  # once is enough

    (earlier,) = [
        entry["key"]
        for entry in body(client.get(f"/api/v1/models/{MODEL}/versions"))["versions"]
        if not entry["in_use"]
    ]
    back = client.post(f"/api/v1/models/{MODEL}/versions/{earlier}/use")
    assert back.status_code == 200
    assert measured_by(client) == "1"
    assert shown(client) == [("1", True, False), ("2", False, False)]
    changes = [
        (entry["before_version"], entry["version"], entry["job_id"]) for entry in body(back)["changes"]
    ]
    assert changes == [("2", "1", None), ("1", "2", job)]
    told = [(entry.action, json.loads(entry.content)["version"]) for entry in parts.store.audit.entries()]
    assert [entry for entry in told if entry[0] == "model_changed"] == [
        ("model_changed", "2"),
        ("model_changed", "1"),
    ]
    client.delete(f"/api/v1/jobs/{job}")
    assert shown(client) == [("1", True, False), ("2", False, False)]  # what was put to use is kept


def test_a_new_name_is_a_new_model(client: FlaskClient, parts: Context) -> None:
    job = finished_job(parts, "1", "fresh")
    assert_problem(client.get("/api/v1/models/fresh"), 404, "unknown_model", "fresh")
    client.post(f"/api/v1/jobs/{job}/take-over")
    assert body(client.get("/api/v1/models/fresh"))["version"] == "1"
    assert body(post(client, PICTURE, model="fresh"))["model"]["name"] == "fresh"


def test_a_bundled_model_comes_back(client: FlaskClient, parts: Context) -> None:
    job = finished_job(parts, "77", "nuclei")
    client.post(f"/api/v1/jobs/{job}/take-over")
    ours = read_pack(parts.settings.packs_folder / "nuclei")
    assert ours.manifest.version == "77"
    bundled = next(
        entry for entry in versions_of("nuclei", parts.settings.packs_folder) if entry.pack.bundled
    )
    assert shown(client, "nuclei") == [("77", True, False), (bundled.pack.manifest.version, False, True)]
    put_to_use(bundled.pack, parts.settings.packs_folder)
    assert find_packs(parts.settings.packs_folder)["nuclei"].bundled
    assert [entry.in_use for entry in versions_of("nuclei", parts.settings.packs_folder)] == [True, False]


def test_a_model_that_does_not_load_takes_nobodys_place(client: FlaskClient, parts: Context) -> None:
    job = finished_job(parts, "2")
    network = parts.jobs.folder(job).packs / MODEL / "model.onnx"
    network.write_bytes(network.read_bytes()[:-10])
    assert_problem(client.post(f"/api/v1/jobs/{job}/take-over"), 500, "invalid_pack", "damaged")
    assert measured_by(client) == "1"
    assert shown(client) == [("1", True, False)]
    assert parts.store.model_changes.list(MODEL) == []


def test_a_folder_that_the_service_was_started_with_goes_on_answering_and_that_is_said(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    chosen = write_version(tmp_path / "elsewhere", "9")
    named = settings.model_copy(update={"model": str(chosen)})
    app = create_app(named, store, Models(named))
    client, job = app.test_client(), finished_job(app.extensions[EXTENSION], "2")
    refused = client.post(f"/api/v1/jobs/{job}/take-over")
    assert_problem(refused, 409, "invalid_option", str(chosen), f"--model {MODEL}")
    assert body(client.get(f"/api/v1/jobs/{job}"))["made"]["in_use"] is False
    assert not (named.packs_folder / MODEL).exists()


def test_an_unknown_version_is_refused(client: FlaskClient) -> None:
    for key in ("0" * 16, "..", "x"):
        answer = client.post(f"/api/v1/models/{MODEL}/versions/{key}/use")
        assert answer.status_code == 404
    assert_problem(client.post(f"/api/v1/models/{MODEL}/versions/0000/use"), 404, "unknown_version", "known:")


@pytest.mark.parametrize("name", ["x" * 300, "..", ".", "%00", "a" * 60_000, "Ünknown", "a\n"])
def test_a_name_that_no_model_has_is_part_of_no_path(client: FlaskClient, name: str) -> None:
    answer = client.post(f"/api/v1/models/{quote(name, safe='%')}/versions/0000/use")
    assert answer.status_code == 404, answer.text


def test_a_disk_that_is_full_changes_nothing(
    packs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = read_pack(write_version(tmp_path / "made", "2"))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(StoreFailed, match="No space left"):
        put_to_use(new, packs)
    assert [entry.pack.manifest.version for entry in versions_of(MODEL, packs)] == ["1"]


def test_a_kill_between_two_versions_leaves_the_one_before(packs: Path) -> None:
    current = packs / MODEL
    kept = packs / EARLIER / MODEL
    kept.mkdir(parents=True)
    key = key_of(current)
    changing.begin(kept, Replacement(target=MODEL, before=key, after="0" * 16))
    current.rename(kept / key)
    assert MODEL not in find_packs(packs)
    settle(packs)
    assert find_packs(packs)[MODEL].manifest.version == "1"
    assert [path.name for path in kept.iterdir()] == []
    settle(packs)  # nothing is left to do


def test_two_at_once_are_one_after_the_other_and_who_waits_too_long_is_told(
    client: FlaskClient, parts: Context, packs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [finished_job(parts, str(number)) for number in range(2, 6)]
    takers = [
        threading.Thread(
            target=lambda job=job: client.application.test_client().post(f"/api/v1/jobs/{job}/take-over")
        )
        for job in jobs
    ]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    changes = parts.store.model_changes.list(MODEL)
    assert {change.version for change in changes} == {"2", "3", "4", "5"}
    assert [change.before_version for change in changes] == [*(each.version for each in changes[1:]), "1"]
    assert measured_by(client) == changes[0].version
    assert {version for version, _, _ in shown(client)} == {"1", "2", "3", "4", "5"}

    monkeypatch.setattr(changing, "PATIENCE", 0.1)
    command = [sys.executable, "-c", HOLD, str(packs / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"  # another service, or planimeter models import
        late = finished_job(parts, "6")
        with pytest.raises(ModelsBusy, match="try again"), finished_folder(packs / "imported") as folder:
            (folder / "CARD.md").write_text("# Another one")
        assert {path.name for path in packs.iterdir()} == {MODEL, EARLIER, ".lock"}
        refused = client.post(f"/api/v1/jobs/{late}/take-over")
        assert_problem(refused, 503, "models_busy", "another service or command", str(packs))
        other.communicate("")
    assert client.post(f"/api/v1/jobs/{late}/take-over").status_code == 200
    assert measured_by(client) == "6"


def test_an_import_does_not_undo_what_took_over_meanwhile(packs: Path, tmp_path: Path) -> None:
    new = read_pack(write_version(tmp_path / "made", "2"))

    def write() -> None:
        with finished_folder(packs / MODEL) as folder:
            shutil.copytree(packs / MODEL, folder, dirs_exist_ok=True)
            put_to_use(new, packs)

    with pytest.raises(ModelsBusy, match="exchanged the model"):
        write()
    assert find_packs(packs)[MODEL].manifest.version == "2"


def test_an_evaluation_writes_nothing_into_what_took_over_meanwhile(packs: Path, tmp_path: Path) -> None:
    evaluated, new = read_pack(packs / MODEL), read_pack(write_version(tmp_path / "made", "2"))
    trusted = record_trust(evaluated, Trust(intervals=INTERVALS))
    assert read_pack(packs / MODEL).trust.intervals == INTERVALS
    put_to_use(new, packs)
    with pytest.raises(ModelsBusy, match="nothing of this evaluation was written"):
        record_trust(trusted, Trust(intervals=INTERVALS))
    assert read_pack(packs / MODEL).manifest == new.manifest
    assert not (packs / MODEL / "trust.json").exists()


def test_measurements_go_on_while_versions_change(client: FlaskClient, parts: Context) -> None:
    jobs = [finished_job(parts, str(number)) for number in (2, 3)]
    for job, version in zip(jobs, ("2", "3"), strict=True):
        client.post(f"/api/v1/jobs/{job}/take-over")
        assert measured_by(client) == version
    assert [entry[0] for entry in shown(client)] == ["3", "2", "1"]
    assert {line["model"]["version"] for line in body(client.get(MEASUREMENTS))["measurements"]} == {"2", "3"}
