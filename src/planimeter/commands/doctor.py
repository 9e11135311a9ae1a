"""`planimeter doctor`: what is wrong with what is stored here."""

import sys

import click

from planimeter.commands.options import options_of
from planimeter.errors import PlanimeterError, StoreFailed
from planimeter.packs.pack import find_packs
from planimeter.settings import Settings
from planimeter.store.block_building import rebuild
from planimeter.store.engine import shown
from planimeter.store.inspection import Finding, inspect_store


@click.command()
@options_of(
    Settings, "settings", only=("upload_folder", "output_folder", "database", "packs_folder", "model")
)
@click.option(
    "--rebuild-sums",
    is_flag=True,
    help="First make anew what sums and charts over many are read from; nothing else.",
)
def doctor(settings: Settings, *, rebuild_sums: bool) -> None:
    """Look for damage: in the database, in the files of measurements, in the models. Nothing is changed.

    The exit status is 1 where something is wrong. A service may go on running meanwhile.
    """
    findings: list[Finding] = []
    try:
        if rebuild_sums:
            click.echo(f"{rebuild(settings.database):,} blocks of measurements were made anew")
        count, found = inspect_store(settings.database, settings.upload_folder, settings.output_folder)
        findings += found
        click.echo(f"{count:,} measurements in {shown(settings.database)}")
    except StoreFailed as error:
        findings.append(Finding(str(error), ""))
    findings += _check_models(settings)
    for finding in findings:
        click.echo(f"wrong   {finding.what}" + (f": {finding.remedy}" if finding.remedy else ""))
    click.echo(f"{len(findings):,} findings" if findings else "Nothing is wrong.")
    sys.exit(1 if findings else 0)


def _check_models(settings: Settings) -> list[Finding]:
    findings = []
    for pack in find_packs(settings.packs_folder).values():
        try:
            pack.file(pack.manifest.onnx)
        except PlanimeterError as error:
            findings.append(Finding(str(error), ""))
    return findings
