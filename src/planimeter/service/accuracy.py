"""How far a model's percentage can be trusted, in a sentence that stands beside every percentage."""

from dataclasses import dataclass

from planimeter.packs.pack import Pack

_SPLITS = ("test", "cross-validation", "validation")
"""The most independent pictures first."""


@dataclass(frozen=True)
class Accuracy:
    """The error of the percentage in percentage points (measured minus true), over pictures whose truth is known."""

    split: str
    pictures: int
    typical: float
    """Mean absolute error."""
    low: float
    high: float
    """95 % of the pictures lie between: Bland and Altman's limits of agreement."""
    threshold: float | None
    """The score threshold at which that was measured, where it was written down."""


def accuracy_of(pack: Pack | None, version: str | None = None) -> Accuracy | None:
    """Return what the pack's own evaluation says; None where it says nothing, or the pack is gone.

    `version` is the one that measured, where it matters: another version has other figures.
    """
    if pack is None or version not in (None, pack.manifest.version):
        return None
    for split in _SPLITS:
        figures = pack.manifest.metrics.get(split)
        coverage = figures.get("coverage") if isinstance(figures, dict) else None
        if not isinstance(figures, dict) or not isinstance(coverage, dict):
            continue
        try:
            low, high = coverage["limits_of_agreement"]
            numbers = (float(coverage["mean_absolute_error"]), float(low), float(high))
            return Accuracy(split, int(figures["pictures"]), *numbers, figures.get("score_threshold"))
        except (KeyError, TypeError, ValueError):
            continue  # written by hand, or by another version
    return None
