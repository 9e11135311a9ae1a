"""The bars of a histogram on a canvas of 100 by 100."""

from collections.abc import Sequence

from planimeter.service.api.answers.many import HistogramBin

BAR_HEIGHT = 100


def bars_of(histogram: Sequence[HistogramBin]) -> list[dict[str, float]]:
    """Return each bar: where it is, how large, and what it counts."""
    most = max((entry.count for entry in histogram), default=1)
    width = 100 / max(1, len(histogram))
    return [
        {
            "x": index * width,
            "width": width,
            "height": BAR_HEIGHT * entry.count / max(1, most),
            "count": entry.count,
            "from": entry.from_percent,
            "to": entry.to_percent,
        }
        for index, entry in enumerate(histogram)
    ]
