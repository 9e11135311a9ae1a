"""The store: real SQLite, real folders, real kills.

Run as a script, this file is the process that gets killed (see `_die_at_every_step`).
"""

import itertools
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from hypothesis import example, given
from hypothesis import strategies as st

from planimeter.errors import CountDiffers, InvalidOption, StoreFailed, UnknownMeasurement
from planimeter.measurement import Measurement
from planimeter.store import FileKind, Filter, Record, Store, migrations
from planimeter.store.files import Folder, file_names, recognisable_stem
from planimeter.store.ids import Ids, first_id_at, is_id, time_of
from planimeter.store.journal import Note, write_note
from planimeter.store.tables import Table

A_FOREIGN_ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
FOREIGN = {
    "uploads/holiday.png": b"mine",
    f"uploads/strip_{A_FOREIGN_ID}.png": b"looks like one of ours",
    "uploads/.incoming/notes.txt": b"mine too",
    f"outputs/.incoming/{A_FOREIGN_ID}.txt": b"and this",
    "outputs/summary/july.csv": b"a,b\n",
}


def hash_of(filename: str) -> str:
    """Return a hash for a picture that is told by its name."""
    return sha256(filename.encode()).hexdigest()


def measurement(
    filename: str = "strip 17.png",
    *,
    model: str = "steel",
    classes: dict[str, int] | None = None,
    notes: list[str] | None = None,
    format_: str = "PNG",
) -> Measurement:
    """Return a measurement of 200 x 200 pixels, with so many instances of each class, 400 pixels each."""
    counts = {"scratches": 2, "pits": 0} if classes is None else classes
    by_class = [
        {"class": name, "class_id": i, "count": n, "pixels_masked": 400 * n, "percent_masked": 1.0 * n}
        for i, (name, n) in enumerate(counts.items(), 1)
    ]
    masked = 400 * sum(counts.values())
    document: dict[str, Any] = {
        "image": {
            "filename": filename,
            "format": format_,
            "width": 200,
            "height": 200,
            "sha256": hash_of(filename),
        },
        "model": {
            "name": model,
            "version": "1",
            "sha256": "1" * 64,
            "runtime": "openvino",
            "precision": "f32",
            "device": "cpu",
        },
        "options": {"score_threshold": 0.5},
        "coverage": {
            "percent_masked": masked / 400,
            "pixels_masked": masked,
            "pixels_counted": 40000,
            "pixels_overlapping": 0,
            "by_class": by_class,
        },
        "instances": [],
        "notes": notes or [],
        "timing_ms": {"inference": 40.125, "total": 45.5},
    }
    return Measurement.model_validate(document)


def open_store(home: Path) -> Store:
    return Store.open(f"sqlite:///{home}/records/planimeter.db", home / "uploads", home / "outputs")


def add(
    store: Store, what: Measurement | None = None, picture: bytes = b"picture", batch: str | None = None
) -> Record:
    return store.add(
        what or measurement(),
        picture=picture,
        overlay_png=b"overlay",
        mask_png=b"mask",
        candidates=b"candidates",
        batch=batch,
    )


def ids(records: list[Record]) -> list[str]:
    return [record.id for record in records]


def files_under(home: Path) -> set[str]:
    """Return every file of both folders, except the locks, which stay."""
    files = itertools.chain((home / "uploads").rglob("*"), (home / "outputs").rglob("*"))
    return {str(file.relative_to(home)) for file in files if file.is_file() and file.name != "lock"}


def files_of(record: Record, home: Path) -> set[str]:
    return {str(path_of(record, kind, home).relative_to(home)) for kind in get_args(FileKind)}


def path_of(record: Record, kind: FileKind, home: Path) -> Path:
    """Return where a person finds a file."""
    name: str = getattr(record.files, kind)
    return home / ("uploads" if kind == "image" else "outputs") / name


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

    def test_the_folders_can_move(self, store: Store, tmp_path: Path) -> None:
        record = add(store)
        store.close()
        (tmp_path / "uploads").rename(tmp_path / "received")
        (tmp_path / "outputs").rename(tmp_path / "drawn")

        moved = Store.open(
            f"sqlite:///{tmp_path}/records/planimeter.db", tmp_path / "received", tmp_path / "drawn"
        )
        found = moved.get(record.id)
        moved.close()

        assert moved.read(found, "image") == b"picture"
        assert (tmp_path / "drawn" / record.files.mask).read_bytes() == b"mask"
        assert moved.read(found, "mask") == b"mask"

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

    def test_one_folder_can_serve_both_purposes(self, tmp_path: Path) -> None:
        store = Store.open(f"sqlite:///{tmp_path}/records.db", tmp_path / "all", tmp_path / "all")
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


