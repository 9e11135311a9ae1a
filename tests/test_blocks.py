"""Sums over many, read from blocks: the same as from the measurements one by one, whatever happened to these."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from ulid import ULID

from databases import database_url, engine_of
from planimeter.commands import main
from planimeter.errors import StoreFailed
from planimeter.service.app import create_app
from planimeter.service.context import EXTENSION
from planimeter.service.housekeeping import Housekeeper
from planimeter.service.models import Models
from planimeter.settings import Settings
from planimeter.store import Filter, Store, block_building, block_series, blocks, trend
from planimeter.store.tables import ClassRow, DocumentRow, MeasurementRow
from stored import execute_sql, measurement, open_store, rows_in

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("records_in")]

NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
NUMBERS = count(1)
CLASSES = ("pits", "scratches", "stains")
FILTERS = (
    Filter(),
    Filter(model="a"),
    Filter(model="none"),
    Filter(class_name="pits"),
    Filter(class_name="none"),
    Filter(class_name="stains", model="b"),
    Filter(since=NOON + timedelta(hours=3), until=NOON + timedelta(hours=30)),
    Filter(since=NOON + timedelta(hours=12), model="a", class_name="scratches"),
    Filter(until=NOON - timedelta(days=1)),
    Filter(min_percent=4.75),
    Filter(min_percent=2, max_percent=6.25, class_name="pits", since=NOON + timedelta(hours=3)),
    Filter(min_percent=50, max_percent=3, model="a"),
    Filter(corrected=True),
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let blocks be made of few measurements, and used for few."""
    for name, value in (("MOST", 16), ("LEAST", 4), ("LEFT_OUT", 2)):
        monkeypatch.setattr(block_building, name, value)
    for module in (blocks, block_series):
        monkeypatch.setattr(module, "ENDS", 2)
    monkeypatch.setattr(trend, "FEW", 0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


@dataclass
class Rows:
    """Measurements put into a database past the store; in quarters of a percent, whose sums are exact."""

    home: Path
    chance: Random = field(default_factory=lambda: Random(7))  # noqa: S311  the same each time

    def __post_init__(self) -> None:
        self._engine = engine_of(self.home)

    def insert(self, many: int) -> None:
        with self._engine.begin() as connection:
            for _ in range(many):
                self._insert(connection)

    def _insert(self, connection: sa.Connection) -> None:
        chance = self.chance
        moment = NOON + timedelta(minutes=chance.randrange(60 * 48))
        id_ = str(ULID.from_int(int(moment.timestamp() * 1000) << 80 | next(NUMBERS)))
        percent = None if chance.random() < 0.1 else chance.choice((*range(40), 400)) / 4
        known = percent is not None and chance.random() < 0.5
        names = {
            "filename": id_,
            "folded_name": id_,
            "upload_name": id_,
            "overlay_name": id_,
            "mask_name": id_,
        }
        row = {
            "id": id_,
            "created_at": moment,
            "model": chance.choice("aab"),
            "percent_masked": percent,
            "percent_low": percent - 1 if known and percent is not None else None,
            "percent_high": percent + 1 if known and percent is not None else None,
            "pixels_masked": chance.randrange(1000),
            "pixels_counted": 1000,
            "instances": chance.randrange(5),
            "verdict": chance.choice((None, "pass", "fail", "undecided")),
            "corrections": int(chance.random() < 0.1),
            **names,
        }
        classes = [
            {"measurement_id": id_, "class_id": number, "class_name": name}
            | {"count": chance.randrange(1, 4), "percent_masked": chance.randrange(40) / 4}
            for number, name in enumerate(CLASSES)
            if chance.random() < 0.4
        ]
        connection.execute(sa.insert(MeasurementRow), row)
        document = measurement(id_).model_dump_json(by_alias=True)
        connection.execute(sa.insert(DocumentRow), {"measurement_id": id_, "document": document})
        if classes:
            connection.execute(sa.insert(ClassRow), classes)

    def dispose(self) -> None:
        self._engine.dispose()


@pytest.fixture
def rows(store: Store, tmp_path: Path) -> Iterator[Rows]:
    assert store.count() == 0
    made = Rows(tmp_path)
    yield made
    made.dispose()


def answers(store: Store) -> list[Any]:
    found: list[Any] = []
    for wanted in FILTERS:
        found += [store.count(wanted), store.statistics(wanted, limit_percent=5)]
        found += [store.trend(wanted, most_buckets=most) for most in (2, 12, 60)]
    return [*found, store.trend(figures="corrected"), store.statistics(figures="corrected")]


def check(store: Store, home: Path) -> None:
    """Compare what blocks tell with what is told without any, and look for blocks that should be gone."""
    engine = engine_of(home)
    with engine.connect() as connection:
        assert [*block_building.wrong_blocks(connection)] == []
    engine.dispose()
    told = answers(store)
    store.blocks.clear()
    assert told == answers(store)


def build(store: Store) -> int:
    made = 0
    while store.blocks.step():
        made += 1
    return made


def blocks_in(home: Path) -> int:
    assert len(rows_in(home, "SELECT DISTINCT up_to_id FROM block_classes")) <= len(
        rows_in(home, "SELECT up_to_id FROM blocks")
    )
    return len(rows_in(home, "SELECT up_to_id FROM blocks"))


def change(store: Store, rows: Rows, step: str) -> None:
    """Do one thing to the measurements of a store."""
    ids = [record.id for record in store.list(limit=500)]
    id_ = rows.chance.choice(ids) if ids else None
    if step == "insert":
        rows.insert(1)
    elif step == "build":
        store.blocks.step()
    elif step == "restore":
        if trashed := store.trash.list(limit=1):
            store.trash.restore(trashed[0].id)
    elif id_ is None:
        return
    elif step == "delete":
        store.delete(id_)
    elif step == "discard":
        store.discard(id_)
    elif step == "pin":
        store.pin(id_)
    else:
        id_ = rows.chance.choice(
            [record.id for record in store.list(Filter(corrected=False), limit=500)] or ids
        )
        kept = measurement(id_, classes={"scratches": rows.chance.randrange(9), "pits": 1})
        kept = kept.model_copy(update={"options": kept.options.model_copy(update={"score_threshold": 0.75})})
        store.keep(store.get(id_), kept, overlay_png=b"overlay", mask_png=b"mask")


STEPS = ("insert", "insert", "build", "build", "restore", "delete", "discard", "pin", "keep")


@hypothesis_settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32), steps=st.lists(st.sampled_from(STEPS), max_size=12))
def test_sums_are_the_same_from_blocks_and_without_any(
    store: Store, rows: Rows, tmp_path: Path, seed: int, steps: list[str]
) -> None:
    rows.chance.seed(seed)
    store.delete_many(Filter(), count=store.count())
    rows.insert(60)
    build(store)
    for step in steps:
        change(store, rows, step)
    check(store, tmp_path)


