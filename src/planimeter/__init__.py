"""Planimeter measures how much of a picture is covered.

>>> import planimeter
>>> measurement = planimeter.load("nuclei").measure("dish.png")  # doctest: +SKIP
>>> measurement.coverage.percent_masked  # doctest: +SKIP
12.45

A running service is asked by `planimeter.Client`.
"""

from typing import TYPE_CHECKING, Any

from planimeter.errors import PlanimeterError
from planimeter.measurement import Coverage, Instance, Measurement
from planimeter.measuring.measured import Measured
from planimeter.measuring.opening import load
from planimeter.measuring.segmenter import Segmenter

if TYPE_CHECKING:
    from planimeter.client import Client

__version__: str
__all__ = [
    "Client",
    "Coverage",
    "Instance",
    "Measured",
    "Measurement",
    "PlanimeterError",
    "Segmenter",
    "__version__",
    "load",
]


def __getattr__(name: str) -> Any:
    """Return `__version__` and `Client`: few ask, and looking for them takes a part of the import."""
    if name == "Client":
        from planimeter.client import Client  # noqa: PLC0415 - 30 ms

        return Client
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version  # noqa: PLC0415 - 40 ms

    return version("planimeter")
