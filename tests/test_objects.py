"""Files in an object store: what is kept there, how it is read, and who may read it."""

import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

import buckets
from buckets import BUCKET, MOTO, OBJECTS, RCLONE, SECRET, Server, objects_under, prefix_of
from buckets import client as bucket
from planimeter.commands import main
from planimeter.errors import FileGone
from planimeter.service.app import create_app
from planimeter.service.context import EXTENSION
from planimeter.service.housekeeping import Housekeeper
from planimeter.service.models import Models
from planimeter.settings import Settings
from planimeter.store import Store
from stored import add, ids, measurement, open_store
from test_api import MEASUREMENTS, OVERLAPPING, assert_problem, body, post

obstore = pytest.importorskip("obstore")
API = "/api/v1"
NOISE = bytes(range(256)) * 4096
"""A mebibyte, each byte of which tells where it is from."""


@pytest.fixture(scope="module", params=[RCLONE, MOTO])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    started = Server(request.param)
    buckets.use(OBJECTS, started)
    yield started
    buckets.use(buckets.FOLDERS)
    started.remove()


@pytest.fixture(autouse=True)
def _in_the_store(server: Server) -> None:
    """Every test here keeps its files there."""


@pytest.fixture
def url(client: FlaskClient) -> str:
    return f"{MEASUREMENTS}/{body(post(client, OVERLAPPING))['id']}"


