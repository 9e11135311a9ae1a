"""The store: what is kept, and what is deleted; real databases, real folders."""

import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from databases import SQLITE, database_url, engine_of
from planimeter.errors import CountDiffers, StoreFailed, UnknownMeasurement
from planimeter.store import Filter, Record, Store
from stored import (
    FOREIGN,
    add,
    files_of,
    files_under,
    ids,
    measurement,
    open_store,
    path_of,
    remove_file,
    rows_in,
    write_foreign,
)

pytestmark = [pytest.mark.both_databases, pytest.mark.objects_too, pytest.mark.usefixtures("records_in")]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


class TestKeeping:
    def test_a_measurement_comes_back_whole_with_its_three_files(self, store: Store, tmp_path: Path) -> None:
        what = measurement(notes=["alpha dropped: 12 pixels"])
        before = datetime.now(timezone.utc) - timedelta(milliseconds=1)
        record = add(store, what)

        assert store.get(record.id) == record
        assert record.measurement == what
        assert before <= record.created_at <= datetime.now(timezone.utc)
        assert record.files.image == f"strip_17_{record.id}.png"
        assert record.files.overlay == f"strip_17_{record.id}_overlay.png"
        assert record.files.mask == f"strip_17_{record.id}_mask.png"
        assert store.read(record, "image") == b"picture"
        assert store.read(record, "overlay") == b"overlay"
        assert store.read(record, "mask") == b"mask"
        assert files_under(tmp_path) == files_of(record, tmp_path)

    def test_a_restart_keeps_everything(self, store: Store, tmp_path: Path) -> None:
        records = [add(store, measurement(f"{i}.png"), picture=b"%d" % i) for i in range(5)]
        store.close()

        again = open_store(tmp_path)
        kept = again.list()
        again.close()

        assert kept == records[::-1]
        assert [again.read(record, "image") for record in kept] == [b"4", b"3", b"2", b"1", b"0"]

    @pytest.mark.folders_alone("paths are of folders")
    def test_the_folders_can_move(self, store: Store, tmp_path: Path) -> None:
        record = add(store)
        store.close()
        (tmp_path / "uploads").rename(tmp_path / "received")
        (tmp_path / "outputs").rename(tmp_path / "drawn")

        moved = Store.open(
            database_url(tmp_path, "records/planimeter.db"), tmp_path / "received", tmp_path / "drawn"
        )
        found = moved.get(record.id)
        moved.close()

        assert moved.read(found, "image") == b"picture"
        assert (tmp_path / "drawn" / record.files.mask).read_bytes() == b"mask"
        assert moved.read(found, "mask") == b"mask"

    @pytest.mark.folders_alone("paths are of folders")
    def test_relative_folders_stay_where_they_were_when_the_process_changes_its_own(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path)
        store = Store.open("sqlite:///a/b/records.db", Path("uploads"), Path("outputs"))
        monkeypatch.chdir(tmp_path / "elsewhere")
        record = add(store)
        store.close()

        assert files_under(tmp_path) == files_of(record, tmp_path)
        assert (tmp_path / "a" / "b" / "records.db").is_file()
        assert not any((tmp_path / "elsewhere").iterdir())

    @pytest.mark.folders_alone("paths are of folders")
    def test_one_folder_can_serve_both_purposes(self, tmp_path: Path) -> None:
        store = Store.open(database_url(tmp_path), tmp_path / "all", tmp_path / "all")
        record, other = add(store), add(store)
        store.delete(other.id)
        store.close()

        names = {path.name for path in (tmp_path / "all").iterdir()}
        assert names == {
            ".incoming",
            record.files.image,
            record.files.overlay,
            record.files.mask,
        }
        assert [path.name for path in (tmp_path / "all" / ".incoming").iterdir()] == ["lock"]

    @pytest.mark.folders_alone("paths are of folders")
    def test_a_tidied_away_incoming_folder_is_made_again(self, store: Store, tmp_path: Path) -> None:
        shutil.rmtree(tmp_path / "uploads" / ".incoming")
        shutil.rmtree(tmp_path / "outputs" / ".incoming")
        store.check()
        shutil.rmtree(tmp_path / "outputs" / ".incoming")
        record = add(store)
        assert files_under(tmp_path) == files_of(record, tmp_path)

    def test_eight_threads_adding_at_once_each_get_their_own(self, store: Store, tmp_path: Path) -> None:
        def one(number: int) -> Record:
            return add(store, measurement(f"picture {number}.png"), picture=b"%d" % number)

        with ThreadPoolExecutor(8) as threads:
            records = list(threads.map(one, range(80)))

        for number, record in enumerate(records):
            assert store.get(record.id).measurement.image.filename == f"picture {number}.png"
            assert store.read(record, "image") == b"%d" % number
        assert ids(store.list(limit=100)) == sorted(ids(records), reverse=True)
        assert store.count() == 80
        assert files_under(tmp_path) == set().union(*(files_of(record, tmp_path) for record in records))

    def test_threads_add_list_and_delete_at_once_without_an_error(self, store: Store, tmp_path: Path) -> None:
        def one(number: int) -> None:
            record = add(store, measurement(f"{number}.png"))
            assert store.list(limit=5)
            store.delete(record.id)

        keeper = add(store)
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(one, range(40)))

        assert ids(store.list()) == [keeper.id]
        assert files_under(tmp_path) == files_of(keeper, tmp_path)


