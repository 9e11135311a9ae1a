"""What figures depend on: the machine, its vector instructions, versions, commit and date."""

import os
import re
import subprocess
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from planimeter.reports.machine import describe_machine

ROOT = Path(__file__).parents[1]
INSTRUCTIONS = {
    "avx2": "avx2",
    "avx512f": "avx512",
    "avx512_vnni": "vnni",
    "avx_vnni": "avx-vnni",
    "avx512_bf16": "bf16",
    "amx_tile": "amx",
    "asimddp": "dot product",
    "sve": "sve",
}
"""Flags of /proc/cpuinfo that decide how fast a network is, and what people call them."""
SERVERS = ("flask", "waitress")


def describe() -> dict[str, Any]:
    """Return all of it, for `results.json`."""
    machine = describe_machine()
    return {
        "cpu": machine.cpu,
        "cores": machine.cores,
        "instructions": instructions(),
        "memory_mib": _memory_mib(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": machine.system,
        "python": machine.python,
        "versions": machine.packages | {name: found for name in SERVERS if (found := _version(name))},
        "commit": _commit(),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def key(machine: dict[str, Any]) -> str:
    """Return the type of a machine as a file name: CPU, cores and instructions."""
    words = f"{machine['cpu']} {machine['cores']} cores {' '.join(machine['instructions'])}"
    return re.sub("[^a-z0-9]+", "-", words.lower()).strip("-")


def instructions(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[str]:
    """Return the vector instructions of this machine, as far as the system tells."""
    try:
        text = cpuinfo.read_text("utf-8", "replace")
    except OSError:
        return []
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    flags = set(found.group(1).split()) if found else set()
    return [name for flag, name in INSTRUCTIONS.items() if flag in flags]


def in_words(machine: dict[str, Any]) -> str:
    """Return a machine in two lines."""
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    load = "" if machine["load"] is None else f", load {machine['load']:.1f} before"
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {' '.join(machine['instructions']) or 'instructions unknown'}"
        f"{load}\n{machine['system']}, Python {machine['python']}, {versions}; commit {machine['commit']}"
    )


def _memory_mib() -> int | None:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str:
    """Return the commit, with a + where files that git knows were changed since."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=10", "--dirty=+", "--exclude=*"]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return ran.stdout.strip() or "unknown"
