"""Public names of a package that are imported when they are first asked for.

`import planimeter` then costs what is used of it: a decoder, the client of a service and `planimeter --help` need none
of what measures, and no command but those that ask the store loads a database.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def on_demand(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a package whose public names live in the modules that `homes` names."""

    def get(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(import_module(homes[name]), name)
        setattr(sys.modules[package], name, value)  # the next time it is there
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return get, names
