"""How good a model is, on pictures whose truth is known: above all, the error of the percentage itself."""

from planimeter.evaluation.agreement import best_threshold
from planimeter.evaluation.comparison import Compared, compare, with_mask_threshold
from planimeter.evaluation.metrics import Metrics, summarise

__all__ = ["Compared", "Metrics", "best_threshold", "compare", "summarise", "with_mask_threshold"]
