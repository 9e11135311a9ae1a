"""From a trained network to a pack: the ONNX graph, the PyTorch weights, the manifest and the card."""

import hashlib
import math
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from pydantic import BaseModel, ConfigDict, Field
from safetensors.torch import save_file
from torch import nn
from torchvision.models.detection import MaskRCNN

from planimeter.evaluation import Metrics
from planimeter.labels import LabelledPictures
from planimeter.network import BoxSpaceNetwork
from planimeter.packs import (
    CARD,
    MANIFEST,
    NAME_PATTERN,
    PALETTE,
    Architecture,
    Manifest,
    Pack,
    PackClass,
    PackFile,
    Preprocessing,
    Thresholds,
    TrainingData,
)
from planimeter.preprocessing import network_size
from planimeter.training.anchors import match_anchors
from planimeter.training.card import write_card

_ONNX, _WEIGHTS = "model.onnx", "weights.safetensors"
_UNKNOWN_FILE = PackFile(name=_ONNX, sha256="0" * 64)


class PackPlan(BaseModel):
    """What the pack will be called, and the size at which its network sees a picture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field("mine", pattern=NAME_PATTERN, description="Name of the new model.")
    version: str = Field("1", description="Version of the new model.")
    title: str = Field("", description="One line for people; the name where empty.")
    summary: str = Field("", description="What the model sees, in a sentence or two, for the card.")
    limitations: str = Field("", description="Where the model fails, for the card.")
    data_name: str = Field("own pictures", description="What the pictures are, for the card.")
    data_licence: str = Field("not stated", description="Licence of the pictures, for the card.")
    shortest_edge: int = Field(
        512, ge=64, le=2048, description="Shorter side of a picture in the network, in pixels."
    )
    longest_edge: int = Field(1408, ge=64, le=4096, description="Longer side at most, in pixels.")
    scale: float | None = Field(
        None,
        gt=0,
        le=16,
        description="Scale of every picture in the network instead of those edges: where all come from one camera.",
    )
    least_scale: float | None = Field(
        None,
        ge=0,
        description="Pictures that would be scaled further down are measured in tiles; unless given, the smallest "
        "scale among the training pictures.",
    )
    tile_scale: float | None = Field(
        None,
        gt=0,
        description="Scale of those tiles; unless given, the median scale of the training pictures.",
    )
    score_threshold: float | None = Field(
        None, ge=0, le=1, description="Default score threshold; unless given, the best one on validation."
    )
    packs_folder: Path = Field(Path("planimeter-data/packs"), description="Receives the pack.")


def draft_pack(plan: PackPlan, train: LabelledPictures, validation: LabelledPictures) -> Pack:
    """Return a pack without files: its manifest is all that training needs to know."""
    preprocessing = Preprocessing(
        shortest_edge=plan.shortest_edge, longest_edge=plan.longest_edge, scale=plan.scale
    )
    smallest, median = known_scales(train, preprocessing)
    preprocessing = preprocessing.model_copy(
        update={
            "least_scale": smallest if plan.least_scale is None else plan.least_scale,
            "tile_scale": plan.tile_scale or median,
        }
    )
    sizes, ratios = match_anchors(train, preprocessing)
    everything = (*train.pictures, *validation.pictures)
    manifest = Manifest(
        schema_version=1,
        name=plan.name,
        version=plan.version,
        title=plan.title or plan.name,
        summary=plan.summary or f"Finds {', '.join(train.classes)}.",
        limitations=plan.limitations,
        classes=tuple(
            PackClass(name=name, color=PALETTE[index % len(PALETTE)])
            for index, name in enumerate(train.classes)
        ),
        preprocessing=preprocessing,
        architecture=Architecture(anchor_sizes=sizes, anchor_ratios=ratios),
        thresholds=Thresholds(),
        onnx=_UNKNOWN_FILE,
        training_data=TrainingData(
            name=plan.data_name,
            licence=plan.data_licence,
            pictures=len(everything),
            instances=train.instances + validation.instances,
        ),
    )
    return Pack(plan.packs_folder / plan.name, manifest)


def known_scales(data: LabelledPictures, preprocessing: Preprocessing) -> tuple[float, float]:
    """Return the smallest and the median scale of the pictures: what is smaller, the network has never seen."""
    scales: list[float] = []
    for picture in data.pictures:
        height, width = picture.pixels.shape[:2]
        scales.append(network_size(height, width, preprocessing)[0] / height)
    return math.floor(1000 * min(scales)) / 1000, round(float(np.median(scales)), 3)


def write_pack(network: MaskRCNN, draft: Pack, *, score_threshold: float, validation: Metrics) -> Pack:
    """Write a pack aside, then move it to the draft's folder; returns the pack.

    Weights are rounded to float16 first: the files halve, and both runtimes start from the same numbers.
    """
    target = draft.folder
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    aside.chmod(0o755)  # mkdtemp makes it private; a pack is for every reader
    try:
        state = {name: _halved(tensor) for name, tensor in network.state_dict().items()}
        network.load_state_dict(
            {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
        )
        save_file(state, aside / _WEIGHTS)
        (aside / _WEIGHTS).chmod(0o644)
        export_onnx(BoxSpaceNetwork(network, draft.manifest.own_architecture), aside / _ONNX)
        manifest = draft.manifest.model_copy(
            update={
                "thresholds": draft.manifest.thresholds.model_copy(update={"score": score_threshold}),
                "onnx": _described(aside / _ONNX),
                "weights": _described(aside / _WEIGHTS),
                "metrics": {"validation": validation.model_dump(mode="json")},
            }
        )
        write_manifest(aside, manifest)
        _swap(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Pack(target, manifest)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `pack.json`, and the card that follows from it."""
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2, exclude_none=True) + "\n", "utf-8")
    (folder / CARD).write_text(write_card(manifest), "utf-8")


