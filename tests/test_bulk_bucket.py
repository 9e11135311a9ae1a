"""`planimeter measure s3://…`: pictures and tables in a bucket, by a server that speaks as Amazon's does."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fakes import MODEL, blocks, encoded, write_block_pack
from planimeter.commands import main

pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")
obstore = pytest.importorskip("obstore", reason="needs the extra objects")
pytest.importorskip("moto.server", reason="the server of these tests")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
        process.kill()


@pytest.fixture
def bucket(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A bucket with three pictures, one of them broken, and what is no picture."""
    import urllib.request  # noqa: PLC0415

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "verysecret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("PLANIMETER_PACKS_FOLDER", str(tmp_path / "packs"))
    monkeypatch.setenv("PLANIMETER_MODEL", MODEL)
    write_block_pack(tmp_path / "packs")
    urllib.request.urlopen(urllib.request.Request(f"{server}/line", method="PUT")).close()  # noqa: S310
    store = obstore.store.S3Store("line", client_options={"allow_http": True})
    for name in ("7/a.png", "7/deep/b.png", "7/.hidden.png", "77/c.png"):
        obstore.put(store, name, encoded(blocks(red=(0, 0, 32, 32))))
    obstore.put(store, "7/broken.png", b"text")
    obstore.put(store, "7/notes.txt", b"text")
    return store


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["measure", *arguments])


def table(store: Any, name: str) -> list[dict[str, Any]]:
    paths = [entry["path"] for page in obstore.list(store, f"results/{name}") for entry in page]
    rows = [row for path in paths for row in pq.read_table(_bytes(store, path)).to_pylist()]
    return sorted(rows, key=lambda row: row["key"])


def _bytes(store: Any, path: str) -> BytesIO:
    return BytesIO(bytes(obstore.get(store, path).bytes()))


def test_a_bucket_is_measured_into_a_bucket(bucket: Any) -> None:
    result = run("s3://line/7/", "--to", "s3://line/results/")
    assert result.exit_code == 1, result.output
    assert "2 measured, 1 failed, mean 25.00 % masked" in result.stderr
    rows = table(bucket, "measurements")
    assert [(row["key"], row["percent_masked"], row["error_code"]) for row in rows] == [
        ("s3://line/7/a.png", 25.0, None),
        ("s3://line/7/broken.png", None, "unsupported_picture"),
        ("s3://line/7/deep/b.png", 25.0, None),
    ]
    assert [row["area_px"] for row in table(bucket, "instances")] == [1024, 1024]
    again = run("s3://line/7/", "--to", "s3://line/results/")
    assert "3 of 3 pictures are in s3://line/results already" in again.stderr
    assert "1 measured" in run("s3://line/77/c.png", "--to", "s3://line/results/").stderr
    assert len(table(bucket, "measurements")) == 4


def test_tables_and_pictures_in_a_bucket_are_taken_into_a_history(bucket: Any, tmp_path: Path) -> None:
    run("s3://line/7/", "--to", "s3://line/taken/")
    places = [f"--database=sqlite:///{tmp_path / 'planimeter.db'}"]
    places += [f"--{name}-folder={tmp_path / name}" for name in ("upload", "output")]
    obstore.delete(bucket, "7/a.png")
    taken = CliRunner().invoke(main, ["history", "import", "s3://line/taken/", *places])
    assert taken.exit_code == 1
    assert "1  stored" in taken.stdout
    assert "s3://line/7/a.png is not there" in taken.stderr
    assert len([*(tmp_path / "upload").glob("b_*.png")]) == 1


def test_what_is_wrong_with_a_bucket_is_said_without_a_secret(
    bucket: Any,  # noqa: ARG001
    tmp_path: Path,
) -> None:
    out = str(tmp_path / "out")
    said = {
        "s3://nothere/": "s3://nothere/ cannot be reached: the store answers NoSuchBucket",
        "s3://line/8/": "there are no pictures",
        "s3://me:verysecret@line/7/": "an address has no user and no password in it",
        "gs://line/7/": "addresses begin with s3://, not gs://",
        "s3:///7/": "names no bucket",
    }
    for address, words in said.items():
        result = run(address, "--to", out)
        assert result.exit_code == 1
        assert words in result.stderr
        assert "verysecret" not in result.output
