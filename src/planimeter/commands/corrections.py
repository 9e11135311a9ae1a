"""`planimeter corrections import`: what people corrected in another program, back on the measurements of a service."""

from pathlib import Path

import click

from planimeter.client.bringing_back import carry_out, plan
from planimeter.commands.options import options_of
from planimeter.commands.service_options import ChosenOptions, ServiceOptions


@click.group()
def corrections() -> None:
    """Bring back what people corrected of measurements in another program."""


@corrections.command("import")
@click.argument("labels", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where the pictures are, for those whose names have no id of a measurement.",
)
@click.option("--reason", default="", help="Why, in words; it stands with each correction.")
@click.option(
    "--reviewed",
    is_flag=True,
    help="Say that all of each picture is right now, also of those without any object.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@options_of(ChosenOptions, "chosen")
@options_of(ServiceOptions, "service")
def import_(
    labels: Path,
    images: Path | None,
    reason: str,
    reviewed: bool,
    dry_run: bool,
    chosen: ChosenOptions,
    service: ServiceOptions,
) -> None:
    """Correct measurements by LABELS, a file or a folder in any format that planimeter data check reads.

    A picture belongs to the measurement whose id its name has, as planimeter export writes it, else to the one with
    the same bytes. Where one belongs to none, it is named and nothing is corrected at all.
    """
    client = service.client()

    def warn(text: str) -> None:
        click.echo(text, err=True)

    plans = plan(client, labels, images=images, complete=reviewed, within=chosen.filters, say=warn)
    needed = [entry for entry in plans if entry.is_needed]
    if dry_run:
        for entry in needed:
            click.echo(f"{entry.picture}: {entry.words}")
        click.echo(f"{len(needed):,} of {len(plans):,} measurements would be corrected")
        return
    done = carry_out(client, needed, reason or f"from {labels.name}", click.echo)
    click.echo(f"corrected {done:,} of {len(plans):,} measurements; the others are as the labels say already")
