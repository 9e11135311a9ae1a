"""The audit trail: what changes a measurement is in it, in one chain, and whatever is changed of it shows."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from flask import Flask

from databases import database_url, engine_of
from planimeter.commands import main
from planimeter.corrections import Changes, Corrected
from planimeter.details import Details
from planimeter.errors import CorrectedMeanwhile, StoreFailed, UnknownMeasurement
from planimeter.service.app import create_app
from planimeter.service.models import Models
from planimeter.settings import Settings
from planimeter.store import Record, Store
from planimeter.store.audit import Entry, read
from planimeter.store.engine import hold_still
from planimeter.store.retention import Keeping
from planimeter.store.verification import broken
from stored import add, execute_sql, measurement, open_store
from test_corrections import MEASUREMENTS, PICTURE, body

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("records_in")]
NOW = datetime(2026, 11, 27, 8, 30, 0, 123000, timezone.utc)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def figures(record: Record, number: int, *, reviewed: bool = False) -> Corrected:
    coverage = record.measurement.coverage
    return Corrected(number=number, at=NOW, by="Ada", reviewed=reviewed, coverage=coverage, instances=[])


def correct(store: Store, id_: str, *, reviewed: bool = False) -> None:
    record = store.get(id_)
    number = 1 if record.corrected is None else record.corrected.number + 1
    changes = Changes(reject=[number])
    store.corrections.add(record, changes, figures(record, number, reviewed=reviewed), [], reason="a speck")


def wrong(home: Path) -> list[str]:
    engine = engine_of(home)
    with engine.connect() as connection:
        hold_still(connection)
        return [*broken(connection)]


def run(home: Path, *arguments: str) -> Result:
    url = database_url(home, "records/planimeter.db")
    return CliRunner().invoke(main, ["audit", *arguments, "--database", url])


def test_all_that_changes_a_measurement_is_in_the_trail(kept: Store, tmp_path: Path) -> None:
    record, other = add(kept), add(kept, measurement("Ärger \0.png"))
    id_ = record.id
    options = measurement().options.model_copy(update={"score_threshold": 0.75})
    changed = measurement().model_copy(update={"options": options})
    kept.keep(kept.get(id_), changed, overlay_png=b"overlay", mask_png=b"mask", by="Bob")
    correct(kept, id_, reviewed=True)
    kept.scales.change(id_, lambda found: found, lambda found, _: found, by="Bob")
    kept.details.change(id_, Details(lot="7"), by="Bob")
    kept.pin(id_, by="Bob")
    kept.pin(id_, pinned=False, by="Bob")
    kept.discard(id_, by="Eve")
    kept.trash.restore(id_, by="Eve")
    kept.delete(other.id, by="Eve")
    kept.discard(id_)
    assert kept.retention.step(Keeping(trash_days=-1)) == ("trash", 1)
    entries = [*kept.audit.entries()]
    assert [(entry.action, entry.by) for entry in entries] == [
        ("threshold_kept", "Bob"),
        ("corrected", "Ada"),
        ("scale_set", "Bob"),
        ("details_set", "Bob"),
        ("pinned", "Bob"),
        ("unpinned", "Bob"),
        ("deleted", "Eve"),
        ("restored", "Eve"),
        ("purged", "Eve"),
        ("deleted", None),
        ("purged", None),
    ]
    assert [entry.sequence for entry in entries] == [*range(1, 12)]
    assert [*kept.audit.entries(measurement_id=other.id)] == entries[8:9]
    assert [*kept.audit.entries(after=3, limit=2)] == entries[3:5]
    assert json.loads(entries[0].content)["score_threshold"] == 0.75
    assert json.loads(entries[1].content)["reason"] == "a speck"
    assert json.loads(entries[-1].content)["why"] == "trash"
    for entry in entries:
        assert entry.sha256 == sha256(entry.content.encode()).hexdigest()
    assert wrong(tmp_path) == []


def test_what_fails_leaves_no_entry(kept: Store) -> None:
    record = add(kept)
    for change in (
        lambda: kept.pin("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        lambda: kept.delete("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        lambda: kept.trash.restore(record.id),
    ):
        with pytest.raises(UnknownMeasurement):
            change()
    correct(kept, record.id)
    options = measurement().options.model_copy(update={"score_threshold": 0.75})
    changed = measurement().model_copy(update={"options": options})
    before = kept.get(record.id)
    with pytest.raises(CorrectedMeanwhile, match="by Ada at 2026-11-27T08:30:00Z"):
        kept.corrections.add(record, Changes(reject=[1]), figures(record, 1), [], reason="")
    with pytest.raises(CorrectedMeanwhile, match="1 correction, not 0"):
        kept.keep(record, changed, overlay_png=b"overlay", mask_png=b"mask")
    assert kept.get(record.id) == before
    kept.keep(before, changed, overlay_png=b"overlay", mask_png=b"mask")
    with pytest.raises(CorrectedMeanwhile, match="threshold, the region or the scale"):
        kept.corrections.add(before, Changes(reject=[1]), figures(record, 2), [], reason="")
    assert [entry.action for entry in kept.audit.entries()] == ["corrected", "threshold_kept"]
    assert kept.corrections.count(record.id) == 1


def test_two_services_write_one_chain(kept: Store, tmp_path: Path) -> None:
    other = open_store(tmp_path)
    ids = [add(kept).id for _ in range(2)]

    def work(store: Store, id_: str) -> None:
        for _ in range(6):
            store.pin(id_)
            correct(store, id_)

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(work, *each) for each in zip((kept, other), ids, strict=True)]:
            done.result()
    other.close()
    assert [entry.sequence for entry in kept.audit.entries()] == [*range(1, 25)]
    assert wrong(tmp_path) == []


TAMPERED = {
    "what was done": ("UPDATE audit SET content = '{}' WHERE sequence = 2", "entry 2: what it says was done"),
    "who did it": ("UPDATE audit SET by = 'Eve' WHERE sequence = 2", "entry 2: its time, name"),
    "whose": ("UPDATE audit SET measurement_id = NULL WHERE sequence = 3", "entry 3: its time, name"),
    "one taken out": ("DELETE FROM audit WHERE sequence = 2", "entry 3: it follows entry 1"),
    "the first taken out": ("DELETE FROM audit WHERE sequence = 1", "entry 2: it follows entry 0"),
    "the last taken out": (
        "DELETE FROM audit WHERE sequence = 4",
        "ends with entry 3, and should end with entry 4",
    ),
    "all taken out": ("DELETE FROM audit", "ends with entry 0"),
    "its end taken away": ("DELETE FROM audit_head", "should end with no entry"),
    "a correction": (
        "UPDATE corrections SET document = '{}' WHERE number = 2",
        "correction 2 of measurement",
    ),
    "a correction taken out": ("DELETE FROM corrections WHERE number = 1", "correction 1 of measurement"),
    "figures": ("UPDATE corrected_documents SET document = '{}'", "corrected figures of measurement"),
    "instances": ("UPDATE corrected_documents SET objects = '[1]'", "not those that its corrections come to"),
}


def test_whatever_is_changed_shows_and_the_first_of_it_is_named(kept: Store, tmp_path: Path) -> None:
    record = add(kept)
    kept.pin(record.id)
    for _ in range(2):
        correct(kept, record.id)
    kept.pin(record.id, pinned=False)
    exported = run(tmp_path, "export")
    assert exported.exit_code == 0
    assert [json.loads(line)["sequence"] for line in exported.stdout.splitlines()] == [1, 2, 3, 4]
    file = tmp_path / "audit.jsonl"
    for text, status in (
        (exported.stdout, 0),
        (run(tmp_path, "export", "--after", "2").stdout, 0),
        (exported.stdout.replace("a speck", "a scratch", 1), 1),
        (exported.stdout.replace('"by":"Ada"', '"by":"Eve"', 1), 1),
        ("no trail", 1),
    ):
        file.write_text(text)
        assert run(tmp_path, "verify", str(file)).exit_code == status
    assert "audit trail is whole" in run(tmp_path, "verify").output
    tables = ("audit", "audit_head", "corrections", "corrected_documents")
    for name in tables:
        execute_sql(tmp_path, f"CREATE TABLE {name}_copy AS SELECT * FROM {name}")  # noqa: S608  ours
    restored = [f"DELETE FROM {name}" for name in tables]  # noqa: S608  ours
    restored += [f"INSERT INTO {name} SELECT * FROM {name}_copy" for name in tables]  # noqa: S608
    for what, (statement, words) in TAMPERED.items():
        execute_sql(tmp_path, statement)
        found = wrong(tmp_path)
        assert words in found[0], (what, found)
        assert len(found) == 1, what
        told = run(tmp_path, "verify")
        assert (told.exit_code, words in told.output) == (1, True)
        execute_sql(tmp_path, *restored)
        assert wrong(tmp_path) == [], what
    kept.discard(record.id)
    execute_sql(tmp_path, "UPDATE trashed_corrections SET document = '{}' WHERE number = 2")
    assert "correction 2 of measurement" in wrong(tmp_path)[0]
    places = ("--upload-folder", str(tmp_path / "uploads"), "--output-folder", str(tmp_path / "outputs"))
    url = database_url(tmp_path, "records/planimeter.db")
    doctor = CliRunner().invoke(main, ["doctor", "--database", url, *places])
    assert (doctor.exit_code, "correction 2 of measurement" in doctor.output) == (1, True)


def test_the_page_says_how_to_check_the_chain(kept: Store, tmp_path: Path) -> None:
    """By the lines of docs/records.md, which know nothing of this program."""
    record = add(kept)
    kept.details.change(record.id, Details(lot="Ä"), by="Zoë \0")
    correct(kept, record.id)
    page = (Path(__file__).parents[1] / "docs" / "records.md").read_text("utf-8")
    lines = page.split("```python\n")[1].split("```")[0].replace("audit.jsonl", str(tmp_path / "audit.jsonl"))
    text = run(tmp_path, "export").stdout
    for written, fails in ((text, False), (text.replace('"lot":"', '"lot":"x'), True)):
        (tmp_path / "audit.jsonl").write_text(written)
        checked = subprocess.run([sys.executable, "-c", lines], capture_output=True, check=False)
        assert (checked.returncode != 0) == fails, checked.stderr


def test_what_is_written_while_the_trail_is_checked_is_nothing_wrong(
    kept: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = add(kept).id
    correct(kept, id_)

    def meanwhile(connection: sa.Connection, after: int, limit: int) -> Sequence[Entry]:
        found = read(connection, after, limit)
        if (
            not found and not kept.get(id_).pinned
        ):  # after the last entry, and before what is compared with it
            kept.pin(id_, by="Bob")
            correct(kept, id_)
        return found

    monkeypatch.setattr("planimeter.store.verification.read", meanwhile)
    assert wrong(tmp_path) == []


def test_without_its_end_nothing_is_changed(kept: Store, tmp_path: Path) -> None:
    record = add(kept)
    execute_sql(tmp_path, "DELETE FROM audit_head")
    with pytest.raises(StoreFailed, match="audit trail of the database has lost its end"):
        kept.pin(record.id)
    assert not kept.get(record.id).pinned


def test_what_is_reviewed_stays_however_old_it_is(kept: Store) -> None:
    reviewed, corrected, plain = add(kept).id, add(kept).id, add(kept).id
    correct(kept, reviewed, reviewed=True)
    correct(kept, corrected)
    for keeping in (
        Keeping(trash_days=30, days=-1),
        Keeping(trash_days=30, measurements=0),
        Keeping(trash_days=30, bytes=0),
    ):
        while kept.retention.step(keeping):
            pass
        assert [record.id for record in kept.list()] == [reviewed]
    assert plain not in {record.id for record in kept.list()}


@pytest.mark.sqlite_alone("the service is the same")
def test_an_admin_reads_the_trail_with_the_names_of_those_who_changed_things(
    settings: Settings, store: Store, models: Models
) -> None:
    guarded: Flask = create_app(settings.model_copy(update={"host": "0.0.0.0"}), store, models)  # noqa: S104
    client = guarded.test_client()
    roles: Any = ("read", "measure", "admin")
    keys = {role: {"X-API-Key": store.keys.add(f"{role} Ä", role)} for role in roles}
    made = client.post(MEASUREMENTS, data=PICTURE, content_type="image/png", headers=keys["measure"])
    url = f"{MEASUREMENTS}/{body(made)['id']}"
    sent = {"after": 0, "reject": [1], "complete": True}
    assert client.post(f"{url}/corrections", json=sent, headers=keys["read"]).status_code == 403
    answer = body(client.post(f"{url}/corrections", json=sent, headers=keys["measure"]))
    assert answer["corrected"]["by"] == "measure Ä"
    listed = body(client.get(f"{url}/corrections", headers=keys["read"]))["corrections"]
    assert [(entry["by"], entry["at"]) for entry in listed] == [("measure Ä", answer["corrected"]["at"])]
    for path, method in (("region?whole=true&least_area=2", "PUT"), ("pin", "PUT"), ("", "DELETE")):
        assert (
            client.open(f"{url}/{path}".rstrip("/"), method=method, headers=keys["admin"]).status_code < 300
        )
    for role in ("read", "measure"):
        assert client.get("/api/v1/audit", headers=keys[role]).status_code == 403
    trail = client.get("/api/v1/audit", headers=keys["admin"])
    assert trail.mimetype == "application/x-ndjson"
    entries = [json.loads(line) for line in trail.text.splitlines()]
    assert [(entry["action"], entry["by"]) for entry in entries] == [
        ("corrected", "measure Ä"),
        ("counting_set", "admin Ä"),
        ("pinned", "admin Ä"),
        ("deleted", "admin Ä"),
    ]
    assert entries[0]["content"]["document_sha256"] == listed[0]["sha256"]
    rest = client.get("/api/v1/audit?after=2&limit=1", headers=keys["admin"])
    assert [json.loads(line) for line in rest.text.splitlines()] == entries[2:3]