def test_each_kind_of_change_is_seen_and_made_good(store: Store, rows: Rows, tmp_path: Path) -> None:
    rows.insert(100)
    assert build(store) >= 6
    for step in ("insert", "keep", "discard", "restore", "delete"):
        before = blocks_in(tmp_path)
        change(store, rows, step)
        assert blocks_in(tmp_path) == before - 1, step
        build(store)
        held = sum(row[0] for row in rows_in(tmp_path, "SELECT count FROM blocks"))
        assert held >= store.count() - 2 * (4 + 2), "all but the newest of each model"
        assert not store.blocks.step(), "nothing is left to do"
    before = blocks_in(tmp_path)
    change(store, rows, "pin")
    assert blocks_in(tmp_path) == before, "what is in no block changes none"
    check(store, tmp_path)


def test_verdicts_of_stretches_are_counted_in_blocks_too(store: Store, rows: Rows, tmp_path: Path) -> None:
    """Of what has a percentage, wherever a block is cut; also with a class alone."""
    rows.insert(150)
    assert build(store) >= 6
    known = "FROM measurements m WHERE verdict IS NOT NULL AND percent_masked IS NOT NULL"
    of_class = (
        "AND EXISTS (SELECT 1 FROM measurement_classes WHERE measurement_id = id AND class_name = 'pits')"
    )
    for wanted, more in ((Filter(), ""), (Filter(class_name="pits"), of_class)):
        query = f"SELECT verdict, count(*) {known} {more} GROUP BY verdict"
        expected = {str(verdict): count for verdict, count in rows_in(tmp_path, query)}
        assert set(expected) == {"pass", "fail", "undecided"}
        for most in (2, 12, 60):
            told: Counter[str] = Counter()
            for bucket in store.trend(wanted, most_buckets=most).buckets:
                assert sum(bucket.verdicts.values()) <= bucket.spread.count
                told.update(bucket.verdicts)
            assert told == expected