class TestListing:
    def test_pages_follow_the_cursor_newest_first_without_gap_or_repeat(self, store: Store) -> None:
        records = ids([add(store) for _ in range(7)])

        first = ids(store.list(limit=3))
        second = ids(store.list(limit=3, before=first[-1]))
        third = ids(store.list(limit=3, before=second[-1]))

        assert [first, second, third] == [records[:3:-1], records[3:0:-1], records[:1]]
        assert store.list(limit=3, before=third[-1]) == []

    def test_new_and_deleted_measurements_do_not_shift_the_next_page(self, store: Store) -> None:
        records = ids([add(store) for _ in range(4)])
        cursor = store.list(limit=2)[-1].id
        add(store)
        store.delete(cursor)

        assert ids(store.list(limit=2, before=cursor)) == [records[1], records[0]]

    def test_model_and_class_filter_apart_and_together(self, store: Store) -> None:
        scratched = add(store, measurement(classes={"scratches": 1, "pits": 0}))
        pitted = add(store, measurement(classes={"scratches": 3, "pits": 2}))
        cells = add(store, measurement(model="nuclei", classes={"nucleus": 9}))
        empty = add(store, measurement(classes={"scratches": 0, "pits": 0}))

        assert ids(store.list(Filter(model="steel"))) == [empty.id, pitted.id, scratched.id]
        assert ids(store.list(Filter(model="nuclei"))) == [cells.id]
        assert ids(store.list(Filter(class_name="scratches"))) == [pitted.id, scratched.id]
        assert ids(store.list(Filter(class_name="pits"))) == [pitted.id]
        assert ids(store.list(Filter(class_name="scratches"), before=pitted.id)) == [scratched.id]
        assert store.list(Filter(model="nuclei", class_name="scratches")) == []
        assert ids(store.list(Filter(model="steel", class_name="scratches"), limit=1)) == [pitted.id]
        assert store.list(Filter(model="' OR 1=1 --")) == []
        assert (
            store.count(),
            store.count(Filter(model="steel")),
            store.count(Filter(class_name="scratches")),
        ) == (4, 3, 2)
        assert store.count(Filter(model="steel", class_name="pits")) == 1

    def test_dates_include_since_and_exclude_until(self, store: Store) -> None:
        records = []
        for _ in range(3):
            records.append(add(store))
            time.sleep(0.003)
        first, second, third = records
        middle = second.created_at

        assert ids(store.list(Filter(since=middle))) == [third.id, second.id]
        assert ids(store.list(Filter(until=middle))) == [first.id]
        assert ids(store.list(Filter(since=middle, until=third.created_at))) == [second.id]
        assert ids(store.list(Filter(since=middle, until=third.created_at, class_name="scratches"))) == [
            second.id
        ]
        assert store.count(Filter(since=middle)) == 2
        assert ids(store.list(Filter(since=middle.replace(tzinfo=None)))) == [third.id, second.id]
        elsewhere = middle.astimezone(timezone(timedelta(hours=-7)))
        assert ids(store.list(Filter(until=elsewhere))) == [first.id]
        assert len(store.list(Filter(since=datetime(1, 1, 1), until=datetime(9999, 12, 31)))) == 3

    def test_percent_batch_ids_and_part_of_a_file_name_filter_apart_and_together(self, store: Store) -> None:
        low = add(store, measurement("Coil 17 Ä.png", classes={"scratches": 1}))
        mid = add(store, measurement("coil 18 100%.png", classes={"scratches": 5}), batch="shift-1")
        top = add(store, measurement("plate_a.png", classes={"scratches": 9}), batch="shift-1")

        assert ids(store.list(Filter(min_percent=5))) == [top.id, mid.id]
        assert ids(store.list(Filter(max_percent=5))) == [mid.id, low.id]
        assert ids(store.list(Filter(min_percent=5, max_percent=5))) == [mid.id]
        assert ids(store.list(Filter(filename="COIL"))) == [mid.id, low.id]
        assert ids(store.list(Filter(filename="ä"))) == [low.id], "capitals of any script make no difference"
        assert ids(store.list(Filter(filename="%"))) == [mid.id], "no wild card"
        assert ids(store.list(Filter(filename="_"))) == [top.id], "no wild card"
        assert ids(store.list(Filter(batch="shift-1"))) == [top.id, mid.id]
        assert ids(store.list(Filter(ids=(low.id, top.id, A_FOREIGN_ID)))) == [top.id, low.id]
        assert store.list(Filter(ids=())) == []
        every = Filter(batch="shift-1", filename="coil", class_name="scratches", model="steel", min_percent=1)
        assert (ids(store.list(every)), store.count(every)) == ([mid.id], 1)
        assert ids(store.list(limit=2, order="-percent_masked")) == [top.id, mid.id]
        assert ids(store.list(Filter(class_name="scratches", max_percent=8), order="-percent_masked")) == [
            mid.id,
            low.id,
        ]
        assert [record.batch for record in store.list()] == ["shift-1", "shift-1", None]

    def test_a_walk_reads_all_in_portions_and_passes_over_what_is_deleted_meanwhile(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("planimeter.store.reading.AT_ONCE", 3)
        records = [add(store).id for _ in range(8)]
        walked = []
        for record in store.walk(Filter(model="steel")):
            walked.append(record.id)
            if len(walked) == 1:
                store.delete(records[2])
        assert walked == [id_ for id_ in reversed(records) if id_ != records[2]]

    def test_names_of_models_and_classes_come_once_each(self, store: Store) -> None:
        assert (store.models(), store.classes()) == ([], [])
        for model, classes in (("steel", {"pits": 1, "scratches": 2}), ("nuclei", {"nucleus": 3})) * 2:
            add(store, measurement(model=model, classes=classes))
        assert store.models() == ["nuclei", "steel"]
        assert store.classes() == ["nucleus", "pits", "scratches"]

    def test_a_page_reads_only_its_own_documents(
        self, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """All older documents are damaged: reading a single one would be told in the log."""
        _insert_many(tmp_path, 2000, document="not JSON")
        records = ids([add(store) for _ in range(50)])

        assert ids(store.list()) == records[::-1]
        assert ids(store.list(Filter(model="steel", class_name="scratches"))) == records[::-1]
        assert (store.count(), store.count(Filter(class_name="scratches"))) == (2050, 2050)
        assert not caplog.records
        assert ids(store.list(limit=51)) == records[::-1]
        assert "is damaged" in caplog.text

    @pytest.mark.parametrize("wanted", [Filter(), Filter(model="steel"), Filter(class_name="scratches")])
    def test_a_page_is_found_by_an_index_without_sorting(
        self, store: Store, tmp_path: Path, wanted: Filter
    ) -> None:
        _insert_many(tmp_path, 500, document=measurement().model_dump_json(by_alias=True))
        statements: list[tuple[str, Any]] = []

        def remember(_c: Any, _k: Any, statement: str, parameters: Any, _x: Any, _m: bool) -> None:
            statements.append((statement, parameters))

        sa.event.listen(sa.Engine, "before_cursor_execute", remember)
        try:
            store.list(wanted, before="7ZZZZZZZZZZZZZZZZZZZZZZZZZ")
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", remember)

        assert len(statements) == 2, "one for the ids of the page, one for its rows"
        with sqlite3.connect(tmp_path / "records" / "planimeter.db") as database:
            plan = [
                row[3]
                for statement, parameters in statements
                for row in database.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            ]
        database.close()
        assert all(re.match("SEARCH .*(INDEX|PRIMARY KEY)", step) for step in plan), plan

    @pytest.mark.parametrize("limit", [0, -1])
    def test_a_limit_below_one_is_refused(self, store: Store, limit: int) -> None:
        with pytest.raises(InvalidOption, match=str(limit)):
            store.list(limit=limit)

    @pytest.mark.parametrize("cursor", ["", "yesterday", "../x", "\udcff", "0" * 27, "8" + "0" * 25])
    def test_a_cursor_that_is_no_id_is_refused(self, store: Store, cursor: str) -> None:
        with pytest.raises(InvalidOption, match="cursor"):
            store.list(before=cursor)

    @pytest.mark.parametrize(
        "id_", ["", "nonsense", A_FOREIGN_ID, A_FOREIGN_ID.lower(), "\udcff", "x" * 9999]
    )
    def test_an_unknown_id_says_so(self, store: Store, id_: str) -> None:
        with pytest.raises(UnknownMeasurement, match="no measurement"):
            store.get(id_)
        with pytest.raises(UnknownMeasurement, match="no measurement"):
            store.delete(id_)


class TestThresholds:
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
        _write_foreign(tmp_path)
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
        database = sqlite3.connect(tmp_path / "records" / "planimeter.db")
        assert database.execute("SELECT count(*) FROM measurement_candidates").fetchone() == (0,)
        database.close()

    def test_files_that_a_person_removed_do_not_hinder(self, store: Store, tmp_path: Path) -> None:
        record = add(store)
        path_of(record, "overlay", tmp_path).unlink()
        assert store.get(record.id) == record
        store.delete(record.id)
        assert (store.count(), files_under(tmp_path)) == (0, set())

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


class TestIds:
    def test_many_in_one_millisecond_still_rise(self) -> None:
        make = Ids()
        made = [make.next() for _ in range(5000)]
        assert made == sorted(set(made))
        assert len({id_[:10] for id_ in made}) < len(made)  # several did share their millisecond
        assert all(is_id(id_) for id_ in made)

    def test_threads_never_get_the_same(self) -> None:
        make, start = Ids(), threading.Barrier(8)

        def some(_: int) -> list[str]:
            start.wait()
            return [make.next() for _ in range(500)]

        with ThreadPoolExecutor(8) as threads:
            made = list(threads.map(some, range(8)))
        assert all(part == sorted(part) for part in made)
        assert len(set().union(*made)) == 4000

    def test_a_clock_set_back_does_not_break_the_order(self, monkeypatch: pytest.MonkeyPatch) -> None:
        make = Ids()
        first = make.next()
        monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000)
        second = make.next()
        assert second > first
        assert time_of(second) == time_of(first)

    def test_an_id_carries_its_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(time, "time_ns", lambda: 1_795_382_640_123_999_999)
        id_ = Ids().next()
        assert time_of(id_) == datetime(2026, 11, 22, 21, 24, 0, 123_000, tzinfo=timezone.utc)
        assert first_id_at(time_of(id_)) <= id_ < first_id_at(time_of(id_) + timedelta(microseconds=1))


class TestNames:
    @pytest.mark.parametrize(
        ("filename", "stem"),
        [
            ("strip_17.png", "strip_17"),
            ("strip 17 (copy).JPG", "strip_17_copy"),
            ("../../etc/passwd", "passwd"),
            ("..\\..\\windows\\system32\\cmd.exe", "cmd"),
            ("/etc/cron.d/", "picture"),
            ("CON", "CON"),
            ("nul.tar.gz", "nul_tar"),
            ("", "picture"),
            ("...", "picture"),
            ("..", "picture"),
            (".htaccess", "picture"),
            ("..hidden.png", "hidden"),
            ("-rf.png", "rf"),
            ("a\0b\nc.png", "a_b_c"),
            ("<script>alert(1)</script>.png", "script"),
            ("Blech Größe 5 µm.png", "Blech_Größe_5_µm"),
            ("cafe\u0301.png", "caf\u00e9"),
            ("細胞.tif", "細胞"),
            ("हिन्दी.png", "हिन्दी"),
            ("evil\u202egnp.exe", "evil_gnp"),
            ("😀.png", "picture"),
            ("x" * 300 + ".png", "x" * 80),
            ("ü" * 300, "ü" * 40),
            ("a" * 79 + "ü.png", "a" * 79),
        ],
    )
    def test_a_stem_is_recognisable_and_harmless(
        self, store: Store, tmp_path: Path, filename: str, stem: str
    ) -> None:
        record = add(store, measurement(filename))

        assert record.files.image == f"{stem}_{record.id}.png"
        assert store.read(record, "image") == b"picture"
        assert store.get(record.id).measurement.image.filename == filename
        assert files_under(tmp_path) == files_of(record, tmp_path)

    @pytest.mark.parametrize(
        ("format_", "extension"),
        [("JPEG", ".jpg"), ("TIFF", ".tif"), ("WEBP", ".webp"), ("BMP", ".bmp"), ("ARRAY", ".bin")],
    )
    def test_the_extension_follows_the_content(self, store: Store, format_: str, extension: str) -> None:
        record = add(store, measurement("page.html", format_=format_))
        assert record.files.image == f"page_{record.id}{extension}"

    @given(st.text(max_size=400))
    @example("\u0344" * 100)
    def test_any_name_gives_a_stem_that_every_file_system_takes(self, filename: str) -> None:
        stem = recognisable_stem(filename)
        assert 1 <= len(stem.encode()) <= 80
        assert not set(stem) & set('/\\:*?"<>|. \0\n')
        assert stem[0] not in "-_"
        assert recognisable_stem(stem) == stem
        assert len(file_names(filename, "WEBP", A_FOREIGN_ID).overlay.encode()) <= 143


class TestFailing:
    @pytest.mark.parametrize("folder", ["uploads", "outputs"])
    def test_a_file_in_the_place_of_a_folder_is_named(self, tmp_path: Path, folder: str) -> None:
        (tmp_path / folder).write_bytes(b"a file")
        with pytest.raises(StoreFailed, match=rf"{folder[:-1]} folder {tmp_path / folder}.*move it away"):
            open_store(tmp_path)
        assert (tmp_path / folder).read_bytes() == b"a file"

    def test_a_file_in_the_place_of_a_parent_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "data").write_bytes(b"a file")
        with pytest.raises(StoreFailed, match=r"upload folder .*data/uploads: Not a directory"):
            open_store(tmp_path / "data")

    @pytest.mark.parametrize(
        ("database", "reason"),
        [
            ("records.db", "Could not parse"),
            ("", "Could not parse"),
            ("nosuch://host/name", "nosuch"),
            ("sqlite+nosuch:///x.db", "nosuch"),
            ("sqlite://", "name a file"),
            ("sqlite:///:memory:", "name a file"),
            ("sqlite:///{home}/taken/records.db", "Choose another one"),
            ("sqlite:///{home}/uploads", "no regular file"),
            ("sqlite:///{home}/garbage", "not a database"),
        ],
    )
    def test_an_unusable_database_is_named_with_what_to_do(
        self, tmp_path: Path, database: str, reason: str
    ) -> None:
        (tmp_path / "taken").write_bytes(b"a file")
        (tmp_path / "garbage").write_bytes(b"This is a letter, not a database. " * 99)
        url = database.format(home=tmp_path)
        with pytest.raises(StoreFailed, match=rf"database.*{reason}"):
            Store.open(url, tmp_path / "uploads", tmp_path / "outputs")
        assert (tmp_path / "garbage").read_bytes().startswith(b"This is a letter")

    def test_a_password_is_never_shown(self, tmp_path: Path) -> None:
        with pytest.raises(StoreFailed) as caught:
            Store.open("nosuch://user:s3cret@host/name", tmp_path / "uploads", tmp_path / "outputs")
        assert "s3cret" not in str(caught.value)

    def test_a_database_of_a_newer_version_is_left_alone(self, store: Store, tmp_path: Path) -> None:
        add(store)
        store.close()
        database = sqlite3.connect(tmp_path / "records" / "planimeter.db")
        [(version,)] = database.execute("SELECT version_num FROM alembic_version")
        database.close()
        _execute(tmp_path, "UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(StoreFailed, match="newer Planimeter"):
            open_store(tmp_path)
        _execute(tmp_path, f"UPDATE alembic_version SET version_num = '{version}'")  # noqa: S608  ours
        again = open_store(tmp_path)
        assert again.count() == 1
        again.close()

    def test_a_folder_that_vanished_fails_the_check_and_the_add(self, store: Store, tmp_path: Path) -> None:
        store.check()
        shutil.rmtree(tmp_path / "outputs")
        with pytest.raises(StoreFailed, match="output folder"):
            store.check()
        with pytest.raises(StoreFailed, match="output folder"):
            add(store)
        assert (store.count(), files_under(tmp_path)) == (0, set())

    def test_a_database_that_lost_its_tables_fails_the_check_and_the_add(
        self, store: Store, tmp_path: Path
    ) -> None:
        tables = ("measurement_classes", "measurement_documents", "measurements", "store")
        _execute(tmp_path, *(f"DROP TABLE {table}" for table in tables))
        with pytest.raises(StoreFailed, match="no such table"):
            store.check()
        with pytest.raises(StoreFailed, match="no such table"):
            add(store)

    @pytest.mark.parametrize("too_large", ["overlay", "document"])
    def test_a_full_disk_leaves_nothing_and_the_next_add_works(self, tmp_path: Path, too_large: str) -> None:
        """The limit on file size stands in for a full disk: writes fail half-way, also SQLite's own."""
        answer = _run_this_file("limited", tmp_path, too_large)
        assert answer.startswith("StoreFailed")
        assert ("output folder" if too_large == "overlay" else "planimeter.db") in answer

        store = open_store(tmp_path)
        [record] = store.list()
        store.close()
        assert record.measurement.image.filename == "small enough.png"
        assert files_under(tmp_path) == files_of(record, tmp_path)

    def test_an_interrupted_add_leaves_nothing(self, store: Store, tmp_path: Path) -> None:
        with pytest.raises(TypeError):
            store.add(measurement(), picture=b"", overlay_png=b"", mask_png=None)  # type: ignore[arg-type]
        assert (store.count(), files_under(tmp_path)) == (0, set())


class TestKilled:
    def test_an_add_killed_at_any_step_is_whole_or_not_there(self, tmp_path: Path) -> None:
        killed = _killed_at_every_step(tmp_path, "add")
        counts = [_check_killed(home) for home in killed]
        assert counts == sorted(counts)  # from one step on, the record is there
        assert set(counts) == {1, 2}

    def test_a_delete_killed_at_any_step_is_done_or_not_begun(self, tmp_path: Path) -> None:
        killed = _killed_at_every_step(tmp_path, "delete")
        counts = [_check_killed(home) for home in killed]
        assert counts == sorted(counts, reverse=True)
        assert set(counts) == {0, 1}

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

    def test_unfinished_work_of_a_living_process_is_left_alone(self, store: Store, tmp_path: Path) -> None:
        folder, work = _unfinished_work(tmp_path)
        open_store(tmp_path).close()
        assert files_under(tmp_path) == work  # `store` still shares the folders

        store.close()
        open_store(tmp_path).close()
        assert files_under(tmp_path) == set()
        assert folder.path.is_dir()

    def test_unfinished_work_of_another_database_is_left_alone(self, store: Store, tmp_path: Path) -> None:
        _, work = _unfinished_work(tmp_path)
        store.close()
        places = f"sqlite:///{tmp_path}/other.db", tmp_path / "uploads", tmp_path / "outputs"
        Store.open(*places, begin_anew=True).close()
        assert files_under(tmp_path) == work

    def test_a_forged_note_removes_nothing(self, store: Store, tmp_path: Path) -> None:
        _write_foreign(tmp_path)
        (tmp_path / f"victim_{A_FOREIGN_ID}.txt").write_bytes(b"precious")
        for victim in (f"../victim_{A_FOREIGN_ID}.txt", "holiday.png"):
            write_note(
                Folder(tmp_path / "uploads", "upload"),
                Note(store=_store_id(tmp_path), id=A_FOREIGN_ID, files=(victim,)),
            )
            store.close()
            store = open_store(tmp_path)
        store.close()

        assert (tmp_path / f"victim_{A_FOREIGN_ID}.txt").read_bytes() == b"precious"
        assert _foreign_under(tmp_path) == FOREIGN


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

        def fail(_self: object, _ids: object) -> int:
            raise StoreFailed("the database is gone")

        monkeypatch.setattr("planimeter.store.records.Records.remove", fail)
        with pytest.raises(StoreFailed, match="gone"):
            store.delete_many(Filter(), count=3)
        assert ids(store.list()) == ids(records[::-1])
        assert files_under(tmp_path) == set().union(*(files_of(record, tmp_path) for record in records))


class TestMigrations:
    def test_measurements_of_an_earlier_version_are_all_there_with_their_new_columns(
        self, tmp_path: Path
    ) -> None:
        """More than are copied at once, one of them damaged."""
        (tmp_path / "records").mkdir()
        engine = sa.create_engine(f"sqlite:///{tmp_path}/records/planimeter.db")
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "0002")
        engine.dispose()
        document = measurement("Ärger.PNG").model_dump_json(by_alias=True)
        names = [f"0000{number:022}" for number in range(450)]
        database = sqlite3.connect(tmp_path / "records" / "planimeter.db")
        with database:
            database.executemany(
                "INSERT INTO measurements VALUES "
                "(?, '2020-01-01 00:00:00.000000', 'steel', 2, 'Ärger.PNG', 'a', 'b', 'c', ?)",
                [(id_, "not JSON" if id_ == names[0] else document) for id_ in names],
            )
            database.executemany(
                "INSERT INTO measurement_classes VALUES (?, 1, 'scratches', 2, 2)", [(id_,) for id_ in names]
            )
            database.executemany(
                "INSERT INTO measurement_candidates VALUES (?, ?)", [(id_, id_.encode()) for id_ in names]
            )
        database.close()

        store = open_store(tmp_path)
        try:
            assert store.count(Filter(filename="ärger.png", class_name="scratches")) == 450
            assert store.get(names[-1]).measurement == measurement("Ärger.PNG")
            assert store.get(names[-1]).batch is None
            (line,) = store.lines(limit=1)
            assert (line.score_threshold, line.measured_threshold, line.kept_threshold) == (0.5, 0.5, None)
            assert [store.candidates(id_) for id_ in names] == [id_.encode() for id_ in names]
            total = store.statistics()
            # Each: 2 instances, 800 of 40,000 pixels in its coverage, no instances listed in its document.
            assert (total.pixels_masked, total.pixels_counted) == (449 * 800, 449 * 40000)
            assert [(entry.name, entry.instances) for entry in total.by_class] == [("scratches", 900)]
            with pytest.raises(StoreFailed, match="damaged"):
                store.get(names[0])
            assert store.delete_many(Filter(), count=450) == 450
        finally:
            store.close()

    def test_the_migrated_database_has_exactly_the_tables_of_the_code(
        self, store: Store, tmp_path: Path
    ) -> None:
        add(store)
        engine = sa.create_engine(f"sqlite:///{tmp_path}/records/planimeter.db")
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []
        engine.dispose()

    def test_two_first_starts_at_once_both_succeed(self, tmp_path: Path) -> None:
        start = threading.Barrier(4)

        def one(_: int) -> Store:
            start.wait()
            return open_store(tmp_path)

        with ThreadPoolExecutor(4) as threads:
            stores = list(threads.map(one, range(4)))
        for store in stores:
            add(store)
        assert [store.count() for store in stores] == [4, 4, 4, 4]
        for store in stores:
            store.close()


