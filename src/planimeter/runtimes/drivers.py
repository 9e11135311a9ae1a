"""Whether this machine has the driver of a GPU: known without the library that would compute on it.

Importing PyTorch to be told that there is none took 640 MiB of memory and seconds of each start.
"""

import ctypes
import sys
from pathlib import Path

_CUDA = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
"""What NVIDIA's driver brings, and what PyTorch and ONNX Runtime themselves load to find a GPU."""
_ROCM = Path("/dev/kfd")
"""The device through which AMD's driver computes, on Linux."""


def has_driver() -> bool:
    """Return whether NVIDIA's or AMD's driver is installed, or the system is Windows, where DirectML needs neither.

    Where it is not, no runtime finds a GPU. Where it is, there may still be none: ask the runtime itself.
    """
    return sys.platform == "win32" or _ROCM.exists() or _loads(_CUDA)


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
