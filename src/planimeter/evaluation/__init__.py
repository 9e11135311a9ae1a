"""How good a model is, on pictures whose truth is known: above all, the error of the percentage itself."""

from planimeter.evaluation.agreement import best_threshold
from planimeter.evaluation.calibration import Calibration, calibrate
from planimeter.evaluation.comparison import Compared, compare, with_mask_threshold
from planimeter.evaluation.intervals import calibrate_intervals
from planimeter.evaluation.metrics import Metrics, summarise

__all__ = [
    "Calibration",
    "Compared",
    "Metrics",
    "best_threshold",
    "calibrate",
    "calibrate_intervals",
    "compare",
    "summarise",
    "with_mask_threshold",
]