def _execute(home: Path, *statements: str) -> None:
    database = sqlite3.connect(home / "records" / "planimeter.db")
    with database:
        for statement in statements:
            database.execute(statement)
    database.close()


def _store_id(home: Path) -> str:
    database = sqlite3.connect(home / "records" / "planimeter.db")
    [(store_id,)] = database.execute("SELECT id FROM store")
    database.close()
    return str(store_id)


def _insert_many(home: Path, count: int, document: str) -> None:
    """Record so many measurements without files, long ago."""
    database = sqlite3.connect(home / "records" / "planimeter.db")
    numbered = [f"0000{number:022}" for number in range(count)]
    with database:
        database.executemany(
            "INSERT INTO measurements (id, created_at, model, percent_masked, pixels_masked, pixels_counted, "
            "instances, filename, folded_name, upload_name, overlay_name, mask_name) VALUES "
            "(?, '2020-01-01 00:00:00', 'steel', 1, 400, 40000, 1, 'A', 'a', 'a', 'b', 'c')",
            [(id_,) for id_ in numbered],
        )
        database.executemany(
            "INSERT INTO measurement_documents VALUES (?, ?)", [(id_, document) for id_ in numbered]
        )
        database.executemany(
            "INSERT INTO measurement_classes VALUES (?, 1, 'scratches', 1, 1)", [(id_,) for id_ in numbered]
        )
    database.close()


