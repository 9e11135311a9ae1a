"""Results that are kept: a small file in `bench/recorded` for each type of machine, the newest last."""

import json
from pathlib import Path
from typing import Any

from machine import key
from summary import figures_of

FOLDER = Path(__file__).with_name("recorded")
KEPT = 12
"""So many of each machine; a newer one of the same commit takes the place of the older."""


def newest(machine: dict[str, Any], folder: Path = FOLDER) -> dict[str, Any] | None:
    """Return the newest results of this type of machine, or None."""
    runs = _read(folder / f"{key(machine)}.json")
    return runs[-1] if runs else None


def record(results: dict[str, Any], folder: Path = FOLDER) -> Path:
    """Keep the figures of these results; returns the file."""
    machine = results["machine"]
    path = folder / f"{key(machine)}.json"
    run = {"date": machine["date"], "commit": machine["commit"], "figures": figures_of(results)}
    runs = [entry for entry in _read(path) if entry["commit"] != run["commit"]]
    runs = [*runs, run][-KEPT:]
    kind = {name: machine[name] for name in ("cpu", "cores", "instructions", "system")}
    folder.mkdir(exist_ok=True)
    path.write_text(json.dumps({"machine": kind, "runs": runs}, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return path


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    runs: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["runs"]
    return runs
