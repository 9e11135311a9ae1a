"""Joining a cluster, or starting one here with a token that nobody else has.

Which cluster, and by which token, is said by Ray's own environment variables: `RAY_ADDRESS`, `RAY_AUTH_TOKEN` or
`RAY_AUTH_TOKEN_PATH`. Tokens are asked for unless `RAY_AUTH_MODE` is `disabled`.
"""

import logging
import os
import secrets
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from planimeter.errors import InvalidOption, RuntimeUnavailable, Unreachable
from planimeter.runtimes.cores import available

PATIENCE = 6.0
"""Seconds in which a cluster must have answered, of which none go for reading Ray's own files from the disk."""
TRIES = 3
LOOPBACK = "127.0.0.1"
LOOK_SECONDS = "0.5"
"""Between two looks of Ray Serve at what it runs; each takes it some 5 ms of a core that is then not the network's."""
CLIENT_PORT, CLUSTER_PORT = 10001, 6379
"""Ray's own, of addresses with ray:// and without."""


@dataclass(frozen=True)
class Cluster:
    """A cluster that was joined."""

    address: str
    """Without the name and password that it may have been given with; "this machine" for one that was started here."""
    dashboard: str | None
    """Address of Ray's own page, where it has one."""
    here: bool = False
    """Whether it was started here, and ends with this process."""

    @property
    def outside(self) -> bool:
        """Whether this process is no member of it, and reaches only the one port of its head for such clients."""
        return self.address.startswith("ray://")


@contextmanager
def connected(*, cpus: int | None = None, dashboard: bool = False) -> Iterator[Cluster]:
    """Be part of a cluster; one that was started here ends with it.

    `cpus` are those of a cluster that is started here, all of this machine's unless given, and `dashboard` is whether
    it has one. Raises `Unreachable` within some ten seconds where `RAY_ADDRESS` names a cluster that does not answer,
    and `RuntimeUnavailable` without Ray.
    """
    if not find_spec("ray"):
        raise RuntimeUnavailable("--engine ray and --workers ray need Ray: pip install '.[ray]' in the clone")
    address = os.environ.get("RAY_ADDRESS", "").strip()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    if address in {"", "local"}:
        with _started(cpus or available(), dashboard=dashboard) as cluster:
            yield cluster
        return
    import ray  # noqa: PLC0415 - an extra, and its environment is set above

    shown, until = _shown(address), time.monotonic() + PATIENCE
    if address != "auto":
        _check_listening(address, shown)
    context = _joined(shown, until)
    try:
        yield Cluster(shown, _page(context))
    finally:
        ray.shutdown()


@contextmanager
def _started(cpus: int, *, dashboard: bool) -> Iterator[Cluster]:
    """Start a cluster with a token and a folder of its own.

    Ray's processes listen on all addresses of a machine, whatever they are told: who has no token is refused.
    """
    if os.environ["RAY_AUTH_MODE"] == "token" and not {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & {
        *os.environ
    }:
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    os.environ.setdefault("RAY_SERVE_CONTROL_LOOP_INTERVAL_S", LOOK_SECONDS)
    import ray  # noqa: PLC0415 - an extra, and its environment is set above

    folder = tempfile.mkdtemp(prefix="planimeter-ray-")
    try:
        context = _start(cpus, folder, dashboard=dashboard)
        yield Cluster("this machine", _page(context), here=True)
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def _start(cpus: int, folder: str, *, dashboard: bool) -> Any:
    """Start Ray. It waits half a minute for its processes, too short on a busy machine: hence the tries."""
    import ray  # noqa: PLC0415 - an extra

    for left in reversed(range(TRIES)):
        try:
            return ray.init(
                address="local",
                num_cpus=cpus,
                include_dashboard=dashboard,
                dashboard_host=LOOPBACK,
                _temp_dir=folder,
                log_to_driver=False,
                logging_level=logging.WARNING,
            )
        except Exception as error:  # whatever Ray raises where its processes did not come up
            ray.shutdown()
            if not left:
                raise RuntimeUnavailable(
                    f"Ray could not be started on this machine ({type(error).__name__}); it may have too much to do, "
                    "or too little memory: try again, or join a cluster with RAY_ADDRESS"
                ) from error
    raise AssertionError("the last try returns or raises")


def _joined(shown: str, until: float) -> Any:
    """Join a cluster that listens; Ray itself would wait for more than a minute for one that says nothing."""
    import ray  # noqa: PLC0415 - an extra

    joined, reason = within(
        max(1.0, until - time.monotonic()),
        lambda: ray.init(address=shown, log_to_driver=False, logging_level=logging.ERROR),
    )
    if joined is not None:
        return joined
    raise Unreachable(
        f"the Ray cluster at {shown} does not answer as one does ({reason}): check RAY_ADDRESS, that its Ray is of "
        "the version here, and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH"
    )


def within(seconds: float, call: Callable[[], Any]) -> tuple[Any, str]:
    """Return what a call of Ray answers, or None and why there is nothing; Ray itself may wait without end."""
    answered: list[Any] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            answered.append(call())
        except BaseException as error:  # noqa: BLE001  told to the thread that waits
            failed.append(error)

    running = threading.Thread(target=run, name="ray-call", daemon=True)
    running.start()
    running.join(seconds)
    if answered:
        return answered[0], ""
    return None, type(failed[0]).__name__ if failed else f"nothing for {seconds:.0f} s"


def _check_listening(address: str, shown: str) -> None:
    host, port = _host_and_port(address, shown)
    try:
        socket.create_connection((host, port), timeout=PATIENCE / 2).close()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it gave no answer"
        raise Unreachable(
            f"the Ray cluster at {shown} cannot be reached: {reason}. Check RAY_ADDRESS; without it, Ray is "
            "started here"
        ) from error


def _host_and_port(address: str, shown: str) -> tuple[str, int]:
    scheme, found, rest = address.rpartition("://")
    host, _, port = rest.rpartition("@")[2].rpartition(":")
    if (found and scheme != "ray") or not host or not port.isdecimal() or int(port) > 65535:
        raise InvalidOption(
            f"RAY_ADDRESS is {shown!r}; write host:{CLUSTER_PORT}, ray://host:{CLIENT_PORT}, or auto for a cluster on "
            "this machine"
        )
    return host.strip("[]"), int(port)


def _shown(address: str) -> str:
    """Return an address without a name and a password in it."""
    scheme, found, rest = address.rpartition("://")
    return f"{scheme}{found}{rest.rpartition('@')[2]}"


def _page(context: Any) -> str | None:
    found = getattr(context, "dashboard_url", None)
    return f"http://{found}" if found else None
