"""All figures of this project that are about time and memory, in one run: `make bench`.

    python bench/everything.py [--quick] [--only load]… [--million] [--record] [--folder DIRECTORY]

Some ten minutes on two idle cores; `--quick` takes about one, shows that all works, and its figures are worth little.
The folder receives `results.json` and `results.png`. Nothing is asserted; run it on an otherwise idle machine.

What the bench starts runs without PYTHONDONTWRITEBYTECODE, whatever the environment says: with it, Python compiles
all modules anew at each start.
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from children import stop_with_us
from folder import measure_folder
from footprint import measure_footprint
from history import measure_history
from large import measure_large
from load import measure_load
from machine import describe, in_words
from plot import plot
from recorded import newest, record
from stages import measure_stages
from summary import compared_in_words, print_summary
from tables import open_console, print_part

MILLION = 1_000_000
FILES = "results.json", "results.png"


def measure_histories(*, quick: bool, million: bool = False) -> dict[str, Any]:
    """Return the history with 10³ to 10⁵ records of 20 instances, and with 10⁶ of 2 where that is wanted."""
    sizes, rounds = ({200: 20}, 1) if quick else ({1_000: 20, 10_000: 20, 100_000: 20}, 5)
    found = {}
    for number, instances in (sizes | ({MILLION: 2} if million else {})).items():
        history = measure_history(number, instances, rounds)
        found[str(number)] = asdict(history) | {"lists_p95": round(history.lists_p95, 2)}
    return found


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "footprint": measure_footprint,
    "load": measure_load,
    "stages": measure_stages,
    "large": measure_large,
    "folder": measure_folder,
    "history": measure_histories,
}


@click.command()
@click.option("--quick", is_flag=True, help="The smallest form of each part.")
@click.option("--only", multiple=True, type=click.Choice(list(PARTS)), help="These parts; default: all.")
@click.option(
    "--million", is_flag=True, help="The history with a million records too: minutes, and 3 GB of disk."
)
@click.option("--record", "keep", is_flag=True, help="Keep the figures in bench/recorded.")
@click.option(
    "--folder",
    default=Path("planimeter-data/bench"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Receives results.json and results.png.",
)
def main(*, quick: bool, million: bool, only: tuple[str, ...], keep: bool, folder: Path) -> None:
    """Measure, print tables, and write all of it to files."""
    if quick and keep:
        raise click.UsageError("the figures of --quick are worth little; record those of a whole run")
    console = open_console()
    stop_with_us()
    machine = describe()  # first: its load is that of others
    console.print(in_words(machine))
    if "PYTHONDONTWRITEBYTECODE" in os.environ:
        console.print("PYTHONDONTWRITEBYTECODE is set here; what the bench starts runs without it.")
    results: dict[str, Any] = {"machine": machine, "quick": quick}
    for name, measure in PARTS.items():
        if not only or name in only:
            started = time.perf_counter()
            results[name] = measure(
                quick=quick, **({"million": True} if million and name == "history" else {})
            )
            print_part(console, name, results[name])
            console.print(f"{name}: {time.perf_counter() - started:.0f} s\n")
    earlier = newest(machine)
    print_summary(console, results, earlier)
    console.print(compared_in_words(results, earlier))
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / FILES[0]
    written.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", "utf-8")
    console.print(f"written: {written}")
    if plot(results, folder / FILES[1]):
        console.print(f"written: {folder / FILES[1]}")
    else:
        console.print("NOT PLOTTED: there is no matplotlib here; make train-extra brings it.")
    if keep:
        console.print(f"recorded: {record(results)}")


if __name__ == "__main__":
    main()
