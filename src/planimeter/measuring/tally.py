"""How many pictures went, in numbers: what they showed is not kept."""

from collections import Counter
from dataclasses import dataclass, field

from planimeter.measurement import Measurement
from planimeter.numbers import write_percent
from planimeter.rules import VERDICTS, Verdict


@dataclass
class Tally:
    """Counts pictures as they come."""

    measured: int = 0
    failed: int = 0
    percents: int = 0
    """How many of those measured have a percentage."""
    total_percent: float = 0.0
    verdicts: Counter[Verdict] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """How many there are."""
        return self.measured + self.failed

    def add(self, measurement: Measurement | None) -> None:
        """Count one; None is a picture that failed."""
        if measurement is None:
            self.failed += 1
            return
        self.add_figures(measurement.coverage.percent_masked, measurement.verdict)

    def add_figures(self, percent: float | None, verdict: Verdict | None) -> None:
        """Count one that was measured."""
        self.measured += 1
        if percent is not None:
            self.percents += 1
            self.total_percent += percent
        if verdict is not None:
            self.verdicts[verdict] += 1

    def include(self, other: "Tally") -> None:
        """Count those of another one too."""
        self.measured += other.measured
        self.failed += other.failed
        self.percents += other.percents
        self.total_percent += other.total_percent
        self.verdicts.update(other.verdicts)

    def words(self, left: int) -> str:
        """Return how it went, in a line; `left` is how many were not measured."""
        parts = [f"{self.measured:,} measured"]
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        if self.percents:
            parts.append(f"mean {write_percent(self.total_percent / self.percents)} % masked")
        if self.percents < self.measured:
            parts.append(f"{self.measured - self.percents:,} without a percentage")
        parts += [f"{self.verdicts[name]:,} {name}" for name in VERDICTS if self.verdicts[name]]
        return ", ".join(parts) + (f"; stopped, {left:,} not measured" if left else "")