def record_metrics(pack: Pack, part: str, metrics: Metrics) -> None:
    """Add the figures of an evaluation to a pack's manifest and card."""
    recorded = {**pack.manifest.metrics, part: metrics.model_dump(mode="json")}
    write_manifest(pack.folder, pack.manifest.model_copy(update={"metrics": recorded}))


def export_onnx(network: nn.Module, path: Path) -> None:
    """Write a box-space network as ONNX for pictures of any size, with weights stored in float16."""
    example = torch.zeros(1, 3, 256, 320)
    names = ["boxes", "labels", "scores", "masks"]
    with warnings.catch_warnings(), torch.inference_mode():
        # Tracing torchvision's detector warns of choices that it handles; the parity test is the proof.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            (example,),
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=["image"],
            output_names=names,
            dynamic_axes={"image": {2: "height", 3: "width"}, **{name: {0: "instances"} for name in names}},
        )
    model = onnx.load(path)
    _store_as_float16(model)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _store_as_float16(model: onnx.ModelProto) -> None:
    """Replace every large float32 weight by a float16 one and a cast back: half the file, float32 arithmetic."""
    graph = model.graph
    casts = []
    for entry in graph.initializer:
        if entry.data_type != TensorProto.FLOAT or np.prod(entry.dims) < 1024:
            continue
        name = entry.name
        half = numpy_helper.from_array(numpy_helper.to_array(entry).astype(np.float16), f"{name}.float16")
        entry.CopyFrom(half)
        casts.append(helper.make_node("Cast", [half.name], [name], name=f"{name}.cast", to=TensorProto.FLOAT))
    nodes: Sequence[onnx.NodeProto] = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *nodes])


def _halved(tensor: torch.Tensor) -> torch.Tensor:
    """Return a contiguous float16 copy of a weight; counters stay what they are."""
    return (tensor.half() if tensor.is_floating_point() else tensor).contiguous().cpu()


def _described(path: Path) -> PackFile:
    return PackFile(name=path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def _swap(aside: Path, target: Path) -> None:
    """Move a finished folder into place; an older one of that name is gone only once the new one is there."""
    old = target.with_name(f".{target.name}-old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    aside.rename(target)
    shutil.rmtree(old, ignore_errors=True)
