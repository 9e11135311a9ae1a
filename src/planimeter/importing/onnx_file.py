"""What an ONNX file says about itself, read from its protobuf bytes: nothing of it is executed, nothing followed.

Only the parts that matter here are read (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto): inputs, outputs,
metadata, operators, and whether weights lie in other files. That needs no ONNX library, so a plain install imports.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from planimeter.errors import ImportRefused
from planimeter.reading import read_file

MOST_BYTES = 2 * 2**30
"""No protobuf message is larger."""
_MOST_DEPTH = 32
_KINDS = {1: "float32", 2: "uint8", 3: "int8", 5: "int16", 6: "int32", 7: "int64", 9: "bool", 10: "float16"}
_KINDS |= {11: "float64", 12: "uint32", 13: "uint64", 16: "bfloat16"}
_EXTERNAL = 1
_STANDARD_DOMAINS = {"", "ai.onnx", "ai.onnx.ml"}

Side = int | str | None
"""A side of a tensor: its length, the name of a length that varies, or nothing known."""


@dataclass(frozen=True)
class Tensor:
    """An input or an output of a graph, as the file declares it."""

    name: str
    kind: str
    shape: tuple[Side, ...] | None
    """None where the file does not even say how many sides there are."""

    def __str__(self) -> str:
        sides = (
            "?"
            if self.shape is None
            else ", ".join("?" if side is None else str(side) for side in self.shape)
        )
        return f"{self.name}: {self.kind} [{sides}]"


@dataclass
class OnnxFile:
    """The header of an ONNX file."""

    ir_version: int = 0
    producer: str = ""
    opsets: dict[str, int] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    foreign_operators: set[str] = field(default_factory=set)
    """Operators that neither ONNX nor the file itself defines; most runtimes lack them."""
    size: int = 0

    @property
    def tensors(self) -> str:
        """All outputs in words, for messages."""
        return "; ".join(map(str, self.outputs))


def read_onnx_file(path: Path) -> OnnxFile:
    """Return the header of the ONNX file at `path`.

    Raises `ImportRefused` for a file that is none, is torn, or refers to weights in other files.
    """
    try:
        data = read_file(path, most_bytes=MOST_BYTES)
        size = len(data)
        if size > MOST_BYTES:
            raise ImportRefused(f"{path.name} has more than {MOST_BYTES:,} bytes, and no ONNX file has")
    except OSError as error:
        raise ImportRefused(f"{path} cannot be read: {error.strerror}") from error
    try:
        found = _read_model(memoryview(data))
    except _Torn as error:
        raise ImportRefused(f"{path.name} is not an ONNX file, or a torn one ({error})") from error
    if not found.ir_version or not found.inputs or not found.outputs:
        raise ImportRefused(f"{path.name} is not an ONNX file: it has no graph with inputs and outputs")
    found.size = size
    return found


class _Torn(Exception):
    """The bytes are no protobuf message."""


Value = int | memoryview


def _read_model(data: memoryview) -> OnnxFile:
    found = OnnxFile()
    initializers: set[str] = set()
    own: set[str] = set()
    for number, value in _fields(data):
        if number == 1:
            found.ir_version = _whole(value)
        elif number == 2:
            found.producer = _text(value)
        elif number == 7:
            initializers = _read_graph(_bytes(value), found, 0)
        elif number == 8:
            domain, version = _pair(value, str, int)
            found.opsets[str(domain)] = int(version)
        elif number == 14:
            key, text = _pair(value, str, str)
            found.metadata[str(key)] = str(text)
        elif number == 25:
            own.add(_read_function(_bytes(value), found))
    found.foreign_operators -= own
    # Older exporters list every weight as an input too.
    found.inputs = [entry for entry in found.inputs if entry.name not in initializers]
    return found


def _read_graph(data: memoryview, found: OnnxFile, depth: int) -> set[str]:
    """Read a graph, and those inside of its nodes; only the outermost one's inputs and outputs are kept."""
    if depth > _MOST_DEPTH:
        raise _Torn("graphs lie too deep inside of each other")
    initializers: set[str] = set()
    for number, value in _fields(data):
        if number == 1:
            _read_node(_bytes(value), found, depth)
        elif number == 5:
            initializers.add(_read_weights(_bytes(value)))
        elif number == 15:
            for part, inner in _fields(_bytes(value)):
                if part in {1, 2}:
                    _read_weights(_bytes(inner))
        elif number in {11, 12} and depth == 0:
            (found.inputs if number == 11 else found.outputs).append(_read_tensor(_bytes(value)))
    return initializers


