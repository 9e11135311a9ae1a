"""Milliseconds of `POST /measurements` against those of the network alone, on this machine.

    python bench/post.py [--number 50] [--clients 4] [--size 640x480]… [--json FILE]

A real service runs beside the clients on loopback, so both share the machine, as they do on a bench. The bare time is
that of the network on the same picture, preprocessed beforehand, in this process while the service is idle: no HTTP, no
decoding, no masks, no drawing, no files. Nothing is asserted; run it on an otherwise idle machine.
"""

import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import planimeter
from planimeter.measuring.segmenter import Segmenter
from planimeter.pictures.preprocessing import preprocess
from planimeter.samples.fluorescence import Scene, draw_scene
from planimeter.settings import Precision

SIZES = ("256x256", "640x480", "2048x1536")
STEPS = ("decode", "queue", "inference", "postprocess", "store")
VERSIONS = ("planimeter", "openvino", "numpy", "pillow", "flask", "waitress")
WARM_UP = 5
START_SECONDS = 300.0
ANSWER_SECONDS = 300.0

Count = Callable[[], None]
"""Called once for each thing done, to move the progress bar."""


@dataclass(frozen=True)
class Spread:
    """Milliseconds."""

    p50: float
    p95: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """Return the median and the 95th percentile of `values`."""
        low, high = np.percentile(values, (50, 95)).tolist()
        return cls(low, high)


@dataclass(frozen=True)
class Run:
    """Many POSTs of one picture with so many clients at once."""

    clients: int
    post: Spread
    """By the client's clock: from the first byte sent to the last byte of the answer."""
    steps: dict[str, Spread]
    """By the service's clock; `http` is what the client waited beyond them: transport, parsing, JSON."""
    pictures_per_second: float


@dataclass(frozen=True)
class Result:
    """One picture."""

    width: int
    height: int
    bytes: int
    instances: int
    network: Spread
    """The network alone."""
    runs: list[Run]

    @property
    def ratio(self) -> float:
        """How many times as long as the network alone a POST takes, by medians, with one client."""
        return self.runs[0].post.p50 / self.network.p50


@dataclass(frozen=True)
class Posted:
    """One answer."""

    milliseconds: float
    timing: dict[str, float]
    instances: int


