"""The trash of the store: what is deleted is nowhere, comes back the same, and goes for good with its files."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from databases import engine_of
from planimeter.corrections import Changes, Corrected
from planimeter.errors import CountDiffers, CursorGone, StoreFailed, UnknownMeasurement
from planimeter.store import Filter, RequestKey, Store
from stored import A_FOREIGN_ID, add, execute_sql, files_of, files_under, ids, measurement, open_store

pytestmark = [pytest.mark.both_databases, pytest.mark.objects_too, pytest.mark.usefixtures("records_in")]


@pytest.fixture
def store(tmp_path: Path) -> Any:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def rows_of(home: Path) -> dict[str, list[Any]]:
    """Return all rows of all tables, but those that tell which store it is and of what version."""
    engine = engine_of(home)
    with engine.connect() as connection:
        found = {
            table: sorted(
                (
                    tuple(sorted(row.items()))
                    for row in connection.execute(
                        sa.select(sa.text("*")).select_from(sa.text(table))
                    ).mappings()
                ),
                key=repr,
            )
            for table in sa.inspect(connection).get_table_names()
            if table not in {"store", "alembic_version", "request_keys", "audit", "audit_head"}
        }
    return {table: rows for table, rows in found.items() if rows}


def test_what_is_in_the_trash_is_nowhere_else(store: Store, tmp_path: Path) -> None:
    kept = add(store, measurement("kept.png", classes={"pits": 1}), batch="shift-1")
    gone = add(store, measurement("gone.png", model="nuclei", classes={"nucleus": 9}), batch="shift-2")
    nothing_else = (store.list(), store.lines(limit=9), store.trend(), store.statistics())
    store.discard(gone.id, by="line 3")

    assert ids(store.list()) == [kept.id]
    assert [record.id for record in store.walk()] == [kept.id]
    assert [line.id for line in store.lines(limit=9)] == [kept.id]
    assert (store.count(), store.models(), store.classes()) == (1, ["steel"], ["pits"])
    for wanted in (
        Filter(ids=(gone.id,)),
        Filter(batch="shift-2"),
        Filter(model="nuclei"),
        Filter(class_name="nucleus"),
        Filter(filename="gone"),
        Filter(min_percent=8),
        Filter(since=gone.created_at),
    ):
        assert (store.list(wanted), store.count(wanted), store.lines(wanted, limit=9)) == ([], 0, [])
        assert (store.trend(wanted).points, store.statistics(wanted).pixels_masked) == ((), 0)
    assert [point.id for point in store.trend().points] == [kept.id]
    assert store.statistics().pixels_masked == 400
    assert store.repeated() == []
    around = store.around(kept.id, Filter(), "-created_at", reach=5)
    assert (around.position, around.count, around.earlier, around.later) == (1, 1, [], [])
    for ask in (store.get, store.measured, store.kept_threshold, store.delete, store.discard):
        with pytest.raises(UnknownMeasurement):
            ask(gone.id)
    with pytest.raises(UnknownMeasurement, match="in the trash, from which it can be brought back"):
        store.get(gone.id)
    assert store.candidates(gone.id) is None
    assert files_under(tmp_path) == files_of(kept, tmp_path) | files_of(gone, tmp_path)

    (entry,) = store.trash.list()
    assert (entry.id, entry.filename, entry.model, entry.batch) == (gone.id, "gone.png", "nuclei", "shift-2")
    assert (entry.percent_masked, entry.instances, entry.deleted_by) == (9.0, 0, "line 3")
    store.trash.restore(gone.id)
    assert (store.list(), store.lines(limit=9), store.trend(), store.statistics()) == nothing_else


def test_what_comes_back_is_the_same_in_every_table(store: Store, tmp_path: Path) -> None:
    record = add(store, measurement(notes=["alpha dropped: 12 pixels"]), batch="shift-1")
    other = measurement().model_copy(
        update={"options": measurement().options.model_copy(update={"score_threshold": 0.75})}
    )
    store.keep(record, other, overlay_png=b"kept overlay", mask_png=b"kept mask")
    figures = Corrected(
        number=1, at=record.created_at, by="Ada", reviewed=True, coverage=other.coverage, instances=[]
    )
    store.corrections.add(store.get(record.id), Changes(), figures, [], reason="")
    before, files = rows_of(tmp_path), files_under(tmp_path)
    assert len(before) == 7, "a row in every table that a measurement has something in"
    store.discard(record.id)
    assert {
        name.removeprefix("trashed_"): rows for name, rows in rows_of(tmp_path).items() if name != "trash"
    } == (before)
    assert files_under(tmp_path) == files
    store.trash.restore(record.id)
    assert (rows_of(tmp_path), files_under(tmp_path)) == (before, files)
    assert store.get(record.id).kept_threshold == 0.75
    assert (store.get(record.id).corrected, store.count(Filter(reviewed=True))) == (figures, 1)
    assert store.read(store.get(record.id), "overlay") == b"kept overlay"
    with pytest.raises(UnknownMeasurement, match="brought back, or deleted for good"):
        store.trash.restore(record.id)


@pytest.mark.sqlite_alone("PostgreSQL takes no text in place of a number")
def test_a_damaged_record_goes_into_the_trash_and_comes_back_as_damaged_as_it_was(
    store: Store, tmp_path: Path
) -> None:
    record = add(store)
    execute_sql(tmp_path, "UPDATE measurements SET percent_masked = 'abc', created_at = 'soon'")
    before = rows_of(tmp_path)
    store.discard(record.id)
    assert (store.trash.count(), store.trash.list()) == (1, [])
    store.trash.restore(record.id)
    assert rows_of(tmp_path) == before
    store.discard(record.id)
    assert store.trash.empty(count=1) == 1
    assert (rows_of(tmp_path), files_under(tmp_path)) == ({}, set())


def test_what_is_deleted_for_good_goes_with_its_files(store: Store, tmp_path: Path) -> None:
    kept, one, other = add(store), add(store), add(store)
    store.discard(one.id)
    store.trash.delete(one.id)
    assert files_under(tmp_path) == files_of(kept, tmp_path) | files_of(other, tmp_path)
    store.delete(other.id)
    assert files_under(tmp_path) == files_of(kept, tmp_path)
    for id_ in (one.id, other.id, kept.id, A_FOREIGN_ID, "nonsense", ""):
        with pytest.raises(UnknownMeasurement, match="in the trash"):
            store.trash.delete(id_)
        with pytest.raises(UnknownMeasurement, match="in the trash"):
            store.trash.restore(id_)
    assert ids(store.list()) == [kept.id]


def test_many_are_thrown_away_and_brought_back_together(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("planimeter.store.store.AT_ONCE", 2)
    monkeypatch.setattr("planimeter.store.trash.AT_ONCE", 2)
    records = [add(store, measurement("a.png")) for _ in range(5)]
    kept = add(store, measurement("b.png"))
    with pytest.raises(CountDiffers, match="5 measurements match, not 4"):
        store.discard_many(Filter(filename="a.p"), count=4)
    count, deletion = store.discard_many(Filter(filename="a.p"), count=5, by="somebody")
    assert (count, ids(store.list()), store.trash.count()) == (5, [kept.id], 5)
    store.discard(kept.id)
    assert {entry.deletion for entry in store.trash.list()[1:]} == {deletion}
    assert [entry.id for entry in store.trash.list(limit=1)] == [kept.id], "thrown away last, listed first"
    assert len(store.trash.list(limit=9, offset=4)) == 2
    assert store.trash.restore_deletion(deletion) == 5
    assert ids(store.list()) == ids(records[::-1])
    assert store.trash.restore_deletion(deletion) == 0
    with pytest.raises(CountDiffers, match="1 measurements are in the trash, not 6"):
        store.trash.empty(count=6)
    assert store.trash.empty(count=1) == 1
    assert (store.count(), store.trash.count()) == (5, 0)


def test_a_restart_keeps_the_trash_and_its_files(store: Store, tmp_path: Path) -> None:
    record = add(store)
    store.discard(record.id, by="line 3")
    (entry,) = store.trash.list()
    store.close()
    again = open_store(tmp_path)
    assert again.trash.list() == [entry]
    again.trash.restore(record.id)
    assert again.get(record.id) == record
    again.close()


def test_a_page_goes_on_after_one_that_was_thrown_away(store: Store) -> None:
    records = ids([add(store) for _ in range(3)])
    store.discard(records[1])
    assert ids(store.list(before=records[1])) == [records[0]]
    with pytest.raises(CursorGone, match="was deleted"):
        store.list(before=records[1], order="percent_masked")


def test_a_request_whose_measurement_was_thrown_away_measures_again(store: Store) -> None:
    request = RequestKey("1" * 64, "2" * 64)
    pictures: dict[str, Any] = {"picture": b"picture", "overlay_png": b"overlay", "mask_png": b"mask"}
    first = store.add(measurement(), **pictures, request=request)
    assert store.asked_before(request) == first
    store.discard(first.id)
    assert store.asked_before(request) is None
    second = store.add(measurement(), **pictures, request=request)
    store.trash.restore(first.id)
    assert store.asked_before(request) == second
    assert ids(store.list()) == [second.id, first.id]


def test_those_who_throw_away_bring_back_and_delete_at_once_leave_each_whole_or_gone(
    store: Store, tmp_path: Path
) -> None:
    """Four hands on the same measurements: whatever wins, a record has its files, and no file is left over."""
    other = open_store(tmp_path)
    records = ids([add(store) for _ in range(12)])
    start = threading.Barrier(4)

    def work(number: int) -> None:
        here = (store, other)[number % 2]
        start.wait()
        for id_ in records * 2:
            try:
                (here.discard, here.trash.restore, here.trash.delete, here.trash.restore)[number](id_)
            except UnknownMeasurement:
                continue

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    for entry in store.trash.list():
        store.trash.restore(entry.id)
    expected = set().union(*(files_of(record, tmp_path) for record in store.list()))
    other.close()
    assert files_under(tmp_path) == expected
    assert {store.read(record, "mask") for record in store.list()} <= {b"mask"}


def test_a_failure_on_the_way_leaves_the_measurement_where_it_was(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = add(store)
    before = rows_of(tmp_path)

    def fail(_connection: object, _ids: object) -> None:
        raise StoreFailed("the database is gone")

    monkeypatch.setattr("planimeter.store.trash.move_to_trash", fail)
    with pytest.raises(StoreFailed, match="gone"):
        store.discard(record.id)
    assert rows_of(tmp_path) == before
    assert store.get(record.id) == record
