"""`planimeter data`: look at labelled pictures before anything is trained on them."""

from pathlib import Path

import click

from planimeter.commands.printing import census_tables, console
from planimeter.labels.audit import audit


@click.group()
def data() -> None:
    """Check labelled pictures."""


@data.command("check")
@click.argument("labels", metavar="DATA", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--images", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Folder of the pictures."
)
@click.option(
    "--against",
    type=click.Path(path_type=Path, exists=True),
    help="Another part of the data, such as the test set: no picture may be in both.",
)
@click.option(
    "--against-images",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of the pictures of --against, where its labels do not lead to them.",
)
def check(labels: Path, images: Path | None, against: Path | None, against_images: Path | None) -> None:
    """Say what is understood of DATA, and of the part it is compared with, then what is wrong.

    DATA is what a labelling tool exports: COCO, VIA, LabelMe, Label Studio, CVAT, QuPath, YOLO segmentation,
    Pascal VOC, or masks as pictures (docs/labels.md). The exit status is 1 when something is broken,
    that is, when DATA cannot be used as it is.
    """
    printer = console()
    if against_images is not None and against is None:
        raise click.UsageError("--against-images needs --against")
    result = audit(labels, images, against, against_images)
    for table in census_tables(result.census):
        printer.print(table)
    if result.other is not None:
        printer.print(f"compared with {against}:")
        for table in census_tables(result.other):
            printer.print(table)
    broken = sum(finding.broken for finding in result.findings)
    for finding in result.findings:
        printer.print(f"{'broken' if finding.broken else 'doubtful'}  {finding}")
    doubtful = len(result.findings) - broken
    printer.print(f"{broken} broken, {doubtful} doubtful" if result.findings else "nothing found")
    if result.broken:
        raise click.exceptions.Exit(1)
