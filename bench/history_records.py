"""A million records to measure the history with: made of nothing, put into a database past the store."""

import json
import random
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import sqlalchemy as sa
from ulid import ULID

from planimeter.masks.rle import rle_encode
from planimeter.masks.window import WindowMask

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
CLASS_COLUMNS = ("measurement_id", "class_id", "class_name", "count", "percent_masked")
Entry = tuple[tuple[Any, ...], str, list[tuple[Any, ...]]]
"""Columns, document, classes."""
FILENAME, MODEL = "the name of the file", "the name of the model"
"""Stand in the texts of the documents for what differs from record to record."""


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


def at(index: int) -> int:
    """Return the millisecond of a record."""
    return START + index * MINUTES_APART * 60_000


def records(number: int, instances: int) -> Iterator[Entry]:
    """Yield so many records. Documents are of few kinds; percentages are each its own, some far above the others."""
    numbers = random.Random(7)  # noqa: S311  the same each time
    kinds = [document(numbers, instances) for _ in range(50)]
    texts = [json.dumps(body) for body, _ in kinds]
    for index in range(number):
        _, classes = kinds[index % len(kinds)]
        id_ = str(ULID.from_int(at(index) << 80 | index))
        name = f"Line-{index % 40}_strip_{index:06}.png"
        model = f"model-{index % 2}"
        masked = min(round(numbers.lognormvariate(11, 0.5)), SIDE * SIDE)
        columns = (
            *(id_, "2026-01-01 00:00:00", model, "1" * 64, masked / 1e4),
            *(masked, SIDE * SIDE, instances, 0.5, 0.5, "0" * 64, 1_000_000),
            *(name, name.casefold()),
            *(f"{id_}.png", f"{id_}_overlay.png", f"{id_}_mask.png"),
        )
        text = texts[index % len(texts)].replace(FILENAME, name, 1).replace(MODEL, model, 1)
        yield columns, text, [(id_, *row) for row in classes]


def fill(database: str, number: int, instances: int) -> None:
    """Record so many measurements without files in a database that has its tables, named by its URL."""
    url = sa.make_url(database)
    found = records(number, instances)
    portions = iter(lambda: [*islice(found, AT_ONCE)], [])
    if url.get_backend_name() == "sqlite":
        _fill_sqlite(str(url.database), portions)
    else:
        _fill_postgresql(url, portions)


def _fill_sqlite(path: str, portions: Iterator[list[Entry]]) -> None:
    connection = sqlite3.connect(path)
    for portion in portions:
        with connection:
            for table, columns, rows in _tables(portion):
                places = ", ".join("?" * len(columns))
                connection.executemany(
                    f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})",  # noqa: S608  our own names
                    rows,
                )
    connection.close()


def _fill_postgresql(url: sa.URL, portions: Iterator[list[Entry]]) -> None:
    """Fill by COPY; then do what the server does by itself after a while: count what is there for its plans."""
    import psycopg  # noqa: PLC0415  an extra

    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        for portion in portions:
            with connection.transaction(), connection.cursor() as cursor:
                for table, columns, rows in _tables(portion):
                    with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
                        for row in rows:
                            copy.write_row(row)
        connection.execute("VACUUM ANALYZE")


def _tables(portion: list[Entry]) -> Iterator[tuple[str, Sequence[str], list[Sequence[Any]]]]:
    """Yield the name, the columns and the rows of each table."""
    yield "measurements", COLUMNS, [columns for columns, _, _ in portion]
    documents: list[Sequence[Any]] = [(columns[0], text) for columns, text, _ in portion]
    yield "measurement_documents", ("measurement_id", "document"), documents
    yield "measurement_classes", CLASS_COLUMNS, [row for _, _, classes in portion for row in classes]
