"""What a store lists, and in which order."""

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from planimeter.errors import InvalidOption, UnknownMeasurement
from planimeter.store import Filter, Store
from stored import A_FOREIGN_ID, add, ids, insert_many, measurement, open_store

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("records_in")]


@contextmanager
def plans_of(home: Path) -> Iterator[list[list[str]]]:
    """Collect how SQLite finds what each statement inside asks for, one step a line."""
    statements: list[tuple[str, Any]] = []
    plans: list[list[str]] = []

    def remember(_c: Any, _k: Any, statement: str, parameters: Any, _x: Any, _m: bool) -> None:
        statements.append((statement, parameters))

    sa.event.listen(sa.Engine, "before_cursor_execute", remember)
    try:
        yield plans
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", remember)
    with sqlite3.connect(home / "records" / "planimeter.db") as database:
        for statement, parameters in statements:
            found = database.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.append([row[3] for row in found])
    database.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


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
        insert_many(tmp_path, 2000, document="not JSON")
        records = ids([add(store) for _ in range(50)])

        assert ids(store.list()) == records[::-1]
        assert ids(store.list(Filter(model="steel", class_name="scratches"))) == records[::-1]
        assert (store.count(), store.count(Filter(class_name="scratches"))) == (2050, 2050)
        assert not caplog.records
        assert ids(store.list(limit=51)) == records[::-1]
        assert "is damaged" in caplog.text

    @pytest.mark.sqlite_alone("PostgreSQL chooses by its statistics, and reads small tables whole")
    @pytest.mark.parametrize("wanted", [Filter(), Filter(model="steel"), Filter(class_name="scratches")])
    def test_a_page_is_found_by_an_index_without_sorting(
        self, store: Store, tmp_path: Path, wanted: Filter
    ) -> None:
        insert_many(tmp_path, 500, document=measurement().model_dump_json(by_alias=True))
        with plans_of(tmp_path) as plans:
            store.list(wanted, before="7ZZZZZZZZZZZZZZZZZZZZZZZZZ")

        assert len(plans) == 3, "one for the ids of the page, one for their tags, one for its rows"
        steps = [step for plan in plans for step in plan]
        assert all(re.match("SEARCH .*(INDEX|PRIMARY KEY)", step) for step in steps), steps

    @pytest.mark.sqlite_alone("PostgreSQL chooses by its statistics, and reads small tables whole")
    def test_figures_of_the_last_days_do_not_read_the_classes_of_all(
        self, store: Store, tmp_path: Path
    ) -> None:
        insert_many(tmp_path, 500, document=measurement().model_dump_json(by_alias=True))
        add(store)
        with plans_of(tmp_path) as plans:
            found = store.statistics(Filter(since=datetime.now(timezone.utc) - timedelta(minutes=5)))

        assert [(entry.name, entry.measurements) for entry in found.by_class] == [("scratches", 1)]
        steps = [step for plan in plans for step in plan if "measurement_classes" in step]
        assert steps
        assert all(step.startswith("SEARCH ") for step in steps), steps

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
