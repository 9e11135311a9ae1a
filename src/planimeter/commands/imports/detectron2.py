"""`planimeter models import detectron2`: a Detectron2 checkpoint, without Detectron2."""

from pathlib import Path

import click

from planimeter.commands.imports.proof import Proof, print_summary, prove
from planimeter.commands.lazy import needed
from planimeter.commands.options import options_of
from planimeter.importing.plan import ImportPlan
from planimeter.measuring.opening import load


@click.command("detectron2")
@click.option(
    "--config",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Its configuration, config.yaml; the bases of Detectron2's model zoo need not be at hand.",
)
@click.option(
    "--weights",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Its checkpoint: model_final.pth, or a .pkl of the model zoo.",
)
@click.option("--replace", is_flag=True, help="Replace a model of that name.")
@options_of(Proof, "proof")
@options_of(ImportPlan, "plan")
def import_detectron2(config: Path, weights: Path, replace: bool, proof: Proof, plan: ImportPlan) -> None:
    """Make a model of a Mask R-CNN that was trained with Detectron2.

    Detectron2 is not needed. Nothing in the files is executed; what is not supported is refused by its name.
    """
    proof.check_target(plan.packs_folder / plan.name, replace=replace)
    model = needed("planimeter.importing.detectron2").Detectron2Model.read(config, weights)
    pack = model.write(plan)
    print_summary(pack, model.facts(), model.notes(plan))
    prove(load(str(pack.folder), infer_with_cpu=True), pack, proof)
