"""`planimeter history import`: what tables hold becomes what a service would have stored itself."""

import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from fakes import MODEL, blocks, encoded, write_block_pack
from planimeter.commands import main
from planimeter.service.app import create_app
from planimeter.service.models import Models
from planimeter.settings import Settings
from planimeter.store import Store

pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")
pa = pytest.importorskip("pyarrow", reason="needs the extra parquet")
pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("records_in")]
OPTIONS = ("--pixel-size", "2", "--unit", "um", "--lot", "7", "--tags", "a,b")


@pytest.fixture
def folder(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with tables of three pictures and one that is none."""
    write_block_pack(settings.packs_folder)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "both.png").write_bytes(encoded(blocks(red=(0, 0, 32, 32), green=(16, 0, 48, 32))))
    (pictures / "none.png").write_bytes(encoded(blocks()))
    (pictures / "red.png").write_bytes(encoded(blocks(red=(0, 0, 32, 32))))
    (pictures / "broken.png").write_bytes(b"text")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLANIMETER_PACKS_FOLDER", str(settings.packs_folder))
    monkeypatch.setenv("PLANIMETER_MODEL", MODEL)
    for name in ("database", "upload_folder", "output_folder"):
        monkeypatch.setenv(f"PLANIMETER_{name.upper()}", str(getattr(settings, name)))
    run("measure", "pictures", "--to", "out", *OPTIONS)
    return tmp_path


@pytest.fixture
def service(settings: Settings, store: Store) -> FlaskClient:
    return create_app(settings, store, Models(settings)).test_client()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def said(result: Result) -> dict[str, int]:
    """Return the numbers that were printed, by the first word after each."""
    lines = [line.split() for line in result.stdout.splitlines()]
    return {" ".join(words[1:3]): int(words[0].replace(",", "")) for words in lines if words[0][0].isdigit()}


def measured(answer: dict[str, Any]) -> dict[str, Any]:
    """Return what does not depend on when and where a picture was measured."""
    own = {name: value for name, value in answer.items() if not name.endswith("url")}
    own["image"] = {name: value for name, value in own["image"].items() if name != "url"}
    return {name: own[name] for name in own if name not in {"id", "created_at", "timing_ms", "batch"}}


def test_it_is_what_a_service_stores_itself(folder: Path, service: FlaskClient, store: Store) -> None:
    result = run("history", "import", "out", "--batch", "night")
    assert result.exit_code == 0, result.output
    assert said(result) == {"stored": 3, "left out,": 1}
    rows = {Path(row["key"]).name: row for row in _rows(folder)}
    taken = {record.measurement.image.filename: record for record in store.walk()}
    assert sorted(taken) == ["both.png", "none.png", "red.png"]
    for name, record in taken.items():
        path = folder / "pictures" / name
        fields = {"pixel_size": "2", "unit": "um", "lot": "7", "tags": "a,b"}
        with path.open("rb") as file:
            direct = service.post("/api/v1/measurements", data={"image": (file, name), **fields}).get_json()
        imported = service.get(f"/api/v1/measurements/{record.id}").get_json()
        assert measured(imported) == measured(direct)
        assert (record.batch, record.created_at) == ("night", rows[name]["measured_at"])
        assert record.measurement.coverage.percent_masked == rows[name]["percent_masked"]
        own = store.get(direct["id"])
        for kind in ("image", "overlay", "mask"):
            assert store.read(record, kind) == store.read(own, kind)
        assert store.candidates(record.id) == store.candidates(own.id)
        above = [
            service.get(f"/api/v1/measurements/{id_}?score_threshold=0.7").get_json()
            for id_ in (record.id, own.id)
        ]
        assert measured(above[0]) == measured(above[1])
        assert service.get(f"/measurements/{record.id}").status_code == 200


def _rows(folder: Path) -> list[dict[str, Any]]:
    paths = (folder / "out" / "measurements").glob("*.parquet")
    return [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]


def test_nothing_is_stored_twice(folder: Path, store: Store) -> None:
    part = next((folder / "out" / "measurements").glob("*.parquet"))
    assert said(run("history", "import", str(part)))["stored"] == 3
    assert said(run("history", "import", "out/measurements", "out")) == {
        "stored": 0,
        "there already": 6,
        "left out,": 2,
    }
    first = store.list(limit=1)[0]
    store.discard(first.id)
    assert said(run("history", "import", "out")) == {
        "stored": 0,
        "there already": 2,
        "in the": 1,
        "left out,": 1,
    }
    store.trash.empty(count=1)
    assert said(run("history", "import", "out"))["stored"] == 1
    assert store.count() == 3


def test_two_at_once_store_each_row_once(folder: Path, store: Store, settings: Settings) -> None:
    from planimeter.bulk.history import Import, tables_at  # noqa: PLC0415 - an extra

    other = Store.open(settings.database, settings.upload_folder, settings.output_folder)
    fates: list[str] = []

    def take(into: Store) -> None:
        for part in tables_at(str(folder / "out")):
            fates.extend(told.fate for told in Import(into, {}, 2**20).take(part, threading.Event()))

    threads = [threading.Thread(target=take, args=(each,)) for each in (store, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert sorted(fates) == ["not_measured"] * 2 + ["stored"] * 3 + ["there"] * 3
    assert store.count() == 3
    assert all(store.read(record, "image") for record in store.walk())


def test_a_picture_that_is_gone_or_another_is_named_and_not_stored(folder: Path, store: Store) -> None:
    (folder / "pictures" / "red.png").unlink()
    (folder / "pictures" / "none.png").write_bytes(encoded(blocks(red=(0, 0, 8, 8))))
    result = run("history", "import", "out")
    assert result.exit_code == 1
    assert said(result) == {"stored": 1, "left out,": 1, "not stored,": 1}  # two lines begin so
    assert f"{folder / 'pictures' / 'red.png'} cannot be read" in result.stderr
    assert f"{folder / 'pictures' / 'none.png'} is another picture" in result.stderr
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "red.png").write_bytes(encoded(blocks(red=(0, 0, 32, 32))))
    again = run("history", "import", "out", "--moved", str(folder / "pictures"), str(folder / "elsewhere"))
    assert said(again)["stored"] == 1
    assert store.count() == 2


@pytest.mark.sqlite_alone
@pytest.mark.parametrize("change", ["percent_masked", "document", "rle_counts"])
def test_a_row_that_was_changed_is_refused(folder: Path, store: Store, change: str) -> None:
    table = "instances" if change == "rle_counts" else "measurements"
    for path in (folder / "out" / table).glob("*.parquet"):
        found = pq.ParquetFile(path).read()
        values = {"percent_masked": 1.0, "document": None, "rle_counts": "PP4"}
        kept = found.to_pylist()
        for row in kept:
            row[change] = values[change]
        pq.write_table(pa.Table.from_pylist(kept, schema=found.schema), path)
    result = run("history", "import", "out")
    assert result.exit_code == 1
    assert said(result)["not stored,"] == (2 if change == "rle_counts" else 3)
    assert store.count() == (1 if change == "rle_counts" else 0)


@pytest.mark.sqlite_alone
def test_what_are_no_tables(folder: Path) -> None:
    assert "there are no tables of measurements at" in run("history", "import", "pictures").stderr
    assert "64 letters" in run("history", "import", "out", "--batch", "a b").stderr
    (folder / "out" / "measurements" / "mine.parquet").write_bytes(b"text")
    (folder / "out" / "instances" / "mine.parquet").write_bytes(b"text")
    assert "is no table of measurements" in run("history", "import", "out").stderr


@pytest.mark.sqlite_alone
def test_a_profile_of_a_file_has_no_version(folder: Path, service: FlaskClient, store: Store) -> None:
    (folder / "station.toml").write_text('[[rules]]\nfigure = "percent_masked"\nat_most = 30\n')
    made = run("measure", "pictures/red.png", "--to", "judged", "--profile", "station.toml")
    assert made.exit_code == 0, made.output
    assert run("history", "import", "judged").exit_code == 0
    record = store.list()[0]
    assert (record.measurement.verdict, record.line.profile) == ("pass", "station")
    page = service.get(f"/measurements/{record.id}").get_data(as_text=True)
    assert "station" in page
    assert "version None" not in page
