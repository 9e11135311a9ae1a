"""Writes the types of `planimeter.client` from what the API says of itself; `make client` runs it.

So a field that an answer gets, and an option that a route gets, are there for those who use the client in Python.
"""

import keyword
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from textwrap import wrap

from planimeter.service.api.described import Json
from planimeter.service.api.openapi import describe, parameters_of
from planimeter.service.api.options.parsing import NoOptions, RequestOptions
from planimeter.service.api.routes import api

OF_THE_CORE = {"Rle": "planimeter.measurement"}
"""Schemas that are the same here and there, for ever: what takes one takes the other."""
OPAQUE = frozenset(
    {"Architecture", "Detectron2Architecture", "TorchvisionArchitecture", "Preprocessing", "Output"}
)
"""Schemas that tell how a network is built; a client only hands them on."""
GIVEN_BY_ITSELF = frozenset(
    {
        *(("PictureOptions", name) for name in ("filename",)),
        *(("UploadOptions", name) for name in ("filename", "from")),
        *(("ListOptions", name) for name in ("limit", "before")),
        *(("InstancesOptions", name) for name in ("format", "csv_style")),
        *(("LotListOptions", name) for name in ("limit", "offset")),
        *(("TrashOptions", name) for name in ("limit", "offset", "format")),
    }
)
"""Options that a method has as an argument of its own, or gives by itself."""
_WIDTH = 104
_PLAIN: Mapping[str, str] = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
}
_HEADER = '"""{title}: written by `make client` from the document of the API, not by hand."""\n'
_REFERENCE = "#/components/schemas/"


def files() -> dict[Path, str]:
    """Return the modules that are written, by where they are."""
    folder = Path(__file__).parents[2] / "client"
    return {folder / "answers.py": answers(), folder / "options.py": options()}


# ---- Answers


def answers() -> str:
    """Return the module of what is answered: a class for each schema."""
    document = describe()
    schemas: dict[str, Json] = document["components"]["schemas"]
    wanted = sorted(_reached(_answered(document["paths"]), schemas))
    lines = [
        _HEADER.format(title="What the service answers"),
        "from datetime import datetime",
        "from typing import Any, Literal",
        "",
        "from pydantic import BaseModel, ConfigDict, Field",
        "",
        *(f"from {module} import {name}" for name, module in OF_THE_CORE.items()),
        "",
        f"__all__ = {[name for name in wanted if name not in OPAQUE]!r}",
        "",
        "class Answer(BaseModel):",
        '    """A part of an answer. What a newer service says beside it is left out."""',
        "",
        '    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, protected_namespaces=())',
        "",
    ]
    for name in wanted:
        if name not in OF_THE_CORE and name not in OPAQUE:
            lines += _class(name, schemas[name])
    return "\n".join(lines) + "\n"


def _answered(paths: Mapping[str, Json]) -> Iterator[str]:
    """Yield the schemas that operations answer with when all went well."""
    ours = (methods for path, methods in paths.items() if path.startswith(("/api/", "/readyz")))
    for operation in (operation for methods in ours for operation in methods.values()):
        for status, answer in operation["responses"].items():
            schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
            if status.startswith("2") and "$ref" in schema:
                yield schema["$ref"].removeprefix(_REFERENCE)


def _reached(names: Iterable[str], schemas: Mapping[str, Json]) -> set[str]:
    found: set[str] = set()
    todo = [*names]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            if name not in OPAQUE:
                todo += _references(schemas[name])
    return found


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"].removeprefix(_REFERENCE)
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _class(name: str, schema: Json) -> list[str]:
    needed = schema.get("required", [])
    lines = [f"class {name}(Answer):", *_summary(schema.get("description") or f"{name}.")]
    for field, entry in schema["properties"].items():
        python = f"{field}_name" if field == "class" else _safe(field)
        kind = _quoted(_type(entry))
        given: list[str] = []
        if field not in needed:
            text, kind = _default(entry, kind)
            given.append(text)
        if python != field:
            given.append(f'alias="{field}"')
        whole = len(given) == 1 and "=" not in given[0]
        value = (f" = {given[0]}" if whole else f" = Field({', '.join(given)})") if given else ""
        lines.append(f"    {python}: {kind}{value}")
        if entry.get("description"):
            lines += _said(entry["description"])
    return [*lines, ""]


def _default(entry: Json, kind: str) -> tuple[str, str]:
    """Return what stands for a field that is not answered, and the type that allows it."""
    if "default" not in entry and kind.strip('"').startswith(("list[", "dict[")):
        return f"default_factory={kind.strip(chr(34)).partition('[')[0]}", kind
    default = entry.get("default")
    if isinstance(default, list) and "prefixItems" in entry:
        return repr(tuple(default)), kind
    if default is None and "None" not in kind:
        return "None", f'"{kind.strip(chr(34))} | None"' if kind.startswith('"') else f"{kind} | None"
    return repr(default), kind


