"""A process that decodes pictures for another: whatever a file does to a decoder, it does it here.

It reads one request after the other from its standard input and answers each on its standard output. A request is
a `Request` and the bytes of a file; the answer is an `Answer` and, where there is a picture, its pixels. Both are
JSON behind its own length, so nothing that comes back is ever executed.
"""

import os
import signal
import struct
import sys
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from planimeter.errors import PlanimeterError
from planimeter.measurement import ImageInfo, Note
from planimeter.pictures.decode import Picture, decode
from planimeter.settings import Limits

_LENGTH = struct.Struct(">Q")
_SPARE_BYTES = 96 * 2**20
"""Beside what a picture takes: what a decoder loads and keeps of its own."""


class Request(BaseModel):
    """What is to be decoded."""

    size: int
    """Of the file that follows, in bytes."""
    filename: str
    max_bytes: int
    max_pixels: int
    max_side: int
    memory: int
    """Bytes that decoding may take."""


class Answer(BaseModel):
    """What came of it: a picture, whose pixels follow, or an error."""

    info: ImageInfo | None = None
    notes: tuple[Note, ...] = ()
    transparent: bool = False
    """Whether the transparent pixels follow the picture's, eight in a byte."""
    lossy: bool = False
    error: str = ""
    """The name of the error's class."""
    message: str = ""


def send(stream: BinaryIO, message: BaseModel, *parts: bytes | NDArray[np.uint8]) -> None:
    """Write a message and what follows it."""
    text = message.model_dump_json().encode()
    stream.write(_LENGTH.pack(len(text)) + text)
    stream.writelines(part if isinstance(part, bytes) else part.data for part in parts)
    stream.flush()


def receive(stream: BinaryIO) -> bytes | None:
    """Return the JSON of the next message; None where the other side has ended."""
    head = stream.read(_LENGTH.size)
    return stream.read(_LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else None


def main() -> None:
    """Decode until the other side ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the service, which lets its requests finish
    requests = sys.stdin.buffer
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a library that prints must not break the answers
        held = _held_bytes()
        send(answers, Answer())  # from here on the time of a picture counts, not that of starting
        while (text := receive(requests)) is not None:
            request = Request.model_validate_json(text)
            data = requests.read(request.size)
            _limit_memory(held + request.memory + 3 * request.size + _SPARE_BYTES)
            answer, parts = _decode(request, data)
            send(answers, answer, *parts)
            del data, answer, parts
            held = _held_bytes()  # when nobody waits: it takes a tenth of the time of a small picture


def _decode(request: Request, data: bytes) -> tuple[Answer, list[NDArray[np.uint8]]]:
    limits = Limits(request.max_bytes, request.max_pixels, request.max_side)
    try:
        picture: Picture = decode(data, filename=request.filename, limits=limits)
    except PlanimeterError as error:
        return Answer(error=type(error).__name__, message=str(error)), []
    parts = [picture.pixels]
    if picture.transparent is not None:
        parts.append(np.packbits(picture.transparent))
    answer = Answer(info=picture.info, notes=picture.notes, transparent=len(parts) > 1, lossy=picture.lossy)
    return answer, parts


def _held_bytes() -> int:
    """Return what this process holds; nothing where only Linux tells."""
    if not sys.platform.startswith("linux"):
        return 0
    import resource  # noqa: PLC0415 - not on Windows

    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - a file of the system
        return int(file.read().split()[0]) * resource.getpagesize()


def _limit_memory(most: int) -> None:
    """Let this process have so many bytes; where `_held_bytes` knows nothing, as many as it wants."""
    if not sys.platform.startswith("linux"):
        return
    import resource  # noqa: PLC0415 - not on Windows

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(
        resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard)
    )


if __name__ == "__main__":
    main()
