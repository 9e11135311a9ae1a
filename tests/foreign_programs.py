"""Python programs that talk to the service with the libraries of others, in an environment that has those.

`PLANIMETER_TEST_CLIENTS` names its Python; else it is this one. What it lacks skips the test.
"""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

PYTHON = os.environ.get("PLANIMETER_TEST_CLIENTS", sys.executable)


def run_with(module: str, program: str, *arguments: str) -> Any:
    """Run a program that needs a module, and return what it prints as JSON in its last line."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = subprocess.run(
        [PYTHON, "-c", f"import {module}"], capture_output=True, check=False, env=environment
    )
    if found.returncode:
        pytest.skip(f"{PYTHON} has no {module}")
    ran = subprocess.run(
        [PYTHON, "-c", program, *arguments], capture_output=True, text=True, check=False, env=environment
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    return json.loads(ran.stdout.splitlines()[-1])
