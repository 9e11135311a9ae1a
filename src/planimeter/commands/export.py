"""`planimeter export`: measurements of a running service as a file for another program, and their pictures."""

from pathlib import Path
from typing import get_args

import click

from planimeter.commands.options import options_of
from planimeter.commands.service_options import ChosenOptions, ServiceOptions
from planimeter.corrections import Figures
from planimeter.errors import InvalidOption
from planimeter.exports.formats import FORMATS, ExportFormat


@click.command(short_help="Write measurements of a service to a file for another program.")
@click.argument("to", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--for", "kind", type=click.Choice(get_args(ExportFormat)), required=True, help="The program.")
@click.option(
    "--figures",
    type=click.Choice(get_args(Figures)),
    default="corrected",
    show_default=True,
    help="Which objects.",
)
@click.option(
    "--pictures",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the pictures to this zip too, called as TO calls them.",
)
@options_of(ChosenOptions, "chosen")
@options_of(ServiceOptions, "service")
def export(
    to: Path,
    kind: ExportFormat,
    figures: Figures,
    pictures: Path | None,
    chosen: ChosenOptions,
    service: ServiceOptions,
) -> None:
    """Write the measurements that match to the file TO; pictures are called with the ids of their measurements.

    What is corrected there comes back by planimeter corrections import.
    """
    for target in filter(None, (to, pictures)):
        if target.exists():
            raise InvalidOption(f"{target} is there already, and is not replaced; choose another name")
        if not target.parent.is_dir():
            raise InvalidOption(f"there is no folder {target.parent} to write {target.name} into")
    client, filters = service.client(), chosen.filters
    count = client.count(**filters)
    if not count:
        raise InvalidOption(f"no measurement of {client.url} matches; nothing was written")
    client.export_many(to, kind, figures=figures, pictures="stored", **filters)
    click.echo(f"wrote {count:,} measurements to {to} as {FORMATS[kind].title}")
    click.echo(FORMATS[kind].cannot_carry, err=True)
    if pictures:
        client.archive(pictures, content="image", **filters)
        click.echo(f"wrote their pictures to {pictures}")
