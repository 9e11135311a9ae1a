"""`planimeter profiles`: how the stations of a service measure, from files."""

from pathlib import Path

import click
from rich.table import Table

from planimeter.commands.options import options_of
from planimeter.commands.printing import console
from planimeter.commands.stored_profiles import opened, read
from planimeter.measuring.profile_files import read_file, write_toml
from planimeter.packs.pack import find_pack
from planimeter.settings import Settings


@click.group()
def profiles() -> None:
    """Add, list, show and remove profiles of a service: how its stations measure.

    They are written into its database, also while it runs, and count from the next picture on.
    """


@profiles.command("add")
@click.argument("file", metavar="FILE.toml", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--name", help="Name of the profile; default: that of the file.")
@options_of(Settings, "settings", only=("database", "packs_folder"))
def add_profile(file: Path, name: str | None, settings: Settings) -> None:
    """Add the profile in FILE.toml, or change the one of its name, which then has a new version."""
    station = read_file(file, name)
    profile = station.profile
    if profile.model is not None:
        pack = find_pack(profile.model, settings.packs_folder)
        profile.check([entry.name for entry in pack.manifest.classes])
    with opened(settings.database) as found:
        stored = found.put(station.name, profile.text, profile.sha256)
    click.echo(f"The profile {stored.name} is version {stored.version}.")


@profiles.command("list")
@options_of(Settings, "settings", only=("database",))
def list_profiles(settings: Settings) -> None:
    """List all profiles."""
    table = Table(
        "Name", "Version", "Title", "Model", "Rules", "Made", box=None, header_style="bold", pad_edge=False
    )
    with opened(settings.database) as found:
        for stored in found.list():
            profile = read(stored).profile
            rules = ", ".join(rule.words for rule in profile.rules)
            made = f"{stored.made_at:%Y-%m-%d %H:%M}"
            table.add_row(
                stored.name, str(stored.version), profile.title or "", profile.model or "", rules, made
            )
    console().print(table if table.row_count else "There are no profiles: planimeter profiles add FILE.toml.")


@profiles.command("show")
@click.argument("name")
@click.option("--version", type=click.IntRange(1), help="An earlier version, also of one that was removed.")
@options_of(Settings, "settings", only=("database",))
def show_profile(name: str, version: int | None, settings: Settings) -> None:
    """Print the profile NAME as the TOML that `add` and `planimeter measure --profile` read."""
    with opened(settings.database) as found:
        click.echo(write_toml(read(found.get(name, version)).profile), nl=False)


@profiles.command("remove")
@click.argument("name")
@options_of(Settings, "settings", only=("database",))
def remove_profile(name: str, settings: Settings) -> None:
    """Let nothing be measured by the profile NAME any more; what was measured by it stays as it is."""
    with opened(settings.database) as found:
        found.delete(name)
    click.echo(f"The profile {name} is removed; profiles show {name} --version N still prints what it said.")
