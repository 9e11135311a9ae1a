"""Tensors of the protocol: read from a request, written into an answer, as JSON or as bytes behind it."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planimeter.errors import InvalidOption

DTYPES: Mapping[str, np.dtype[Any]] = {
    "UINT8": np.dtype("u1"),
    "INT64": np.dtype("<i8"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
BYTES = "BYTES"
_LENGTH = struct.Struct("<I")
MOST_SIDES = 8


@dataclass(frozen=True)
class Tensor:
    """An output."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: NDArray[Any] | Sequence[bytes]

    def as_json(self) -> list[Any]:
        """Return the values as they stand in JSON, row after row: texts, and numbers, of which none is NaN."""
        if isinstance(self.values, np.ndarray):
            flat = self.values.ravel().tolist()
            return [None if value != value else value for value in flat]  # noqa: PLR0124  only NaN differs from itself
        return [value.decode() for value in self.values]

    def as_bytes(self) -> bytes:
        """Return the values as they follow JSON: numbers with the low byte first, texts with their length before."""
        if isinstance(self.values, np.ndarray):
            return np.ascontiguousarray(self.values, DTYPES[self.datatype]).tobytes()
        return b"".join(_LENGTH.pack(len(value)) + value for value in self.values)


def texts(name: str, values: Sequence[str]) -> Tensor:
    """Return an output of texts."""
    return Tensor(name, BYTES, (len(values),), [value.encode() for value in values])


def numbers(name: str, datatype: str, values: object, *shape: int) -> Tensor:
    """Return an output of numbers; without a shape, of one side."""
    array = np.asarray(values, DTYPES[datatype])
    return Tensor(name, datatype, shape or (array.size,), array.reshape(shape or -1))


def shape_of(stated: object, what: str) -> tuple[int, ...]:
    """Return a shape; raises `InvalidOption` for what is none."""
    sides = stated if isinstance(stated, list) else []
    whole = all(isinstance(side, int) and not isinstance(side, bool) and 0 <= side <= 2**31 for side in sides)
    if not 0 < len(sides) <= MOST_SIDES or not whole:
        raise InvalidOption(
            f"{what} has the shape {str(stated)[:60]}; give a list of whole numbers, as [1] or [480, 640, 3]"
        )
    return tuple(sides)


def only_text(packed: bytes, what: str) -> bytes:
    """Return the one value of a tensor of BYTES that came as bytes; raises `InvalidOption`."""
    length = _LENGTH.unpack_from(packed)[0] if len(packed) >= _LENGTH.size else -1
    if length != len(packed) - _LENGTH.size:
        raise InvalidOption(
            f"{what} is one value of BYTES, so its {len(packed):,} bytes are 4 that say its length, low byte first, "
            f"and the picture's file; they say {max(length, 0):,}"
        )
    return packed[_LENGTH.size :]


def pixels_of(values: object, shape: tuple[int, ...], what: str) -> NDArray[np.uint8]:
    """Return UINT8 values, as bytes or as lists, in a shape; raises `InvalidOption`."""
    array = (
        np.frombuffer(values, np.uint8) if isinstance(values, bytes) else _whole_numbers(values, what).ravel()
    )
    if not array.size:
        raise InvalidOption(f"{what} has no values, and a picture has pixels")
    if array.size != prod(shape):
        raise InvalidOption(
            f"{what} has the shape {list(shape)}, {prod(shape):,} values, and {array.size:,} came"
        )
    return array.reshape(shape)


def _whole_numbers(values: object, what: str) -> NDArray[np.uint8]:
    """Return lists of whole numbers from 0 to 255 as an array; raises `InvalidOption` for others."""
    # As objects: of texts, NumPy would make each as long as the longest of them.
    found = np.asarray(values, dtype=object)
    kinds = {*map(type, found.flat)}
    if list in kinds:
        raise InvalidOption(f"{what} has rows of different lengths")
    try:
        numbers = found.astype(np.int64) if kinds <= {int} else None
    except OverflowError:
        numbers = None
    if numbers is None or (numbers.size and not 0 <= int(numbers.min()) <= int(numbers.max()) <= 255):
        raise InvalidOption(f"{what} is of UINT8, so each of its values is a whole number from 0 to 255")
    return numbers.astype(np.uint8)
