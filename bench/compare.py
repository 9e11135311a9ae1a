"""Planimeter beside what one would write instead: same pictures, same weights, equal work, in turns.

    pip install -r bench/peers/requirements.txt   # into an environment that has planimeter[train], or --python's
    python bench/compare.py [--rounds 5] [--number 20] [--python OTHER/bin/python] [--json FILE]

Each is a server of its own process on loopback; all run, one at a time is asked, and they take turns round by round, so
that a machine that drifts does so for all. The peers keep upload and drawn picture without making sure that they reach
the disk, have no database and check nothing. Nothing is asserted; run it on an otherwise idle machine.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

import click
import numpy as np
from rich.console import Console
from rich.table import Table

import planimeter
from planimeter.packs.pack import find_pack
from planimeter.pictures.decode import decode
from planimeter.pictures.preprocessing import preprocess
from planimeter.samples import find_sample

HERE = Path(__file__).parent / "peers"
PEERS = {"Flask + PyTorch": "flask_torch.py", "FastAPI + OpenVINO": "fastapi_openvino.py"}
OURS = "Planimeter"
CLIENTS = (1, 8)
START_SECONDS = 120.0


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--number", default=20, show_default=True, type=click.IntRange(8), help="Posts a round.")
@click.option("--sample", default="steel-scratches", show_default=True, help="Which computed picture.")
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Another one.")
@click.option("--model", default="steel", show_default=True)
@click.option("--python", default=sys.executable, help="The interpreter of the peers' environment.")
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False))
def main(
    *,
    rounds: int,
    number: int,
    sample: str,
    picture: Path | None,
    model: str,
    python: str,
    json_path: Path | None,
) -> None:
    """Time POSTs of one picture to each server, with one client and with several."""
    data = picture.read_bytes() if picture else find_sample(sample).read()
    with ExitStack() as servers:
        ports = {OURS: servers.enter_context(ours(model))}
        for name, script in PEERS.items():
            ports[name] = servers.enter_context(peer(python, script, model))
        bare = bare_network(data, model)
        times: dict[tuple[str, int], list[float]] = defaultdict(list)
        rates: dict[tuple[str, int], list[float]] = defaultdict(list)
        network: list[float] = []
        for name, port in ports.items():
            post_all(port, path_of(name), data, 8, 1)
        for _ in range(rounds):
            network += [bare() for _ in range(number)]
            for name, port in ports.items():
                for clients in CLIENTS:
                    taken, seconds = post_all(port, path_of(name), data, number, clients)
                    times[name, clients] += taken
                    rates[name, clients].append(number / seconds)
    results = {
        name: {
            str(clients): {
                "p50": median(times[name, clients]),
                "p95": float(np.percentile(times[name, clients], 95)),
                "pictures_a_second": median(rates[name, clients]),
            }
            for clients in CLIENTS
        }
        for name in ports
    }
    print_table(results, median(network))
    if json_path:
        json_path.write_text(json.dumps({"network": median(network), **results}, indent=2) + "\n", "utf-8")


def bare_network(data: bytes, model: str) -> Callable[[], float]:
    """Return what runs the network alone on a picture, and tells the milliseconds."""
    segmenter = planimeter.load(model, infer_with_cpu=True, precision="f32")
    image, _ = preprocess(decode(data).pixels, segmenter.pack.manifest.preprocessing)
    runtime = segmenter._runtime  # noqa: SLF001  below the public API is what this measures
    runtime.run(image)

    def run() -> float:
        started = time.perf_counter()
        runtime.run(image)
        return 1000 * (time.perf_counter() - started)

    return run


@contextmanager
def ours(model: str) -> Iterator[int]:
    """Run Planimeter."""
    with tempfile.TemporaryDirectory(prefix="planimeter-peers-") as folder:
        port = free_port()
        options = ["--model", model, "--precision", "f32", "--infer-with-cpu", "--port", str(port)]
        with running([sys.executable, "-m", "planimeter", "serve", *options], folder, {}, port):
            yield port


@contextmanager
def peer(python: str, script: str, model: str) -> Iterator[int]:
    """Run one of the others."""
    with tempfile.TemporaryDirectory(prefix="planimeter-peers-") as folder:
        port = free_port()
        pack = find_pack(model, None).folder
        told = {"PEER_PACK": str(pack), "PEER_FOLDER": folder, "PEER_PORT": str(port)}
        with running([python, str(HERE / script)], folder, told, port):
            yield port


@contextmanager
def running(command: list[str], folder: str, told: dict[str, str], port: int) -> Iterator[None]:
    """Run a server until the end, and wait until it listens."""
    log = Path(folder) / "log.txt"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **told}, stdout=output, stderr=output
        )
    try:
        patience = time.monotonic() + START_SECONDS
        while not listens(port):
            if server.poll() is not None or time.monotonic() > patience:
                raise click.ClickException(
                    f"{command[-1]} did not start:\n{log.read_text('utf-8', 'replace')}"
                )
            time.sleep(0.2)
        yield
    finally:
        server.terminate()
        server.wait(60)


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Return whether anybody answers there."""
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def path_of(name: str) -> str:
    """Return where a server takes pictures."""
    return "/api/v1/measurements" if name == OURS else "/measure"


def post_all(port: int, path: str, data: bytes, number: int, clients: int) -> tuple[list[float], float]:
    """Post a picture `number` times from so many clients; return the milliseconds of each and the seconds of all."""
    shares = [number // clients + (index < number % clients) for index in range(clients)]
    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        found = pool.map(lambda share: post_some(port, path, data, share), shares)
        taken = [each for some in found for each in some]
    return taken, time.perf_counter() - started


def post_some(port: int, path: str, data: bytes, number: int) -> list[float]:
    """Post a picture so often on one connection, and return the milliseconds of each."""
    connection = HTTPConnection("127.0.0.1", port, timeout=300)
    times = []
    for _ in range(number):
        started = time.perf_counter()
        connection.request("POST", path, data, {"Content-Type": "image/png"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != HTTPStatus.CREATED:
            raise click.ClickException(f"{answer.status}: {body[:300].decode('utf-8', 'replace')}")
        times.append(1000 * (time.perf_counter() - started))
    connection.close()
    return times


def print_table(results: dict[str, dict[str, dict[str, float]]], network: float) -> None:
    """Print a row for each server."""
    table = Table("", title=f"the network alone: {network:.1f} ms")
    for clients in CLIENTS:
        who = "1 client" if clients == 1 else f"{clients} clients"
        for figure in ("p50, ms", "p95, ms", "pictures/s"):
            table.add_column(f"{who}\n{figure}", justify="right")
    for name, runs in results.items():
        cells = [f"{value:.1f}" for clients in CLIENTS for value in runs[str(clients)].values()]
        table.add_row(name, *cells)
    Console(highlight=False).print(table)


if __name__ == "__main__":
    main()
