"""What is removed by itself: by age, count and bytes, from the trash, never what is pinned; and the limit on bytes."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from planimeter.commands import main
from planimeter.errors import UnknownMeasurement
from planimeter.service.app import create_app
from planimeter.service.context import EXTENSION
from planimeter.service.housekeeping import Housekeeper
from planimeter.service.models import Models
from planimeter.settings import Settings
from planimeter.store import Record, Store
from planimeter.store.retention import A_STEP, Keeping
from stored import add, execute_sql, files_of, files_under, ids, open_store, rows_in
from test_api import MEASUREMENTS, OVERLAPPING, assert_problem, body, post
from test_server import Start, measure, request, start, url_in

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("records_in")]

__all__ = ["start"]

BYTES = len(b"picture") + len(b"overlay") + len(b"mask")
FOREVER = Keeping(trash_days=30)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "kept")
    yield opened
    opened.close()


def add_days_ago(store: Store, monkeypatch: pytest.MonkeyPatch, days: float) -> Record:
    """Store a measurement while the clock shows a day of the past."""
    now = time.time_ns()
    with monkeypatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: now - int(days * 86_400e9))
        return add(store)


def remove_all(store: Store, keeping: Keeping) -> Counter[str]:
    removed: Counter[str] = Counter()
    while step := store.retention.step(keeping):
        removed[step[0]] += step[1]
    return removed


def in_trash_since(home: Path, days: float) -> None:
    """Let all that is in the trash have been there for so long."""
    then = datetime.now(timezone.utc) - timedelta(days=days)
    execute_sql(home, f"UPDATE trash SET deleted_at = '{then:%Y-%m-%d %H:%M:%S.%f}'")  # noqa: S608  ours


def test_nothing_is_removed_where_nobody_asked_for_it(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [add_days_ago(kept, monkeypatch, 10_000), add(kept), add(kept)]
    kept.discard(records[1].id)
    assert kept.retention.step(FOREVER) is None
    assert (kept.count(), kept.trash.count()) == (2, 1)


def test_what_is_too_old_goes_with_its_files_but_for_what_is_pinned(
    kept: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ages = [40, 31, 30.001, 29.999, 1]
    records = [add_days_ago(kept, monkeypatch, days) for days in ages]
    kept.pin(records[1].id)
    assert remove_all(kept, Keeping(trash_days=30, days=30)) == {"age": 2}
    assert ids(kept.list()) == [records[i].id for i in (4, 3, 1)]
    assert kept.trash.count() == 0, "it is removed for good"
    expected = set().union(*(files_of(record, tmp_path / "kept") for record in kept.list()))
    assert files_under(tmp_path / "kept") == expected
    kept.pin(records[1].id, pinned=False)
    assert remove_all(kept, Keeping(trash_days=30, days=30)) == {"age": 1}


def test_the_oldest_go_where_there_are_too_many_and_pinned_ones_do_not_count(kept: Store) -> None:
    records = ids([add(kept) for _ in range(2 * A_STEP + 5)])
    for id_ in (records[0], records[3]):
        assert kept.pin(id_).pinned
    assert remove_all(kept, Keeping(trash_days=30, measurements=10)) == {"count": 2 * A_STEP - 7}
    assert ids(kept.list()) == [*records[:-11:-1], records[3], records[0]]
    assert kept.retention.step(Keeping(trash_days=30, measurements=10)) is None


def test_a_step_removes_only_a_few(kept: Store) -> None:
    for _ in range(A_STEP + 3):
        add(kept)
    keeping = Keeping(trash_days=30, measurements=1)
    assert kept.retention.step(keeping) == ("count", A_STEP)
    assert kept.count() == 3
    assert kept.retention.step(keeping) == ("count", 2)
    assert kept.retention.step(keeping) is None


def test_the_trash_goes_before_the_oldest_where_too_much_is_stored(kept: Store) -> None:
    records = [add(kept, picture=bytes(100_000)) for _ in range(6)]
    pinned, trashed = records[0].id, records[4].id
    kept.pin(pinned)
    kept.discard(trashed)
    full = kept.stored_bytes()
    assert remove_all(kept, Keeping(trash_days=30, bytes=full)) == {}
    assert remove_all(kept, Keeping(trash_days=30, bytes=full - 1)) == {"bytes": 1}
    assert (kept.trash.count(), kept.count()) == (0, 5)
    assert remove_all(kept, Keeping(trash_days=30, bytes=full - 250_000)) == {"bytes": 2}
    assert ids(kept.list()) == [records[i].id for i in (5, 3, 0)]
    assert remove_all(kept, Keeping(trash_days=30, bytes=1)) == {"bytes": 2}
    assert ids(kept.list()) == [pinned], "what is pinned stays, however much is stored"


def test_the_trash_is_emptied_in_time(kept: Store, tmp_path: Path) -> None:
    old, new, stays = add(kept), add(kept), add(kept)
    kept.discard(old.id)
    in_trash_since(tmp_path / "kept", 30.01)
    kept.discard(new.id)
    assert remove_all(kept, FOREVER) == {"trash": 1}
    assert [entry.id for entry in kept.trash.list()] == [new.id]
    in_trash_since(tmp_path / "kept", 29.99)
    assert remove_all(kept, FOREVER) == {}
    assert remove_all(kept, Keeping(trash_days=0)) == {"trash": 1}
    assert files_under(tmp_path / "kept") == files_of(stays, tmp_path / "kept")


def test_a_pin_outlives_the_trash_and_says_what_is_unknown(kept: Store) -> None:
    record = kept.pin(add(kept).id)
    kept.discard(record.id)
    with pytest.raises(UnknownMeasurement, match="in the trash"):
        kept.pin(record.id)
    kept.trash.restore(record.id)
    assert kept.get(record.id) == record
    for id_ in ("nonsense", "01ARZ3NDEKTSV4RRFFQ69G5FAV"):
        with pytest.raises(UnknownMeasurement, match="no measurement"):
            kept.pin(id_)


def test_two_services_that_remove_at_once_do_not_remove_too_many(kept: Store, tmp_path: Path) -> None:
    other = open_store(tmp_path / "kept")
    records = ids([add(kept) for _ in range(70)])
    keeping, start_ = Keeping(trash_days=30, measurements=13), threading.Barrier(2)

    def work(store: Store) -> Counter[str]:
        start_.wait()
        return remove_all(store, keeping)

    with ThreadPoolExecutor(2) as threads:
        removed = sum(threads.map(work, (kept, other)), Counter[str]())
    remove_all(kept, keeping)  # either may have seen nothing to do where the other was quicker
    other.close()
    assert removed["count"] <= 57
    assert ids(kept.list()) == records[:-14:-1]
    expected = set().union(*(files_of(record, tmp_path / "kept") for record in kept.list()))
    assert files_under(tmp_path / "kept") == expected


def test_the_bytes_are_those_of_the_files_and_follow_what_is_kept(kept: Store, tmp_path: Path) -> None:
    before = kept.stored_bytes()
    record = add(kept, picture=bytes(1_000_000))
    sizes = "SELECT stored_bytes FROM measurements"
    assert rows_in(tmp_path / "kept", sizes) == [(1_000_000 + BYTES - 7,)]
    assert kept.stored_bytes() >= before + 1_000_000
    other = record.measurement.model_copy(
        update={"options": record.measurement.options.model_copy(update={"score_threshold": 0.75})}
    )
    kept.keep(record, other, overlay_png=bytes(500), mask_png=bytes(300))
    assert rows_in(tmp_path / "kept", sizes) == [(1_000_800,)]
    kept.discard(record.id)
    assert kept.stored_bytes() >= before + 1_000_800, "what is in the trash takes its place still"
    kept.trash.delete(record.id)
    assert kept.stored_bytes() < before + 100_000


def test_measurements_of_an_earlier_version_are_weighed(kept: Store, tmp_path: Path) -> None:
    for _ in range(3):
        add(kept)
    kept.discard(kept.list()[0].id)
    for table in ("measurements", "trashed_measurements"):
        execute_sql(tmp_path / "kept", f"UPDATE {table} SET stored_bytes = NULL")  # noqa: S608  ours
    assert [kept.retention.weigh(limit=2), kept.retention.weigh(limit=2)] == [3, 0]
    query = "SELECT stored_bytes FROM measurements UNION ALL SELECT stored_bytes FROM trashed_measurements"
    assert rows_in(tmp_path / "kept", query) == [(BYTES,)] * 3


# ---- The service


def app_with(settings: Settings, store: Store, models: Models, **more: Any) -> Flask:
    return create_app(settings.model_copy(update=more), store, models)


def test_housekeeping_removes_beside_requests_and_tells_how_many(
    settings: Settings, store: Store, models: Models, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_with(settings, store, models, keep_measurements=2)
    client = app.test_client()
    urls = [f"{MEASUREMENTS}/{body(post(client, OVERLAPPING))['id']}" for _ in range(4)]
    client.delete(urls[3])
    assert body(client.put(f"{urls[0]}/pin"))["pinned"] is True
    post(client, OVERLAPPING)
    assert 'planimeter_removed_measurements_total{reason="count"} 0.0' in client.get("/metrics").text
    housekeeper = Housekeeper(app.extensions[EXTENSION], every=0.05)
    caplog.set_level("INFO")
    housekeeper.start()
    end = time.monotonic() + 20
    while "measurements removed for good: 1" not in caplog.text and time.monotonic() < end:
        assert client.get(MEASUREMENTS).status_code == 200
    housekeeper.stop()
    assert "measurements removed for good: 1, more than --keep-measurements" in caplog.text
    assert [client.get(url).status_code for url in urls] == [200, 404, 200, 404]
    metrics = client.get("/metrics").text
    assert 'planimeter_removed_measurements_total{reason="count"} 1.0' in metrics
    assert 'planimeter_stored_measurements{where="listed"} 3.0' in metrics
    assert 'planimeter_stored_measurements{where="trash"} 1.0' in metrics


def test_a_folder_that_is_gone_ends_no_housekeeping(
    settings: Settings, store: Store, models: Models, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_with(settings, store, models, keep_measurements=1)
    client = app.test_client()
    first, second = (body(post(client, OVERLAPPING))["id"] for _ in range(2))
    folder = Path(settings.output_folder)
    away = folder.rename(folder.with_name("away"))
    housekeeper = Housekeeper(app.extensions[EXTENSION], every=0.05)
    housekeeper.start()
    end = time.monotonic() + 20
    while "nothing could be removed" not in caplog.text and time.monotonic() < end:
        time.sleep(0.01)
    assert "output folder" in caplog.text
    assert [record.id for record in store.list()] == [second, first], "no record goes without its files"
    away.rename(settings.output_folder)
    while store.count() > 1 and time.monotonic() < end:
        time.sleep(0.01)
    housekeeper.stop()
    assert [record.id for record in store.list()] == [second]


def test_a_pin_is_set_and_taken_away(client: FlaskClient) -> None:
    id_ = body(post(client, OVERLAPPING))["id"]
    url = f"{MEASUREMENTS}/{id_}"
    assert body(client.get(url))["pinned"] is False
    assert body(client.put(f"{url}/pin"))["pinned"] is True
    assert body(client.get(MEASUREMENTS))["measurements"][0]["pinned"] is True
    assert "Pinned: it stays" in client.get(f"/measurements/{id_}").text
    assert client.post(f"/measurements/{id_}/pin").status_code == 303
    assert body(client.get(url))["pinned"] is False
    client.post(f"/measurements/{id_}/pin", data={"pinned": "1"})
    assert body(client.get(url))["pinned"] is True
    assert body(client.delete(f"{url}/pin"))["pinned"] is False
    assert_problem(client.put(f"{MEASUREMENTS}/nonsense/pin"), 404, "unknown_measurement")


def test_a_full_store_measures_nothing_more_but_reads_and_deletes(
    settings: Settings, store: Store, models: Models
) -> None:
    client = app_with(settings, store, models, most_gb=0.01).test_client()
    header = {"Idempotency-Key": "a"}
    sent: dict[str, Any] = {"data": OVERLAPPING, "content_type": "image/png", "headers": header}
    first = client.post(MEASUREMENTS, **sent)
    assert first.status_code == 201
    large = add(store, picture=bytes(10_000_000))
    assert_problem(post(client, OVERLAPPING), 507, "no_room", "--most-gb allows 0.01", "empty the trash")
    assert body(client.post(MEASUREMENTS, **sent))["id"] == body(first)["id"], "it was measured before"
    assert store.count() == 2
    assert client.get(f"{MEASUREMENTS}/{body(first)['id']}/overlay").status_code == 200
    assert client.delete(f"{MEASUREMENTS}/{large.id}").status_code == 204
    assert_problem(post(client, OVERLAPPING), 507, "no_room")
    assert client.delete("/api/v1/trash?count=1").status_code == 200
    assert post(client, OVERLAPPING).status_code == 201


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--keep-days", "0"), "greater than 0"),
        (("--keep-days", "nan"), "finite"),
        (("--keep-days", "-1"), "greater than 0"),
        (("--keep-measurements", "0"), "greater than or equal to 1"),
        (("--keep-gb", "0"), "greater than or equal to 0.01"),
        (("--keep-gb", "inf"), "finite"),
        (("--most-gb", "0.001"), "greater than or equal to 0.01"),
        (("--keep-trash-days", "-1"), "greater than or equal to 0"),
        (("--keep-trash-days", "inf"), "finite"),
        (("--keep-gb", "5", "--most-gb", "5"), "nothing would be removed"),
    ],
)
def test_a_rule_that_cannot_be_kept_is_refused_at_start(options: tuple[str, ...], reason: str) -> None:
    ran = CliRunner().invoke(main, ["serve", *options])
    assert ran.exit_code == 2
    assert options[-2] in ran.output
    assert reason in " ".join(ran.output.split())


@pytest.mark.sqlite_alone("it starts a service of its own")
def test_a_service_keeps_house_from_its_start_on(start: Start) -> None:
    first = start()
    url = url_in(first.message())
    ids_ = [measure(url, OVERLAPPING)["id"] for _ in range(3)]
    assert request(f"{url}{MEASUREMENTS}/{ids_[0]}/pin", "PUT")[0] == 200
    assert first.stop(signal.SIGTERM)[0] == 0
    second = start("--keep-measurements", "1")
    again = url_in(second.message())
    end = time.monotonic() + 30
    while request(f"{again}{MEASUREMENTS}/{ids_[1]}")[0] == 200 and time.monotonic() < end:
        time.sleep(0.05)
    assert [request(f"{again}{MEASUREMENTS}/{id_}")[0] for id_ in ids_] == [200, 404, 200]
    status, _, err = second.stop(signal.SIGTERM)
    assert status == 0
    assert "measurements removed for good: 1, more than --keep-measurements" in err
    assert "Traceback" not in err
