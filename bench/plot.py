"""One picture of the results: where the time of a picture goes, how many a second, and what grows with what."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NETWORK, OURS, QUIET, GOAL = "#9aa5b1", "#0e7490", "#52606d", "#c2410c"
STEP_COLORS = {"decode": "#67e8f9", "postprocess": "#0e7490", "store": "#164e63", "queue": "#e2e8f0"}


def plot(results: dict[str, Any], path: Path) -> bool:
    """Write the picture as PNG; returns False where there is no matplotlib to draw with."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415  the train extra brings it
    except ModuleNotFoundError:
        return False
    figure = Figure(figsize=(11, 7), layout="constrained")
    axes = figure.subplots(2, 2)
    for part, place, draw in (
        ("load", axes[0, 0], _time),
        ("load", axes[0, 1], _rates),
        ("large", axes[1, 0], _large),
        ("history", axes[1, 1], _history),
    ):
        for side in ("top", "right"):
            place.spines[side].set_visible(False)
        if results.get(part):
            draw(place, results[part])
        else:
            place.set_axis_off()
            place.set_title(f"{part}: not measured this time", loc="left", color=QUIET, fontsize=10)
    machine = results["machine"]
    figure.suptitle(
        f"{machine['cpu']}, {machine['cores']} cores, {' '.join(machine['instructions'])}; "
        f"commit {machine['commit']}, {machine['date'][:10]}",
        fontsize=9,
        color=QUIET,
    )
    figure.savefig(path, dpi=110)
    return True


def _time(axes: "Axes", load: dict[str, Any]) -> None:
    """Draw bars of a POST: the network, then what is beside it."""
    for row, figures in enumerate(load.values()):
        whole, steps = figures["clients"]["1"]["p50"], figures["steps_ms"]
        left = 0.0
        parts = {"network": steps["inference"], **{step: steps[step] for step in STEP_COLORS}}
        parts["HTTP, JSON"] = max(0.0, whole - sum(parts.values()))
        for part, value in parts.items():
            color = NETWORK if part == "network" else STEP_COLORS.get(part, "#f59e0b")
            axes.barh(row, value, left=left, color=color, label=part if row == 0 else None)
            left += value
        axes.text(left, row, f"  {figures['post_over_network']:.2f} x the network", va="center", fontsize=9)
    axes.set_yticks(range(len(load)), [name.replace(", ", "\n") for name in load])
    axes.set_xlim(right=1.35 * axes.get_xlim()[1])
    axes.set_xlabel("ms")
    axes.set_title("From the bytes of a picture to its answer, one client", loc="left", fontsize=10)
    axes.legend(fontsize=8, frameon=False, loc="lower right")


def _rates(axes: "Axes", load: dict[str, Any]) -> None:
    """Draw pictures a second by clients, as a part of the best of the network alone."""
    for color, (name, figures) in zip((OURS, GOAL), load.items(), strict=False):
        best = max(figures["network_pictures_a_second"].values())
        clients = sorted(figures["clients"], key=int)
        parts = [100 * figures["clients"][number]["pictures_a_second"] / best for number in clients]
        axes.plot(
            clients,
            parts,
            marker="o",
            color=color,
            label=f"{name}: 100 % is {best:.1f} pictures a second",
        )
    axes.axhline(100, color=NETWORK, lw=1, ls="--")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("clients at once")
    axes.set_ylabel("% of the best of the network alone")
    axes.set_title("Pictures a second", loc="left", fontsize=10)
    axes.legend(fontsize=8, frameon=False, loc="lower right")


def _large(axes: "Axes", large: dict[str, Any]) -> None:
    """Draw what is not the network as times of a bare decode, and memory as times of the pixels."""
    sizes = list(large)
    places = range(len(sizes))
    for shift, figure, color, label in (
        (-0.2, "others_over_decode", OURS, "all but the network, over a bare decode (goal 2.5)"),
        (0.2, "memory_over_pixels", NETWORK, "memory, over the decoded picture (goal 4)"),
    ):
        values = [large[size].get(figure, 0.0) for size in sizes]
        bars = axes.bar([place + shift for place in places], values, width=0.38, color=color, label=label)
        axes.bar_label(bars, fmt="%.1f", fontsize=8)
    axes.set_xticks(list(places), [f"{size} megapixels" for size in sizes])
    axes.set_ylabel("times")
    axes.set_ylim(top=1.3 * axes.get_ylim()[1])
    axes.set_title("Large JPEGs", loc="left", fontsize=10)
    axes.legend(fontsize=8, frameon=False, loc="upper left")


def _history(axes: "Axes", history: dict[str, Any]) -> None:
    """Draw the slowest of lists and trends by the number of records."""
    numbers = sorted(history, key=int)
    values = [history[number]["lists_p95"] for number in numbers]
    axes.plot([int(number) for number in numbers], values, marker="o", color=OURS)
    axes.axhline(50, color=GOAL, lw=1, ls="--")
    axes.text(int(numbers[0]), 50, "goal, at a million", color=GOAL, fontsize=8, va="bottom")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(0.5 * int(numbers[0]), 2e6)
    axes.set_ylim(1, 2 * max(50, *values))
    axes.set_xlabel("records")
    axes.set_ylabel("ms, p95 of the slowest")
    axes.set_title("Lists and trends of the history", loc="left", fontsize=10)