@click.command()
@click.option("--number", default=50, show_default=True, type=click.IntRange(1), help="Posts of each kind.")
@click.option(
    "--clients", default=4, show_default=True, type=click.IntRange(1, 64), help="Clients at once, second run."
)
@click.option("--size", "sizes", multiple=True, default=SIZES, show_default=True, help="WIDTHxHEIGHT.")
@click.option("--model", default="nuclei", show_default=True)
@click.option("--precision", default="auto", show_default=True, type=click.Choice(["auto", "f32", "bf16"]))
@click.option("--infer-with-cpu", is_flag=True, help="Measure on the CPU even where a GPU could.")
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write all here too."
)
def main(
    *,
    number: int,
    clients: int,
    sizes: tuple[str, ...],
    model: str,
    precision: Precision,
    infer_with_cpu: bool,
    json_path: Path | None,
) -> None:
    """Time POSTs of computed pictures, one after the other and from several clients, and the network alone."""
    machine = describe_machine()  # first: its load is that of others
    pictures = [draw_picture(*parse_size(size)) for size in sizes]
    segmenter = planimeter.load(model, infer_with_cpu=infer_with_cpu, precision=precision)
    options = ["--model", model, "--precision", precision, *(["--infer-with-cpu"] if infer_with_cpu else [])]
    console = Console(soft_wrap=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    with serving(options) as port, progress:
        task = progress.add_task(
            "Measuring", total=len(pictures) * ((2 + (clients > 1)) * number + 3 * WARM_UP)
        )
        results = [
            measure(
                segmenter, picture, port, number=number, clients=clients, count=lambda: progress.advance(task)
            )
            for picture in pictures
        ]
    report = {
        "machine": machine,
        "model": segmenter.info.model_dump(),
        "number": number,
        "results": [asdict(result) | {"ratio": result.ratio} for result in results],
    }
    print_report(console, report, results)
    if json_path:
        json_path.write_text(json.dumps(report, indent=2) + "\n", "utf-8")


def parse_size(size: str) -> tuple[int, int]:
    """Return width and height of a text like "640x480"."""
    width, _, height = size.partition("x")
    if not (width.isdigit() and height.isdigit() and min(int(width), int(height)) >= 64):
        raise click.BadParameter(f"{size!r}: write WIDTHxHEIGHT, each at least 64", param_hint="--size")
    return int(width), int(height)


def draw_picture(width: int, height: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return a picture of about 60 nuclei, uint8 [H, W]; larger pictures show larger nuclei, not more."""
    scale = min(width, height) / 480
    scene = Scene(
        seed=1,
        width=width,
        height=height,
        nuclei=round(60 * (width * height) / (640 * 480 * scale**2)),
        radius=(12 * scale, 18 * scale),
        elongation=(1.1, 1.6),
        bend=0.1,
        touching=0.3,
        light=(420.0, 1000.0),
        blur=max(0.6, scale),
    )
    return draw_scene(scene).pixels


@contextmanager
def serving(options: list[str]) -> Iterator[int]:
    """Run a service with its own folders on a free port of this machine; yields the port."""
    with tempfile.TemporaryDirectory(prefix="planimeter-bench-") as folder:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port: int = free.getsockname()[1]
        log = Path(folder) / "service.log"
        command = [sys.executable, "-m", "planimeter", "serve", "--port", str(port), *options]
        with log.open("wb") as output:
            service = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        try:
            wait_until_ready(service, port, log)
            yield port
        finally:
            service.terminate()
            service.wait(60)


def wait_until_ready(service: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    """Return once the service answers that it is ready."""
    patience = time.monotonic() + START_SECONDS
    while not is_ready(port):
        if service.poll() is not None or time.monotonic() > patience:
            raise click.ClickException(f"the service did not start:\n{log.read_text('utf-8', 'replace')}")
        time.sleep(0.1)


def is_ready(port: int) -> bool:
    """Return whether the service can measure."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def measure(
    segmenter: Segmenter,
    pixels: np.ndarray[Any, np.dtype[np.uint8]],
    port: int,
    *,
    number: int,
    clients: int,
    count: Count,
) -> Result:
    """Time POSTs one after the other, the network alone before and after them, then several clients."""
    encoded = BytesIO()
    Image.fromarray(pixels).save(encoded, "PNG")
    data = encoded.getvalue()
    with Client(port) as client:
        instances = [client.post(data, count).instances for _ in range(WARM_UP)][-1]
    # Half before and half after the run that it is compared with: a machine that drifts does so for both.
    before = time_network(segmenter, pixels, number - number // 2, count)
    runs = [time_posts(port, data, number, 1, count)]
    after = time_network(segmenter, pixels, number // 2, count)
    if clients > 1:
        runs.append(time_posts(port, data, number, clients, count))
    height, width = pixels.shape
    return Result(width, height, len(data), instances, Spread.of(before + after), runs)


def time_network(
    segmenter: Segmenter, pixels: np.ndarray[Any, np.dtype[np.uint8]], number: int, count: Count
) -> list[float]:
    """Return the milliseconds that the network takes on its own input, made beforehand."""
    image, _ = preprocess(
        np.repeat(pixels[:, :, np.newaxis], 3, axis=2), segmenter.pack.manifest.preprocessing
    )
    network = segmenter._runtime  # noqa: SLF001  below the public API is what this measures
    times = []
    for _ in range(WARM_UP + number):
        started = time.perf_counter()
        network.run(image)
        times.append(1000 * (time.perf_counter() - started))
        count()
    return times[WARM_UP:]


def time_posts(port: int, data: bytes, number: int, clients: int, count: Count) -> Run:
    """Post `data` `number` times in all, from so many clients at once, each on its own connection."""
    shares = [number // clients + (index < number % clients) for index in range(clients)]

    def post_share(share: int) -> list[Posted]:
        with Client(port) as client:
            return [client.post(data, count) for _ in range(share)]

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        posted = [answer for answers in pool.map(post_share, shares) for answer in answers]
    seconds = time.perf_counter() - started
    steps = {step: Spread.of([answer.timing[step] for answer in posted]) for step in STEPS}
    steps["http"] = Spread.of([answer.milliseconds - answer.timing["total"] for answer in posted])
    return Run(clients, Spread.of([answer.milliseconds for answer in posted]), steps, len(posted) / seconds)


class Client:
    """One client that keeps its connection."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def post(self, data: bytes, count: Count) -> Posted:
        """Post one picture and read the whole answer."""
        started = time.perf_counter()
        self._connection.request("POST", "/api/v1/measurements", data, {"Content-Type": "image/png"})
        answer = self._connection.getresponse()
        body = answer.read()
        milliseconds = 1000 * (time.perf_counter() - started)
        if answer.status != 201:
            raise click.ClickException(
                f"the service answered {answer.status}: {body.decode('utf-8', 'replace')}"
            )
        measurement = json.loads(body)
        count()
        return Posted(milliseconds, measurement["timing_ms"], len(measurement["instances"]))


def describe_machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in VERSIONS},
    }


def cpu_model() -> str:
    """Return the processor's name, as well as this system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def print_report(console: Console, report: dict[str, Any], results: list[Result]) -> None:
    """Print the tables and what they hold for."""
    machine, model = report["machine"], report["model"]
    for result in results:
        console.print(make_table(result))
    load = "" if machine["load"] is None else f", load {machine['load']:.1f} before"
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    console.print(f"{report['number']} posts each after {WARM_UP} to warm up; milliseconds.")
    console.print(
        f"Model {model['name']} {model['version']}, {model['runtime']} {model['precision']} on {model['device']}"
    )
    console.print(f"{machine['cpu']}, {machine['cores']} cores{load}")
    console.print(f"{machine['system']}, Python {machine['python']}, {versions}")


def make_table(result: Result) -> Table:
    """Return one picture's table."""
    megapixels = result.width * result.height / 1e6
    table = Table(
        title=f"{result.width} x {result.height} ({megapixels:.2g} megapixels, {result.bytes / 1000:,.0f} kB, "
        f"{result.instances} instances)",
        title_justify="left",
        header_style="bold",
    )
    table.add_column("ms", no_wrap=True)
    for run in result.runs:
        who = "1 client" if run.clients == 1 else f"{run.clients} clients"
        table.add_column(f"{who}\np50", justify="right")
        table.add_column("\np95", justify="right")
    add_row(table, "[bold]POST, by the client's clock", [run.post for run in result.runs])
    for step in (*STEPS, "http"):
        name = "HTTP, JSON" if step == "http" else step
        add_row(table, f"  {name}", [run.steps[step] for run in result.runs])
    rates = [cell for run in result.runs for cell in (f"{run.pictures_per_second:.1f}", "")]
    table.add_row("pictures a second", *rates, end_section=True)
    add_row(table, "[bold]the network alone", [result.network])
    table.add_row("[bold]POST / network", f"[bold]{result.ratio:.2f}")
    return table


def add_row(table: Table, name: str, spreads: list[Spread]) -> None:
    """Add p50 and p95 of each of `spreads`."""
    table.add_row(name, *(f"{value:,.1f}" for spread in spreads for value in (spread.p50, spread.p95)))


if __name__ == "__main__":
    main()
