"""`planimeter keys`: who may use a service that others reach."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.table import Table

from planimeter.commands.options import options_of
from planimeter.commands.printing import console
from planimeter.settings import Settings
from planimeter.store.database import Database
from planimeter.store.keys import ROLES, Keys, Role


@click.group()
def keys() -> None:
    """Make, list and revoke keys for a service that others reach."""


@keys.command("add")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default="measure",
    show_default=True,
    help="read sees what is there; measure also measures; admin also deletes and changes settings.",
)
@options_of(Settings, "settings", only=("database",))
def add_key(name: str, role: Role, settings: Settings) -> None:
    """Make a key for NAME, and show it once."""
    with _opened(settings) as found:
        key = found.add(name, role)
    click.echo(key)
    click.echo(
        f"The key of {name} ({role}) is shown this once. Send it as Authorization: Bearer …, or X-API-Key.",
        err=True,
    )


@keys.command("list")
@options_of(Settings, "settings", only=("database",))
def list_keys(settings: Settings) -> None:
    """List all keys; what is secret of them is kept nowhere."""
    table = Table("Id", "Name", "Role", "Made", "Revoked", box=None, header_style="bold", pad_edge=False)
    with _opened(settings) as found:
        for key in found.list():
            revoked = f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else ""
            table.add_row(key.id, key.name, key.role, f"{key.created_at:%Y-%m-%d %H:%M}", revoked)
    console().print(table if table.row_count else "There are no keys: planimeter keys add NAME makes one.")


@keys.command("revoke")
@click.argument("id", metavar="ID")
@options_of(Settings, "settings", only=("database",))
def revoke_key(id: str, settings: Settings) -> None:  # noqa: A002  click's name of the argument
    """Make the key ID worthless from now on, also for a service that runs."""
    with _opened(settings) as found:
        key = found.revoke(id)
    click.echo(f"The key {key.id} of {key.name} is revoked.")


@contextmanager
def _opened(settings: Settings) -> Iterator[Keys]:
    database = Database(settings.database)
    try:
        yield Keys(database)
    finally:
        database.close()