def test_a_measurement_is_three_objects_of_their_kinds_and_comes_back_after_a_restart(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    record = add(store, measurement("Maß 17.png"))
    store.close()
    prefix = prefix_of(tmp_path)
    found = {name: size for name, size in objects_under(prefix).items() if ".incoming" not in name}
    assert found == {
        f"uploads/{record.files.image}": len("picture"),
        f"outputs/{record.files.overlay}": len("overlay"),
        f"outputs/{record.files.mask}": len("mask"),
    }
    kind = obstore.get(bucket(prefix), f"outputs/{record.files.mask}").attributes["Content-Type"]
    assert kind == "image/png"
    assert objects_under(f"{prefix}/uploads/.incoming").keys() <= {"probe"}  # no note is left at the end

    again = open_store(tmp_path)
    assert again.list() == [record]
    assert [again.read(record, part) for part in ("image", "overlay", "mask")] == [
        b"picture",
        b"overlay",
        b"mask",
    ]
    assert again.stored_bytes() > len("pictureoverlaymask")
    again.close()


def test_one_prefix_serves_both_purposes_a_whole_bucket_does_and_a_folder_beside_one(tmp_path: Path) -> None:
    everything, folder = f"s3://{BUCKET}", tmp_path / "a folder"
    one = f"{everything}/{prefix_of(tmp_path)}/all"
    for places in ((one, one), (everything, everything), (one, folder), (folder, one)):
        store = Store.open(f"sqlite:///{tmp_path / 'records.db'}", *places, begin_anew=True)
        record = add(store)
        assert (store.read(record, "image"), store.read(record, "mask")) == (b"picture", b"mask")
        store.delete(record.id)
        for kind in ("image", "mask"):
            with pytest.raises(FileGone):
                store.read(record, kind)
        store.close()


def test_a_service_measures_shows_keeps_and_deletes(
    client: FlaskClient, url: str, store: Store, tmp_path: Path
) -> None:
    assert client.get(f"{url}/image").data == OVERLAPPING
    assert client.get(f"{url}/overlay").data[:4] == client.get(f"{url}/mask").data[:4] == b"\x89PNG"
    for page in ("thumbnail", "picture"):
        assert client.get(f"{url.removeprefix(API)}/{page}").status_code == 200
    before = body(client.get(url))["coverage"]["percent_masked"]
    assert (
        body(client.put(f"{url}/threshold", data={"score_threshold": "0.8"}))["coverage"]["percent_masked"]
        < before
    )
    again = client.post(MEASUREMENTS, data={"from": url.rpartition("/")[2]})
    assert body(again)["coverage"]["percent_masked"] == before
    archive = zipfile.ZipFile(io.BytesIO(client.get(f"{MEASUREMENTS}/zip?content=image").data))
    assert sorted(archive.read(name) == OVERLAPPING for name in archive.namelist()) == [False, True, True]
    for record in store.list():
        assert client.delete(f"{MEASUREMENTS}/{record.id}?for_good=true").status_code == 204
    assert all(".incoming" in name for name in objects_under(prefix_of(tmp_path)))


def test_doctor_compares_what_is_recorded_with_what_is_there(settings: Settings, tmp_path: Path) -> None:
    def doctor() -> str:
        options = {"upload-folder": settings.upload_folder, "output-folder": settings.output_folder}
        given = [f"--{name}={value}" for name, value in options.items()]
        return CliRunner().invoke(main, ["doctor", *given, "--database", settings.database]).output

    store = Store.open(settings.database, settings.upload_folder, settings.output_folder)
    lost, hollow, _ = (add(store) for _ in range(3))
    store.close()
    assert doctor().splitlines()[-1] == "Nothing is wrong."
    inside = bucket(prefix_of(tmp_path))
    obstore.delete(inside, f"uploads/{lost.files.image}")
    obstore.put(inside, f"outputs/{hollow.files.mask}", b"")
    stray = "strip_01ARZ3NDEKTSV4RRFFQ69G5FAV.png"
    obstore.put(inside, f"uploads/{stray}", b"whose is it?")
    said = doctor()
    assert f"{settings.upload_folder}/{lost.files.image} is not there" in said
    assert f"{settings.output_folder}/{hollow.files.mask} is empty" in said
    assert f"belong to no measurement, {settings.upload_folder}/{stray}" in said
    assert said.splitlines()[-1] == "3 findings"


def test_a_database_that_was_lost_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    add(store)
    store.close()
    places = buckets.place(tmp_path, "uploads"), buckets.place(tmp_path, "outputs")
    with pytest.raises(Exception, match=rf"s3://{BUCKET}.*--begin-anew"):
        Store.open(f"sqlite:///{tmp_path / 'another.db'}", *places)


# ---- Parts, and large files


@pytest.mark.parametrize("size", [1000, len(NOISE)])
def test_a_part_of_a_picture_is_sent(app: Flask, store: Store, size: int) -> None:
    picture = NOISE[:size]
    url = f"{MEASUREMENTS}/{add(store, picture=picture).id}/image"
    for asked, first, stop in (
        ("0-0", 0, 1),
        ("10-19", 10, 20),
        ("990-", 990, size),
        ("990-5000000", 990, size),
        ("-5", size - 5, size),
    ):
        with app.test_client().get(url, headers={"Range": f"bytes={asked}"}) as answer:
            assert (answer.status_code, answer.data) == (206, picture[first:stop]), asked
            assert answer.headers["Content-Range"] == f"bytes {first}-{stop - 1}/{size}"
            assert answer.headers["Content-Length"] == str(stop - first)


def test_what_is_no_part_of_it_is_refused_or_sent_whole(app: Flask, store: Store) -> None:
    record = add(store, picture=NOISE)
    url, client = f"{MEASUREMENTS}/{record.id}/image", app.test_client()
    with client.get(url) as whole:
        assert (whole.status_code, whole.data, whole.headers["Accept-Ranges"]) == (200, NOISE, "bytes")
        assert whole.headers["Content-Length"] == str(len(NOISE))
    beyond = client.get(url, headers={"Range": f"bytes={len(NOISE)}-"})
    assert_problem(beyond, 416, "requested_range_not_satisfiable", f"{len(NOISE):,} bytes")
    assert beyond.headers["Content-Range"] == f"bytes */{len(NOISE)}"
    same, other = whole.headers["ETag"], '"another"'
    for headers, status in (
        ({"Range": "bytes=0-9", "If-Range": same}, 206),
        ({"Range": "bytes=0-9", "If-Range": other}, 200),
        ({"Range": "bytes=0-9,20-29"}, 200),
        ({"Range": "lines=0-9"}, 200),
        ({"Range": "nonsense"}, 200),
    ):
        with client.get(url, headers=headers) as answer:
            assert answer.status_code == status, headers


@pytest.mark.slow
def test_a_large_picture_takes_no_memory_of_its_size(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    record = add(store, picture=NOISE * 96)
    store.close()
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from stored import open_store\n"
        "import buckets\n"
        "buckets.Kind.name = buckets.OBJECTS\n"
        "store = open_store(Path(sys.argv[1]))\n"
        "record = store.get(sys.argv[2])\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "with store.file(record, 'image').open().file as file:\n"
        "    size = sum(len(piece) for piece in iter(lambda: file.read(2**16), b''))\n"
        "print(size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), record.id],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parent,
    )
    size, kibibytes = map(int, ran.stdout.split())
    assert size == 96 * 2**20
    assert kibibytes < 40 * 2**10


# ---- Who may read


def test_no_picture_is_sent_without_a_key(settings: Settings, store: Store, models: Models, url: str) -> None:
    guarded = create_app(settings.model_copy(update={"host": "0.0.0.0"}), store, models).test_client()  # noqa: S104
    reader = {"Authorization": f"Bearer {store.keys.add('somebody', 'read')}"}
    page = url.removeprefix(API)
    for path in (f"{url}/image", f"{url}/overlay", f"{url}/mask", f"{page}/thumbnail", f"{page}/picture"):
        assert guarded.get(path).status_code in {401, 303}, path
        assert guarded.get(path, headers=reader).status_code == 200, path


def test_no_answer_leads_past_the_service(client: FlaskClient, url: str, server: Server) -> None:
    for path in (url, MEASUREMENTS, url.removeprefix(API), "/measurements", "/metrics", "/openapi.json"):
        answer = client.get(path)
        for hidden in (f":{server.port}", BUCKET, "X-Amz", SECRET):
            assert hidden not in answer.text, (path, hidden)
            assert not any(hidden in value for value in answer.headers.values()), (path, hidden)


def test_housekeeping_removes_notes_of_what_is_done(
    app: Flask, store: Store, url: str, tmp_path: Path
) -> None:
    def notes() -> list[str]:
        return [name for name in objects_under(prefix_of(tmp_path)) if name.endswith(".json")]

    assert len(notes()) == 2
    Housekeeper(app.extensions[EXTENSION]).round()
    assert notes() == []
    assert ids(store.list()) == [url.rpartition("/")[2]]