def _read_function(data: memoryview, found: OnnxFile) -> str:
    """Read the nodes of a function that the file defines; returns its name as `foreign_operators` has it."""
    name, domain = "", ""
    for number, value in _fields(data):
        if number == 1:
            name = _text(value)
        elif number == 10:
            domain = _text(value)
        elif number == 7:
            _read_node(_bytes(value), found, 1)
    return f"{domain}.{name}"


def _read_node(data: memoryview, found: OnnxFile, depth: int) -> None:
    operator, domain = "", ""
    for number, value in _fields(data):
        if number == 4:
            operator = _text(value)
        elif number == 7:
            domain = _text(value)
        elif number == 5:
            _read_attribute(_bytes(value), found, depth)
    if domain not in _STANDARD_DOMAINS:
        found.foreign_operators.add(f"{domain}.{operator}")


def _read_attribute(data: memoryview, found: OnnxFile, depth: int) -> None:
    for number, value in _fields(data):
        if number in {5, 10}:
            _read_weights(_bytes(value))
        elif number in {6, 11}:
            _read_graph(_bytes(value), found, depth + 1)
        elif number in {22, 23}:
            for part, inner in _fields(_bytes(value)):
                if part in {1, 2}:
                    _read_weights(_bytes(inner))


def _read_weights(data: memoryview) -> str:
    """Return the name of a tensor of weights; raises `ImportRefused` where they lie in another file."""
    name, external = "", False
    for number, value in _fields(data):
        if number == 8:
            name = _text(value)
        elif number == 13 or (number == 14 and value == _EXTERNAL):
            external = True
    if external:
        raise ImportRefused(
            f"the weights {name!r} lie in another file, and files that an ONNX file names are not followed; write all "
            "of it into one file, with onnx.save(onnx.load(path), path_of_one_file)"
        )
    return name


def _read_tensor(data: memoryview) -> Tensor:
    name, kind, shape = "", "unknown", None
    for number, value in _fields(data):
        if number == 1:
            name = _text(value)
        elif number == 2:
            for part, inner in _fields(_bytes(value)):
                if part == 1:
                    kind, shape = _read_type(_bytes(inner))
                else:
                    kind = "not a tensor"
    return Tensor(name, kind, shape)


def _read_type(data: memoryview) -> tuple[str, tuple[Side, ...] | None]:
    kind, shape = "unknown", None
    for number, value in _fields(data):
        if number == 1:
            kind = _KINDS.get(_whole(value), f"kind {value!r}")
        elif number == 2:
            sides = (inner for part, inner in _fields(_bytes(value)) if part == 1)
            shape = tuple(_read_side(_bytes(side)) for side in sides)
    return kind, shape


def _read_side(data: memoryview) -> Side:
    side: Side = None
    for number, value in _fields(data):
        if number == 1:
            side = _whole(value)
            side = None if side <= 0 or side >= 2**62 else side  # -1 and 0 are how some say that it varies
        elif number == 2:
            side = _text(value) or None
    return side


def _pair(value: Value, *kinds: type) -> tuple[int | str, int | str]:
    found: list[int | str] = [kind() for kind in kinds]
    for number, inner in _fields(_bytes(value)):
        if number in {1, 2}:
            found[number - 1] = _text(inner) if kinds[number - 1] is str else _whole(inner)
    return found[0], found[1]


def _fields(data: memoryview) -> Iterator[tuple[int, Value]]:
    """Yield the number and the value of each field: https://protobuf.dev/programming-guides/encoding/."""
    place = 0
    while place < len(data):
        key, place = _variable_length(data, place)
        number, wire = key >> 3, key & 7
        value: Value
        if wire == 0:
            value, place = _variable_length(data, place)
        else:
            length = 8 if wire == 1 else 4
            if wire == 2:
                length, place = _variable_length(data, place)
            elif wire not in {1, 5}:
                raise _Torn(f"no field has the wire type {wire}")
            if number == 0 or place + length > len(data):
                raise _Torn("a field ends behind the end of its message")
            value = data[place : place + length]
            place += length
        yield number, value


def _variable_length(data: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            raise _Torn("it ends inside of a number")
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise _Torn("a number has more than ten bytes")


def _whole(value: Value) -> int:
    if not isinstance(value, int):
        raise _Torn("bytes where a number should be")
    return value


def _bytes(value: Value) -> memoryview:
    if isinstance(value, int):
        raise _Torn("a number where bytes should be")
    return value


def _text(value: Value) -> str:
    try:
        return bytes(_bytes(value)).decode("utf-8")
    except UnicodeDecodeError as error:
        raise _Torn("text that is not UTF-8") from error
