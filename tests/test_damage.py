"""A store that is damaged: told by readiness and by `planimeter doctor`, at the cost of what is damaged alone."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from planimeter.commands import main
from planimeter.errors import StoreFailed
from planimeter.settings import Settings
from planimeter.store import Store
from test_api import MEASUREMENTS, OVERLAPPING, assert_problem, body, post


def change(settings: Settings, statement: str, *values: Any) -> None:
    connection = sqlite3.connect(settings.database.removeprefix("sqlite:///"))
    with connection:
        connection.execute(statement, values)
    connection.close()


def doctor(settings: Settings) -> Result:
    options = {
        "--database": settings.database,
        "--upload-folder": settings.upload_folder,
        "--output-folder": settings.output_folder,
        "--packs-folder": settings.packs_folder,
    }
    return CliRunner().invoke(main, ["doctor", *(str(part) for pair in options.items() for part in pair)])


DAMAGE: dict[str, Callable[[Settings, str], None]] = {
    "half a document": lambda settings, id_: change(
        settings, "UPDATE measurement_documents SET document = '{\"a' WHERE measurement_id = ?", id_
    ),
    "a document of another kind": lambda settings, id_: change(
        settings, "UPDATE measurement_documents SET document = '[]' WHERE measurement_id = ?", id_
    ),
    "text for a number": lambda settings, id_: change(
        settings, "UPDATE measurements SET percent_masked = 'abc', created_at = 'soon' WHERE id = ?", id_
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_one_damaged_record_costs_one_record(client: FlaskClient, settings: Settings, kind: str) -> None:
    first, bad, last = (body(post(client, OVERLAPPING))["id"] for _ in range(3))
    DAMAGE[kind](settings, bad)
    listed = body(client.get(f"{MEASUREMENTS}?limit=2"))["measurements"]
    assert [entry["id"] for entry in listed] == [last, first]
    table = client.get(f"{MEASUREMENTS}/csv").text
    assert (first in table, bad in table, last in table) == (True, False, True)
    for path in ("/", "/measurements", f"/measurements/{first}", "/report", "/trend"):
        assert client.get(path).status_code in {200, 404}, path
    for path in ("statistics", "trend", "coco", "zip"):
        with client.get(f"{MEASUREMENTS}/{path}") as answer:
            assert answer.status_code == 200, path
            assert len(answer.data) > 100
    assert_problem(client.get(f"{MEASUREMENTS}/{bad}"), 503, "store_failed", bad, "planimeter doctor")
    assert client.delete(f"{MEASUREMENTS}/{bad}").status_code == 204
    assert doctor(settings).exit_code == 0


def test_a_percentage_that_is_none_costs_its_line_in_the_list_beside_a_measurement(
    client: FlaskClient, settings: Settings
) -> None:
    first, bad, last = (body(post(client, OVERLAPPING))["id"] for _ in range(3))
    change(settings, "UPDATE measurements SET percent_masked = 'abc' WHERE id = ?", bad)
    page = client.get(f"/measurements/{first}?order=created_at")
    assert page.status_code == 200
    assert last in page.text
    for path in ("/", "/measurements", "/report", "/trend"):
        assert client.get(path).status_code in {200, 404}, path


def test_a_database_that_was_lost_is_not_taken_for_a_new_one(client: FlaskClient, settings: Settings) -> None:
    post(client, OVERLAPPING)
    places = settings.database, settings.upload_folder, settings.output_folder
    database = Path(settings.database.removeprefix("sqlite:///"))
    database.with_name(f"{database.name}-wal").unlink(missing_ok=True)
    database.with_name(f"{database.name}-shm").unlink(missing_ok=True)
    database.write_bytes(b"")
    with pytest.raises(StoreFailed, match=r"missing or empty.*--begin-anew"):
        Store.open(*places)
    database.unlink()
    with pytest.raises(StoreFailed, match=r"missing or empty.*--begin-anew"):
        Store.open(*places)
    assert not database.exists()
    assert doctor(settings).exit_code == 1
    anew = Store.open(*places, begin_anew=True)
    assert anew.count() == 0
    anew.close()
    assert "belong to no measurement" in doctor(settings).output


def test_a_database_that_is_damaged_is_told_by_readiness_and_doctor(
    client: FlaskClient, settings: Settings, store: Store
) -> None:
    for _ in range(5):
        post(client, OVERLAPPING)
    assert client.get("/readyz").status_code == 200
    assert doctor(settings).output.splitlines()[-1] == "Nothing is wrong."
    store.close()  # so that all is in the file
    database = Path(settings.database.removeprefix("sqlite:///"))
    content = bytearray(database.read_bytes())
    content[4096:] = b"\x5a" * (len(content) - 4096)
    database.write_bytes(content)
    assert_problem(client.get("/readyz"), 503, "not_ready")
    assert client.get("/healthz").status_code == 200
    found = doctor(settings)
    assert found.exit_code == 1
    assert "malformed" in found.output or "damaged" in found.output


def test_a_file_that_is_no_database_is_an_error_with_a_remedy(settings: Settings) -> None:
    database = Path(settings.database.removeprefix("sqlite:///"))
    database.write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreFailed, match=r"not a database.*doctor"):
        Store.open(settings.database, settings.upload_folder, settings.output_folder)
    assert "not a database" in doctor(settings).output


def test_doctor_knows_what_is_in_the_trash(client: FlaskClient, settings: Settings) -> None:
    id_ = body(post(client, OVERLAPPING))["id"]
    assert client.delete(f"{MEASUREMENTS}/{id_}").status_code == 204
    assert doctor(settings).output.splitlines()[-1] == "Nothing is wrong."
    next(Path(settings.output_folder).glob("*_mask.png")).unlink()
    assert f"measurement {id_}" in doctor(settings).output
    assert client.post(f"/api/v1/trash/{id_}/restore").status_code == 200


def test_doctor_names_what_is_missing_and_what_nobody_knows(client: FlaskClient, settings: Settings) -> None:
    id_ = body(post(client, OVERLAPPING))["id"]
    client.put(f"{MEASUREMENTS}/{id_}/threshold?score_threshold=0.85")
    assert any("_at_0_85_" in path.name for path in Path(settings.output_folder).iterdir())
    assert doctor(settings).output.splitlines()[-1] == "Nothing is wrong."
    next(Path(settings.output_folder).glob("*_mask.png")).unlink()
    next(Path(settings.output_folder).glob("*_overlay.png")).write_bytes(b"")
    stray = Path(settings.upload_folder) / "strip_01ARZ3NDEKTSV4RRFFQ69G5FAV.png"
    stray.write_bytes(b"x")
    found = doctor(settings)
    assert found.exit_code == 1
    assert f"measurement {id_}" in found.output
    assert "_mask.png is not there" in found.output
    assert "_overlay.png is empty" in found.output
    assert stray.name in found.output
    assert "3 findings" in found.output
