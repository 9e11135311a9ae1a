"""`planimeter measure FOLDER` of many small pictures, beside the pictures a second of the network alone."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from children import environment
from load import STREAMS
from network import load_network
from pictures import steel_picture

KINDS = 20
"""Different pictures; each is there several times, under other names."""


def measure_folder(*, quick: bool) -> dict[str, Any]:
    """Return pictures a second of the command, with its start and without, and of the network before and after."""
    number = 20 if quick else 1000
    seconds = 1.0 if quick else 5.0
    network = load_network(steel_picture(), "steel", STREAMS)
    with tempfile.TemporaryDirectory(prefix="planimeter-bench-") as name:
        many, one = Path(name) / "many", Path(name) / "one"
        for folder, count in ((many, number), (one, 1)):
            folder.mkdir()
            for index in range(count):
                data = steel_picture(seed=3 + index % min(KINDS, number))
                (folder / f"{index:04}.png").write_bytes(data)
        before = {streams: network.pictures_a_second(streams, seconds) for streams in STREAMS}
        start = _measure(one)
        whole = _measure(many)
        after = {streams: network.pictures_a_second(streams, seconds) for streams in STREAMS}
    bare = {streams: (before[streams] + after[streams]) / 2 for streams in STREAMS}
    rate = (number - 1) / (whole - start)
    return {
        "pictures": number,
        "seconds": round(whole, 2),
        "seconds_of_one_picture": round(start, 2),
        "pictures_a_second": round(number / whole, 2),
        "pictures_a_second_without_start": round(rate, 2),
        "network_pictures_a_second": {str(streams): round(value, 2) for streams, value in bare.items()},
        "over_network": round(number / whole / max(bare.values()), 3),
        "over_network_without_start": round(rate / max(bare.values()), 3),
    }


def _measure(folder: Path) -> float:
    """Run the command as somebody would who wants a table; return its seconds from start to end."""
    command = [sys.executable, "-m", "planimeter", "measure", str(folder), "--model", "steel"]
    started = time.perf_counter()
    subprocess.run(
        [*command, "--infer-with-cpu", "--format", "csv"],
        check=True,
        env=environment(),
        cwd=folder.parent,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - started
