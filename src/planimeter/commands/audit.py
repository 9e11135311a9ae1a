"""`planimeter audit`: who changed what of measurements, and when."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from planimeter.commands.options import options_of
from planimeter.errors import DataError, StoreFailed
from planimeter.settings import Settings
from planimeter.store.audit import AT_ONCE, read
from planimeter.store.engine import engine_of, hold_still, unusable
from planimeter.store.verification import broken, entries_in, first_broken


@click.group()
def audit() -> None:
    """Export or verify the audit trail: who corrected, changed and deleted measurements, and when."""


@audit.command("export")
@click.option("--after", type=click.IntRange(0), default=0, help="Only entries after this number.")
@options_of(Settings, "settings", only=("database",))
def export(after: int, settings: Settings) -> None:
    """Write the trail to the standard output: JSON lines, as GET /api/v1/audit gives them. Nothing is changed."""
    with _connection(settings.database) as connection:
        while found := read(connection, after, AT_ONCE):
            for entry in found:
                click.echo(entry.line)
            after = found[-1].sequence


@audit.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@options_of(Settings, "settings", only=("database",))
def verify(file: Path | None, settings: Settings) -> None:
    """Check that no entry was changed, taken out or put in between: of the database, or of an exported FILE.

    The exit status is 1 where one was, and the first such entry is named. Of the database, corrections are compared
    with their hashes too.
    """
    if file is not None:
        wrong = _wrong_in(file)
    else:
        with _connection(settings.database) as connection:
            hold_still(connection)
            wrong = [*broken(connection)]
    for sentence in wrong:
        click.echo(f"wrong   {sentence}")
    if not wrong:
        click.echo("The audit trail is whole.")
    sys.exit(1 if wrong else 0)


def _wrong_in(file: Path) -> list[str]:
    try:
        with file.open(encoding="utf-8") as lines:
            found = first_broken(entries_in(lines), whole=False)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{file} is no exported audit trail ({error}); planimeter audit export writes one"
        ) from error
    return [found] if isinstance(found, str) else []


@contextmanager
def _connection(database: str) -> Iterator[sa.Connection]:
    engine = engine_of(database, create=False)
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise StoreFailed(unusable(database, error)) from error
    finally:
        engine.dispose()
