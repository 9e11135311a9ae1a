"""Planimeter measures how much of a picture is covered.

>>> import planimeter
>>> measurement = planimeter.load("nuclei").measure("dish.png")  # doctest: +SKIP
>>> measurement.coverage.percent_masked  # doctest: +SKIP
12.45
"""

from importlib.metadata import version

from planimeter.errors import PlanimeterError
from planimeter.measurement import Coverage, Instance, Measurement
from planimeter.measuring.segmenter import Measured, Segmenter, load

__version__ = version("planimeter")
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
