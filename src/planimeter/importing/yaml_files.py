"""Reading configuration files in YAML as Detectron2 (through fvcore and yacs) does, but for the parts that execute."""

import ast
from pathlib import Path
from typing import Any

import yaml

from planimeter.errors import ImportRefused
from planimeter.reading import read_file_text

BASE = "_BASE_"
_LARGEST = 1_000_000
_MOST_VALUES = 50_000
_DEEPEST = 20

Keys = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """Plain YAML, and the tuples that older versions of yacs write."""


def _tuple(loader: yaml.SafeLoader, node: yaml.Node) -> list[Any]:
    if not isinstance(node, yaml.SequenceNode):
        raise yaml.constructor.ConstructorError(None, None, "a tuple is no list of values", node.start_mark)
    return loader.construct_sequence(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:python/tuple", _tuple)


def read_yaml(path: Path, known: dict[str, Keys], seen: tuple[Path, ...] = ()) -> Keys:
    """Return the keys of a file on top of those of the files that it names as `_BASE_`.

    Bases are looked for from the folder of the file that names them; `known` are bases by file name that need
    not be there. Raises `ImportRefused`.
    """
    path = path.resolve()
    if path in seen:
        chain = " -> ".join(entry.name for entry in (*seen, path))
        raise ImportRefused(f"{seen[0]}: the files name each other as {BASE}: {chain}")
    keys = _read(path)
    bases = keys.pop(BASE, [])
    merged: Keys = {}
    for base in [bases] if isinstance(bases, str) else bases:
        merged = merge(merged, _read_base(str(base), path, known, (*seen, path)))
    return merge(merged, keys)


def merge(below: Keys, above: Keys) -> Keys:
    """Return the keys of both; those of `above` win, section by section."""
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        merged[name] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _read_base(base: str, path: Path, known: dict[str, Keys], seen: tuple[Path, ...]) -> Keys:
    if "://" in base:
        raise ImportRefused(
            f"{path}: {BASE} is {base!r}, which would have to be fetched; put that file beside this one and name it"
        )
    place = path.parent / Path(base).expanduser()
    if not place.exists() and place.name in known:
        return known[place.name]
    return read_yaml(place, known, seen)


def _read(path: Path) -> Keys:
    try:
        size = path.stat().st_size
        if size > _LARGEST:
            raise ImportRefused(f"{path} has {size:,} bytes; a configuration has {_LARGEST:,} at most")
        found = yaml.load(read_file_text(path), Loader=_Loader)  # noqa: S506  a subclass of SafeLoader
    except OSError as error:
        raise ImportRefused(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        first = str(error).splitlines()[0]
        raise ImportRefused(f"{path} is not a configuration in plain YAML: {first}") from error
    if not isinstance(found, dict):
        raise ImportRefused(f"{path} is not a configuration: it holds no sections")
    decoded: Keys = _Decoder(path).decode(found, 0)
    return decoded


class _Decoder:
    """Turns values such as "(10, 5)" into what they say, as yacs does, and bounds how much there is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._left = _MOST_VALUES

    def decode(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _DEEPEST:
            raise ImportRefused(
                f"{self._path} is no configuration: its values are too many or nested too deep"
            )
        if isinstance(value, dict):
            return {str(name): self.decode(entry, depth + 1) for name, entry in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.decode(entry, depth + 1) for entry in value]
        if isinstance(value, str) and value[:1] in {"(", "["}:
            try:
                return self.decode(ast.literal_eval(value), depth + 1)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                return value
        return value
