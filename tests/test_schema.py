"""The service does what its own document says: schemathesis asks all that it allows, and all that it forbids."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fakes import blocks, encoded
from serving import serve
from test_server import measure

SEARCHED = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
SCHEMATHESIS = shutil.which("schemathesis", path=SEARCHED)


@pytest.mark.slow
@pytest.mark.skipif(SCHEMATHESIS is None, reason="schemathesis is not installed")
def test_the_api_answers_as_its_document_says(tmp_path: Path) -> None:
    assert SCHEMATHESIS is not None
    with serve(tmp_path) as url:
        for side in (64, 96):
            measure(url.rstrip("/"), encoded(blocks(red=(0, 0, 32, 32), width=side, height=64)))
        ran = subprocess.run(
            # One worker: with two, Python 3.11 was seen to stumble over the tool's own lambdas.
            [
                *(SCHEMATHESIS, "run", f"{url}openapi.json", "--workers", "1", "--seed", "1"),
                *("--phases", "coverage,fuzzing", "--max-examples", "10", "--no-color"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout[-10_000:]
