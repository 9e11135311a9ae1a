"""Detectron2's checkpoints: `.pth` of its trainer, `.pkl` of its model zoo."""

import re
from pathlib import Path

from torch import Tensor

from planimeter.errors import ImportRefused
from planimeter.importing.tensors import as_tensors, read_checkpoint

_NOT_WEIGHTS = re.compile(r"^pixel_(mean|std)$|\.cell_anchors\.\d+$|\.num_batches_tracked$")
"""Follows from the configuration (older versions stored it), or counts training steps."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a whole model by Detectron2's names; raises `ImportRefused`."""
    found = read_checkpoint(path)
    if "blobs" in found:
        raise ImportRefused(
            f"{path} has Caffe2 blobs, as Detectron (without the 2) wrote them; supported are Detectron2's own "
            "checkpoints: load it in Detectron2 once and save it with its DetectionCheckpointer"
        )
    if found.get("matching_heuristics"):
        raise ImportRefused(
            f"{path} holds a backbone to start a training from, not a trained model; give the model_final file of "
            "a finished training"
        )
    model = found.get("model", found)
    if not isinstance(model, dict):
        raise ImportRefused(f'{path}: "model" is a {type(model).__name__}, not a state dict')
    tensors = as_tensors(path, model)
    return {name: tensor for name, tensor in tensors.items() if not _NOT_WEIGHTS.search(name)}
