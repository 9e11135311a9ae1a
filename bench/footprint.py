"""Memory, time to ready and time to import of a service with one small model."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from children import environment, serving
from load import Target, post_for
from pictures import steel_picture

PROC = Path("/proc")
OPTIONS = ("--model", "steel", "--infer-with-cpu")
SAMPLE_SECONDS = 0.05
CLIENTS = 8


@dataclass
class Peak:
    """The most that processes took together, in MiB, as seen at each sample."""

    resident: float = 0.0
    proportional: float = 0.0

    def see(self, now: "tuple[float, float] | None") -> None:
        """Take a sample in."""
        if now:
            self.resident = max(self.resident, now[0])
            self.proportional = max(self.proportional, now[1])


def measure_footprint(*, quick: bool) -> dict[str, Any]:
    """Return the figures; those of memory are absent where there is no /proc."""
    starts = [_start() for _ in range(1 if quick else 5)]
    return {
        "ready_seconds": round(median(seconds for seconds, _ in starts), 3),
        "ready_processor_seconds": round(median(processor for _, processor in starts), 3),
        "starts": len(starts),
        **_memory(2.0 if quick else 10.0),
        **_import(2 if quick else 10),
    }


def _start() -> tuple[float, float]:
    """Start a service; return the seconds until it was ready, and of the processor by then."""
    with serving(OPTIONS) as server:
        return server.ready_seconds, processor_seconds(server.process.pid)


def _memory(seconds: float) -> dict[str, Any]:
    if not (PROC / "self/smaps_rollup").is_file():
        return {"memory": "not measured: this system has no /proc/PID/smaps_rollup"}
    with serving(OPTIONS) as server:
        pid = server.process.pid
        ready = memory_mib(pid)
        with watching(pid) as peak:
            post_for(Target(server.port), steel_picture(), 1, 1.0)
            one = memory_mib(pid)
            post_for(Target(server.port), steel_picture(), CLIENTS, seconds)
        after = memory_mib(pid)
        parts = {
            _name(process): {"rss_mib": round(found[0], 1), "pss_mib": round(found[1], 1)}
            for process in tree(pid)
            if (found := memory_of(process))
        }
    moments = {"ready": ready, "after one client": one, f"after {CLIENTS} clients": after}
    shown = {
        when: {"rss_mib": round(found[0], 1), "pss_mib": round(found[1], 1)}
        for when, found in moments.items()
        if found
    }
    shown["peak"] = {"rss_mib": round(peak.resident, 1), "pss_mib": round(peak.proportional, 1)}
    return {"memory": shown, "processes": parts}


def _import(number: int) -> dict[str, Any]:
    """Import the package so often, in turns with nothing; the first time only compiles what is not compiled yet."""
    _run("import planimeter")
    with_it, without = [], []
    for _ in range(number):
        without.append(_run("pass"))
        with_it.append(_run("import planimeter"))
    wall, processor = (
        median(entry[index] for entry in with_it) - median(entry[index] for entry in without)
        for index in (0, 1)
    )
    return {"import_seconds": round(wall, 4), "import_processor_seconds": round(processor, 4)}


def _run(code: str) -> tuple[float, float]:
    """Run Python; return the seconds it took, and those of the processor."""
    before, started = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=environment())
    seconds, after = time.perf_counter() - started, os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, used


@contextmanager
def watching(pid: int) -> Iterator[Peak]:
    """Sample what a process and its children take, decoders too, until the end."""
    peak, over = Peak(), threading.Event()

    def watch() -> None:
        while not over.wait(SAMPLE_SECONDS):
            peak.see(memory_mib(pid))

    thread = threading.Thread(target=watch, name="watching")
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()
        peak.see(memory_mib(pid))


def memory_mib(pid: int) -> tuple[float, float] | None:
    """Return RSS and PSS of a process and all its children, in MiB; RSS counts what they share once for each."""
    found = [memory for process in tree(pid) if (memory := memory_of(process))]
    if not found:
        return None
    return sum(resident for resident, _ in found), sum(proportional for _, proportional in found)


def memory_of(pid: int) -> tuple[float, float] | None:
    """Return RSS and PSS of a process, in MiB; None where it has ended."""
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text("ascii").splitlines()[1:]
    except OSError:
        return None
    kilobytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return kilobytes["Rss"] / 1024, kilobytes["Pss"] / 1024


def tree(pid: int) -> list[int]:
    """Return a process and all its children, as far as they run."""
    found = [pid]
    for children in (PROC / str(pid) / "task").glob("*/children"):
        try:
            found += [
                process for child in children.read_text("ascii").split() for process in tree(int(child))
            ]
        except OSError:
            continue
    return found


def processor_seconds(pid: int) -> float:
    """Return what a process and its children, running or ended, took of the processor."""
    ticks = 0
    for process in tree(pid):
        try:
            stat = (PROC / str(process) / "stat").read_text("utf-8", "replace")
        except OSError:
            continue
        ticks += sum(map(int, stat.rpartition(")")[2].split()[11:15]))
    return ticks / float(os.sysconf("SC_CLK_TCK"))


def _name(pid: int) -> str:
    """Return a process in a word: its number and the end of its command."""
    try:
        command = (PROC / str(pid) / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        command = []
    return f"{pid} {' '.join(command)[-60:].strip()}"
