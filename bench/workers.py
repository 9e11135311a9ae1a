"""One process beside a Ray cluster of two workers on this machine: the same pictures, in turns, in one run.

    make bench-ray

Both services run from the beginning to the end, and are asked in turns, so that whatever else the machine does meets
both. What Ray takes while nobody asks it anything is measured too: it is in the figures of the one process.
"""

import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any

import click
from children import START_SECONDS, Server, environment, free_port, running, serving, stop_with_us
from load import NUCLEI, STEEL, Target, post_for, warm_up
from pictures import nuclei_picture, steel_picture

from planimeter.cluster.connection import LOOK_SECONDS
from planimeter.runtimes.cores import available

RAY = Path(sys.executable).with_name("ray")
TRIES = 3
TICKS = os.sysconf("SC_CLK_TCK")
GROW_SECONDS = 120.0
"""In which Ray has to have started all workers."""
ANSWERED_ALIKE = 6
"""Pictures whose answers are compared."""
NEVER_THE_SAME = {"id", "created_at", "timing_ms", "url"}
PART = {
    "ServeReplica": "replicas",
    "ServeController": "Serve's controller",
    "raylet": "raylets",
    "gcs_server": "GCS",
}


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Turns of each.")
@click.option("--seconds", default=5.0, show_default=True, help="Of a turn.")
@click.option("--clients", default=8, show_default=True)
@click.option("--workers", default=2, show_default=True, help="Nodes of the cluster, which share the cores.")
@click.option("--model", type=click.Choice(["steel", "nuclei"]), multiple=True, default=["steel", "nuclei"])
def main(rounds: int, seconds: float, clients: int, workers: int, model: tuple[str, ...]) -> None:
    """Print medians of pictures a second, and where the processors' time went, as JSON."""
    stop_with_us()
    pictures = {"steel": (STEEL, steel_picture()), "nuclei": (NUCLEI, nuclei_picture(640, 480))}
    found = {}
    with workers_of(workers) as many, serving(["--infer-with-cpu"]) as one:
        for name in model:
            title, picture = pictures[name]
            found[title] = compare(
                name,
                picture,
                one,
                many,
                workers=workers,
                rounds=rounds,
                seconds=seconds,
                clients=clients,
            )
            click.echo(json.dumps({title: found[title]}, indent=2))
    worst = min(each["ratio"] for each in found.values())
    click.echo(f"workers reach {worst:.3f} of one process, at the least; answers are the same")


@contextmanager
def workers_of(nodes: int) -> Iterator[Server]:
    """Run a service whose pictures a cluster of so many nodes measures; a busy machine may need more tries."""
    for left in reversed(range(TRIES)):
        with ExitStack() as held:
            try:
                server = held.enter_context(_served_by(held.enter_context(_cluster(nodes))))
            except click.ClickException as error:
                if not left:
                    raise
                click.echo(f"once more: {error}", err=True)
            else:
                yield server
                return


@contextmanager
def _cluster(nodes: int) -> Iterator[dict[str, str]]:
    """Start a cluster whose nodes share the cores; yield what its members are told."""
    port = free_port()
    told = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": LOOK_SECONDS,
        "RAY_SERVE_HANDLE_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "1",  # the second worker comes sooner, no more
    }
    address = f"127.0.0.1:{port}"
    started: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "log.txt"
        try:
            for number in range(nodes):
                where = ["--address", address]
                if not number:
                    where = ["--head", "--port", str(port), "--include-dashboard=false", "--temp-dir", folder]
                command = [str(RAY), "start", "--block", "--disable-usage-stats"]
                shares = [f"--num-cpus={max(1, available() // nodes)}", "--object-store-memory=200000000"]
                with log.open("ab") as output:
                    node = subprocess.Popen(
                        [*command, *shares, *where], env=environment(**told), stdout=output, stderr=output
                    )
                started.append(node)
                _wait_for(node, log, number + 1)
            yield told | {"RAY_ADDRESS": address}
        finally:
            for node in reversed(started):
                node.terminate()
            for node in started:
                node.wait()


def _wait_for(node: "subprocess.Popen[bytes]", log: Path, number: int) -> None:
    """Wait until so many nodes say that they run; raises `ClickException` where this one has ended."""
    until = time.monotonic() + START_SECONDS
    while log.read_bytes().count(b"Ray runtime started") < number:
        if node.poll() is not None or time.monotonic() > until:
            said = log.read_text("utf-8", "replace")[-500:]
            raise click.ClickException(f"node {number} of the cluster did not start: {said}")
        time.sleep(0.2)
    time.sleep(2)


@contextmanager
def _served_by(told: dict[str, str]) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "planimeter", "serve", "--port", str(port), "--infer-with-cpu"]
    with running([*command, "--workers", "ray"], port, ready="/readyz", told=told) as server:
        yield server


