"""How the C library keeps memory that was freed: by itself it keeps much, in an arena for every few threads.

A service with some sixty threads was seen to hold on to gigabytes that nothing used any more, and a network's
intermediate values to take a fifth more. But what is given back at once costs a page fault for each 4 KiB when it is
taken again, and a picture takes much the same buffers as the one before it: where nothing above 256 KiB was kept, a
picture of a megapixel cost 27,000 faults, 60 ms of processor time. So some megabytes are kept.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Parameters of glibc's mallopt."""
_LARGE_BYTES = 2**22
"""Buffers from this size on are given back as soon as they are freed."""
_KEPT_BYTES = 2**24
"""What each arena keeps of smaller ones."""
_EVERYTHING = 2**30
"""The largest power of two that can be told."""


def keep_little_freed_memory() -> None:
    """Give freed memory back to the system, but for a little; does nothing where the C library is not glibc."""
    _tell((_ARENA_MAX, 2), (_MMAP_THRESHOLD, _LARGE_BYTES), (_TRIM_THRESHOLD, _KEPT_BYTES))


def keep_freed_memory() -> None:
    """Keep all: a training takes the same gigabyte of values in between at every step.

    Does nothing where the C library is not glibc.
    """
    _tell((_MMAP_THRESHOLD, _EVERYTHING), (_TRIM_THRESHOLD, _EVERYTHING))


def _tell(*options: tuple[int, int]) -> None:
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for name, value in options:
            mallopt(name, value)
