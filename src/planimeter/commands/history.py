"""`planimeter history import`: tables of measurements into the store of a service."""

import re
import sys
from collections import Counter
from contextlib import closing, suppress

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from planimeter.commands.options import options_of
from planimeter.commands.stopping import stopping_by_signal
from planimeter.packs.pack import find_packs
from planimeter.settings import Settings
from planimeter.store import Store

MOST_TOLD = 20
WORDS = {
    "stored": "stored",
    "there": "there already",
    "in_trash": "in the trash, and left there",
    "not_measured": "left out, for they could not be measured",
    "gone": "not stored, for the picture cannot be read any more",
    "changed": "not stored, for the picture is another one now",
    "damaged": "not stored, for something is wrong with the row or the picture",
}
"""What becomes of rows; see `planimeter.bulk.history.Fate`."""
_LOST = ("gone", "changed", "damaged")
"""Those of what was measured, and is not stored."""


@click.group()
def history() -> None:
    """Take tables of measurements that were made elsewhere into the history of a service."""


@history.command("import")
@click.argument("tables", nargs=-1, required=True)
@click.option(
    "--moved",
    nargs=2,
    multiple=True,
    metavar="FROM TO",
    help="Pictures whose path or address begins with FROM are at TO now; may be given several times.",
)
@click.option("--batch", help="A name under which all that is stored is found together.")
@options_of(
    Settings, "settings", only=("upload_folder", "output_folder", "database", "packs_folder", "max_bytes")
)
def import_(
    tables: tuple[str, ...], moved: tuple[tuple[str, str], ...], batch: str | None, settings: Settings
) -> None:
    """Store what planimeter measure --to wrote to TABLES, folders or addresses, without measuring it again.

    Each measurement is stored at the moment in which it was made, with its picture, drawn anew. A picture that cannot
    be read any more, or that is another one now, is named and not stored. The same command stores nothing twice, and
    goes on where it was stopped. A service on the same store may go on running. The exit status is 1 where something
    was not stored that was measured.
    """
    from planimeter.bulk.history import Import, tables_at  # noqa: PLC0415 - an extra
    from planimeter.service.api.options.uploads import BATCH_PATTERN  # noqa: PLC0415

    _check_batch(batch, BATCH_PATTERN)
    parts = [part for address in tables for part in tables_at(address)]
    console, counts, unsaid = Console(stderr=True), Counter[str](), 0
    columns = (TextColumn("Storing {task.description}"), BarColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    store = Store.open(settings.database, settings.upload_folder, settings.output_folder)
    with closing(store), stopping_by_signal() as stopping, bar, suppress(KeyboardInterrupt):
        task = bar.add_task("", total=len(parts))
        taking = Import(store, find_packs(settings.packs_folder), settings.max_bytes, moved, batch)
        for part in parts:
            for told in taking.take(part, stopping):
                counts[told.fate] += 1
                bar.update(task, description=f"{counts.total():,}")
                if told.reason and (unsaid or sum(counts[fate] for fate in _LOST) > MOST_TOLD):
                    unsaid += 1
                elif told.reason:
                    console.print(told.reason, style="red", markup=False, highlight=False, soft_wrap=True)
            if stopping.is_set():
                break
            bar.advance(task)
    _print(counts, unsaid)
    if stopping.is_set():
        click.echo("It was stopped; the same command goes on from there.")
        sys.exit(130)
    sys.exit(1 if any(counts[fate] for fate in _LOST) else 0)


def _check_batch(batch: str | None, pattern: str) -> None:
    if batch is not None and not re.fullmatch(pattern, batch):
        raise click.BadParameter(f"{batch!r}: up to 64 letters, digits, dots, - and _", param_hint="--batch")


def _print(counts: Counter[str], unsaid: int) -> None:
    if unsaid:
        click.echo(f"and {unsaid:,} more", err=True)
    for fate, words in WORDS.items():
        if counts[fate] or fate == "stored":
            click.echo(f"{counts[fate]:>12,}  {words}")
