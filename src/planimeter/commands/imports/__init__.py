"""`planimeter models import`: from a model made elsewhere to a pack. Each kind lives in the module of its name."""

import click

from planimeter.commands.lazy import Commands

KINDS = {
    "zip": "Install a model that planimeter models export wrote.",
    "torchvision": "Make a model of torchvision's Mask R-CNN: COCO weights or fine-tuned ones.",
    "detectron2": "Make a model of a Mask R-CNN that was trained with Detectron2.",
    "onnx": "Make a model of an exported network: YOLO, RF-DETR, torchvision, Detectron2.",
}
"""What can be imported; the command of kind x is the function `import_x` of the module x."""


@click.group("import", cls=Commands, package=__name__, modules=KINDS, attribute="import_{}")
def import_group() -> None:
    """Make a model of one that was made elsewhere."""
