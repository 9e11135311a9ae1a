"""Milliseconds of the history with many measurements: listing, counting, summing up, exporting.

    python bench/history.py [--number 100000]… [--instances 20] [--rounds 5] [--json FILE]
                            [--database sqlite] [--folder DIRECTORY]

Records of the size of a real one (20 instances with their masks, some 13 kB) are put into a fresh database; what is
timed is the whole request through Flask's client, without network. Median, 95th percentile and the worst of the rounds
are shown, and the median of the processor's time, which other work on the machine changes less. Nothing is asserted.

A million such records take 13 GB. `--instances 2` makes them small, 3 kB: lists, filters and trends read the columns
and never the document, so that their times stay comparable; those of exports do not.

With `--database postgresql` they are in a cluster of a server that is started for it, on loopback. With `--folder` the
database stays there, and another run measures the same one; `--rounds 0` only fills it.
"""

import gc
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal, get_args

import click
import numpy as np
import postgresql
import sqlalchemy as sa
from flask.testing import FlaskClient
from history_records import at, fill
from rich.console import Console
from rich.table import Table
from tables import open_console
from ulid import ULID

import planimeter
from planimeter.service.app import create_app
from planimeter.service.models import Models
from planimeter.settings import Settings
from planimeter.store import Store

Kind = Literal["sqlite", "postgresql"]

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

    database: str
    number: int
    instances: int
    mebibytes: float
    fill_seconds: float | None
    """None where it was filled before."""
    block_seconds: float | None
    """Until all blocks were made; None where they were there."""
    requests: dict[str, Taken]

    @property
    def lists_p95(self) -> float:
        """The 95th percentile of the slowest of lists and trends."""
        return max(taken.p95 for what, taken in self.requests.items() if what.startswith(LISTS))


def measure_history(
    number: int, instances: int, rounds: int, database: Kind = "sqlite", folder: Path | None = None
) -> History:
    """Fill a fresh database, or take the one in `folder`, and send each request so often, after once to warm up."""
    with tempfile.TemporaryDirectory(prefix="planimeter-bench-") as name:
        Path(name).chmod(0o711)  # a server runs as another user
        home = (folder or Path(name)).resolve()
        data = home / f"{database}-{number}-{instances}"
        data.mkdir(parents=True, exist_ok=True)
        with _url(database, data) as url:
            settings = Settings(
                upload_folder=Path(name) / "uploads",
                output_folder=Path(name) / "outputs",
                packs_folder=Path(name) / "packs",
                database=url,
            )
            store = Store.open(settings.database, settings.upload_folder, settings.output_folder)
            seconds = block_seconds = None
            if not store.count():
                check_room(data, number, instances)
                started = time.perf_counter()
                fill(url, number, instances)
                seconds = time.perf_counter() - started
            started = time.perf_counter()
            if sum(1 for _ in iter(store.blocks.step, False)):  # noqa: FBT003  what it says at the end
                block_seconds = time.perf_counter() - started
            client = create_app(settings, store, Models(settings)).test_client()
            places = {
                "middle": str(ULID.from_int(at(number // 2) << 80)),
                "last_thousand": datetime.fromtimestamp(
                    at(number - min(1000, number)) / 1000, timezone.utc
                ).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
            requests = {
                what: send(client, path.format(**places), rounds) for what, path in REQUESTS.items() if rounds
            }
            store.close()
            return History(database, number, instances, _mebibytes(url), seconds, block_seconds, requests)


@contextmanager
def _url(database: Kind, data: Path) -> Iterator[str]:
    """Yield the URL of the database in a folder, for as long as it can be used."""
    if database == "sqlite":
        yield f"sqlite:///{data / 'planimeter.db'}"
        return
    with postgresql.serving(data / "cluster") as url:
        yield url


def _mebibytes(url: str) -> float:
    """Return the size of a database."""
    engine = sa.create_engine(url)
    size = "pg_database_size(current_database())"
    if engine.dialect.name == "sqlite":
        size = "page_count * page_size FROM pragma_page_count, pragma_page_size"
    with engine.connect() as connection:
        found: int = connection.exec_driver_sql(f"SELECT {size}").scalar_one()
    engine.dispose()
    return found / 2**20


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
    filled = "before" if history.fill_seconds is None else f"in {history.fill_seconds:.0f} s"
    title = (
        f"{history.database}: {history.number:,} measurements of {history.instances} instances, "
        f"{history.mebibytes:,.0f} MiB, recorded {filled}"
        + ("" if history.block_seconds is None else f", its blocks in {history.block_seconds:.0f} s")
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
@click.option("--database", default="sqlite", show_default=True, type=click.Choice(get_args(Kind)))
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), help="Where databases stay for another run."
)
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False))
def main(
    *,
    numbers: tuple[int, ...],
    instances: int,
    rounds: int,
    database: Kind,
    folder: Path | None,
    json_path: Path | None,
) -> None:
    """Print the milliseconds of each request, for each number of measurements in the database."""
    console = open_console()
    found = []
    for number in numbers:
        found.append(measure_history(number, instances, rounds, database, folder))
        print_history(console, found[-1])
    console.print(
        f"planimeter {planimeter.__version__}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    if json_path:
        figures = [asdict(history) | {"lists_p95": history.lists_p95} for history in found]
        json_path.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
