"""The picture in a request: a multipart field, the raw body, or base64 in JSON; any of them also as gzip."""

import base64
import binascii
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any, TypeAlias

from flask import Request
from werkzeug.datastructures import FileStorage, MultiDict

from planimeter.errors import (
    ContradictoryOptions,
    InvalidOption,
    MissingPicture,
    TooManyBytes,
    UndecodablePicture,
    UnsupportedPicture,
)
from planimeter.service.api.options.parsing import LONGEST_SHOWN, parse
from planimeter.service.api.options.uploads import UploadOptions
from planimeter.service.json_options import options_in_json
from planimeter.service.json_text import load_json
from planimeter.service.problems import too_many_bytes

FIELD = "image"
MASK_FIELD = "region_mask"
EXAMPLE = f"for example: curl -F {FIELD}=@picture.png …/api/v1/measurements"
JSON_EXAMPLE = f'{{"{FIELD}": "iVBORw0KGgo…", "filename": "picture.png"}} with the file as base64'
LONGEST_NAME = 255
OVERHEAD = 2**20
"""Bytes that a form or a JSON object may need beside the picture."""

MOST_MEMBERS = 10_000
"""Of a gzip body; programs that pack in blocks make some thousand of 64 MiB."""
_FIRST_PIECE, _LARGEST_PIECE = 1024, 2**20
"""Bytes of gzip that are unpacked at once."""

Upload: TypeAlias = tuple[bytes, str, UploadOptions]
Stored: TypeAlias = Callable[[str], tuple[bytes, str]]


def read_upload(request: Request, max_bytes: int, stored: Stored) -> Upload:
    """Return the bytes of the picture, its file name, and the options of query and form.

    With the option `from` there is no picture in the request: `stored` returns that of a measurement.

    Raises `MissingPicture`, `UnsupportedPicture`, `UndecodablePicture`, `TooManyBytes` or `InvalidOption`, saying what
    came and how to send it instead.
    """
    if request.mimetype == "application/json":
        # Base64 makes four bytes of three.
        request.max_content_length = max_bytes * 4 // 3 + OVERHEAD
    plain = unpacked(request, max_bytes)
    try:
        data, filename, options = _read(plain, max_bytes, stored)
    finally:
        # Flask closes the files of its own request only.
        if plain is not request:
            plain.close()
    if len(data) > max_bytes:
        raise TooManyBytes(too_many_bytes(max_bytes))
    return data, filename, options


def _read(request: Request, max_bytes: int, stored: Stored) -> Upload:
    kind = request.mimetype
    if kind == "application/json":
        return _read_json(request, max_bytes, stored)
    if request.args.get("from") or request.form.get("from"):
        if FIELD in request.files or kind.startswith("image/"):
            raise ContradictoryOptions("a picture came, and from names a stored one; send one of the two")
        options = parse(UploadOptions, request.args, with_mask(request, max_bytes), from_program=True)
        return *stored(options.from_ or ""), options
    if kind == "multipart/form-data":
        file = _field(request)
        options = parse(UploadOptions, request.args, with_mask(request, max_bytes), from_program=True)
        return file.stream.read(max_bytes + 1), _short_enough(file.filename or "picture"), options
    if kind.startswith("image/") or kind == "application/octet-stream":
        options = parse(UploadOptions, request.args, from_program=True)
        data = request.get_data(cache=False)
        if not data:
            raise MissingPicture(f"the body is empty; send the bytes of a picture, {EXAMPLE}")
        return data, options.filename or "picture", options
    if request.content_length or request.headers.get("Transfer-Encoding"):
        raise UnsupportedPicture(
            f"the body has the content type {kind or 'none'!r}; send the picture as the multipart field "
            f"{FIELD!r} ({EXAMPLE}), as raw bytes with its own type, like image/png, or as application/json: "
            f"{JSON_EXAMPLE}"
        )
    raise MissingPicture(
        f"there is no picture in the request; send it as the multipart field {FIELD!r}, {EXAMPLE}"
    )


# ---- Content-Encoding


