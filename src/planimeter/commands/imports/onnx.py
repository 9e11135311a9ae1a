"""`planimeter models import onnx`: an exported network of one of the common families."""

from pathlib import Path

import click

from planimeter.commands.imports.proof import Proof, print_summary, prove
from planimeter.commands.options import options_of
from planimeter.importing.onnx_pack import Imported, draw_up, write_imported
from planimeter.importing.onnx_plan import OnnxPlan


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--replace", is_flag=True, help="Replace a model of that name.")
@options_of(Proof, "proof")
@options_of(OnnxPlan, "plan")
def import_onnx(file: Path, replace: bool, proof: Proof, plan: OnnxPlan) -> None:
    """Make a model of an exported instance-segmentation network, FILE.

    Families: Ultralytics' YOLO (…-seg), RF-DETR with masks, torchvision's and Detectron2's Mask R-CNN. Which one it is
    follows from its outputs; nothing in the file is executed.
    """
    proof.check_target(plan.packs_folder / plan.name, replace=replace)
    imported = draw_up(file, plan)
    pack, segmenter = write_imported(file, imported)
    print_summary(pack, _facts(imported), imported.notes)
    prove(segmenter, pack, proof)


def _facts(imported: Imported) -> list[tuple[str, str]]:
    found, file = imported.recognised, imported.file
    names = ", ".join(f"{meaning} = {name}" for meaning, name in found.names.items())
    because = f"; by {', '.join(found.reasons)}" if found.reasons else ""
    facts = [
        ("Network", f"{found.family}, read as {found.layout} ({names}){because}"),
        ("Outputs", file.tensors),
        ("Input", "; ".join(map(str, file.inputs))),
    ]
    licence = file.metadata.get("license")
    return [*facts, ("Its licence", licence)] if licence else facts
