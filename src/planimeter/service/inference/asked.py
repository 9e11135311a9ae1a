"""A request of the protocol: the picture, the options, and which outputs are wanted in which form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from flask import Request
from numpy.typing import NDArray
from werkzeug.datastructures import MultiDict

from planimeter.drawing.encoding import encode_mask_png, encode_png
from planimeter.errors import InvalidOption, MissingPicture, TooManyBytes
from planimeter.service.api.options.parsing import parse
from planimeter.service.api.options.uploads import PictureOptions, UploadOptions
from planimeter.service.inference.messages import INPUT, LARGE, OUTPUTS, OutputName
from planimeter.service.inference.tensors import BYTES, only_text, pixels_of, shape_of
from planimeter.service.json_options import options_in_json
from planimeter.service.json_text import load_json
from planimeter.service.problems import too_many_bytes
from planimeter.service.uploads import OVERHEAD, from_base64, unpacked

HEADER = "Inference-Header-Content-Length"
"""Bytes of the JSON where tensors follow it as bytes: the protocol's binary extension."""
BINARY, ALL_BINARY = "binary_data", "binary_data_output"
EXAMPLE = '{"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": ["iVBORw0KGgo…"]}]}'
_LONGEST_ID = 1_000
_MOST_DIGITS = 20
MOST_VALUES = 5_000_000
"""Of the JSON: a megapixel of RGB in lists has 4 million, its rows and pixels counted. More of them come as bytes."""


@dataclass(frozen=True)
class Asked:
    """What a request asks for."""

    data: bytes
    """Of a picture's file."""
    filename: str
    options: UploadOptions
    outputs: Mapping[OutputName, bool]
    """In their order, and whether each is to be bytes behind the JSON."""
    id: str | None


def read_request(request: Request, model: str, max_bytes: int) -> Asked:
    """Return what a request asks of a model; raises `InvalidOption`, `MissingPicture` and `TooManyBytes`."""
    stated = request.headers.get(HEADER)
    if stated is None:
        request.max_content_length = max_bytes * 4 // 3 + OVERHEAD  # base64 makes four bytes of three
    plain = unpacked(request, max_bytes)
    try:
        body = plain.get_data(cache=False)
    finally:
        if plain is not request:
            plain.close()
    length = len(body) if stated is None else _length(stated, body)
    document = _object(body[:length])
    parameters = _parameters(document.get("parameters"), "the request")
    all_binary = parameters.pop(ALL_BINARY, False) is True
    given = parse(PictureOptions, MultiDict(), options_in_json(parameters, PictureOptions), from_program=True)
    data, name = _picture(document.get("inputs"), memoryview(body)[length:], max_bytes)
    if len(data) > max_bytes:
        raise TooManyBytes(too_many_bytes(max_bytes))
    return Asked(
        data,
        given.filename or name,
        UploadOptions(model=model, **given.model_dump(exclude_unset=True)),
        _outputs(document.get("outputs"), all_binary=all_binary),
        _id(document.get("id")),
    )


def _length(stated: str, body: bytes) -> int:
    length = int(stated) if stated.isascii() and stated.isdecimal() and len(stated) < _MOST_DIGITS else 0
    if not 0 < length <= len(body):
        raise InvalidOption(f"{HEADER} is {stated[:40]!r}, and the body has {len(body):,} bytes")
    return length


def _object(text: bytes) -> dict[str, Any]:
    remedy = f"send {EXAMPLE}, or say in {HEADER} where tensors begin as bytes"
    document = load_json(text, "the request", remedy, MOST_VALUES)
    if not isinstance(document, dict):
        raise InvalidOption(f"the request is JSON, but no object; send {EXAMPLE}")
    return document


def _parameters(given: object, of: str) -> dict[str, Any]:
    if not isinstance(given, dict | None):
        raise InvalidOption(f"the parameters of {of} are no object")
    return dict(given or {})


def _id(given: object) -> str | None:
    if given is not None and not (isinstance(given, str) and len(given) <= _LONGEST_ID):
        raise InvalidOption(f"the id of the request is no text of up to {_LONGEST_ID:,} characters")
    return given


