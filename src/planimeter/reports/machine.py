"""Where figures were taken: a millisecond means nothing without its hardware."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel, ConfigDict

PACKAGES = ("planimeter", "numpy", "openvino", "onnxruntime", "torch", "torchvision", "pycocotools", "pillow")


class Machine(BaseModel):
    """The hardware and software of an evaluation or a training."""

    model_config = ConfigDict(frozen=True)

    cpu: str
    cores: int
    """That this process may use."""
    gpu: str | None = None
    system: str
    python: str
    packages: dict[str, str]


def describe_machine() -> Machine:
    """Return what this machine is, as far as it says so."""
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        gpu=_gpu(),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        packages={name: found for name in PACKAGES if (found := _version(name))},
    )


def _cpu() -> str:
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or "unknown"


def _gpu() -> str | None:
    """Return the model of the first NVIDIA GPU as its driver tells; asking PyTorch would mean to load it."""
    for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        for line in path.read_text("utf-8", "replace").splitlines():
            if line.startswith("Model:"):
                return line.partition(":")[2].strip()
    return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
