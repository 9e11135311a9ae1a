"""Milliseconds of the history with many measurements: listing, counting, summing up, exporting.

    python bench/history.py [--number 100000]… [--instances 20] [--rounds 5] [--json FILE]

Records of the size of a real one (20 instances with their masks, some 13 kB) are put into a fresh database; what is
timed is the whole request through Flask's client, without network. Median, 95th percentile and the worst of the rounds
are shown, and the median of the processor's time, which other work on the machine changes less. Nothing is asserted.

A million such records take 13 GB. `--instances 2` makes them small, 3 kB: lists, filters and trends read the columns
and never the document, so that their times stay comparable; those of exports do not.
"""

import gc
import json
import os
import random
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click
import numpy as np
from flask.testing import FlaskClient
from rich.console import Console
from rich.table import Table
from tables import open_console
from ulid import ULID

import planimeter
from planimeter.masks.rle import rle_encode
from planimeter.masks.window import WindowMask
from planimeter.service.app import create_app
from planimeter.service.models import Models
from planimeter.settings import Settings
from planimeter.store import Store

CLASSES = ("crazing", "inclusion", "patches", "pitted_surface", "scratches")
SIDE = 1000
MINUTES_APART = 7
START = 1_700_000_000_000
AT_ONCE = 2000
COLUMNS = (
    *("id", "created_at", "model", "model_sha256", "percent_masked", "pixels_masked", "pixels_counted"),
    *(
        "instances",
        "score_threshold",
        "measured_threshold",
        "sha256",
        "stored_bytes",
        "filename",
        "folded_name",
    ),
    *("upload_name", "overlay_name", "mask_name"),
)
FILENAME, MODEL = "the name of the file", "the name of the model"
"""Stand in the texts of the documents for what differs from record to record."""
LISTS = ("first page", "page ", "trend ")
"""How the requests begin that a person waits for at each click: lists and trends."""
REQUESTS = {
    "first page, JSON": "api/v1/measurements",
    "page from the middle": "api/v1/measurements?before={middle}",
    "page of one model": "api/v1/measurements?model=model-1",
    "page of one class": "api/v1/measurements?class=patches",
    "page of a part of a file name": "api/v1/measurements?filename=LINE-7",
    "page of a name that no file has": "api/v1/measurements?filename=nothing",
    "page of a range of percent": "api/v1/measurements?min_percent=19&max_percent=20",
    "page of all filters": "api/v1/measurements?model=model-1&class=patches&filename=9&min_percent=5",
    "history page, HTML": "measurements",
    "trend of all": "api/v1/measurements/trend",
    "trend of one model": "api/v1/measurements/trend?model=model-1",
    "trend of one class": "api/v1/measurements/trend?class=patches",
    "trend of a part of a file name": "api/v1/measurements/trend?filename=line-7",
    "statistics of all": "api/v1/measurements/statistics?limit_percent=10",
    "statistics of one model": "api/v1/measurements/statistics?model=model-1",
    "report of all, HTML": "report",
    "CSV of 1,000": "api/v1/measurements/csv?since={last_thousand}",
    "COCO of 1,000": "api/v1/measurements/coco?since={last_thousand}",
}


