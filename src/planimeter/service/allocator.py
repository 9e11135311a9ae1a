"""How the C library keeps memory that was freed: by itself it keeps much, in an arena for every few threads.

A service with some sixty threads was seen to hold on to gigabytes that nothing used any more, and a network's
intermediate values to take a fifth more.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Parameters of glibc's mallopt."""


def keep_little_freed_memory() -> None:
    """Give freed memory back to the system soon; does nothing where the C library is not glibc."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, 2)
        mallopt(_MMAP_THRESHOLD, 2**18)
        mallopt(_TRIM_THRESHOLD, 2**20)