def _write_foreign(home: Path) -> None:
    for name, content in FOREIGN.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(content)


def _foreign_under(home: Path) -> dict[str, bytes]:
    return {name: (home / name).read_bytes() for name in FOREIGN if (home / name).exists()}


def _unfinished_work(home: Path) -> tuple[Folder, set[str]]:
    """Leave in the upload folder what an add leaves there that is under way: a note, a file, half a file."""
    folder = Folder(home / "uploads", "upload")
    whole, half = f"a_{A_FOREIGN_ID}.png", f"a_{A_FOREIGN_ID}_half.png"
    write_note(folder, Note(store=_store_id(home), id=A_FOREIGN_ID, files=(whole, half)))
    folder.write(whole, b"whole")
    (folder.incoming / half).write_bytes(b"ha")
    names = (whole, f".incoming/{half}", f".incoming/{A_FOREIGN_ID}.json")
    return folder, {f"uploads/{name}" for name in names}


def _run_this_file(*arguments: str | Path) -> str:
    command = [sys.executable, __file__, *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _killed_at_every_step(base: Path, action: str, template: Path | None = None) -> list[Path]:
    """Return homes in which a process was killed, one for each step of the action."""
    if template is None:
        template = base / "template"
        store = open_store(template)
        add(store, measurement("kept.png"))
        store.close()
        _write_foreign(template)
    (base / action).mkdir(parents=True)
    _run_this_file(action, template, base / action)
    homes = sorted((base / action).iterdir())
    assert len(homes) > 10
    return homes


def _check_killed(home: Path) -> int:
    """Assert that all records have their files before a restart, and only they stay after; count them."""
    database = sqlite3.connect(home / "records" / "planimeter.db")
    rows = database.execute("SELECT upload_name, overlay_name, mask_name FROM measurements").fetchall()
    database.close()
    in_place = {name for name in files_under(home) - set(FOREIGN) if ".incoming" not in name}
    assert in_place >= {f"uploads/{row[0]}" for row in rows}
    assert in_place >= {f"outputs/{name}" for row in rows for name in row[1:]}
    for name in in_place:  # recorded or not, a file in place is whole
        content = next((kind for kind in ("overlay", "mask") if name.endswith(f"_{kind}.png")), "picture")
        assert (home / name).read_bytes() == content.encode()
    store = open_store(home)
    records = store.list()
    store.close()
    assert len(records) == len(rows)
    assert files_under(home) == set(FOREIGN).union(*(files_of(record, home) for record in records))
    assert _foreign_under(home) == FOREIGN
    return len(records)


# From here on: what runs in the process that gets killed.

SYSTEM_CALLS = {"open", "write", "flush", "close", "fsync", "flock", "replace", "unlink", "mkdir"}
DATABASE_CALLS = {"execute", "executemany", "commit", "rollback"}


def _kill_self_at(step: int) -> None:
    """Have SIGKILL strike at the n-th moment before a call into the system or into SQLite."""
    moments = itertools.count(1)

    def strike(_frame: object, event: str, called: object) -> None:
        if event != "c_call" or getattr(called, "__name__", "") not in SYSTEM_CALLS | DATABASE_CALLS:
            return
        if next(moments) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(strike)


def _killed_add(home: Path, step: int) -> None:
    store = open_store(home)
    _kill_self_at(step)
    add(store)


def _killed_delete(home: Path, step: int) -> None:
    store = open_store(home)
    [record] = store.list()
    _kill_self_at(step)
    store.delete(record.id)


def _killed_open(home: Path, step: int) -> None:
    _kill_self_at(step)
    open_store(home)


def _die_at_every_step(action: Callable[[Path, int], None], template: Path, base: Path) -> None:
    """Fork a process for each step of the action and have it killed there, until one survives."""
    for step in itertools.count(1):
        home = base / f"{step:04}"
        shutil.copytree(template, home)
        child = os.fork()
        if not child:
            status = 1
            try:
                action(home, step)
                status = 0
            except BaseException:  # noqa: BLE001 - the fork must not return into the loop of its parent
                sys.setprofile(None)
                traceback.print_exc()
            finally:
                os._exit(status)
        _, ended = os.waitpid(child, 0)
        if not os.WIFSIGNALED(ended):
            shutil.rmtree(home)
            sys.exit(os.WEXITSTATUS(ended))


def _add_with_limited_files(home: Path, too_large: str) -> None:
    store = open_store(home)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    bulk = 400_000
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
        killed = {"add": _killed_add, "delete": _killed_delete, "open": _killed_open}
        _die_at_every_step(killed[action], *map(Path, arguments))


if __name__ == "__main__":
    main()


# ---- A database that another has locked


def test_writers_of_a_locked_database_wait_once_all_in_all(
    tmp_path: Path,
) -> None:
    database = tmp_path / "records.db"
    store = Store.open(f"sqlite:///{database}", tmp_path / "up", tmp_path / "out")
    store._database.patience = 2.0
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
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
    other.execute("COMMIT")
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
