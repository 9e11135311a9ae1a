"""A foreign network's first run, in a process of its own: one that never ends, or takes all memory, ends with it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from planimeter.errors import ImportRefused, InferenceFailed, InvalidPack, RuntimeUnavailable
from planimeter.measuring.opening import load
from planimeter.runtimes.openvino import answered_shapes

SECONDS = 180.0
MEMORY_BYTES = 16 * 2**30
"""Of address space: what the libraries reserve without using it counts too."""
_GREY = np.full((240, 320, 3), 114, np.uint8)
_ERRORS = {kind.__name__: kind for kind in (InvalidPack, InferenceFailed, RuntimeUnavailable)}


def try_shapes(
    path: Path, height: int, width: int, *, seconds: float = SECONDS
) -> dict[str, tuple[int, ...]]:
    """Return what `answered_shapes` does, and raise what it raises; and `ImportRefused` for one that never answers."""
    found = _run(path.name, seconds, "shapes", str(path), str(height), str(width))
    return {name: tuple(shape) for name, shape in found.items()}


def try_pack(folder: Path, name: str, *, seconds: float = SECONDS) -> None:
    """Load the pack in `folder` and let it look at a grey picture; raises what that raises, and `ImportRefused`."""
    _run(name, seconds, "pack", str(folder))


def _run(name: str, seconds: float, *arguments: str) -> dict[str, list[int]]:
    command = [sys.executable, "-m", "planimeter.importing.trial", *arguments]
    try:
        ran = subprocess.run(command, capture_output=True, timeout=seconds, check=False)  # noqa: S603 - our own
    except subprocess.TimeoutExpired as error:
        raise ImportRefused(
            f"{name}: the network did not answer within {seconds:g} s for one small picture; it may have a loop "
            "without an end"
        ) from error
    lines = ran.stdout.splitlines()
    if not lines:
        raise ImportRefused(
            f"{name}: the process that tried the network ended without an answer (status {ran.returncode}); it may "
            f"need more than {MEMORY_BYTES / 2**30:.0f} GiB of memory"
        )
    answer = json.loads(lines[-1])
    if "error" in answer:
        raise _ERRORS.get(answer["error"], InvalidPack)(answer["message"])
    found: dict[str, list[int]] = answer["found"]
    return found


def main(kind: str, path: str, *size: str) -> None:
    """Try a network and print what came of it as JSON."""
    _limit_memory()
    try:
        if kind == "shapes":
            found = answered_shapes(Path(path), *map(int, size))
        else:
            load(path, infer_with_cpu=True).segment(_GREY)
            found = {}
        answer: dict[str, object] = {"found": found}
    except tuple(_ERRORS.values()) as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    sys.stdout.write(f"\n{json.dumps(answer)}\n")


def _limit_memory() -> None:
    if sys.platform.startswith("linux"):
        import resource  # noqa: PLC0415 - not on Windows

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        soft = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


if __name__ == "__main__":
    main(*sys.argv[1:])
