"""`planimeter models import torchvision`: torchvision's Mask R-CNN, its COCO weights or fine-tuned ones."""

from pathlib import Path

import click

from planimeter.commands.imports.proof import Proof, print_summary, prove
from planimeter.commands.lazy import needed
from planimeter.commands.options import options_of
from planimeter.importing.plan import ImportPlan
from planimeter.importing.torchvision_settings import MODELS, Settings
from planimeter.measuring.opening import load


@click.command("torchvision")
@click.argument("model", required=False, type=click.Choice(MODELS))
@click.option(
    "--weights",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file with the state dict, instead of fetching the COCO weights of MODEL.",
)
@click.option("--replace", is_flag=True, help="Replace a model of that name.")
@options_of(Proof, "proof")
@options_of(Settings, "settings")
@options_of(ImportPlan, "plan")
def import_torchvision(
    model: str | None, weights: Path | None, replace: bool, proof: Proof, settings: Settings, plan: ImportPlan
) -> None:
    """Make a model of torchvision's Mask R-CNN: MODEL with its COCO weights, or any state dict of one.

    The number of classes follows from the weights. Nothing in a file is executed.
    """
    if (model is None) == (weights is None):
        raise click.UsageError(f"give either MODEL ({' or '.join(MODELS)}), or --weights FILE")
    network = needed("planimeter.importing.torchvision").TorchvisionModel
    proof.check_target(plan.packs_folder / plan.name, replace=replace)
    found = network.fetch(model, settings) if model else network.read(weights, settings)
    pack = found.write(plan)
    print_summary(pack, found.facts(), found.notes(plan))
    prove(load(str(pack.folder), infer_with_cpu=True), pack, proof)
