"""The service does what its own document says: schemathesis asks all that it allows, and all that it forbids."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fakes import blocks, encoded
from planimeter.store import Store
from serving import serve
from test_server import measure

BESIDE = Path(__file__).parent
SEARCHED = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
SCHEMATHESIS = shutil.which("schemathesis", path=SEARCHED)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(SCHEMATHESIS is None, reason="schemathesis is not installed"),
]


def test_the_api_answers_as_its_document_says(tmp_path: Path) -> None:
    with serve(tmp_path) as url:
        for side in (64, 96):
            measure(url.rstrip("/"), encoded(blocks(red=(0, 0, 32, 32), width=side, height=64)))
        examine(url, tmp_path)


def test_so_it_does_where_it_asks_for_a_key(tmp_path: Path) -> None:
    """A tunnel needs a key; none is opened here."""
    with serve(tmp_path, use_ngrok=True, limit="none") as url:
        store = Store.open(
            f"sqlite:///{tmp_path / 'planimeter.db'}", tmp_path / "uploads", tmp_path / "outputs"
        )
        key = store.keys.add("schemathesis", "admin")
        store.close()
        examine(url, tmp_path, "--header", f"Authorization: Bearer {key}")


def examine(url: str, folder: Path, *more: str) -> None:
    """Run schemathesis against the service at `url`; what it found is told."""
    assert SCHEMATHESIS is not None
    ran = subprocess.run(
        # One worker: with two, Python 3.11 was seen to stumble over the tool's own lambdas.
        [
            *(SCHEMATHESIS, "run", f"{url}openapi.json", "--workers", "1", "--generation-deterministic"),
            *("--phases", "coverage,fuzzing", "--max-examples", "10", "--no-color", *more),
        ],
        cwd=folder,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "schema_hooks",
            "PYTHONPATH": os.pathsep.join([str(BESIDE), os.environ.get("PYTHONPATH", "")]),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, f"{ran.stdout[-10_000:]}{ran.stderr[-2000:]}"
