"""`planimeter migrate`: a store goes to another database and other folders."""

import sys
from pathlib import Path

import click
from pydantic import BaseModel, ConfigDict, Field
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from planimeter.commands.options import flag, options_of
from planimeter.settings import Settings
from planimeter.store.engine import shown
from planimeter.store.moving import Moved, Places, Tell, move
from planimeter.store.places import shown as shown_place

_HASH_DIGITS = 12


class Destination(BaseModel):
    """Where a store goes; what is not named stays where it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to_database: str | None = Field(
        None,
        description="The new database, an empty one: postgresql+psycopg://user:password@host/name or sqlite:///path.",
    )
    to_upload_folder: Path | str | None = Field(
        None, description="Where uploaded pictures go: a folder, or s3://bucket/prefix, gs://… or az://…."
    )
    to_output_folder: Path | str | None = Field(None, description="Where drawn pictures and masks go.")


@click.command()
@options_of(Settings, "settings", only=("database", "upload_folder", "output_folder"))
@options_of(Destination, "destination")
@click.option(
    "--allow-missing", is_flag=True, help="Move although files of measurements are gone: they stay gone."
)
def migrate(settings: Settings, destination: Destination, allow_missing: bool) -> None:
    """Move the store of a service that is stopped to another database, other folders, or both.

    All records and files are copied and then compared: rows by number and SHA-256, files byte for byte. The old store
    stays as it is. Where this is stopped or killed, the same command goes on. No service starts on the new database
    before all is there.
    """
    source = Places(settings.database, settings.upload_folder, settings.output_folder)
    target = Places(
        destination.to_database or source.database,
        destination.to_upload_folder or source.upload_folder,
        destination.to_output_folder or source.output_folder,
    )
    if source == target:
        raise click.UsageError(f"say where to: {', '.join(map(flag, Destination.model_fields))}")
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        moved = move(source, target, _told_to(progress), allow_missing=allow_missing)
    _print(moved, target)
    sys.exit(1 if moved.wrong else 0)


def _told_to(progress: Progress) -> Tell:
    """Return what shows each step as a bar of its own."""
    bars = {}

    def tell(step: str, done: int, total: int) -> None:
        if step not in bars:
            bars[step] = progress.add_task(step, total=total)
        progress.update(bars[step], completed=done, total=total)

    return tell


def _print(moved: Moved, target: Places) -> None:
    for sentence in moved.wrong:
        click.echo(f"wrong   {sentence}, in the old database too")
    if moved.before:
        click.echo(f"All of it was moved to {shown(target.database)} before; nothing was done.")
        return
    filled = {name: content for name, content in moved.tables.items() if content.rows}
    width = max(map(len, filled), default=0)
    for name, content in filled.items():
        click.echo(f"{name:{width}}  {content.rows:>12,}  SHA-256 {content.sha256[:_HASH_DIGITS]}…")
    if moved.tables:
        rows = sum(content.rows for content in filled.values())
        click.echo(f"{rows:,} rows in {len(filled)} tables are there, the same as in the old database.")
    found = moved.files
    if found.copied or found.there:
        before = f", {found.there:,} of them from before" if found.there else ""
        click.echo(
            f"{found.copied + found.there:,} files are there, {found.bytes:,} bytes, the same byte for byte{before}."
        )
    if moved.missing:
        click.echo(f"{moved.missing:,} files of measurements were gone already.")
    if moved.left:
        click.echo(f"{moved.left:,} files that belong to no measurement were left in the old folders.")
    places = {
        "database": shown(target.database),
        "upload_folder": shown_place(target.upload_folder),
        "output_folder": shown_place(target.output_folder),
    }
    click.echo("The service finds it by")
    for name, place in places.items():
        click.echo(f"  {flag(name)} {place}")
    click.echo("Models and jobs are where they were, and so is the old store, unchanged.")