def document(numbers: random.Random, number: int) -> tuple[dict[str, Any], list[tuple[int, str, int, float]]]:
    """Return a measurement as its JSON, and the rows of its classes."""
    pixels = np.ones((40, 40), bool)
    instances, pixels_of = [], dict.fromkeys(range(1, 6), 0)
    for index in range(1, number + 1):
        class_id = numbers.choice((1, 2, 3, 4, 5, 5, 5))
        mask = WindowMask(numbers.randrange(SIDE - 40), numbers.randrange(SIDE - 40), pixels)
        pixels_of[class_id] += 1600
        instances.append(
            {
                "id": index,
                "class": CLASSES[class_id - 1],
                "class_id": class_id,
                "score": 1 - index / 100,
                "bbox": [mask.x, mask.y, 40, 40],
                "area_px": 1600,
                "percent": 0.16,
                "mask": rle_encode(mask, SIDE, SIDE).model_dump(),
            }
        )
    masked = numbers.randrange(200_000)
    by_class = [
        {
            "class": name,
            "class_id": index,
            "count": sum(entry["class_id"] == index for entry in instances),
            "pixels_masked": pixels_of[index],
            "percent_masked": pixels_of[index] / 1e4,
        }
        for index, name in enumerate(CLASSES, 1)
    ]
    model = {"name": MODEL, "version": "1", "sha256": "1" * 64, "runtime": "openvino"}
    body = {
        "image": {"filename": FILENAME, "format": "PNG", "width": SIDE, "height": SIDE, "sha256": "0" * 64},
        "model": model | {"precision": "f32", "device": "cpu"},
        "options": {"score_threshold": 0.5},
        "coverage": {
            "percent_masked": masked / 1e4,
            "pixels_masked": masked,
            "pixels_counted": SIDE * SIDE,
            "pixels_overlapping": 0,
            "by_class": by_class,
        },
        "instances": instances,
        "notes": [],
        "timing_ms": {},
    }
    rows = [
        (entry["class_id"], entry["class"], entry["count"], entry["percent_masked"])
        for entry in by_class
        if entry["count"]
    ]
    return body, rows  # type: ignore[return-value]


def records(number: int, instances: int) -> Iterator[tuple[tuple[Any, ...], str, list[tuple[Any, ...]]]]:
    """Yield so many records: columns, document, classes."""
    numbers = random.Random(7)  # noqa: S311  the same each time
    kinds = [document(numbers, instances) for _ in range(50)]
    texts = [json.dumps(body) for body, _ in kinds]
    for index in range(number):
        body, classes = kinds[index % len(kinds)]
        moment = START + index * MINUTES_APART * 60_000
        id_ = str(ULID.from_int(moment << 80 | index))
        name = f"Line-{index % 40}_strip_{index:06}.png"
        model = f"model-{index % 2}"
        coverage = body["coverage"]
        columns = (
            *(id_, "2026-01-01 00:00:00", model, "1" * 64, coverage["percent_masked"]),
            *(coverage["pixels_masked"], SIDE * SIDE, instances, 0.5, 0.5, "0" * 64, 1_000_000),
            *(name, name.casefold()),
            *(f"{id_}.png", f"{id_}_overlay.png", f"{id_}_mask.png"),
        )
        text = texts[index % len(texts)].replace(FILENAME, name, 1).replace(MODEL, model, 1)
        yield columns, text, [(id_, *row) for row in classes]


def fill(database: Path, number: int, instances: int) -> None:
    """Record so many measurements without files."""
    connection = sqlite3.connect(database)
    portion = []
    for entry in records(number, instances):
        portion.append(entry)
        if len(portion) == AT_ONCE:
            insert(connection, portion)
            portion = []
    insert(connection, portion)
    connection.close()


def insert(connection: sqlite3.Connection, portion: list[Any]) -> None:
    """Record a portion in one transaction."""
    with connection:
        places = ", ".join("?" * len(COLUMNS))
        connection.executemany(
            f"INSERT INTO measurements ({', '.join(COLUMNS)}) VALUES ({places})",  # noqa: S608  our own names
            [columns for columns, _, _ in portion],
        )
        connection.executemany(
            "INSERT INTO measurement_documents VALUES (?, ?)",
            [(columns[0], text) for columns, text, _ in portion],
        )
        connection.executemany(
            "INSERT INTO measurement_classes VALUES (?, ?, ?, ?, ?)",
            [row for _, _, classes in portion for row in classes],
        )


def milliseconds(client: FlaskClient, path: str) -> tuple[float, float]:
    """Return how long one request takes, its whole answer read: by the clock, and of the processor's time."""
    gc.collect()
    started, begun = time.perf_counter(), time.process_time()
    answer = client.get(path, buffered=True)
    taken = 1000 * (time.perf_counter() - started), 1000 * (time.process_time() - begun)
    if answer.status_code != 200:
        raise click.ClickException(f"{path}: {answer.status_code} {answer.text[:200]}")
    return taken


