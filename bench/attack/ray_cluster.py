"""A Ray cluster of one's own to be killed in parts: a head without CPUs, and nodes that measure."""

import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from running import free_port

NODES = 2
START_SECONDS = 600.0
_RAYLET, _REPLICA, _STARTED = "raylet/raylet", "ServeReplica", "Ray runtime started"


def is_there() -> bool:
    """Say whether Ray is installed, and processes can be found by /proc."""
    return find_spec("ray") is not None and Path("/proc/self/stat").exists()


class RayCluster:
    """A head, and nodes with a CPU each; all are processes of this one, and end with `end`."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        folder.mkdir()
        self._folder = folder
        self._home = Path(tempfile.mkdtemp(prefix="ray-"))  # Ray's sockets want a short path
        self._port = free_port()
        self._chance = chance
        self.environment = {
            "RAY_ADDRESS": f"127.0.0.1:{self._port}",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        """What a service has to find in its environment."""
        self._started = 0
        self._head: subprocess.Popen[bytes] | None = None
        self._nodes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the head and as many nodes as are missing."""
        if self._head is None:
            self._head = self._ray(
                f"--head --port={self._port} --num-cpus=0 --include-dashboard=false --temp-dir={self._home} "
                f"--ray-client-server-port={free_port()}"
            )
        self._nodes = [node for node in self._nodes if node.poll() is None]
        self._nodes += [
            self._ray(f"--address=127.0.0.1:{self._port} --num-cpus=1")
            for _ in range(NODES - len(self._nodes))
        ]

    def kill_node(self) -> None:
        """Kill the raylet of a node, with which all of the node ends."""
        node = self._chance.choice(self._nodes)
        for raylet in below(node.pid, _RAYLET):
            _kill(raylet)
        with suppress(subprocess.TimeoutExpired):
            node.wait(30)
        _end(node)

    def kill_replica(self) -> None:
        """Kill a process that measures."""
        found = [pid for node in self._nodes for pid in below(node.pid, _REPLICA)]
        if found:
            _kill(self._chance.choice(found))

    def end(self) -> None:
        """End all of it."""
        for node in [*self._nodes, *([self._head] if self._head else [])]:
            _end(node)
        shutil.rmtree(self._home, ignore_errors=True)

    def _ray(self, options: str) -> "subprocess.Popen[bytes]":
        """Start a part. Ray gives its processes half a minute, too short on a busy machine: then it is tried again."""
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                return self._try(options)
            except RuntimeError:
                if time.monotonic() > end:
                    raise

    def _try(self, options: str) -> "subprocess.Popen[bytes]":
        """Start a part and wait until it has joined. Its ports are its own: all are on one machine."""
        own = (
            "node-manager-port object-manager-port metrics-export-port runtime-env-agent-port "
            "dashboard-agent-listen-port dashboard-agent-grpc-port"
        )
        ports = [f"--{name}={free_port()}" for name in own.split()]
        command = [
            sys.executable,
            "-m",
            "ray.scripts.scripts",
            "start",
            "--block",
            "--node-ip-address=127.0.0.1",
        ]
        more = ["--min-worker-port=0", "--max-worker-port=0", "--object-store-memory=100000000"]
        self._started += 1
        told = self._folder / f"part-{self._started}.txt"
        with told.open("wb") as log:
            process = subprocess.Popen(
                [*command, *options.split(), *ports, *more],
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while _STARTED not in told.read_text("utf-8", "replace"):
            if process.poll() is not None:
                _end(process)
                raise RuntimeError(f"Ray does not start; {told} says why")
            time.sleep(0.2)
        return process


class RayNode:
    """A node of a cluster, as something to be killed."""

    name = "Ray node"

    def __init__(self, cluster: RayCluster) -> None:
        self._cluster = cluster
        self.kill = cluster.kill_node
        self.start = cluster.start


class RayReplica:
    """A replica on a cluster, as something to be killed; Ray starts another one by itself."""

    name = "Ray replica"

    def __init__(self, cluster: RayCluster) -> None:
        self.kill = cluster.kill_replica

    def start(self) -> None:
        """Leave that to Ray."""


def below(pid: int, name: str) -> list[int]:
    """Return the processes below `pid`, of whatever depth, whose command line has `name` in it."""
    parents: dict[int, int] = {}
    named: list[int] = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            each = int(entry.parent.name)
            parents[each] = int(entry.read_text().rpartition(")")[2].split()[1])
            if name.encode() in entry.with_name("cmdline").read_bytes():
                named.append(each)
    return [each for each in named if _is_below(each, pid, parents)]


def _is_below(each: int, pid: int, parents: dict[int, int]) -> bool:
    while each in parents and each != pid:
        each = parents[each]
    return each == pid


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a part with all that is below it."""
    for pid in (*below(process.pid, ""), process.pid):
        _kill(pid)
    process.wait()