def test_what_all_goes_leaves_no_block_that_holds_anything(store: Store, rows: Rows, tmp_path: Path) -> None:
    rows.insert(60)
    build(store)
    store.delete_many(Filter(model="a"), count=store.count(Filter(model="a")))
    build(store)
    assert store.count(Filter(model="a")) == 0
    check(store, tmp_path)


@pytest.mark.sqlite_alone
def test_what_is_damaged_is_in_no_block_and_keeps_none_of_the_others_out(
    store: Store, rows: Rows, tmp_path: Path
) -> None:
    rows.insert(60)
    ids = sorted(row[0] for row in rows_in(tmp_path, "SELECT id FROM measurements WHERE model = 'a'"))
    execute_sql(
        tmp_path,
        f"UPDATE measurements SET percent_masked = 'x' WHERE id = '{ids[3]}'",  # noqa: S608
        f"UPDATE measurements SET instances = 'y' WHERE id = '{ids[-9]}'",  # noqa: S608
    )
    build(store)
    held = sum(row[0] for row in rows_in(tmp_path, "SELECT count FROM blocks WHERE model = 'a'"))
    assert held >= len(ids) - 2 - 4 - 2
    check(store, tmp_path)


def test_what_the_database_says_of_a_block_is_an_error_of_the_store(
    store: Store, rows: Rows, tmp_path: Path
) -> None:
    rows.insert(60)
    build(store)
    execute_sql(tmp_path, "ALTER TABLE blocks RENAME COLUMN percents TO others")
    with pytest.raises(StoreFailed, match="percents"):
        store.trend()


def test_a_service_makes_them_beside_its_work(store: Store, rows: Rows, tmp_path: Path) -> None:
    rows.insert(60)
    options = Settings(
        database=database_url(tmp_path, "records/planimeter.db"),
        upload_folder=tmp_path / "uploads",
        output_folder=tmp_path / "outputs",
        packs_folder=tmp_path / "packs",
    )
    app = create_app(options, store, Models(options))
    Housekeeper(app.extensions[EXTENSION]).round()
    assert blocks_in(tmp_path) >= 3
    assert not store.blocks.step()


def test_the_doctor_finds_a_block_that_is_wrong_and_makes_all_anew(
    store: Store, rows: Rows, tmp_path: Path
) -> None:
    rows.insert(60)
    build(store)
    told = answers(store)
    options = ["--database", database_url(tmp_path, "records/planimeter.db")]
    options += ["--upload-folder", str(tmp_path / "uploads"), "--output-folder", str(tmp_path / "outputs")]
    options += ["--packs-folder", str(tmp_path / "packs")]
    assert "sums of" not in CliRunner().invoke(main, ["doctor", *options]).output
    execute_sql(tmp_path, "UPDATE blocks SET after_id = '' WHERE model = 'b'", "DELETE FROM block_classes")
    found = CliRunner().invoke(main, ["doctor", *options])
    assert found.output.count("are not theirs") == blocks_in(tmp_path)
    again = CliRunner().invoke(main, ["doctor", "--rebuild-sums", *options])
    assert "blocks of measurements were made anew" in again.output
    assert "are not theirs" not in again.output
    assert answers(store) == told