def unpacked(request: Request, max_bytes: int) -> Request:
    """Return the request with its body unpacked, where it came as gzip."""
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding in {"", "identity"}:
        return request
    if encoding not in {"gzip", "x-gzip"}:
        raise UnsupportedPicture(
            f"the body has the content encoding {encoding!r}, and only gzip is unpacked here; send it as it is"
        )
    limit = request.max_content_length or max_bytes + OVERHEAD
    body = _gunzip(request.get_data(cache=False), limit, max_bytes)
    environ = {
        name: value
        for name, value in request.environ.items()
        if name not in {"HTTP_CONTENT_ENCODING", "HTTP_TRANSFER_ENCODING"}
        and not name.startswith("werkzeug.")
    }
    plain = Request({**environ, "wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))})
    plain.max_content_length = limit
    return plain


def _gunzip(packed: bytes, limit: int, max_bytes: int) -> bytes:
    """Return what `packed` holds; no more than one byte above the limit is ever unpacked."""
    body, rest, members = bytearray(), memoryview(packed), 0
    while rest:
        members += 1
        if members > MOST_MEMBERS:
            raise UndecodablePicture(f"the body is gzip of more than {MOST_MEMBERS:,} parts; pack it as one")
        member, size = zlib.decompressobj(wbits=31), _FIRST_PIECE
        while not member.eof:
            if not rest:
                raise UndecodablePicture(
                    "the body has the content encoding gzip and is cut short; send it again"
                )
            # In pieces, as all that follows a member is copied.
            piece, size = rest[:size], min(2 * size, _LARGEST_PIECE)
            try:
                body += member.decompress(piece, limit + 1 - len(body))
            except zlib.error as error:
                raise UndecodablePicture(
                    f"the body has the content encoding gzip, but cannot be unpacked ({error}); "
                    "leave out the header Content-Encoding, or pack the body with gzip"
                ) from error
            if len(body) > limit:
                raise TooManyBytes(too_many_bytes(max_bytes))
            rest = rest[len(piece) - len(member.unused_data) :]
    return bytes(body)


# ---- JSON


def _read_json(request: Request, max_bytes: int, stored: Stored) -> Upload:
    body = load_json(request.get_data(cache=False), "the request", f"send {JSON_EXAMPLE}")
    fields: dict[str, Any] = (
        {FIELD: body} if isinstance(body, str) else body if isinstance(body, dict) else {}
    )
    if not isinstance(body, str | dict):
        raise MissingPicture(f"the body is JSON, but no object; send {JSON_EXAMPLE}")
    image = fields.get(FIELD)
    if image is None and not (fields.get("from") or request.args.get("from")):
        came = ", ".join(repr(name[:LONGEST_SHOWN]) for name in list(fields)[:20]) or "none"
        raise MissingPicture(
            f"there is no {FIELD!r} in the JSON; fields that came: {came}; send {JSON_EXAMPLE}"
        )
    given = options_in_json({name: value for name, value in fields.items() if name != FIELD}, UploadOptions)
    options = parse(UploadOptions, request.args, given, from_program=True)
    if image is None:
        return *stored(options.from_ or ""), options
    if options.from_:
        raise ContradictoryOptions("a picture came, and from names a stored one; send one of the two")
    return from_base64(image, max_bytes), options.filename or "picture", options


def from_base64(text: object, max_bytes: int, field: str = FIELD) -> bytes:
    """Return the bytes that base64 text stands for: with or without padding, line breaks and "data:…;base64,".

    `field` is what errors call it. Raises `InvalidOption`, `MissingPicture` and `TooManyBytes`.
    """
    if not isinstance(text, str):
        raise InvalidOption(f"{field!r} is no text; send {JSON_EXAMPLE}")
    head, comma, content = text.partition(",")
    if not comma:
        content = text
    elif not (head.startswith("data:") and head.endswith(";base64")):
        raise InvalidOption(
            f"{field!r} begins with {head[:60]!r}; send base64, also as data:image/png;base64,…"
        )
    content = "".join(content.split()).rstrip("=")
    if len(content) * 3 // 4 > max_bytes:
        raise TooManyBytes(too_many_bytes(max_bytes))
    if not content:
        raise MissingPicture(f"{field!r} is empty; send {JSON_EXAMPLE}")
    try:
        standard = content.translate({ord("-"): "+", ord("_"): "/"}).encode("ascii")
        return base64.b64decode(standard + b"=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        shown = content[:40] + ("…" if len(content) > 40 else "")
        raise InvalidOption(
            f"{field!r} is not base64 ({shown!r}); send the file's bytes as base64, not its path or address: "
            f"{JSON_EXAMPLE}"
        ) from error


# ---- Multipart


def _field(request: Request) -> FileStorage:
    files = request.files.getlist(FIELD)
    if len(files) > 1:
        raise MissingPicture(f"{len(files)} pictures came in the field {FIELD!r}; send one picture a request")
    if files and (files[0].filename or files[0].content_length or _size(files[0])):
        if not _size(files[0]):
            raise MissingPicture(
                f"the picture {files[0].filename!r} is empty (0 bytes); send the bytes of a picture file"
            )
        return files[0]
    if FIELD in request.form:
        raise MissingPicture(
            f"the field {FIELD!r} came as text, not as a file; with curl, write an @ before the path of the "
            f"file, {EXAMPLE}"
        )
    came = [repr(name) for name in dict.fromkeys([*request.files, *request.form])]
    raise MissingPicture(
        f"there is no file in the field {FIELD!r}; fields that came: {', '.join(came) or 'none'}; {EXAMPLE}"
    )


def _short_enough(name: str) -> str:
    if len(name) > LONGEST_NAME:
        raise InvalidOption(
            f"the picture's name has {len(name):,} characters ({name[:40]!r}…) and may have {LONGEST_NAME}; send it "
            "under a shorter one"
        )
    return name


def with_mask(request: Request, max_bytes: int) -> "MultiDict[str, str]":
    """Return the fields of a form, with the file of the mask as base64 among them.

    A field for a file in which none was chosen comes without a name and without bytes; a file without bytes has a name.
    """
    files = [file for file in request.files.getlist(MASK_FIELD) if file.filename or _size(file)]
    if not files:
        return request.form
    if len(files) > 1:
        raise InvalidOption(f"{len(files)} files came in the field {MASK_FIELD!r}; send one mask a request")
    (file,) = files
    if not _size(file):
        raise MissingPicture(
            f"{MASK_FIELD}: the picture is empty (0 bytes); send the bytes of a picture file, or leave {MASK_FIELD} out"
        )
    data = file.stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise TooManyBytes(f"{MASK_FIELD}: {too_many_bytes(max_bytes)}")
    fields = MultiDict(request.form)
    fields.add(MASK_FIELD, base64.b64encode(data).decode())
    return fields


def mask_bytes(text: str, max_bytes: int) -> bytes:
    """Return the file of a mask that came as base64; raises what `from_base64` raises."""
    return from_base64(text, max_bytes, MASK_FIELD)


def _size(file: FileStorage) -> int:
    size = file.stream.seek(0, 2)
    file.stream.seek(0)
    return size
