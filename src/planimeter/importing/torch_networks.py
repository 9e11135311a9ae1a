"""Writing a PyTorch network that was trained elsewhere as a pack."""

import torch
from torch import nn

from planimeter.importing.plan import ImportPlan, default_threshold, name_classes
from planimeter.masks.paste import MaskEdge
from planimeter.packs.architectures import Detectron2Architecture, TorchvisionArchitecture
from planimeter.packs.manifest import Manifest, Preprocessing, Thresholds, TrainingData
from planimeter.packs.pack import Pack
from planimeter.packs.packing import ONNX, UNKNOWN_FILE, WEIGHTS, describe, finished_folder, write_manifest
from planimeter.training.export import write_networks


def write_imported(
    network: nn.Module,
    plan: ImportPlan,
    *,
    architecture: Detectron2Architecture | TorchvisionArchitecture,
    preprocessing: Preprocessing,
    classes: int,
    known_names: list[str] | None,
    mask_edge: MaskEdge,
    origin: str,
) -> Pack:
    """Write `network`, box-space and with its weights, as the pack that `plan` names; returns it.

    `known_names` are the classes' where the plan gives none. Weights stay in float32: nothing that the network
    answers is to change.
    """
    manifest = Manifest(
        schema_version=1,
        name=plan.name,
        version=plan.version,
        title=plan.title or plan.name,
        summary=plan.summary or f"A Mask R-CNN of {origin}.",
        limitations=plan.limitations,
        classes=name_classes(plan, classes, known_names),
        preprocessing=preprocessing,
        architecture=architecture,
        thresholds=Thresholds(
            score=default_threshold(plan, architecture.score_floor), mask=0.5, mask_edge=mask_edge
        ),
        onnx=UNKNOWN_FILE,
        training_data=TrainingData(name=plan.data_name, licence=plan.data_licence, pictures=0, instances=0),
    )
    target = plan.packs_folder / manifest.name
    with finished_folder(target) as aside, torch.inference_mode():
        state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
        write_networks(aside, network, state, halve=False)
        written = manifest.model_copy(
            update={"onnx": describe(aside / ONNX), "weights": describe(aside / WEIGHTS)}
        )
        write_manifest(aside, written)
    return Pack(target, written)
