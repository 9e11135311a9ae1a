"""What a store says and keeps where the machine fails it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from planimeter.errors import StoreFailed
from planimeter.store import Store
from stored import add, execute_sql, files_of, files_under, measurement, open_store, rows_in
from test_store_killed import run_this_file

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("records_in")]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


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
        [(version,)] = rows_in(tmp_path, "SELECT version_num FROM alembic_version")
        execute_sql(tmp_path, "UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(StoreFailed, match="newer Planimeter"):
            open_store(tmp_path)
        execute_sql(tmp_path, f"UPDATE alembic_version SET version_num = '{version}'")  # noqa: S608  ours
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
        execute_sql(tmp_path, *(f"ALTER TABLE {table} RENAME TO lost_{table}" for table in tables))
        with pytest.raises(StoreFailed, match=r"no such table|does not exist"):
            store.check()
        with pytest.raises(StoreFailed, match=r"no such table|does not exist"):
            add(store)

    @pytest.mark.sqlite_alone("the disk of another machine is not full")
    @pytest.mark.parametrize("too_large", ["overlay", "document"])
    def test_a_full_disk_leaves_nothing_and_the_next_add_works(self, tmp_path: Path, too_large: str) -> None:
        """The limit on file size stands in for a full disk: writes fail half-way, also SQLite's own."""
        answer = run_this_file("limited", tmp_path, too_large)
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
