"""Planimeter beside what one would use instead: same pictures, same weights, equal work, in turns.

    python bench/compare.py --environments .venv/peers [--quick] [--rounds 3] [--seconds 5] [--json FILE]
    python bench/compare.py --python litserve=PATH [--only litserve]… [--yolo]

Each peer is a script of bench/peers, written as its documentation shows, in an environment of its own: made from
bench/peers/NAME.txt, or named. What cannot be installed or started is told and left out. All servers run, one at a time
is asked, and they take turns round by round, so that a machine that drifts does so for all. The peers keep upload and
drawn picture without making sure that they reach the disk, have no database and check nothing.

`--yolo` compares with Ultralytics' `predict` instead, on a YOLO11n-seg that is built here without anybody's weights,
and that Planimeter imports. Nothing is asserted; run it on an otherwise idle machine.
"""

import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median
from typing import Any

import click
from children import stop_with_us
from load import ANSWERS, STREAMS, Run, Target, post_for, spread, warm_up
from machine import describe, in_words
from network import Network, load_network
from pictures import nuclei_picture, steel_picture
from rich.console import Console
from rich.table import Table
from servers import MASK_RCNN, OURS, YOLO, Environments, Peer, body_for, import_yolo, make_yolo, ours, theirs
from tables import open_console

from planimeter.packs.pack import find_pack

CLIENTS = (1, 8)
START_SECONDS = 180.0
YOLO_NAME = "bench-yolo"
ALIKE_POINTS = 2.0
"""Percentages that differ by more are told: the peers do not join masks and pixels, and resize otherwise."""


@dataclass
class Measured:
    """What came of one server."""

    target: Target
    percent: float
    instances: int
    runs: dict[int, list[Run]] = field(default_factory=lambda: defaultdict(list))

    def figures(self) -> dict[str, Any]:
        """Return the medians of its rounds, by clients."""
        return {
            str(clients): spread([value for run in runs for value in run.post_ms])
            | {"pictures_a_second": round(median(run.pictures_a_second for run in runs), 2)}
            for clients, runs in self.runs.items()
        }


@click.command()
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=5.0, show_default=True, help="Of each run in a round.")
@click.option("--quick", is_flag=True, help="One round of a second.")
@click.option(
    "--picture", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Another picture."
)
@click.option("--model", default="steel", show_default=True)
@click.option("--yolo", is_flag=True, help="Beside Ultralytics, with a YOLO11n-seg.")
@click.option("--only", multiple=True, metavar="NAME", help="Peers of these environments; default: all.")
@click.option(
    "--python", "pythons", multiple=True, metavar="NAME=PATH", help="Interpreter of an environment."
)
@click.option(
    "--environments", type=click.Path(path_type=Path, file_okay=False), help="Where missing ones are made."
)
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False))
def main(
    *,
    rounds: int,
    seconds: float,
    quick: bool,
    picture: Path | None,
    model: str,
    yolo: bool,
    only: tuple[str, ...],
    pythons: tuple[str, ...],
    environments: Path | None,
    json_path: Path | None,
) -> None:
    """Time POSTs of one picture to each server, with one client and with several."""
    rounds, seconds = (1, 1.0) if quick else (rounds, seconds)
    console = open_console()
    stop_with_us()
    machine = describe()
    given = dict(entry.split("=", 1) for entry in pythons if "=" in entry)
    homes = Environments(environments, given)
    usual = nuclei_picture(640, 480) if yolo else steel_picture()
    data = picture.read_bytes() if picture else usual
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="planimeter-bench-")))
        options, pack = ["--model", model], model
        peers: tuple[Peer, ...] = MASK_RCNN
        if yolo:
            python = homes.python("ultralytics")
            if python is None:
                raise click.ClickException(homes.missing["ultralytics"])
            onnx = make_yolo(python, folder, data)
            import_yolo(onnx, folder / "packs", YOLO_NAME)
            options, peers = ["--model", YOLO_NAME, "--packs-folder", str(folder / "packs")], YOLO
            pack = str(folder / "packs" / YOLO_NAME)
        told = {"PEER_PACK": str(find_pack(pack).folder)}
        measured: dict[str, Measured] = {}
        skipped: dict[str, str] = {}
        measured[OURS] = _first(stack.enter_context(ours(options)), data)
        for peer in peers:
            if only and peer.environment not in only:
                continue
            weights = {"PEER_WEIGHTS": str(folder / ("yolo.onnx" if "ONNX" in peer.name else "yolo.pt"))}
            try:
                python = homes.python(peer.environment)
                if python is None:
                    skipped[peer.name] = homes.missing[peer.environment]
                    continue
                measured[peer.name] = _first(stack.enter_context(theirs(peer, python, told | weights)), data)
            except (click.ClickException, OSError) as error:
                skipped[peer.name] = str(error)
        network = load_network(data, pack, STREAMS, "f32")
        figures = _take_turns(measured, network, data, rounds=rounds, seconds=seconds, skipped=skipped)
    results = {"machine": machine, "yolo": yolo, **figures, "skipped": skipped}
    _print(console, results)
    if json_path:
        json_path.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _take_turns(
    measured: dict[str, Measured],
    network: Network,
    data: bytes,
    *,
    rounds: int,
    seconds: float,
    skipped: dict[str, str],
) -> dict[str, Any]:
    """Ask one server after the other, round by round; a peer that does not bear it is left out, and told."""
    bare: list[float] = []
    rates: dict[int, list[float]] = defaultdict(list)

    def each(ask: Callable[[Measured], None]) -> None:
        for name, one in [*measured.items()]:
            try:
                ask(one)
            except click.ClickException as error:
                if name == OURS:
                    raise
                skipped[name] = f"it ended under load: {error}"
                del measured[name]

    def warm(one: Measured) -> None:
        warm_up(one.target, body_for(one.target, data), max(CLIENTS))

    def post(one: Measured) -> None:
        for clients in CLIENTS:
            long = max(seconds, ANSWERS * clients * median(bare) / 1000)
            one.runs[clients].append(post_for(one.target, body_for(one.target, data), clients, long))

    each(warm)
    for _ in range(rounds):
        bare += network.milliseconds(seconds / 2)
        for streams in STREAMS:
            rates[streams].append(network.pictures_a_second(streams, seconds / 2))
        each(post)
    return {
        "network_ms": spread(bare),
        "network_pictures_a_second": {
            str(number): round(median(found), 2) for number, found in rates.items()
        },
        "servers": {
            name: {"percent_masked": one.percent, "instances": one.instances, "clients": one.figures()}
            for name, one in measured.items()
        },
    }


