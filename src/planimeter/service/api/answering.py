"""How answers are written: JSON, files that are written while they are sent, and what never changes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from hashlib import sha256
from importlib.metadata import version
from typing import AnyStr

from flask import Response, request
from pydantic import BaseModel
from werkzeug.datastructures import ContentRange
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wsgi import wrap_file

from planimeter.pictures.decode import Picture
from planimeter.pictures.formats import PICTURE_FORMATS
from planimeter.service.context import context
from planimeter.service.pictures import opened
from planimeter.settings import Limits
from planimeter.store import Record, StoredFile

SMALL_BYTES = 2**18
"""Of files that are read at once."""
MEDIA_TYPES = {entry.name: entry.media_type for entry in PICTURE_FORMATS}
"""Of the formats in which pictures come."""


def json_answer(answer: BaseModel, status: int = 200) -> Response:
    """Answer a model as JSON."""
    return Response(answer.model_dump_json(by_alias=True) + "\n", status, content_type="application/json")


def file_answer(pieces: Iterator[AnyStr], content_type: str, filename: str) -> Response:
    """Answer a file that is written while it is sent."""
    leave = context().downloads.enter()
    answer = Response(_then(leave, pieces), content_type=content_type)
    answer.call_on_close(leave)  # also where nothing was read
    answer.headers.set("Content-Disposition", "attachment", filename=filename)
    return answer


def _then(leave: Callable[[], None], pieces: Iterator[AnyStr]) -> Iterator[AnyStr]:
    try:
        yield from pieces
    finally:
        leave()


def unchanging(
    record: Record,
    content_type: str,
    filename: str,
    make: Callable[[], bytes | StoredFile],
    *,
    follows: Sequence[Record] = (),
) -> Response:
    """Answer something that never changes while it exists: the client may keep it, and need not ask again.

    What `follows` the score thresholds, regions and pixel sizes that users keep for measurements, and what they
    correct, changes with those: then the client asks whether it has. What `make` returns as a file is sent from
    the disk: in no thread, and never in memory as a whole.
    """
    options = [
        (
            each.measurement.options.model_dump_json(),
            each.measurement.image.scale,
            each.corrections,
            each.reviewed,
        )
        for each in follows
    ]
    what = f"{record.id} {request.full_path} {options} {version('planimeter')}"
    answer = Response(content_type=content_type)
    answer.set_etag(sha256(what.encode()).hexdigest()[:32])
    answer.cache_control.private = True
    if follows:
        answer.cache_control.no_cache = True
    else:
        answer.cache_control.max_age = 365 * 24 * 3600
        answer.cache_control.immutable = True
    answer.headers.set("Content-Disposition", "inline", filename=filename)
    if request.if_none_match.contains(answer.get_etag()[0] or ""):
        answer.status_code = 304
        return answer
    send(answer, make())
    return answer


def send(answer: Response, content: bytes | StoredFile) -> None:
    """Make `content` the body, or, of a file, the part that is asked for: a large one is sent piece by piece."""
    if isinstance(content, bytes):
        answer.set_data(content)
        return
    if request.method == "HEAD":
        answer.accept_ranges, answer.content_length = "bytes", content.size()
        return
    start, stop = _part(answer, content)
    opened = content.open(start, stop)
    if opened.size <= SMALL_BYTES:
        with opened.file:
            answer.set_data(opened.file.read())
        return
    answer.content_length = opened.size
    answer.response = wrap_file(request.environ, opened.file)
    answer.direct_passthrough = True


def _part(answer: Response, content: StoredFile) -> tuple[int, int | None]:
    """Return the bytes that are asked for, and say so in the answer; more parts than one are answered with all."""
    answer.accept_ranges = "bytes"
    wanted = request.range
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1 or not _is_still(answer):
        return 0, None
    size = content.size()
    part = wanted.range_for_length(size)
    if part is None:
        raise RequestedRangeNotSatisfiable(size, "bytes", f"the file has {size:,} bytes, and none of those")
    answer.status_code = 206
    answer.content_range = ContentRange("bytes", *part, size)
    return part


def _is_still(answer: Response) -> bool:
    """Say whether the client has the beginning of this very answer, where it wants a part only then."""
    if "If-Range" not in request.headers:
        return True
    tag = request.if_range.etag
    return tag is not None and tag == answer.get_etag()[0]


def stored_picture(record: Record) -> AbstractContextManager[Picture]:
    """Open the stored upload; it was within the limits when it came, whatever they are today."""
    data = context().store.read(record, "image")
    image = record.measurement.image
    longest = max(image.width, image.height)
    return opened(data, limits=Limits(max(1, len(data)), image.width * image.height, longest))
