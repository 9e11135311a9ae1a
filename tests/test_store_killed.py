"""The store: real kills at every step.

Run as a script, this file is the process that gets killed (see `die_at_every_step`).
"""

import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from killing import die_at_every_step, kill_self_at
from planimeter.errors import StoreFailed
from planimeter.outputs.payload import write_event
from planimeter.store import Store
from planimeter.store.files import Folder
from planimeter.store.journal import Note, write_note
from stored import (
    A_FOREIGN_ID,
    FOREIGN,
    add,
    files_of,
    files_under,
    foreign_under,
    measurement,
    open_store,
    store_id,
    unfinished_work,
    write_foreign,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


class TestKilled:
    def test_an_add_killed_at_any_step_is_whole_or_not_there(self, tmp_path: Path) -> None:
        killed = _killed_at_every_step(tmp_path, "add")
        counts = [_check_killed(home) for home in killed]
        assert counts == sorted(counts)  # from one step on, the record is there
        assert set(counts) == {1, 2}

    def test_an_add_killed_at_any_step_is_told_of_where_it_is_there(self, tmp_path: Path) -> None:
        killed = _killed_at_every_step(tmp_path, "tell")
        told = [_messages_in(home) for home in killed]
        assert told == [
            _check_killed(home) - 1 for home in killed
        ]  # "kept" was there before, and nobody was told
        assert set(told) == {0, 1}

    def test_a_delete_killed_at_any_step_is_done_or_not_begun(self, tmp_path: Path) -> None:
        killed = _killed_at_every_step(tmp_path, "delete")
        counts = [_check_killed(home) for home in killed]
        assert counts == sorted(counts, reverse=True)
        assert set(counts) == {0, 1}

    def test_throwing_away_killed_at_any_step_is_done_or_not_begun(self, tmp_path: Path) -> None:
        places = [_places_after(home) for home in _killed_at_every_step(tmp_path, "discard")]
        assert places == sorted(places, reverse=True)
        assert set(places) == {(1, 0), (0, 1)}

    def test_bringing_back_killed_at_any_step_is_done_or_not_begun(self, tmp_path: Path) -> None:
        places = [
            _places_after(home) for home in _killed_at_every_step(tmp_path, "restore", _trashed(tmp_path))
        ]
        assert places == sorted(places)
        assert set(places) == {(1, 0), (0, 1)}

    def test_emptying_the_trash_killed_at_any_step_is_done_or_not_begun(self, tmp_path: Path) -> None:
        places = [
            _places_after(home) for home in _killed_at_every_step(tmp_path, "empty", _trashed(tmp_path))
        ]
        assert places == sorted(places, reverse=True)
        assert set(places) == {(0, 1), (0, 0)}

    @pytest.mark.slow
    def test_a_start_killed_while_it_cleans_up_is_finished_by_the_next(self, tmp_path: Path) -> None:
        died = _killed_at_every_step(tmp_path / "first", "add")
        with_most_leftovers = max(died, key=lambda home: (len(files_under(home)), -int(home.name)))
        assert (
            len(files_under(with_most_leftovers)) == len(FOREIGN) + 3 + 3 + 2
        )  # one record, an add, its notes

        killed = _killed_at_every_step(tmp_path / "second", "open", template=with_most_leftovers)
        assert {_check_killed(home) for home in killed} == {1}

    @pytest.mark.slow
    def test_a_first_start_killed_at_any_step_can_be_started_again(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        killed = _killed_at_every_step(tmp_path, "open", template=tmp_path / "empty")
        for home in killed:
            store = open_store(home)
            record = add(store)
            store.close()
            assert files_under(home) == files_of(record, home)
            shutil.rmtree(home)  # hundreds of databases of 8 MB

    def test_unfinished_work_of_a_living_process_is_left_alone(self, store: Store, tmp_path: Path) -> None:
        folder, work = unfinished_work(tmp_path)
        open_store(tmp_path).close()
        assert files_under(tmp_path) == work  # `store` still shares the folders

        store.close()
        open_store(tmp_path).close()
        assert files_under(tmp_path) == set()
        assert folder.path.is_dir()

    def test_unfinished_work_of_another_database_is_left_alone(self, store: Store, tmp_path: Path) -> None:
        _, work = unfinished_work(tmp_path)
        store.close()
        places = f"sqlite:///{tmp_path}/other.db", tmp_path / "uploads", tmp_path / "outputs"
        Store.open(*places, begin_anew=True).close()
        assert files_under(tmp_path) == work

    def test_a_forged_note_removes_nothing(self, store: Store, tmp_path: Path) -> None:
        write_foreign(tmp_path)
        (tmp_path / f"victim_{A_FOREIGN_ID}.txt").write_bytes(b"precious")
        for victim in (f"../victim_{A_FOREIGN_ID}.txt", "holiday.png"):
            write_note(
                Folder(tmp_path / "uploads", "upload"),
                Note(store=store_id(tmp_path), id=A_FOREIGN_ID, files=(victim,)),
            )
            store.close()
            store = open_store(tmp_path)
        store.close()

        assert (tmp_path / f"victim_{A_FOREIGN_ID}.txt").read_bytes() == b"precious"
        assert foreign_under(tmp_path) == FOREIGN


def run_this_file(*arguments: str | Path) -> str:
    command = [sys.executable, __file__, *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _killed_at_every_step(base: Path, action: str, template: Path | None = None) -> list[Path]:
    """Return homes in which a process was killed, one for each step of the action."""
    if template is None:
        template = base / "template"
        store = open_store(template)
        add(store, measurement("kept.png"))
        store.close()
        write_foreign(template)
    (base / action).mkdir(parents=True)
    run_this_file(action, template, base / action)
    homes = sorted((base / action).iterdir())
    assert len(homes) > 10
    return homes


def _trashed(base: Path) -> Path:
    """Return a home with one measurement, in the trash."""
    home = base / "trashed"
    store = open_store(home)
    store.discard(add(store, measurement("kept.png")).id)
    store.close()
    write_foreign(home)
    return home


def _check_killed(home: Path) -> int:
    """Assert that all records have their files before a restart, and only they stay after; count them."""
    listed, trashed = _places_after(home)
    assert trashed == 0
    return listed


def _messages_in(home: Path) -> int:
    database = sqlite3.connect(home / "records" / "planimeter.db")
    [(count,)] = database.execute("SELECT count(*) FROM outbox")
    database.close()
    return int(count)


def _places_after(home: Path) -> tuple[int, int]:
    """Assert the same, with what is in the trash; return how many are listed, and how many are there."""
    database = sqlite3.connect(home / "records" / "planimeter.db")
    try:
        names = "SELECT upload_name, overlay_name, mask_name FROM"
        rows = database.execute(f"{names} measurements UNION ALL {names} trashed_measurements").fetchall()
    except sqlite3.OperationalError:  # it was killed before there were tables
        rows = []
    database.close()
    in_place = {name for name in files_under(home) - set(FOREIGN) if ".incoming" not in name}
    assert in_place >= {f"uploads/{row[0]}" for row in rows}
    assert in_place >= {f"outputs/{name}" for row in rows for name in row[1:]}
    for name in in_place:  # recorded or not, a file in place is whole
        content = next((kind for kind in ("overlay", "mask") if name.endswith(f"_{kind}.png")), "picture")
        assert (home / name).read_bytes() == content.encode()
    store = open_store(home)
    records, trashed = store.list(), store.trash.list()
    assert (store.count(), store.trash.count()) == (len(records), len(trashed))
    kept = set().union(*(files_of(record, home) for record in records))
    for entry in trashed:
        store.trash.restore(entry.id)
        kept |= files_of(store.get(entry.id), home)
        store.discard(entry.id)
    store.close()
    assert len(records) + len(trashed) == len(rows)
    assert files_under(home) == set(FOREIGN) | kept
    assert foreign_under(home) == FOREIGN
    return len(records), len(trashed)


# From here on: what runs in the process that gets killed.

SYSTEM_CALLS = {"open", "write", "flush", "close", "fsync", "flock", "replace", "unlink", "mkdir"}
DATABASE_CALLS = {"execute", "executemany", "commit", "rollback"}


def _killed_add(home: Path, step: int) -> None:
    store = open_store(home)
    kill_self_at(step, SYSTEM_CALLS | DATABASE_CALLS)
    add(store)


def _killed_tell(home: Path, step: int) -> None:
    store = open_store(home)
    store.outbox.tell(["https://mes.example.org"], write_event)
    kill_self_at(step, SYSTEM_CALLS | DATABASE_CALLS)
    add(store)


def _killed_delete(home: Path, step: int) -> None:
    store = open_store(home)
    [record] = store.list()
    kill_self_at(step, SYSTEM_CALLS | DATABASE_CALLS)
    store.delete(record.id)


def _killed_discard(home: Path, step: int) -> None:
    store = open_store(home)
    [record] = store.list()
    kill_self_at(step, SYSTEM_CALLS | DATABASE_CALLS)
    store.discard(record.id)


def _killed_restore(home: Path, step: int) -> None:
    store = open_store(home)
    [entry] = store.trash.list()
    kill_self_at(step, SYSTEM_CALLS | DATABASE_CALLS)
    store.trash.restore(entry.id)


def _killed_empty(home: Path, step: int) -> None:
    store = open_store(home)
    kill_self_at(step, SYSTEM_CALLS | DATABASE_CALLS)
    store.trash.empty(count=1)


def _killed_open(home: Path, step: int) -> None:
    kill_self_at(step, SYSTEM_CALLS | DATABASE_CALLS)
    open_store(home)


def _add_with_limited_files(home: Path, too_large: str) -> None:
    store = open_store(home)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
    bulk = 640_000
    notes = ["x" * bulk] if too_large == "document" else []
    overlay = b"x" * bulk if too_large == "overlay" else b"overlay"
    try:
        store.add(measurement(notes=notes), picture=b"picture", overlay_png=overlay, mask_png=b"mask")
    except StoreFailed as error:
        sys.stdout.write(f"StoreFailed: {error}")
    assert (store.count(), files_under(home)) == (0, set())
    add(store, measurement("small enough.png"))


def main() -> None:
    action, *arguments = sys.argv[1:]
    if action == "limited":
        _add_with_limited_files(Path(arguments[0]), arguments[1])
    else:
        killed = {
            "add": _killed_add,
            "tell": _killed_tell,
            "delete": _killed_delete,
            "open": _killed_open,
            "discard": _killed_discard,
            "restore": _killed_restore,
            "empty": _killed_empty,
        }
        die_at_every_step(killed[action], *map(Path, arguments))


if __name__ == "__main__":
    main()
