"""The picture in a request: a multipart field, or the raw body."""

from collections.abc import Callable

from flask import Request
from werkzeug.datastructures import FileStorage

from planimeter.errors import InvalidOption, MissingPicture, TooManyBytes, UnsupportedPicture
from planimeter.service.api.options import UploadOptions, parse
from planimeter.service.problems import too_many_bytes

FIELD = "image"
EXAMPLE = f"for example: curl -F {FIELD}=@picture.png …/api/v1/measurements"


def read_upload(
    request: Request, max_bytes: int, stored: Callable[[str], tuple[bytes, str]]
) -> tuple[bytes, str, UploadOptions]:
    """Return the bytes of the picture, its file name, and the options of query and form.

    With the option `from` there is no picture in the request: `stored` returns that of a measurement.

    Raises `MissingPicture`, `UnsupportedPicture`, `TooManyBytes` or `InvalidOption`, saying what came and how
    to send it instead.
    """
    kind = request.mimetype
    if request.args.get("from") or request.form.get("from"):
        if FIELD in request.files or kind.startswith("image/"):
            raise InvalidOption("a picture came, and from names a stored one; send one of the two")
        options = parse(UploadOptions, request.args, request.form)
        data, filename = stored(options.from_ or "")
    elif kind == "multipart/form-data":
        file = _field(request)
        data, filename = file.stream.read(max_bytes + 1), file.filename or "picture"
        options = parse(UploadOptions, request.args, request.form)
    elif kind.startswith("image/") or kind == "application/octet-stream":
        options = parse(UploadOptions, request.args)
        data, filename = request.get_data(cache=False), options.filename or "picture"
        if not data:
            raise MissingPicture(f"the body is empty; send the bytes of a picture, {EXAMPLE}")
    elif request.content_length or request.headers.get("Transfer-Encoding"):
        raise UnsupportedPicture(
            f"the body has the content type {kind or 'none'!r}; send the picture as the multipart field "
            f"{FIELD!r} ({EXAMPLE}) or as raw bytes with its own type, like image/png"
        )
    else:
        raise MissingPicture(
            f"there is no picture in the request; send it as the multipart field {FIELD!r}, {EXAMPLE}"
        )
    if len(data) > max_bytes:
        raise TooManyBytes(too_many_bytes(max_bytes))
    return data, filename, options


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


def _size(file: FileStorage) -> int:
    size = file.stream.seek(0, 2)
    file.stream.seek(0)
    return size
