"""What measurements and their files are called."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from planimeter.store import Store
from planimeter.store.files import file_names, recognisable_stem
from planimeter.store.ids import Ids, first_id_at, is_id, time_of
from stored import A_FOREIGN_ID, add, files_of, files_under, measurement, open_store

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("records_in")]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


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

    @pytest.mark.sqlite_alone("no database is in it")
    @given(st.text(max_size=400))
    @example("\u0344" * 100)
    def test_any_name_gives_a_stem_that_every_file_system_takes(self, filename: str) -> None:
        stem = recognisable_stem(filename)
        assert 1 <= len(stem.encode()) <= 80
        assert not set(stem) & set('/\\:*?"<>|. \0\n')
        assert stem[0] not in "-_"
        assert recognisable_stem(stem) == stem
        assert len(file_names(filename, "WEBP", A_FOREIGN_ID).overlay.encode()) <= 143
