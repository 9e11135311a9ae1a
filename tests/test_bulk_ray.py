"""`planimeter measure --engine ray`: the tables of one machine, by a real cluster that the test starts."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from fakes import MODEL, blocks, encoded, write_block_pack
from processes import below

ds = pytest.importorskip("pyarrow.dataset", reason="needs the extra parquet")
pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra ray: make test-ray"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with the block pack and twenty pictures in it, one of them broken."""
    write_block_pack(tmp_path / "packs")
    (tmp_path / "pictures").mkdir()
    for number in range(19):
        red = (0, 0, 2 * number, 32)
        (tmp_path / "pictures" / f"{number:02}.png").write_bytes(encoded(blocks(red=red)))
    (tmp_path / "pictures" / "broken.png").write_bytes(b"text")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "planimeter", "measure", *arguments]
    env = {**os.environ, "PLANIMETER_PACKS_FOLDER": "packs", "PLANIMETER_MODEL": MODEL, **variables}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=300)


def table(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return the rows of a table without what no two runs have in common."""
    rows = ds.dataset(folder / name, format="parquet").to_table().to_pylist()
    kept = [{key: value for key, value in row.items() if key not in {"ms", "measured_at"}} for row in rows]
    for row in kept:
        if row.get("document"):
            row["document"] = {**json.loads(row["document"]), "timing_ms": None}
    return sorted(kept, key=lambda row: (row["key"], row.get("id", 0)))


def test_a_cluster_writes_the_tables_of_one_machine(folder: Path) -> None:
    here = run("pictures", "--to", "here", "--lot", "7")
    assert here.returncode == 1
    there = run("pictures", "--to", "there", "--lot", "7", "--engine", "ray")
    assert "19 measured, 1 failed" in there.stderr, there.stderr
    assert there.returncode == 1
    for name in ("measurements", "instances"):
        assert table(folder / "there", name) == table(folder / "here", name)
    assert len(table(folder / "there", "measurements")) == 20
    again = run("pictures", "--to", "there", "--lot", "7", "--engine", "ray")
    assert again.returncode == 0
    assert "20 of 20 pictures are in" in again.stderr


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds a worker by /proc")
def test_what_a_worker_had_measured_when_it_was_killed_is_kept(folder: Path) -> None:
    """Its batch is begun anew by another, which finds what was noted."""
    for number in range(19, 1500):
        (folder / "pictures" / f"{number:04}.png").write_bytes(encoded(blocks(red=(0, 0, 32, 32))))
    command = [sys.executable, "-m", "planimeter", "measure", "pictures", "--to", "out", "--engine", "ray"]
    env = {**os.environ, "PLANIMETER_PACKS_FOLDER": "packs", "PLANIMETER_MODEL": MODEL}
    begun = folder / "out" / ".planimeter" / "begun"
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
        while not any(journal.stat().st_size > 10_000 for journal in begun.glob("*.jsonl")):
            assert process.poll() is None, process.communicate()[1]
        for worker in below(process.pid, "ray::MapWorker"):
            os.kill(worker, signal.SIGKILL)
        said = process.communicate(timeout=300)[1]
    assert "1,500 measured, 1 failed" in said
    assert process.returncode == 1
    keys = [row["key"] for row in table(folder / "out", "measurements")]
    assert len(keys) == len({*keys}) == 1501


def test_a_cluster_that_does_not_answer_is_named_and_soon(folder: Path) -> None:  # noqa: ARG001
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        refused = run("pictures", "--to", "out", "--engine", "ray", RAY_ADDRESS=f"me:secret@127.0.0.1:{port}")
        assert refused.returncode == 1
        assert f"the Ray cluster at 127.0.0.1:{port} cannot be reached: Connection refused" in refused.stderr
        silent.listen()
        begun = time.monotonic()
        says_nothing = run("pictures", "--to", "out", "--engine", "ray", RAY_ADDRESS=f"127.0.0.1:{port}")
        assert says_nothing.returncode == 1
        assert f"the Ray cluster at 127.0.0.1:{port} does not answer as one does" in says_nothing.stderr
        assert time.monotonic() - begun < 60  # of which most is to load Ray where other tests run
    assert "secret" not in refused.stderr + says_nothing.stderr
    wrong = run("pictures", "--to", "out", "--engine", "ray", RAY_ADDRESS="http://me:secret@cluster")
    assert "RAY_ADDRESS is 'http://cluster'" in wrong.stderr
    assert "secret" not in wrong.stderr
