"""A job is begun, deleted, and its model put to use: real kills at every step, and what the next start makes of them.

Run as a script, this file is the process that gets killed.
"""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from flask import Flask

from fakes import MODEL, BlockRuntime, write_block_pack
from killing import die_at_every_step, kill_self_at
from planimeter.jobs.unlisted import NOTE
from planimeter.measuring.segmenter import Segmenter
from planimeter.packs.changing import EARLIER
from planimeter.packs.pack import find_packs
from planimeter.packs.versions import versions_of
from planimeter.service.app import create_app
from planimeter.service.context import EXTENSION, Context
from planimeter.service.job_runner import JobRunner
from planimeter.service.models import Models
from planimeter.service.taking_over import settle
from planimeter.settings import Settings
from planimeter.store import Store
from test_versions import finished_job

CALLS = {"rename", "replace", "unlink", "rmdir", "write", "commit"}


def settings_of(home: Path) -> Settings:
    return Settings(
        model=MODEL,
        upload_folder=home / "uploads",
        output_folder=home / "outputs",
        packs_folder=home / "packs",
        jobs_folder=home / "jobs",
        training_data=home / "labelled",
        database=f"sqlite:///{home / 'planimeter.db'}",
    )


def store_of(home: Path) -> Store:
    settings = settings_of(home)
    return Store.open(settings.database, settings.upload_folder, settings.output_folder)


def app_of(home: Path) -> tuple[Flask, Store]:
    settings, store = settings_of(home), store_of(home)
    models = Models(settings, load=lambda pack, _: Segmenter(pack, BlockRuntime()))
    return create_app(settings, store, models), store


def versions(home: Path) -> list[str]:
    return sorted(entry.pack.manifest.version for entry in versions_of(MODEL, home / "packs"))


def told(store: Store) -> tuple[list[tuple[str | None, str]], int]:
    changes = [(change.before_version, change.version) for change in store.model_changes.list(MODEL)]
    return changes, sum(entry.action == "model_changed" for entry in store.audit.entries())


def killed_at_every_step(action: str, job: str, template: Path, base: Path) -> list[Path]:
    """Return homes in which a process was killed, one for each step of an action."""
    base.mkdir()
    command = [sys.executable, __file__, action, job, str(template), str(base)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    homes = sorted(base.iterdir())
    assert len(homes) > 5
    return homes


@pytest.mark.slow
def test_a_take_over_killed_at_any_step_is_whole_and_noted_or_neither(tmp_path: Path) -> None:
    template = tmp_path / "template"
    write_block_pack(template / "packs")
    app, store = app_of(template)
    job = finished_job(app.extensions[EXTENSION], "2")
    store.close()
    homes = killed_at_every_step("take over", job, template, tmp_path / "killed")
    found = []
    for home in homes:
        store = store_of(home)
        settle(store.model_changes, home / "packs")
        in_use = find_packs(home / "packs")[MODEL].manifest.version
        assert told(store) == {"1": ([], 0), "2": ([("1", "2")], 1)}[in_use]
        assert versions(home) == (["1"] if in_use == "1" else ["1", "2"])
        left = [
            path.name for path in (home / "packs" / EARLIER).glob("*/*") if not (path / "pack.json").is_file()
        ]
        assert left == []
        store.close()
        found.append(in_use)
    assert found == sorted(found)  # from one step on it is done
    assert set(found) == {"1", "2"}
    for home in (homes[0], homes[len(homes) // 2], homes[-1]):
        app, store = app_of(home)
        assert app.test_client().post(f"/api/v1/jobs/{job}/take-over").status_code == 200
        assert told(store) == ([("1", "2")], 1)
        assert find_packs(home / "packs")[MODEL].manifest.version == "2"
        store.close()


@pytest.mark.slow
@pytest.mark.parametrize("action", ["begin", "delete"])
def test_a_job_begun_or_deleted_by_half_is_there_whole_or_gone_with_its_folder(
    tmp_path: Path, action: str
) -> None:
    pytest.importorskip("torch", reason="the train extra is not installed")
    template = tmp_path / "template"
    write_block_pack(template / "packs")
    (template / "labelled" / "strips").mkdir(parents=True)
    app, store = app_of(template)
    job = finished_job(app.extensions[EXTENSION], "2")
    store.close()
    listed = []
    for home in killed_at_every_step(action, job, template, tmp_path / "killed"):
        store = store_of(home)
        JobRunner(store, home / "jobs").tidy()
        folders = {path.name for path in (home / "jobs").iterdir() if path.is_dir()}
        # Of one that was killed before its first note there is an empty folder at most.
        whole = {
            name for name in folders if any(path.name != "lock" for path in (home / "jobs" / name).iterdir())
        }
        assert whole == {entry.id for entry in store.jobs.list()}
        assert not any(any((home / "jobs" / name).glob(f"{NOTE}*")) for name in whole)
        listed.append(len(whole))
        store.close()
    assert listed == sorted(listed, reverse=action == "delete")
    assert set(listed) == ({1, 2} if action == "begin" else {0, 1})


# From here on: what runs in the process that gets killed.


def _take_over(job: str, home: Path, step: int) -> None:
    app, _ = app_of(home)
    parts: Context = app.extensions[EXTENSION]
    try_out = parts.models.try_out

    def tried(new: object) -> None:
        try_out(new)  # type: ignore[arg-type]
        kill_self_at(step, CALLS)

    parts.models.try_out = tried  # type: ignore[method-assign]
    assert app.test_client().post(f"/api/v1/jobs/{job}/take-over").status_code == 200
    sys.setprofile(None)


def _begin(_: str, home: Path, step: int) -> None:
    app, _store = app_of(home)
    client = app.test_client()
    assert client.get("/api/v1/jobs").status_code == 200
    kill_self_at(step, CALLS)
    begun = client.post("/api/v1/jobs", json={"data": "strips", "name": "mine"})
    sys.setprofile(None)
    assert begun.status_code == 201, begun.text


def _delete(job: str, home: Path, step: int) -> None:
    app, _ = app_of(home)
    client = app.test_client()
    assert client.get("/api/v1/jobs").status_code == 200
    kill_self_at(step, CALLS)
    assert client.delete(f"/api/v1/jobs/{job}").status_code == 204
    sys.setprofile(None)


ACTIONS = {"take over": _take_over, "begin": _begin, "delete": _delete}


def main() -> None:
    action, job = ACTIONS[sys.argv[1]], sys.argv[2]
    die_at_every_step(partial(action, job), Path(sys.argv[3]), Path(sys.argv[4]))


if __name__ == "__main__":
    main()
