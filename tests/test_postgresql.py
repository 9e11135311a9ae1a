"""What PostgreSQL alone can do to a service: vanish, come back, be shared, be made for another language."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from flask.testing import FlaskClient

import databases
from databases import database_url, engine_of
from planimeter.commands import main
from planimeter.errors import StoreFailed
from planimeter.outputs.payload import write_event
from planimeter.store import Filter, Store
from planimeter.store.tables import Table
from stored import add, files_under, ids, measurement, open_store
from test_api import MEASUREMENTS, OVERLAPPING, assert_problem, post

pytestmark = [
    pytest.mark.parametrize("records_in", [databases.POSTGRESQL], indirect=True),
    pytest.mark.usefixtures("records_in"),
]


def test_text_compares_by_its_bytes_in_every_column(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    engine = engine_of(tmp_path)
    with engine.connect() as connection:
        language = sa.text("SELECT 'a' < 'B'")
        assert connection.scalar(language) is True, "else this database would show nothing"
        query = (
            "SELECT table_name, collation_name FROM information_schema.columns WHERE data_type ~ 'text|char'"
        )
        columns = [
            row
            for row in connection.exec_driver_sql(query + " AND table_schema = 'public'")
            if row[0] in Table.metadata.tables
        ]
    assert {collation for _, collation in columns} == {"C"}
    assert len(columns) > 60


def test_a_server_that_is_gone_is_a_503_until_it_is_back(client: FlaskClient) -> None:
    server = databases.Kind.server
    assert server is not None
    assert post(client, OVERLAPPING).status_code == 201
    server.stop()
    try:
        for answer in (client.get(MEASUREMENTS), post(client, OVERLAPPING)):
            assert_problem(answer, 503, "store_failed")
            assert "server runs" in answer.get_data(as_text=True)
        assert client.get("/readyz").status_code == 503
    finally:
        server.start()
    assert post(client, OVERLAPPING).status_code == 201
    assert client.get("/readyz").status_code == 200
    assert len(client.get(MEASUREMENTS).get_json()["measurements"]) == 2


def test_a_server_that_cannot_be_reached_is_named_soon_and_no_password_is_shown(tmp_path: Path) -> None:
    started = time.monotonic()
    ran = CliRunner().invoke(
        main,
        [
            "serve",
            "--port",
            "0",
            "--upload-folder",
            str(tmp_path / "in"),
            "--output-folder",
            str(tmp_path / "out"),
            "--database",
            "postgresql+psycopg://me:s3cret@127.0.0.1:1/name?application_name=s3cret",
        ],
    )
    assert time.monotonic() - started < 60
    assert ran.exit_code != 0
    assert "127.0.0.1:1/name" in ran.output
    assert "s3cret" not in ran.output


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret@db:port/x",
        "mysql://me:s3cret@db/x",
        "postgresql+psycopg://me:s3@cret@db:x/y?a",
        "postgresql+pg8000://me:s3cret@db/x",
    ],
)
def test_a_url_that_cannot_be_used_shows_no_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(StoreFailed) as caught:
        Store.open(url, tmp_path / "in", tmp_path / "out")
    assert "cret" not in str(caught.value)
    assert "postgresql" in str(caught.value)


def test_an_empty_database_beside_pictures_is_refused_until_it_is_meant(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    add(store)
    store.close()
    places = database_url(tmp_path, "other.db", new=True), tmp_path / "uploads", tmp_path / "outputs"
    with pytest.raises(StoreFailed, match="--begin-anew"):
        Store.open(*places)
    anew = Store.open(*places, begin_anew=True)
    assert anew.count() == 0
    anew.close()


def test_nothing_is_taken_back_before_it_is_certain_that_it_was_not_recorded(tmp_path: Path) -> None:
    """A connection that is lost may still be committing: its transaction holds the lock."""
    store = open_store(tmp_path)
    store._database.patience = 0.3
    other = open_store(tmp_path)
    with other._database.writing(), pytest.raises(StoreFailed, match="busy"):
        store._records.decided([])
    assert store._records.decided([]) == {}
    other.close()
    store.close()


def test_two_services_add_delete_and_claim_at_once(tmp_path: Path) -> None:
    stores = [open_store(tmp_path) for _ in range(2)]
    for store in stores:
        store.outbox.tell(["https://mes.example.org"], write_event)

    def work(store: Store) -> list[str]:
        claimed = []
        for _ in range(8):
            kept, gone = add(store), add(store)
            store.discard(gone.id)
            store.trash.delete(gone.id)
            store.save_threshold("steel", 0.5)
            assert store.get(kept.id).id == kept.id
            claimed += [message.id for message in store.outbox.claim("https://mes.example.org", 3, 60)]
        return claimed

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(work, stores)
    assert not set(first) & set(second)
    assert [store.count() for store in stores] == [16, 16]
    assert len(files_under(tmp_path)) == 16 * 3
    for store in stores:
        store.close()


def test_a_text_that_the_server_cannot_hold_finds_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    record = add(store, measurement("a\0b.png"))
    assert store.get(record.id).measurement.image.filename == "a\0b.png"
    assert ids(store.list(Filter(filename="b.png"))) == [record.id]
    assert store.list(Filter(lot="\0")) == []
    store.close()


def test_the_doctor_finds_what_is_missing(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    record = add(store)
    places = ["--upload-folder", str(tmp_path / "uploads"), "--output-folder", str(tmp_path / "outputs")]
    asked = ["doctor", *places, "--packs-folder", str(tmp_path), "--database"]
    url = database_url(tmp_path, "records/planimeter.db").replace("postgres@", "postgres:s3cret@")
    (tmp_path / "outputs" / record.files.mask).unlink()
    ran = CliRunner().invoke(main, [*asked, url])
    assert "1 measurements in postgresql+psycopg://127.0.0.1" in ran.output
    assert f"{record.files.mask} is not there" in ran.output
    assert "s3cret" not in ran.output
    store.close()
