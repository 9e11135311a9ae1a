"""Measurements at another score threshold than their own, in sum: as the store sums up what it holds."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from planimeter.measurement import Measurement, classes_found, judge
from planimeter.rules import VERDICTS, Verdict
from planimeter.store.distribution import distribution, histogram
from planimeter.store.sums import ClassTotal, Statistics


def sum_up(measurements: Sequence[Measurement], limit_percent: float | None) -> Statistics:
    """Return the sums and the spread of `measurements`."""
    known = [entry.coverage.percent_masked for entry in measurements]
    percents = np.array([percent for percent in known if percent is not None], np.float64)
    spread = distribution(percents)
    edges, counts = histogram(percents) if spread else ([], [])
    found: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for measurement in measurements:
        for entry in classes_found(measurement):
            found[entry.class_name].append((entry.count, entry.percent_masked or 0.0))
    totals = [
        ClassTotal(
            name,
            len(each),
            sum(count for count, _ in each),
            sum(percent for _, percent in each) / max(1, len(percents)),
        )
        for name, each in found.items()
    ]
    return Statistics(
        spread=spread,
        without_percent=len(known) - len(percents),
        instances=sum(len(entry.instances) for entry in measurements),
        pixels_masked=sum(entry.coverage.pixels_masked for entry in measurements),
        pixels_counted=sum(entry.coverage.pixels_counted for entry in measurements),
        by_class=sorted(totals, key=lambda total: -total.mean_percent),
        edges=edges,
        counts=counts,
        verdicts=(
            None if limit_percent is None else _count([judge(entry, limit_percent) for entry in measurements])
        ),
        by_profile=_count([entry.verdict for entry in measurements if entry.verdict is not None]),
    )


def _count(verdicts: Sequence[Verdict]) -> dict[Verdict, int]:
    return {verdict: verdicts.count(verdict) for verdict in VERDICTS}