def _type(schema: Json) -> str:
    """Return the type of what has a schema, as Python writes it."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REFERENCE)
        return "dict[str, Any]" if name in OPAQUE else name
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " | ".join(dict.fromkeys(map(_type, options)))
    if "enum" in schema or "const" in schema:
        return f"Literal[{', '.join(map(repr, schema.get('enum', [schema.get('const')])))}]"
    if schema.get("format") == "date-time":
        return "datetime"
    return _CONTAINERS.get(schema.get("type", ""), _simple)(schema)


def _array(schema: Json) -> str:
    if "prefixItems" in schema:
        return f"tuple[{', '.join(map(_type, schema['prefixItems']))}]"
    return f"list[{_type(schema['items']) if 'items' in schema else 'Any'}]"


def _object(schema: Json) -> str:
    more = schema.get("additionalProperties")
    return f"dict[str, {_type(more) if isinstance(more, dict) and more else 'Any'}]"


def _simple(schema: Json) -> str:
    return _PLAIN.get(schema.get("type", ""), "Any")


_CONTAINERS: dict[str, Callable[[Json], str]] = {"array": _array, "object": _object}


def _quoted(kind: str) -> str:
    """Return a type in quotes where it names a class that may come later in the module."""
    names = {
        part
        for part in kind.replace("[", " ").replace("]", " ").replace(",", " ").split()
        if part[:1].isupper()
    }
    return kind if names <= {"Any", "Literal", "None", *OF_THE_CORE} or "Literal" in names else f'"{kind}"'


# ---- Options


def options() -> str:
    """Return the module of what is asked: the optional arguments of methods, a class for each kind of options."""
    kinds = {
        kind
        for operation in api.operations
        for kind in (operation.options or NoOptions).__mro__
        if issubclass(kind, RequestOptions)
    }
    lines = [
        _HEADER.format(title="What can be asked of the service"),
        "from collections.abc import Mapping, Sequence",
        "from datetime import datetime",
        "from typing import Any, Literal, TypedDict",
        "",
    ]
    asked: dict[type[RequestOptions], list[Json]] = {}
    for kind in sorted(
        kinds, key=lambda kind: (len(kind.__mro__), kind.__name__)
    ):  # what others inherit comes first
        asked[kind] = [
            entry
            for entry in parameters_of(kind)
            if not (entry["required"] or (kind.__name__, entry["name"]) in GIVEN_BY_ITSELF)
        ]
        bases = [base for base in kind.__bases__ if asked.get(base)]
        own = [entry for entry in asked[kind] if not any(entry in asked[base] for base in bases)]
        if asked[kind]:
            of = ", ".join([base.__name__ for base in bases] or ["TypedDict"])
            lines += [f"class {kind.__name__}({of}, total=False):", *_summary(_doc(kind))]
            lines += [line for entry in own for line in _option(entry)] + [""]
    return "\n".join(lines) + "\n"


def _option(entry: Json) -> list[str]:
    said = _said(entry["description"]) if entry["description"] else []
    return [f"    {_safe(entry['name'])}: {_given(entry['schema'])}", *said]


def _doc(kind: type[RequestOptions]) -> str:
    return (kind.__doc__ or "Options.").strip()


def _given(schema: Json) -> str:
    """Return the type of what may be given for an option."""
    if schema.get("format") == "region":
        return "Mapping[str, Any] | str"
    if schema.get("format") == "byte":
        return "bytes"
    if schema.get("format") == "date-time":
        return "datetime | str"
    if schema.get("type") == "array":
        return "Sequence[str] | str"
    return f"{_type(schema)} | None"


def _safe(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name


def _summary(text: str) -> list[str]:
    """Return the docstring of a class: its first sentence is a line of its own."""
    first, _, rest = _plain(text).partition(". ")
    if not rest:
        return [f'    """{first}"""', ""]
    return [f'    """{first}.', "", *(f"    {line}" for line in wrap(rest, _WIDTH)), '    """', ""]


def _said(text: str) -> list[str]:
    """Return a text as a docstring, in lines that are not too long."""
    lines = wrap(f'"""{_plain(text)}', _WIDTH)
    return [f"    {line}" for line in (*lines[:-1], lines[-1] + '"""')]


def _plain(text: str) -> str:
    """Return a text as one that begins and ends as a sentence, and can stand in a docstring."""
    text = " ".join(text.replace("\\", "\\\\").replace('"', "'").split())
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "…")) else ".")


def write() -> None:
    """Write the modules."""
    for path, text in files().items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    write()
