"""`planimeter migrate`: all that is stored arrives, is compared, and goes on where it was killed.

Run as a script, this file is the process that gets killed.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

import buckets
import databases
from databases import database_url
from planimeter.commands import main
from planimeter.corrections import Changes, Corrected
from planimeter.details import Details
from planimeter.errors import StoreFailed
from planimeter.outputs.payload import write_event
from planimeter.store import RequestKey, Store
from planimeter.store.moving import Places, move, records
from planimeter.store.tables import Table
from planimeter.store.verification import broken
from stored import add, execute_sql, measurement

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("records_in")]
NOW = datetime(2026, 11, 27, 8, 30, 0, 123000, timezone.utc)
SECRET = "s3cret"  # noqa: S105  no one's


def places_of(home: Path) -> Places:
    """Return the source: always SQLite."""
    return Places(f"sqlite:///{home}/records/planimeter.db", home / "uploads", home / "outputs")


def target_of(home: Path) -> Places:
    """Return the target, in the database that the test is run with."""
    return Places(database_url(home, "moved.db", new=True), home / "new" / "in", home / "new" / "out")


def uploads(places: Places) -> Path:
    return Path(places.upload_folder)


def outputs(places: Places) -> Path:
    return Path(places.output_folder)


def opened(places: Places) -> Store:
    return Store.open(places.database, places.upload_folder, places.output_folder)


def run(source: Places, target: Places, *options: str) -> Result:
    named = {
        "database": target.database,
        "upload-folder": target.upload_folder,
        "output-folder": target.output_folder,
    }
    given = {
        "database": source.database,
        "upload-folder": source.upload_folder,
        "output-folder": source.output_folder,
    }
    moved = [f"--to-{name}={value}" for name, value in named.items() if value != given[name]]
    return CliRunner().invoke(main, ["migrate", *(f"--{n}={v}" for n, v in given.items()), *moved, *options])


def correct(store: Store, id_: str) -> None:
    record = store.get(id_)
    figures = Corrected(
        number=1, at=NOW, by="Ada", reviewed=False, coverage=record.measurement.coverage, instances=[]
    )
    store.corrections.add(record, Changes(reject=[1]), figures, [], reason="a speck")


def fill(store: Store) -> None:
    """Put something into every table."""
    store.outbox.tell(["https://mes.example.org"], write_event)
    kept, thrown, *_ = [
        store.add(
            measurement(f"Ärger {number} \0.png"),
            picture=b"picture %d" % number,
            overlay_png=b"overlay" * number,
            mask_png=bytes(range(number)),
            candidates=bytes(range(256)),
            batch="Monday",
            request=RequestKey(f"{number:064}", "0" * 64),
            by="line 3",
            details=Details(lot="7/a", note="one\ntwo", tags=["naß", "Z", "a"]),
        )
        for number in range(1, 8)
    ]
    options = measurement().options.model_copy(update={"score_threshold": 0.75})
    for record in (kept, thrown):
        changed = measurement().model_copy(update={"options": options})
        store.keep(
            store.get(record.id), changed, overlay_png=b"kept overlay", mask_png=b"kept mask", by="Bob"
        )
        correct(store, record.id)
    store.discard(thrown.id, by="Eve")
    store.save_threshold("steel", 0.1 + 0.2)
    store.keys.add("line 3", "measure")
    for number in range(3):
        store.profiles.put("station", f'{{"number": {number}}}', f"{number:064}")
    store.jobs.add(store.jobs.new_id(), kind="train", place="here", plan="{}")
    changes = store.model_changes
    changes.add(changes.new("steel", now=("2", "2" * 64), before=None, by="Ada"))


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """Return a store of which every table takes more than one portion, and which nobody uses."""
    monkeypatch.setattr(records, "AT_ONCE", 2)
    places = places_of(tmp_path)
    store = opened(places)
    fill(store)
    store.close()
    return places


def content(places: Places) -> dict[str, list[tuple[Any, ...]]]:
    """Return all that is in a database but for its identity, in the order of the keys."""
    engine = sa.create_engine(places.database, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return {
            name: [
                tuple(row)
                for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns))
            ]
            for name, table in Table.metadata.tables.items()
            if name != "store" and not table.info.get("derived")
        }


def as_held(rows: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """Return the same as the database of the test can hold it: PostgreSQL knows no U+0000."""
    if databases.Kind.name == databases.SQLITE:
        return rows
    return {
        name: [tuple(v.replace("\0", "\ufffd") if isinstance(v, str) else v for v in row) for row in found]
        for name, found in rows.items()
    }


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def assert_same(source: Places, target: Places) -> None:
    wanted = content(source)
    assert [name for name, rows in wanted.items() if not rows] == []
    assert content(target) == (wanted if target.database == source.database else as_held(wanted))
    assert files_in(uploads(target)) == files_in(uploads(source))
    assert files_in(outputs(target)) == files_in(outputs(source))
    assert {path.name for path in (uploads(target) / ".incoming").iterdir()} <= {"lock"}
    engine = sa.create_engine(target.database, poolclass=sa.NullPool)
    with engine.connect() as connection:
        assert [*broken(connection)] == []


def stopped(source: Places, target: Places, step: str) -> None:
    """Move until a step has begun, and no further."""

    def tell(what: str, done: int, total: int) -> None:  # noqa: ARG001
        if what == step:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        move(source, target, tell)


def test_all_that_is_stored_is_there_and_a_service_goes_on_with_it(source: Places, tmp_path: Path) -> None:
    before = content(source)
    target = target_of(tmp_path)
    ran = run(source, target)
    assert ran.exit_code == 0, ran.output
    assert "measurements" in ran.output
    assert "21 files are there" in ran.output
    assert_same(source, target)
    assert content(source) == before
    again = run(source, target)
    assert (again.exit_code, "nothing was done" in again.output) == (0, True)
    store = opened(target)
    [thrown] = store.trash.list()
    store.trash.restore(thrown.id)
    assert store.count() == 7
    assert store.read(store.get(thrown.id), "overlay") == b"kept overlay"
    added = add(store)
    sequences = [entry.sequence for entry in store.audit.entries()]
    assert sequences == [*range(1, len(before["audit"]) + 2)]  # with the one that was brought back
    store.close()
    later = run(source, target)  # the new store has more now, and keeps it
    assert (later.exit_code, "nothing was done" in later.output) == (0, True)
    store = opened(target)
    assert store.get(added.id) == added
    store.close()


def test_what_was_stopped_goes_on_and_takes_what_changed_since(source: Places, tmp_path: Path) -> None:
    target = target_of(tmp_path)
    stopped(source, target, "Copying files")
    stopped(source, target, "Comparing records")
    with pytest.raises(StoreFailed, match="is not whole: planimeter migrate is filling it"):
        opened(target)
    places = [f"--upload-folder={target.upload_folder}", f"--output-folder={target.output_folder}"]
    told = CliRunner().invoke(main, ["doctor", f"--database={target.database}", *places])
    assert (told.exit_code, "is not whole" in told.output) == (1, True)
    store = opened(source)
    first, second, *_ = store.list()
    store.delete(first.id)
    store.pin(second.id)
    store.trash.restore(store.trash.list()[0].id)
    store.discard(second.id)
    add(store)
    store.close()
    ran = run(source, target)
    assert ran.exit_code == 0, ran.output
    assert "18 of them from before" in ran.output
    assert content(target) == as_held(content(source))
    gone = {first.files.image}
    assert set(files_in(uploads(target))) == set(files_in(uploads(source))) | gone


@pytest.mark.slow
def test_a_move_that_is_killed_again_and_again_ends_with_the_whole_store(
    source: Places, tmp_path: Path
) -> None:
    target = target_of(tmp_path)
    given = [*map(str, (source.database, source.upload_folder, source.output_folder))]
    given += [*map(str, (target.database, target.upload_folder, target.output_folder))]
    done = subprocess.run(
        [sys.executable, __file__, *given], check=False, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 8  # times it was killed
    assert_same(source, target)
    opened(target).close()


def test_a_store_in_use_is_not_moved(source: Places, tmp_path: Path) -> None:
    target = target_of(tmp_path)
    store = opened(source)
    ran = run(source, target)
    store.close()
    assert (ran.exit_code, "is in use by a service" in ran.output) == (1, True)
    assert not uploads(target).exists()
    seen: list[str] = []

    def tell(what: str, done: int, total: int) -> None:  # noqa: ARG001
        if what not in seen:
            seen.append(what)
            engine = sa.create_engine(f"{source.database}?timeout=0.05", poolclass=sa.NullPool)
            with pytest.raises(sa.exc.OperationalError, match="locked"), engine.begin() as connection:
                connection.exec_driver_sql("UPDATE measurements SET pinned = 1")

    move(source, target, tell)
    assert seen == ["Looking for files", "Copying files", "Copying records", "Comparing records"]


def test_what_holds_anything_else_is_not_written_to(source: Places, tmp_path: Path) -> None:
    target = target_of(tmp_path)
    other = opened(target)
    record = add(other)
    other.close()
    before = content(target)
    ran = run(source, target)
    assert (ran.exit_code, "rows already, of another store" in ran.output) == (1, True)
    empty = Places(database_url(tmp_path, "empty.db", new=True), target.upload_folder, target.output_folder)
    ran = run(source, empty)
    assert (ran.exit_code, f"{record.files.image} belongs to another store" in ran.output) == (1, True)
    folders_alone = Places(source.database, target.upload_folder, target.output_folder)
    assert "belongs to another store" in run(source, folders_alone).output
    assert content(target) == before
    assert len(files_in(uploads(target))) == 1


def test_files_that_are_gone_are_told_before_anything_is_copied(source: Places, tmp_path: Path) -> None:
    target = target_of(tmp_path)
    store = opened(source)
    record = store.list()[0]
    store.close()
    (outputs(source) / record.files.mask).unlink()
    (outputs(source) / "stray_01ARZ3NDEKTSV4RRFFQ69G5FAV.png").write_bytes(b"whose?")
    ran = run(source, target)
    assert ran.exit_code == 1
    assert f"1 files of measurements are not in the folders, {record.files.mask}" in ran.output
    assert not files_in(uploads(target))
    ran = run(source, target, "--allow-missing")
    assert ran.exit_code == 0
    assert "1 files of measurements were gone already" in ran.output
    assert "1 files that belong to no measurement were left" in ran.output
    assert content(target) == as_held(content(source))


@pytest.mark.parametrize("what", ["database", "folders"])
def test_either_part_moves_alone(source: Places, tmp_path: Path, what: str) -> None:
    all_new = target_of(tmp_path)
    target = (
        Places(all_new.database, source.upload_folder, source.output_folder)
        if what == "database"
        else Places(source.database, all_new.upload_folder, source.output_folder)
    )
    ran = run(source, target)
    assert ran.exit_code == 0, ran.output
    assert_same(source, target)
    opened(target).close()


def test_it_moves_back(source: Places, tmp_path: Path) -> None:
    target = target_of(tmp_path)
    move(source, target, lambda *_: None)
    back = Places(f"sqlite:///{tmp_path}/back.db", tmp_path / "back", tmp_path / "back")
    ran = run(target, back)
    assert ran.exit_code == 0, ran.output
    assert content(back) == as_held(content(source))
    assert files_in(uploads(back)) == files_in(uploads(source)) | files_in(outputs(source))


def test_a_trail_that_is_broken_is_moved_as_it_is_and_told(source: Places, tmp_path: Path) -> None:
    execute = sa.create_engine(source.database, poolclass=sa.NullPool)
    with execute.begin() as connection:
        connection.exec_driver_sql("UPDATE audit SET by = 'Mallory' WHERE sequence = 2")
    ran = run(source, target_of(tmp_path))
    assert ran.exit_code == 1
    assert "wrong   the audit trail is broken at entry 2" in ran.output
    assert content(target_of(tmp_path)) == as_held(content(source))


@pytest.mark.sqlite_alone("files are what it is about")
def test_files_move_into_an_object_store_and_back(source: Places, tmp_path: Path) -> None:
    buckets.use(buckets.OBJECTS)
    try:
        target = Places(
            f"sqlite:///{tmp_path}/moved.db", buckets.place(tmp_path, "in"), buckets.place(tmp_path, "out")
        )
        stopped(source, target, "Copying files")
        stopped(source, target, "Comparing records")
        ran = run(source, target)
        assert ran.exit_code == 0, ran.output
        assert "21 files are there" in ran.output
        assert "21 of them from before" in ran.output
        assert f"--upload-folder {target.upload_folder}" in ran.output
        store = opened(target)
        for record in store.list():
            for kind in ("image", "overlay", "mask"):
                folder = uploads(source) if kind == "image" else outputs(source)
                assert store.read(record, kind) == (folder / getattr(record.files, kind)).read_bytes()
        store.close()
        back = Places(target.database, tmp_path / "back" / "in", tmp_path / "back" / "out")
        ran = run(target, back)
        assert ran.exit_code == 0, ran.output
        assert files_in(uploads(back)) == files_in(uploads(source))
        assert files_in(outputs(back)) == files_in(outputs(source))
        other = Places(f"sqlite:///{tmp_path}/other.db", target.upload_folder, tmp_path / "more")
        opened(Places(other.database, tmp_path / "more", tmp_path / "more")).close()
        nothing = Places(other.database, tmp_path / "more", tmp_path / "more")
        told = run(nothing, other)
        assert (told.exit_code, "belongs to another store" in told.output) == (1, True)
    finally:
        buckets.use(buckets.FOLDERS)


class TestRefused:
    """What needs no database of the other kind."""

    pytestmark = pytest.mark.sqlite_alone("it is refused before any database is opened")

    def test_what_cannot_be_moved_is_named(self, source: Places, tmp_path: Path) -> None:
        target = target_of(tmp_path)
        assert "say where to: --to-database" in run(source, source).output
        same = Places(f"sqlite:///{tmp_path}/records/../records/planimeter.db", *_folders(source))
        assert "Nothing would move" in run(source, same).output
        nowhere = Places(source.database, tmp_path / "typo", source.output_folder)
        assert f"There is no folder {tmp_path}/typo" in run(nowhere, target).output
        none = Places(f"sqlite:///{tmp_path}/none.db", *_folders(source))
        assert "There is no database" in run(none, target).output
        assert not (tmp_path / "none.db").exists()

    def test_a_server_that_is_gone_is_named_without_its_password(self, source: Places) -> None:
        pytest.importorskip("psycopg")
        target = Places(f"postgresql+psycopg://me:{SECRET}@127.0.0.1:1/name", *_folders(source))
        ran = run(source, target)
        assert (ran.exit_code, SECRET in ran.output, "127.0.0.1:1/name" in ran.output) == (1, False, True)

    def test_a_row_that_cannot_be_read_is_told_with_its_table(self, source: Places, tmp_path: Path) -> None:
        execute_sql(tmp_path, "UPDATE measurements SET created_at = 'soon'")
        ran = run(source, target_of(tmp_path))
        assert (ran.exit_code, "the table measurements cannot be read" in ran.output) == (1, True)
        assert "planimeter doctor" in ran.output

    def test_a_record_that_names_files_elsewhere_moves_nothing(self, source: Places, tmp_path: Path) -> None:
        execute_sql(tmp_path, "UPDATE measurements SET mask_name = '../../x'")
        ran = run(source, target_of(tmp_path))
        assert (ran.exit_code, "names files in other folders" in ran.output) == (1, True)
        assert not (tmp_path / "x").exists()


def _folders(places: Places) -> tuple[Path, Path]:
    return uploads(places), outputs(places)


# From here on: what runs in the process that gets killed.

CALLS = {"open", "write", "flush", "fsync", "replace", "unlink", "execute", "executemany", "commit"}


def _kill_self_at(step: int) -> None:
    """Have SIGKILL strike at the n-th moment before a call into the system or a database, in whatever thread."""
    moments = _numbers()

    def strike(frame: Any, event: str, called: object) -> None:
        if event == "c_call":
            name = getattr(called, "__name__", "")
        elif event == "call":
            name = frame.f_code.co_name
        else:
            return
        if name in CALLS and next(moments) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(strike)
    sys.setprofile(strike)


def _numbers() -> Iterator[int]:
    number = 0
    while True:
        number += 1
        yield number


def _move_until_it_survives(source: Places, target: Places) -> int:
    """Kill a move, each time some steps later, until one survives; return how many were killed."""
    records.AT_ONCE = 2
    killed = 0
    while True:
        child = os.fork()
        if not child:
            status = 1
            try:
                _kill_self_at(1 + 151 * killed)
                move(source, target, lambda *_: None)
                status = 0
            finally:
                os._exit(status)
        _, ended = os.waitpid(child, 0)
        if not os.WIFSIGNALED(ended):
            if os.WEXITSTATUS(ended):
                sys.exit(os.WEXITSTATUS(ended))
            return killed
        killed += 1


if __name__ == "__main__":
    base, up, out, *rest = sys.argv[1:]
    old = Places(base, Path(up), Path(out))
    sys.stdout.write(str(_move_until_it_survives(old, Places(rest[0], Path(rest[1]), Path(rest[2])))))
