"""Planimeter measures how much of a picture is covered.

>>> import planimeter
>>> measurement = planimeter.load("nuclei").measure("dish.png")  # doctest: +SKIP
>>> measurement.coverage.percent_masked  # doctest: +SKIP
12.45
"""

from planimeter.errors import PlanimeterError
from planimeter.measurement import Coverage, Instance, Measurement
from planimeter.measuring.measured import Measured
from planimeter.measuring.opening import load
from planimeter.measuring.segmenter import Segmenter

__version__: str
__all__ = [
    "Coverage",
    "Instance",
    "Measured",
    "Measurement",
    "PlanimeterError",
    "Segmenter",
    "__version__",
    "load",
]


def __getattr__(name: str) -> str:
    """Return `__version__`: looking into what is installed takes a seventh of the import, and few ask."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version  # noqa: PLC0415 - 40 ms

    return version("planimeter")