def compare(
    model: str,
    picture: bytes,
    one: Server,
    many: Server,
    *,
    workers: int,
    rounds: int,
    seconds: float,
    clients: int,
) -> dict[str, Any]:
    """Ask both in turns, and return the figures; raises `ClickException` where they answer differently."""
    path = f"/api/v1/measurements?model={model}"
    for server in (one, many):
        warm_up(Target(server.port, path), picture)
    grow(many, path, picture, clients, workers)
    compare_answers(path, picture, one, many)
    click.echo(f"{model}: all workers measure, and answers are the same", err=True)
    rates: dict[str, list[float]] = defaultdict(list)
    times: dict[str, list[float]] = defaultdict(list)
    spent: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    asked: Counter[str] = Counter()
    idle_before, began = seconds_by_part(many), time.monotonic()
    time.sleep(3)
    idle = _since(idle_before, seconds_by_part(many))
    idle_share = sum(idle.values()) / (time.monotonic() - began)
    for turn in range(rounds):
        both = [("one process", one), ("workers", many)]
        for name, server in both if turn % 2 else both[::-1]:  # neither is always the second
            before = seconds_by_part(many, one)
            run = post_for(Target(server.port, path), picture, clients, seconds)
            after = _since(before, seconds_by_part(many, one))
            rates[name].append(run.pictures_a_second)
            times[name].append(median(run.post_ms))
            for part, used in after.items():
                spent[name][part] += used
            asked[name] += len(run.posts) + clients  # the first of each client is not in its posts
            click.echo(f"{model}, {name}: {run.pictures_a_second:.1f} pictures a second", err=True)
    figures = {
        name: {
            "pictures_a_second": round(median(rates[name]), 2),
            "lowest_and_highest": [round(min(rates[name]), 2), round(max(rates[name]), 2)],
            "post_ms": round(median(times[name]), 1),
            "processor_ms_a_picture": {
                part: round(1000 * used / asked[name], 2)
                for part, used in sorted(spent[name].items())
                if used
            },
        }
        for name in rates
    }
    return figures | {
        "ratio": round(median(rates["workers"]) / (median(rates["one process"]) or float("nan")), 3),
        "cores_that_ray_takes_when_idle": round(idle_share, 3),
    }


def grow(server: Server, path: str, picture: bytes, clients: int, workers: int) -> None:
    """Ask until all workers have measured; raises `ClickException` where some do not come."""
    before, until = answered_by(server), time.monotonic() + GROW_SECONDS
    while len(+(answered_by(server) - before)) < workers:
        if time.monotonic() > until:
            raise click.ClickException(f"not all of {workers} workers measure: {answered_by(server)}")
        post_for(Target(server.port, path), picture, clients, 2.0)


def answered_by(server: Server) -> Counter[str]:
    """Return how many pictures each worker of a service has measured."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request("GET", "/metrics")
        told = connection.getresponse().read().decode()
    finally:
        connection.close()
    found = re.findall(r'planimeter_worker_measurements_total\{replica="(\w+)"\} (\d+)', told)
    return Counter({name: int(count) for name, count in found})


def compare_answers(path: str, picture: bytes, one: Server, many: Server) -> None:
    """Raise `ClickException` where two answers, drawn pictures or masks differ."""
    for number in range(ANSWERED_ALIKE):
        query = f"{path}&score_threshold={0.3 + 0.1 * number:.1f}"
        if answers(one, query, picture) != answers(many, query, picture):
            raise click.ClickException(f"answers differ: {query}")


def answers(server: Server, path: str, picture: bytes) -> Any:
    """Return what a service answers, with the drawn picture and the mask."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=120)
    try:
        connection.request("POST", path, picture, {"Content-Type": "image/png"})
        answer = connection.getresponse()
        found = json.loads(answer.read())
        files = []
        for name in ("overlay", "mask"):
            connection.request("GET", f"/api/v1/measurements/{found['id']}/{name}")
            files.append(connection.getresponse().read())
        return json.loads(json.dumps(_without(found)).replace(found["id"], "")), files
    finally:
        connection.close()


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without(each) for name, each in value.items() if name not in NEVER_THE_SAME}
    return [_without(each) for each in value] if isinstance(value, list) else value


def _since(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {part: max(0.0, used - before.get(part, 0.0)) for part, used in after.items()}


def seconds_by_part(workers: Server, one: Server | None = None) -> dict[str, float]:
    """Return the processor seconds that Ray's processes and the services took until now, by what they are."""
    names = {workers.process.pid: "service of the workers"}
    if one is not None:
        names[one.process.pid] = "one process"
    found: dict[str, float] = defaultdict(float)
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            told = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        part = names.get(int(folder.name))
        if part is None and ("ray::" in told or "/ray/" in told):
            part = next((words for mark, words in PART.items() if mark in told), "the rest of Ray")
        if part is None and int(stat[1]) in names:  # the decoders of a service
            part = names[int(stat[1])]
        if part is not None:
            found[part] += (int(stat[11]) + int(stat[12])) / TICKS
    return found


if __name__ == "__main__":
    main()
