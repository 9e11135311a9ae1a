"""Measurements at another score threshold than their own, in sum: as the store sums up what it holds."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from planimeter.measurement import Measurement, classes_found
from planimeter.store.distribution import distribution, histogram
from planimeter.store.trend import ClassTotal, Statistics


def sum_up(measurements: Sequence[Measurement], limit_percent: float | None) -> Statistics:
    """Return the sums and the spread of `measurements`."""
    percents = np.array([entry.coverage.percent_masked for entry in measurements], np.float64)
    spread = distribution(percents)
    edges, counts = histogram(percents) if spread else ([], [])
    found: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for measurement in measurements:
        for entry in classes_found(measurement):
            found[entry.class_name].append((entry.count, entry.percent_masked))
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
        instances=sum(len(entry.instances) for entry in measurements),
        pixels_masked=sum(entry.coverage.pixels_masked for entry in measurements),
        pixels_counted=sum(entry.coverage.pixels_counted for entry in measurements),
        by_class=sorted(totals, key=lambda total: -total.mean_percent),
        edges=edges,
        counts=counts,
        above=None if limit_percent is None else int(np.count_nonzero(percents > limit_percent)),
    )
