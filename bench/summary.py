"""The few figures of `results.json` that stand for all: beside their goals, and beside those of the same machine."""

from dataclasses import dataclass
from typing import Any

from load import NUCLEI, STEEL
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """Where a figure stands in the results, and what is aimed at."""

    name: str
    path: tuple[str, ...]
    unit: str = ""
    most: float | None = None
    least: float | None = None
    hardware: bool = False
    """Whether it depends on how busy the machine is at that minute; ratios hardly do."""

    def value(self, results: dict[str, Any]) -> float | None:
        """Return it, or None where its part was not measured."""
        found: Any = results
        for step in self.path:
            found = found.get(step) if isinstance(found, dict) else None
        return float(found) if isinstance(found, (int, float)) else None

    def reached(self, value: float) -> bool | None:
        """Return whether a value is as good as was aimed at; None where nothing was."""
        if self.most is not None:
            return value <= self.most
        return None if self.least is None else value >= self.least

    @property
    def goal(self) -> str:
        """The goal in words."""
        if self.most is not None:
            return f"≤ {self.most:g}"
        return "" if self.least is None else f"≥ {self.least:g}"


FIGURES = (
    Figure("POST over the network, steel", ("load", STEEL, "post_over_network"), "x", most=1.12),
    Figure("POST over the network, nuclei", ("load", NUCLEI, "post_over_network"), "x"),
    Figure("POST p50, steel", ("load", STEEL, "clients", "1", "p50"), "ms", hardware=True),
    Figure("POST p95, 8 clients, steel", ("load", STEEL, "clients", "8", "p95"), "ms", hardware=True),
    Figure("8 clients over the best of the network", ("load", STEEL, "throughput_over_network"), "x", least=0.95),
    Figure("the network's GFLOP a second over the peak", ("load", STEEL, "arithmetic", "achieved_over_peak"), "x"),
    Figure("beside the network, about 20 instances", ("stages", "20", "others"), "ms", most=8, hardware=True),
    Figure("beside the network, about 300", ("stages", "300", "others"), "ms", most=40, hardware=True),
    Figure("beside the network, about 1,000", ("stages", "1000", "others"), "ms", most=120, hardware=True),
    Figure("50 megapixels: all but the network over a decode", ("large", "50", "others_over_decode"), "x", most=2.5),
    Figure("50 megapixels: memory over the pixels", ("large", "50", "memory_over_pixels"), "x", most=4),
    Figure("100 megapixels: memory over the pixels", ("large", "100", "memory_over_pixels"), "x", most=4),
    Figure(
        "resident, one model, after 8 clients", ("footprint", "memory", "peak", "pss_mib"), "MiB", most=400
    ),
    Figure("ready after start", ("footprint", "ready_seconds"), "s", most=2.5, hardware=True),
    Figure("import planimeter, processor", ("footprint", "import_processor_seconds"), "s", most=0.3, hardware=True),
    Figure("folder over the best of the network", ("folder", "over_network"), "x", least=0.97),
    Figure(
        "lists and trends, p95, 100,000 records", ("history", "100000", "lists_p95"), "ms", hardware=True
    ),
    Figure(
        "lists and trends, p95, 1,000,000 records", ("history", "1000000", "lists_p95"), "ms", most=50, hardware=True
    ),
)  # fmt: skip


def figures_of(results: dict[str, Any]) -> dict[str, float]:
    """Return the figures that were measured, by name."""
    return {
        figure.name: round(value, 4) for figure in FIGURES if (value := figure.value(results)) is not None
    }


def print_summary(console: Console, results: dict[str, Any], earlier: dict[str, Any] | None) -> None:
    """Print the figures beside their goals, and beside the newest recorded ones of this type of machine."""
    before = f"\nrecorded {earlier['date'][:10]}\n{earlier['commit']}" if earlier else "\nrecorded"
    table = Table("", "now", "goal", "reached", before, "now / then", title="In short", title_justify="left")
    for figure in FIGURES:
        value = figure.value(results)
        if value is None:
            continue
        reached = {True: "yes", False: "[bold]no[/]", None: ""}[figure.reached(value)]
        then = earlier["figures"].get(figure.name) if earlier else None
        compared = (f"{then:,.2f}", f"{value / then:.2f}") if then else ("", "")
        table.add_row(figure.name, f"{value:,.2f} {figure.unit}", figure.goal, reached, *compared)
    console.print(table)


def compared_in_words(results: dict[str, Any], earlier: dict[str, Any] | None) -> str:
    """Return the line that compares with the newest recorded results of the same type of machine."""
    if not earlier:
        return "No results of this type of machine are recorded yet: --record keeps these in bench/recorded."
    now = figures_of(results)
    parts = [
        f"{name} {now[name] / then:.2f}"
        for name, then in earlier["figures"].items()
        if name in now and then and abs(now[name] / then - 1) > 0.05
    ]
    start = f"Against {earlier['commit']} of {earlier['date'][:10]} on the same type of machine, now / then:"
    return f"{start} {', '.join(parts) or 'all within 5 %'}."
