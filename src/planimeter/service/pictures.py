"""Pictures in memory: each with its room reserved, and decoded in a process of its own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from flask import request

from planimeter.errors import PlanimeterError
from planimeter.pictures.decode import Picture, read_size
from planimeter.service.context import Context, context
from planimeter.service.deadline import Deadline
from planimeter.service.decoding import room_for
from planimeter.service.queue import Place
from planimeter.settings import Limits

KEPT = Limits(max_bytes=2**40, max_pixels=2**40, max_side=2**31)
"""What was stored once is shown also after the limits on uploads were lowered."""
SHOWN_SECONDS = 20.0
"""How long a page's picture may wait for its room."""
_BODY_COPIES = 2
_JSON_COPIES = 6
"""How often a body is in memory while the picture is taken out of it."""
_A_VALUE = 256
"""Bytes of one value of JSON while it is read, at most: an object of a few of them takes a thousand."""


@contextmanager
def admitted() -> Iterator[Place]:
    """Take a place in the queue, and room for the body of the request under way, before it is read.

    Raises `QueueFull` and `DeadlineExceeded`. What the request waits for from here on has one deadline.
    """
    parts = context()
    deadline = Deadline(parts.settings.deadline)
    room = min(_body_bytes(parts), parts.uploads.size)
    with ExitStack() as held:
        try:
            place = held.enter_context(
                parts.queue.place(deadline, request.environ.get("waitress.client_disconnected", _never))
            )
            held.enter_context(parts.uploads.reserved(room, deadline))
        except PlanimeterError as error:
            parts.metrics.count(parts.models.default, error.code)
            raise
        yield place


@contextmanager
def body_in_memory(most_values: int = 0) -> Iterator[None]:
    """Keep room for the body of the request under way while options, or so many values, are taken out of it."""
    parts = context()
    body = _body_bytes(parts)
    # A value has a mark beside it.
    room = min(body + _A_VALUE * min(most_values, body // _BODY_COPIES), parts.uploads.size)
    with parts.uploads.reserved(room, Deadline(parts.settings.deadline)):
        yield


def _body_bytes(parts: Context) -> int:
    copies = _JSON_COPIES if request.mimetype == "application/json" else _BODY_COPIES
    if request.headers.get("Content-Encoding"):
        return copies * parts.settings.max_bytes
    return copies * (request.content_length or 0)


def _never() -> bool:
    return False


@contextmanager
def opened(data: bytes, *, limits: Limits = KEPT) -> Iterator[Picture]:
    """Decode a stored picture, and keep its room until it was drawn or shown."""
    parts, deadline = context(), Deadline(SHOWN_SECONDS)
    with parts.drawings.entered(), parts.memory.reserved(room_for(read_size(data, limits), limits), deadline):
        yield parts.decoders.decode(data, filename="picture", limits=limits, deadline=deadline)
