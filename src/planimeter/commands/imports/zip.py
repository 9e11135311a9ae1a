"""`planimeter models import zip`: a model that somebody exported with Planimeter."""

from pathlib import Path

import click

from planimeter.commands.imports.proof import Proof, print_summary, prove
from planimeter.commands.options import options_of
from planimeter.importing.archive import read_archive
from planimeter.measuring.opening import load
from planimeter.settings import Settings


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--replace", is_flag=True, help="Replace a model of that name.")
@options_of(Proof, "proof")
@options_of(Settings, "settings", only=("packs_folder",))
def import_zip(file: Path, replace: bool, proof: Proof, settings: Settings) -> None:
    """Install the model in FILE, which `planimeter models export --format zip` wrote."""
    pack = read_archive(file, settings.packs_folder, replace=replace)
    print_summary(pack, [("Title", pack.manifest.title)])
    prove(load(str(pack.folder), infer_with_cpu=True), pack, proof)