@dataclass(frozen=True)
class Taken:
    """Milliseconds of one request, sent several times."""

    median: float
    p95: float
    worst: float
    processor: float


@dataclass(frozen=True)
class History:
    """What a database of so many records took."""

    number: int
    instances: int
    mebibytes: float
    fill_seconds: float
    requests: dict[str, Taken]

    @property
    def lists_p95(self) -> float:
        """The 95th percentile of the slowest of lists and trends."""
        return max(taken.p95 for what, taken in self.requests.items() if what.startswith(LISTS))


def measure_history(number: int, instances: int, rounds: int) -> History:
    """Fill a fresh database and send each request so often, after once to warm up."""
    with tempfile.TemporaryDirectory(prefix="planimeter-bench-") as name:
        folder = Path(name)
        check_room(folder, number, instances)
        settings = Settings(
            upload_folder=folder / "uploads",
            output_folder=folder / "outputs",
            packs_folder=folder / "packs",
            database=f"sqlite:///{folder / 'planimeter.db'}",
        )
        store = Store.open(settings.database, settings.upload_folder, settings.output_folder)
        started = time.perf_counter()
        fill(folder / "planimeter.db", number, instances)
        seconds = time.perf_counter() - started
        size = sum(file.stat().st_size for file in folder.glob("planimeter.db*")) / 2**20
        client = create_app(settings, store, Models(settings)).test_client()
        places = {
            "middle": str(ULID.from_int(at(number // 2) << 80)),
            "last_thousand": datetime.fromtimestamp(
                at(number - min(1000, number)) / 1000, timezone.utc
            ).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        requests = {what: send(client, path.format(**places), rounds) for what, path in REQUESTS.items()}
        store.close()
    return History(number, instances, size, seconds, requests)


def check_room(folder: Path, number: int, instances: int) -> None:
    """Refuse to fill a disk."""
    needed = number * (2.0 + 0.6 * instances) * 1000
    free = shutil.disk_usage(folder).free
    if needed > 0.8 * free:
        raise click.ClickException(
            f"{number:,} records of {instances} instances take some {needed / 1e9:.1f} GB, and {folder} has "
            f"{free / 1e9:.1f} GB free; take fewer --instances, or name another disk with TMPDIR"
        )


def send(client: FlaskClient, path: str, rounds: int) -> Taken:
    """Send one request so often."""
    milliseconds(client, path)
    clock, processor = zip(*(milliseconds(client, path) for _ in range(rounds)), strict=True)
    p95 = float(np.percentile(clock, 95))
    return Taken(statistics.median(clock), p95, max(clock), statistics.median(processor))


def print_history(console: Console, history: History) -> None:
    """Print a row for each request."""
    title = (
        f"{history.number:,} measurements of {history.instances} instances, {history.mebibytes:,.0f} MiB, "
        f"recorded in {history.fill_seconds:.0f} s"
    )
    table = Table("request", "median, ms", "p95, ms", "worst, ms", "processor, ms", title=title)
    for what, taken in history.requests.items():
        values = taken.median, taken.p95, taken.worst, taken.processor
        table.add_row(what, *(f"{value:,.1f}" for value in values))
    console.print(table)


@click.command()
@click.option(
    "--number", "numbers", multiple=True, default=(100_000,), show_default=True, help="Measurements."
)
@click.option("--instances", default=20, show_default=True, type=click.IntRange(1), help="In each record.")
@click.option(
    "--rounds", default=5, show_default=True, help="Times each request is sent, after one to warm up."
)
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False))
def main(numbers: tuple[int, ...], instances: int, rounds: int, json_path: Path | None) -> None:
    """Print the milliseconds of each request, for each number of measurements in the database."""
    console = open_console()
    found = []
    for number in numbers:
        found.append(measure_history(number, instances, rounds))
        print_history(console, found[-1])
    console.print(
        f"planimeter {planimeter.__version__}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    if json_path:
        figures = [asdict(history) | {"lists_p95": history.lists_p95} for history in found]
        json_path.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


def at(index: int) -> int:
    """Return the millisecond of a record."""
    return START + index * MINUTES_APART * 60_000


if __name__ == "__main__":
    main()
