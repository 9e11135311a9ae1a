"""`planimeter models`: which models there are, and what each knows."""

import click
from rich.markdown import Markdown
from rich.table import Table

from planimeter.commands.exports import export_model
from planimeter.commands.imports import import_group
from planimeter.commands.options import options_of
from planimeter.commands.printing import console
from planimeter.packs.pack import find_pack, find_packs
from planimeter.settings import Settings


@click.group()
def models() -> None:
    """List, show, import and export models."""


models.add_command(import_group)
models.add_command(export_model)


@models.command("list")
@options_of(Settings, "settings", only=("packs_folder",))
def list_models(settings: Settings) -> None:
    """List all models."""
    table = Table(
        "Name", "Version", "Title", "Classes", "From", box=None, header_style="bold", pad_edge=False
    )
    for pack in find_packs(settings.packs_folder).values():
        manifest = pack.manifest
        classes = ", ".join(entry.name for entry in manifest.classes)
        origin = "bundled" if pack.bundled else str(pack.folder)
        table.add_row(pack.name, manifest.version, manifest.title, classes, origin)
    console().print(
        table if table.row_count else f"There are no models, neither bundled nor in {settings.packs_folder}."
    )


@models.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
@options_of(Settings, "settings", only=("packs_folder",))
def show_model(name: str, as_json: bool, settings: Settings) -> None:
    """Show all about the model NAME."""
    pack = find_pack(name, settings.packs_folder)
    manifest = pack.manifest
    if as_json:
        click.echo(manifest.model_dump_json(indent=2))
        return
    printer = console()
    table = Table.grid(padding=(0, 2))
    for title, value in (
        ("Name", f"{manifest.name} {manifest.version}"),
        ("Title", manifest.title),
        ("Summary", manifest.summary),
        ("Classes", ", ".join(entry.name for entry in manifest.classes)),
        ("Score threshold", f"{manifest.thresholds.score:g}"),
        ("Trained on", f"{manifest.training_data.name} ({manifest.training_data.licence})"),
        ("Folder", str(pack.folder)),
    ):
        table.add_row(title, value)
    printer.print(table)
    if pack.card:
        printer.print()
        printer.print(Markdown(pack.card))
