"""Planimeter measures how much of a picture is covered.

>>> import planimeter
>>> measurement = planimeter.load("nuclei").measure("dish.png")  # doctest: +SKIP
>>> measurement.coverage.percent_masked  # doctest: +SKIP
12.45

A running service is asked by `planimeter.Client`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from planimeter.client import Client
    from planimeter.errors import PlanimeterError
    from planimeter.measurement import Coverage, Instance, Measurement
    from planimeter.measuring.measured import Measured
    from planimeter.measuring.opening import load
    from planimeter.measuring.segmenter import Segmenter

    __version__: str
else:
    from planimeter.on_demand import on_demand

    __getattr__, __dir__ = on_demand(
        __name__,
        {
            "Client": "planimeter.client",
            "Coverage": "planimeter.measurement",
            "Instance": "planimeter.measurement",
            "Measured": "planimeter.measuring.measured",
            "Measurement": "planimeter.measurement",
            "PlanimeterError": "planimeter.errors",
            "Segmenter": "planimeter.measuring.segmenter",
            "__version__": "planimeter.version",
            "load": "planimeter.measuring.opening",
        },
    )

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
