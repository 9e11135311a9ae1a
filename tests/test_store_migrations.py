"""Databases of earlier versions, and first starts."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from databases import SQLITE, database_url, engine_of
from planimeter.details import NOTHING_SAID, Details
from planimeter.errors import StoreFailed
from planimeter.store import Filter, Store, migrations
from planimeter.store.tables import Table
from stored import add, execute_sql, measurement, open_store

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("records_in")]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def make_database(home: Path, version: str) -> None:
    """Make the record database of an earlier version."""
    (home / "records").mkdir()
    engine = sa.create_engine(database_url(home, "records/planimeter.db", new=True), poolclass=sa.NullPool)
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    engine.dispose()


class TestMigrations:
    def test_measurements_of_an_earlier_version_are_all_there_with_their_new_columns(
        self, tmp_path: Path
    ) -> None:
        """More than are copied at once, one of them damaged."""
        make_database(tmp_path, "0002")
        document = measurement("Ärger.PNG").model_dump_json(by_alias=True)
        names = [f"0000{number:022}" for number in range(450)]
        rows = [
            {"id": id_, "packed": id_.encode(), "document": "not JSON" if id_ == names[0] else document}
            for id_ in names
        ]
        engine = engine_of(tmp_path)
        with engine.begin() as connection:
            for statement in (
                "INSERT INTO measurements VALUES "
                "(:id, '2020-01-01 00:00:00.000000', 'steel', 2, 'Ärger.PNG', 'a', 'b', 'c', :document)",
                "INSERT INTO measurement_classes VALUES (:id, 1, 'scratches', 2, 2)",
                "INSERT INTO measurement_candidates VALUES (:id, :packed)",
            ):
                connection.execute(sa.text(statement), rows)

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
            assert store.count(Filter(model_sha256="1" * 64)) == 449
            with pytest.raises(StoreFailed, match="damaged"):
                store.get(names[0])
            for id_ in (names[0], names[-1]):  # also the damaged one
                store.discard(id_)
                store.trash.restore(id_)
            assert store.get(names[-1]).measurement == measurement("Ärger.PNG")
            assert (store.get(names[-1]).measured_by, store.get(names[-1]).pinned) == (None, False)
            assert store.count(Filter(filename="ärger.png", class_name="scratches")) == 450
            assert store.delete_many(Filter(), count=450) == 450
        finally:
            store.close()

    def test_what_an_earlier_version_has_in_its_trash_comes_back_with_the_new_columns(
        self, tmp_path: Path
    ) -> None:
        make_database(tmp_path, "0008")
        document = measurement().model_dump_json(by_alias=True)
        here, thrown = f"{1:026}", f"{2:026}"
        execute_sql(
            tmp_path,
            *(
                f"INSERT INTO {prefix}measurements (id, created_at, model, percent_masked, "  # noqa: S608
                "pixels_masked, pixels_counted, instances, filename, folded_name, score_threshold, measured_threshold, "
                f"upload_name, overlay_name, mask_name) VALUES ('{id_}', '2020-01-01 00:00:00', 'steel', 2, 800, "
                "40000, 2, 'a', 'a', 0.5, 0.5, 'a', 'b', 'c')"
                for prefix, id_ in (("", here), ("trashed_", thrown))
            ),
            f"INSERT INTO measurement_documents VALUES ('{here}', '{document}')",  # noqa: S608
            f"INSERT INTO trashed_measurement_documents VALUES ('{thrown}', '{document}')",  # noqa: S608
            f"INSERT INTO trash VALUES ('{thrown}', '2020-01-01 00:00:00', NULL, '{thrown}')",  # noqa: S608
        )
        store = open_store(tmp_path)
        try:
            store.trash.restore(thrown)
            assert store.count(Filter(model_sha256="1" * 64)) == 2
            for id_ in (here, thrown):
                assert store.get(id_).details == NOTHING_SAID
                store.details.change(id_, Details(lot="A", tags=("worn",)))
            assert store.count(Filter(lot="A", tag=("worn",))) == 2
            (model,) = store.lots.get("A").by_model
            assert (model.fields.n, model.repeated) == (2, 0), (
                "no hash of a picture tells that it is the same"
            )
        finally:
            store.close()

    @pytest.mark.parametrize("version", [sqlite3.sqlite_version_info, (3, 34, 1)])
    def test_percentages_may_be_none_and_those_that_were_there_stay(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, records_in: str, version: tuple[int, int, int]
    ) -> None:
        """Also with an SQLite that can drop no column."""
        monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
        make_database(tmp_path, "0009")
        document = measurement().model_dump_json(by_alias=True)
        ids = [f"{number:026}" for number in (1, 2, 3)]
        execute_sql(
            tmp_path,
            *(
                f"INSERT INTO {prefix}measurements (id, created_at, model, percent_masked, pixels_masked, "  # noqa: S608
                "pixels_counted, instances, filename, folded_name, upload_name, overlay_name, mask_name) "
                f"VALUES ('{id_}', '2020-01-01 00:00:00', 'steel', {id_[-1]}, 800, 40000, 2, 'a', 'a', 'a', 'b', 'c')"
                for prefix, id_ in zip(("", "", "trashed_"), ids, strict=True)
            ),
            *(f"INSERT INTO measurement_documents VALUES ('{id_}', '{document}')" for id_ in ids[:2]),  # noqa: S608
            f"INSERT INTO trashed_measurement_documents VALUES ('{ids[2]}', '{document}')",  # noqa: S608
            f"INSERT INTO trash VALUES ('{ids[2]}', '2020-01-01 00:00:00', NULL, '{ids[2]}')",  # noqa: S608
        )
        store = open_store(tmp_path)
        try:
            assert [line.percent_masked for line in store.lines(limit=3)] == [2, 1]
            assert [entry.percent_masked for entry in store.trash.list()] == [3]
            execute_sql(tmp_path, f"UPDATE measurements SET percent_masked = NULL WHERE id = '{ids[0]}'")  # noqa: S608
            store.discard(ids[0])
            assert [entry.percent_masked for entry in store.trash.list()] == [None, 3]
            for id_ in (ids[0], ids[2]):
                store.trash.restore(id_)
            assert [line.percent_masked for line in store.lines(limit=3, order="percent_masked")] == [
                None,
                2,
                3,
            ]
            total = store.statistics()
            assert total.spread is not None
            assert (total.spread.mean, total.without_percent) == (2.5, 1)
        finally:
            store.close()
        engine = engine_of(tmp_path)
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []
            if records_in == SQLITE:
                assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
        engine.dispose()

    def test_the_migrated_database_has_exactly_the_tables_of_the_code(
        self, store: Store, tmp_path: Path
    ) -> None:
        add(store)
        engine = engine_of(tmp_path)
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []
        engine.dispose()

    def test_the_newest_version_is_the_last_that_alembic_knows(self, store: Store, tmp_path: Path) -> None:
        add(store)
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        assert ScriptDirectory.from_config(config).get_heads() == [migrations.NEWEST]
        engine = engine_of(tmp_path)
        with engine.connect() as connection:
            assert MigrationContext.configure(connection).get_current_heads() == (migrations.NEWEST,)
        engine.dispose()

    def test_a_database_of_this_version_is_opened_without_alembic(self, store: Store, tmp_path: Path) -> None:
        add(store)
        code = (
            "import sys; from planimeter.store import Store; "
            f"store = Store.open({database_url(tmp_path, 'records/planimeter.db')!r}, 'uploads', 'outputs'); "
            "print(store.count(), 'alembic' in sys.modules); store.close()"
        )
        ran = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert ran.stdout == "1 False\n"

    def test_a_new_file_that_another_start_holds_is_waited_for(self, tmp_path: Path, records_in: str) -> None:
        """SQLite refuses the change to write-ahead logging at once here, whatever its timeout is."""
        if records_in != SQLITE:
            return
        (tmp_path / "records").mkdir()
        other = sqlite3.connect(
            tmp_path / "records" / "planimeter.db", isolation_level=None, check_same_thread=False
        )
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.3, other.rollback)
        release.start()
        opened = open_store(tmp_path)
        add(opened)
        assert opened.count() == 1
        opened.close()
        release.join()
        other.close()

    def test_two_first_starts_at_once_both_succeed(self, tmp_path: Path) -> None:
        start = threading.Barrier(4)

        def one(_: int) -> Store:
            start.wait()
            return Store.open(url, tmp_path / "uploads", tmp_path / "outputs")

        url = database_url(tmp_path, "records/planimeter.db", new=True)
        with ThreadPoolExecutor(4) as threads:
            stores = list(threads.map(one, range(4)))
        for store in stores:
            add(store)
        assert [store.count() for store in stores] == [4, 4, 4, 4]
        for store in stores:
            store.close()
