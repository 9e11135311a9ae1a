"""POSTs of one picture from several clients at once, each a process of its own, and the network alone beside them.

A real service on loopback; clients and service share the machine, and what the clients take of it is told.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import click
import numpy as np
from arithmetic import gflop, is_countable, peak_gflops
from children import environment, serving
from network import Network, load_network
from pictures import nuclei_picture, steel_picture

from planimeter.runtimes.cores import available
from planimeter.runtimes.usual_size import OFTEN

CLIENT = Path(__file__).with_name("client.py")
STEPS = ("decode", "queue", "inference", "postprocess", "store")
STREAMS = (1, 2)
STEEL, NUCLEI = "steel, 200 x 200", "nuclei, 640 x 480"
CLIENTS = {1: True, 2: False, 8: True, 32: False}
"""How many clients, and whether in each round: the others once, in the last."""
DRAWN = (1, 8)
"""How many clients fetch the drawn picture too, in the last round."""
BEGIN_SECONDS = 0.05
COMPILE_SECONDS = 2.0
"""More than it takes to compile a network, beside nothing else."""
ANSWERS = 3
"""So many answers each client is given time for, by what the network alone takes."""


@dataclass(frozen=True)
class Target:
    """Where pictures are posted, and how."""

    port: int
    path: str = "/api/v1/measurements"
    content_type: str = "image/png"
    drawn: bool = False
    """Whether the drawn picture is fetched after each POST."""
    steps: bool = False
    """Whether the answer's own times are read."""


@dataclass(frozen=True)
class Run:
    """What came of one run."""

    posts: list[dict[str, Any]]
    """Without the first of each client."""
    pictures_a_second: float
    client_share: float
    """What the clients took of all cores' time, 0 to 1."""

    @property
    def post_ms(self) -> list[float]:
        """Milliseconds from the first byte sent to the last byte of the JSON."""
        return [1000 * (post["answered"] - post["started"]) for post in self.posts]

    @property
    def drawn_ms(self) -> list[float]:
        """Milliseconds from the first byte sent to the last byte of the drawn picture."""
        return [1000 * (post["ended"] - post["started"]) for post in self.posts]


def post_for(target: Target, body: bytes, clients: int, seconds: float) -> Run:
    """Post from so many clients for so long, each at least twice."""
    with tempfile.TemporaryDirectory(prefix="planimeter-bench-") as folder:
        picture = Path(folder) / "picture"
        picture.write_bytes(body)
        task = json.dumps(vars(target) | {"picture": str(picture)})
        # -I -S: neither site-packages nor the user's own, which a client does not need and would wait for.
        command = [sys.executable, "-I", "-S", str(CLIENT)]
        started = [
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
            )
            for _ in range(clients)
        ]
        try:
            for client in started:
                _tell(client, task)
            for client in started:
                _listen(client)
            begin = time.monotonic() + BEGIN_SECONDS
            for client in started:
                _tell(client, json.dumps([begin, begin + seconds]))
            answers = [client.communicate()[0] for client in started]
        finally:
            for client in started:
                client.kill()
                client.wait()
    for client in started:
        if client.returncode:
            raise click.ClickException("a client failed; what the server answered stands above")
    return summarise([json.loads(answer) for answer in answers], begin + seconds)


def _tell(client: "subprocess.Popen[str]", line: str) -> None:
    assert client.stdin is not None  # noqa: S101  a pipe was asked for
    client.stdin.write(f"{line}\n")
    client.stdin.flush()


def _listen(client: "subprocess.Popen[str]") -> None:
    assert client.stdout is not None  # noqa: S101  a pipe was asked for
    if client.stdout.readline() != "ready\n":
        raise click.ClickException("a client could not reach the server")


