"""Milliseconds of the history with many measurements: listing, counting, summing up, exporting.

    python bench/history.py [--number 100000] [--rounds 5]

Records of the size of a real one (20 instances with their masks) are put into a fresh database; what is timed is the
whole request through Flask's client, without network. The median and the worst of the rounds are shown, and the
median of the processor's time, which other work on the machine changes less. Nothing is asserted.
"""

import gc
import json
import os
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from flask.testing import FlaskClient
from rich.console import Console
from rich.table import Table
from ulid import ULID

import planimeter
from planimeter.masks.rle import rle_encode
from planimeter.masks.window import WindowMask
from planimeter.service.app import create_app
from planimeter.service.models import Models
from planimeter.settings import Settings
from planimeter.store import Store

CLASSES = ("crazing", "inclusion", "patches", "pitted_surface", "scratches")
INSTANCES = 20
SIDE = 1000
MINUTES_APART = 7
START = 1_700_000_000_000
AT_ONCE = 2000
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


def document(numbers: random.Random) -> tuple[dict[str, Any], list[tuple[int, str, int, float]]]:
    """Return a measurement as its JSON, and the rows of its classes."""
    pixels = np.ones((40, 40), bool)
    instances, pixels_of = [], dict.fromkeys(range(1, 6), 0)
    for index in range(1, INSTANCES + 1):
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
    model = {"name": "model-1", "version": "1", "sha256": "1" * 64, "runtime": "openvino"}
    body = {
        "image": {"filename": "", "format": "PNG", "width": SIDE, "height": SIDE, "sha256": "0" * 64},
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


def records(number: int) -> Iterator[tuple[tuple[Any, ...], str, list[tuple[Any, ...]]]]:
    """Yield so many records: columns, document, classes."""
    numbers = random.Random(7)  # noqa: S311  the same each time
    kinds = [document(numbers) for _ in range(50)]
    for index in range(number):
        body, classes = kinds[index % len(kinds)]
        moment = START + index * MINUTES_APART * 60_000
        id_ = str(ULID.from_int(moment << 80 | index))
        name = f"Line-{index % 40}_strip_{index:06}.png"
        model = f"model-{index % 2}"
        body["image"]["filename"], body["model"]["name"] = name, model
        coverage = body["coverage"]
        columns = (
            *(id_, "2026-01-01 00:00:00", model, None, coverage["percent_masked"]),
            *(coverage["pixels_masked"], SIDE * SIDE, INSTANCES, name, name.casefold()),
            *(f"{id_}.png", f"{id_}_overlay.png", f"{id_}_mask.png"),
        )
        yield columns, json.dumps(body), [(id_, *row) for row in classes]


def fill(database: Path, number: int) -> None:
    """Record so many measurements without files."""
    connection = sqlite3.connect(database)
    portion = []
    for entry in records(number):
        portion.append(entry)
        if len(portion) == AT_ONCE:
            insert(connection, portion)
            portion = []
    insert(connection, portion)
    connection.close()


def insert(connection: sqlite3.Connection, portion: list[Any]) -> None:
    """Record a portion in one transaction."""
    with connection:
        places = ", ".join("?" * 13)
        connection.executemany(
            f"INSERT INTO measurements VALUES ({places})",  # noqa: S608  nothing but places
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


@click.command()
@click.option("--number", default=100_000, show_default=True, help="Measurements in the database.")
@click.option(
    "--rounds", default=5, show_default=True, help="Times each request is sent, after one to warm up."
)
def main(number: int, rounds: int) -> None:
    """Print the milliseconds of each request."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = Settings(
            upload_folder=folder / "uploads",
            output_folder=folder / "outputs",
            packs_folder=folder / "packs",
            database=f"sqlite:///{folder / 'planimeter.db'}",
        )
        store = Store.open(settings.database, settings.upload_folder, settings.output_folder)
        started = time.perf_counter()
        fill(folder / "planimeter.db", number)
        size = sum(file.stat().st_size for file in folder.glob("planimeter.db*")) / 2**20
        client = create_app(settings, store, Models(settings)).test_client()
        places = {
            "middle": str(ULID.from_int(at(number // 2) << 80)),
            "last_thousand": f"{at(number - min(1000, number)) / 1000:.0f}",
        }
        title = f"{number:,} measurements, {size:,.0f} MiB, recorded in {time.perf_counter() - started:.0f} s"
        table = Table("request", "median, ms", "worst, ms", "processor, ms", title=title)
        for what, path in REQUESTS.items():
            milliseconds(client, path.format(**places))
            taken = [milliseconds(client, path.format(**places)) for _ in range(rounds)]
            clock, processor = zip(*taken, strict=True)
            middles = statistics.median(clock), max(clock), statistics.median(processor)
            table.add_row(what, *(f"{value:,.0f}" for value in middles))
        store.close()
    console = Console()
    console.print(table)
    console.print(
        f"planimeter {planimeter.__version__}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )


def at(index: int) -> int:
    """Return the millisecond of a record."""
    return START + index * MINUTES_APART * 60_000


if __name__ == "__main__":
    main()