def _outputs(wanted: object, *, all_binary: bool) -> dict[OutputName, bool]:
    if wanted is None or wanted == []:
        return {name: all_binary for name in OUTPUTS if name not in LARGE}
    if not isinstance(wanted, list):
        raise InvalidOption('outputs is no list; give [{"name": "percent_masked"}], or leave it out')
    found: dict[OutputName, bool] = {}
    for entry in wanted:
        name = entry.get("name") if isinstance(entry, dict) else None
        known: OutputName | None = next((each for each in OUTPUTS if each == name), None)
        if known is None:
            raise InvalidOption(f"there is no output {str(name)[:60]!r}; known: {', '.join(OUTPUTS)}")
        more = _parameters(entry.get("parameters"), f"the output {known}")
        found[known] = more.pop(BINARY, all_binary) is True
        if more:
            raise InvalidOption(
                f"the output {known} has the parameter {next(iter(more))[:60]!r}; only {BINARY} is known here"
            )
    return found


def _picture(inputs: object, behind: memoryview, max_bytes: int) -> tuple[bytes, str]:
    """Return the bytes of a picture's file and a name for it."""
    if not isinstance(inputs, list) or not inputs:
        raise MissingPicture(f"there are no inputs in the request; send {EXAMPLE}")
    if len(inputs) > 1:
        raise InvalidOption(f"{len(inputs)} inputs came; a model takes one, {INPUT!r}")
    entry = inputs[0] if isinstance(inputs[0], dict) else {}
    if entry.get("name") != INPUT:
        raise InvalidOption(
            f"the input is called {str(entry.get('name'))[:60]!r}, and a model takes {INPUT!r}"
        )
    what, shape = f"the input {INPUT!r}", shape_of(entry.get("shape"), f"the input {INPUT!r}")
    values = _values(entry, behind, what)
    if entry.get("datatype") == BYTES:
        return _file(values, shape, what, max_bytes), "picture"
    if entry.get("datatype") == "UINT8":
        return _png(pixels_of(values, shape, what), what), "tensor.png"
    raise InvalidOption(
        f"{what} is of {str(entry.get('datatype'))[:60]}; send BYTES, the bytes of a picture's file, or UINT8, its "
        "pixels [height, width, 3]"
    )


def _values(entry: dict[str, Any], behind: memoryview, what: str) -> object:
    """Return what an input holds: bytes that come behind the JSON, or what stands in it."""
    size = _parameters(entry.get("parameters"), what).get("binary_data_size")
    if size is None:
        if len(behind):
            raise InvalidOption(
                f"{len(behind):,} bytes follow the JSON, and no input says that they are its own"
            )
        if "data" not in entry:
            raise MissingPicture(f"{what} has neither data nor a binary_data_size; send {EXAMPLE}")
        return entry["data"]
    if size != len(behind) or "data" in entry:
        raise InvalidOption(
            f"{what} says that {str(size)[:40]} bytes follow the JSON, and {len(behind):,} do"
            + (", and it has data too" if "data" in entry else "")
        )
    return bytes(behind)


def _file(values: object, shape: tuple[int, ...], what: str, max_bytes: int) -> bytes:
    if any(side != 1 for side in shape):
        raise InvalidOption(
            f"{what} has the shape {list(shape)}; one picture is measured a request: give [1]"
        )
    if isinstance(values, bytes):
        return only_text(values, what)
    while isinstance(values, list) and len(values) == 1:
        values = values[0]
    try:
        return from_base64(values, max_bytes)
    except InvalidOption as error:
        raise InvalidOption(f"{what} holds no base64 of a picture's file; send {EXAMPLE}") from error


def _png(pixels: NDArray[np.uint8], what: str) -> bytes:
    """Return pixels as the PNG that is stored of them: [H, W, 3], [H, W], each also with a 1 before it."""
    one = pixels[0] if pixels.ndim == 4 and len(pixels) == 1 else pixels
    if one.ndim == 3 and one.shape[2] == 3 and one.size:
        return encode_png(one)
    if one.ndim == 3 and 1 in {one.shape[0], one.shape[2]}:
        one = one[..., 0] if one.shape[2] == 1 else one[0]
    if one.ndim == 2 and one.size:
        return encode_mask_png(one)
    raise InvalidOption(
        f"{what} has the shape {list(pixels.shape)}; give the pixels of one picture as [height, width, 3], RGB, or as "
        "[height, width], also with a 1 before it"
    )