class TestThresholds:
    @pytest.mark.folders_alone("it is about the database")
    def test_a_saved_threshold_is_there_after_a_restart_until_it_is_forgotten(
        self, store: Store, tmp_path: Path
    ) -> None:
        assert store.thresholds() == {}
        store.save_threshold("steel", 0.4)
        store.save_threshold("nuclei", 0.0)
        store.save_threshold("steel", 0.6)
        store.close()

        again = open_store(tmp_path)
        assert again.thresholds() == {"steel": 0.6, "nuclei": 0.0}
        again.save_threshold("steel", None)
        again.save_threshold("never saved", None)
        assert again.thresholds() == {"nuclei": 0.0}
        again.close()


class TestDeleting:
    def test_the_record_and_its_files_go_and_nothing_else(self, store: Store, tmp_path: Path) -> None:
        write_foreign(tmp_path)
        kept, gone = add(store), add(store)
        store.delete(gone.id)

        assert ids(store.list()) == [kept.id]
        assert ids(store.list(Filter(class_name="scratches"))) == [kept.id]
        assert files_under(tmp_path) == files_of(kept, tmp_path) | set(FOREIGN)
        with pytest.raises(UnknownMeasurement):
            store.get(gone.id)
        with pytest.raises(UnknownMeasurement):
            store.delete(gone.id)

    def test_what_the_network_found_is_kept_and_goes_with_the_record(
        self, store: Store, tmp_path: Path
    ) -> None:
        record = add(store)
        assert store.candidates(record.id) == b"candidates"
        store.delete(record.id)
        assert store.candidates(record.id) is None
        assert rows_in(tmp_path, "SELECT count(*) FROM measurement_candidates") == [(0,)]

    def test_files_that_a_person_removed_do_not_hinder(self, store: Store, tmp_path: Path) -> None:
        record = add(store)
        remove_file(record, "overlay", tmp_path)
        assert store.get(record.id) == record
        store.delete(record.id)
        assert (store.count(), files_under(tmp_path)) == (0, set())

    @pytest.mark.folders_alone("objects can be removed")
    def test_a_file_that_cannot_be_removed_is_reported_and_goes_at_the_next_start(
        self, store: Store, tmp_path: Path
    ) -> None:
        record = add(store)
        overlay = path_of(record, "overlay", tmp_path)
        overlay.unlink()
        overlay.mkdir()  # the owner of the machine may do anything to a file, but not unlink this
        with pytest.raises(StoreFailed, match="output folder"):
            store.delete(record.id)
        assert store.count() == 0
        overlay.rmdir()
        overlay.write_bytes(b"overlay")
        store.close()

        open_store(tmp_path).close()
        assert files_under(tmp_path) == set()


class TestDeletingMany:
    def test_those_that_are_meant_go_with_their_files_and_nothing_else(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("planimeter.store.store.AT_ONCE", 2)
        gone = [add(store, measurement("a.png")) for _ in range(5)]
        kept = add(store, measurement("b.png"))

        assert store.delete_many(Filter(filename="a.p"), count=5) == 5
        assert ids(store.list()) == [kept.id]
        assert files_under(tmp_path) == files_of(kept, tmp_path)
        with pytest.raises(UnknownMeasurement):
            store.get(gone[0].id)

    @pytest.mark.parametrize("count", [0, 1, 3, -1])
    def test_nothing_goes_where_the_number_differs(self, store: Store, tmp_path: Path, count: int) -> None:
        records = [add(store), add(store)]
        with pytest.raises(CountDiffers, match="2 measurements match, not"):
            store.delete_many(Filter(), count=count)
        assert ids(store.list()) == ids(records[::-1])
        assert files_under(tmp_path) == set().union(*(files_of(record, tmp_path) for record in records))

    def test_a_failure_on_the_way_leaves_each_measurement_whole_or_gone(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        records = [add(store) for _ in range(3)]

        def fail(_self: object, _ids: object, **_: object) -> int:
            raise StoreFailed("the database is gone")

        monkeypatch.setattr("planimeter.store.records.Records.remove", fail)
        with pytest.raises(StoreFailed, match="gone"):
            store.delete_many(Filter(), count=3)
        assert ids(store.list()) == ids(records[::-1])
        assert files_under(tmp_path) == set().union(*(files_of(record, tmp_path) for record in records))


# ---- A database that another has locked


@pytest.mark.folders_alone("it is about the database")
def test_writers_of_a_locked_database_wait_once_all_in_all(
    tmp_path: Path,
    records_in: str,
) -> None:
    store = open_store(tmp_path)
    store._database.patience = 2.0
    other = engine_of(tmp_path).connect()
    other.exec_driver_sql("BEGIN IMMEDIATE" if records_in == SQLITE else "LOCK TABLE model_thresholds")
    failed: list[str] = []
    seconds: list[float] = []

    def write() -> None:
        started = time.monotonic()
        try:
            store.save_threshold("blocks", 0.5)
        except StoreFailed as error:
            failed.append(str(error))
        seconds.append(time.monotonic() - started)

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.commit()
    other.close()
    assert len(failed) == 6
    assert max(seconds) < 4 * 2.0  # one after the other they would have waited six times as long
    store.save_threshold("blocks", 0.25)
    assert store.thresholds() == {"blocks": 0.25}
    store.close()


def test_a_clock_set_back_shows_in_the_time_and_not_in_the_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path)
    wrong = 1_900_000_000_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: wrong)
    first = add(store)
    monkeypatch.setattr(time, "time_ns", lambda: wrong - 3600 * 10**9)
    second = add(store)
    assert second.created_at == first.created_at - timedelta(hours=1)
    assert ids(store.list()) == [second.id, first.id]
    assert store.get(second.id).created_at == second.created_at
    assert [point.created_at for point in store.trend().points] == [first.created_at, second.created_at]
    store.close()