def _first(target: Target, picture: bytes) -> Measured:
    """Return what a server finds in a picture, as soon as it answers."""
    patience = time.monotonic() + START_SECONDS
    body = body_for(target, picture)
    while True:
        connection = HTTPConnection("127.0.0.1", target.port, timeout=START_SECONDS)
        try:
            connection.request("POST", target.path, body, {"Content-Type": target.content_type})
            answer = connection.getresponse()
            status, text = answer.status, answer.read()
        except (OSError, HTTPException) as error:
            status, text = 0, str(error).encode()
        finally:
            connection.close()
        if status in {200, 201}:
            found = json.loads(text)
            percent = found["coverage"]["percent_masked"] if "coverage" in found else found["percent_masked"]
            return Measured(target, float(percent), len(found["instances"]))
        if time.monotonic() > patience or status in {400, 415, 422, 500}:
            raise click.ClickException(f"it answered {status}: {text[:500].decode('utf-8', 'replace')}")
        time.sleep(0.2)


def _print(console: Console, results: dict[str, Any]) -> None:
    console.print(in_words(results["machine"]))
    rates = ", ".join(
        f"{rate:.1f} a second with {streams} stream{'s' * (streams != '1')}"
        for streams, rate in results["network_pictures_a_second"].items()
    )
    title = f"the network alone: {results['network_ms']['p50']:.1f} ms, {rates}"
    table = Table("", "percent", "instances", title=title, title_justify="left")
    for clients in CLIENTS:
        who = "1 client" if clients == 1 else f"{clients} clients"
        for figure in ("p50, ms", "p95, ms", "pictures/s"):
            table.add_column(f"{who}\n{figure}", justify="right")
    servers = results["servers"]
    for name, found in servers.items():
        cells = [
            f"{found['clients'][str(clients)][what]:,.1f}"
            for clients in CLIENTS
            for what in ("p50", "p95", "pictures_a_second")
        ]
        table.add_row(name, f"{found['percent_masked']:.2f}", str(found["instances"]), *cells)
    console.print(table)
    for name, found in servers.items():
        apart = abs(found["percent_masked"] - servers[OURS]["percent_masked"])
        if apart > ALIKE_POINTS:
            console.print(f"NOT THE SAME WORK: {name} finds {apart:.1f} points more or less than {OURS}.")
    for name, why in results["skipped"].items():
        console.print(f"LEFT OUT: {name}: {why}", markup=False)


if __name__ == "__main__":
    main()