def summarise(clients: Sequence[dict[str, Any]], end: float) -> Run:
    """Return the run of clients that posted until `end`, or longer to come to their second answer.

    The rate is that between the moment at which all had their first answer, and the end: all were asking then.
    """
    firsts = [client["posts"][0]["ended"] for client in clients]
    posts = [post for client in clients for post in client["posts"][1:]]
    begin = max(firsts)
    if end <= begin:
        end = max(post["ended"] for post in posts)
    inside = sum(begin < post["ended"] <= end for post in posts)
    first = min(client["posts"][0]["started"] for client in clients)
    last = max(post["ended"] for post in posts)
    processor: float = sum(client["processor_seconds"] for client in clients)
    return Run(posts, inside / (end - begin), processor / (last - first) / available())


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return p50, p95 and p99, and of how many."""
    found = np.percentile(values, (50, 95, 99)).round(2).tolist()
    return dict(zip(("p50", "p95", "p99"), found, strict=True)) | {"number": len(values)}


def measure_load(*, quick: bool) -> dict[str, Any]:
    """Return the figures of a small picture, and of a larger one with many instances."""
    if quick:
        return {STEEL: measure_picture("steel", steel_picture(), rounds=1, seconds=0.5, quick=True)}
    return {
        STEEL: measure_picture("steel", steel_picture(), rounds=3, seconds=4.0),
        NUCLEI: measure_picture("nuclei", nuclei_picture(640, 480), rounds=3, seconds=4.0),
    }


def measure_picture(
    model: str, picture: bytes, *, rounds: int, seconds: float, quick: bool = False
) -> dict[str, Any]:
    """Post one picture from 1, 2, 8 and 32 clients, some fetching the drawn picture too, the network in turns."""
    network = load_network(picture, model, STREAMS)
    bare: list[float] = []
    rates: dict[int, list[float]] = defaultdict(list)
    runs: dict[tuple[int, bool], list[Run]] = defaultdict(list)
    with serving(["--model", model, "--infer-with-cpu"]) as server:
        warm_up(Target(server.port), picture)
        for turn in range(rounds):
            bare += network.milliseconds(seconds / 2)
            for streams in STREAMS:
                rates[streams].append(network.pictures_a_second(streams, seconds / 2))
            for clients, always in CLIENTS.items():
                if always or (turn == rounds - 1 and not quick):
                    long = max(seconds, ANSWERS * clients * median(bare) / 1000)
                    target = Target(server.port, steps=clients == 1)
                    runs[clients, False].append(post_for(target, picture, clients, long))
            for clients in DRAWN:
                if turn == rounds - 1:
                    long = max(seconds, ANSWERS * clients * median(bare) / 1000)
                    target = Target(server.port, drawn=True)
                    runs[clients, True].append(post_for(target, picture, clients, long))
            bare += network.milliseconds(seconds / 2)
    return _figures(bare, rates, runs) | {"arithmetic": _arithmetic(network, median(bare))}


def warm_up(target: Target, body: bytes, clients: int = 4) -> None:
    """Have a server compile what it compiles for a size that comes often, and for several pictures at once."""
    posted = 0
    while posted <= OFTEN:
        posted += len(post_for(target, body, 1, 1.0).posts)
    time.sleep(COMPILE_SECONDS)
    post_for(target, body, clients, 1.0)
    time.sleep(COMPILE_SECONDS)


def _arithmetic(network: Network, milliseconds: float) -> dict[str, float] | None:
    """Return what the network computes, and how near it comes to the most that this machine does."""
    if not is_countable():
        return None
    [billions] = gflop(network.pack, [network.image])
    peak = peak_gflops(network.precision)
    achieved = 1000 * billions / milliseconds
    return {
        "gflop": round(billions, 3),
        "achieved_gflops": round(achieved, 1),
        "peak_gflops": round(peak, 1),
        "achieved_over_peak": round(achieved / peak, 3),
    }


def _figures(
    bare: list[float], rates: dict[int, list[float]], runs: dict[tuple[int, bool], list[Run]]
) -> dict[str, Any]:
    network = spread(bare)
    best = max(median(found) for found in rates.values())
    alone = [post for run in runs[1, False] for post in run.posts]
    return {
        "network_ms": network,
        "network_pictures_a_second": {
            str(streams): round(median(found), 2) for streams, found in rates.items()
        },
        "clients": {str(clients): _run_figures(some) for (clients, drawn), some in runs.items() if not drawn},
        "clients_with_drawn_picture": {
            str(clients): _run_figures(some, drawn=True) for (clients, drawn), some in runs.items() if drawn
        },
        "steps_ms": {
            step: round(median(post["timing"][step] for post in alone), 2) for step in (*STEPS, "total")
        },
        "instances": alone[0]["instances"],
        "post_over_network": round(_all_ms(runs[1, False])["p50"] / network["p50"], 3),
        "throughput_over_network": round(median(run.pictures_a_second for run in runs[8, False]) / best, 3),
    }


def _run_figures(runs: list[Run], *, drawn: bool = False) -> dict[str, Any]:
    return _all_ms(runs, drawn=drawn) | {
        "pictures_a_second": round(median(run.pictures_a_second for run in runs), 2),
        "client_share": round(mean(run.client_share for run in runs), 4),
    }


def _all_ms(runs: list[Run], *, drawn: bool = False) -> dict[str, float]:
    return spread([value for run in runs for value in (run.drawn_ms if drawn else run.post_ms)])
