"""From a trained network to a pack: the ONNX graph, the PyTorch weights, the manifest and the card."""

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from torch import nn

from planimeter.errors import TrainingError
from planimeter.evaluation import Metrics
from planimeter.labels import LabelledPictures
from planimeter.networks.own import BoxSpaceNetwork, PixelMaskRCNN
from planimeter.packs.learnt import Learnt
from planimeter.packs.manifest import (
    PALETTE,
    Architecture,
    Manifest,
    PackClass,
    Preprocessing,
    Thresholds,
    TrainingData,
)
from planimeter.packs.outputs import OUTPUTS
from planimeter.packs.pack import Pack, find_pack
from planimeter.packs.packing import (
    ONNX,
    UNKNOWN_FILE,
    WEIGHTS,
    describe,
    finished_folder,
    write_learnt,
    write_manifest,
    write_trust,
)
from planimeter.packs.trust import Trust
from planimeter.pictures.preprocessing import network_size
from planimeter.training.anchors import keep_or_match, match_anchors
from planimeter.training.pixel_size import known_pixel_size
from planimeter.training.plan import PackPlan

CROWDED, PROPOSALS_WHERE_CROWDED = 60, 1000
"""At the same weights a model of nuclei had an AP50 of 0.832 with 300 proposals, and of 0.882 with 1000."""
SPARSE, PROPOSALS_WHERE_SPARSE = 20, 200
"""At the same weights `steel` (at most 16 objects) is as exact with fewer than 300, and `tiles` (at most 5) answers the
same. With fewer than 200 OpenVINO rounds otherwise where two pictures are in the network at a time."""
_NEW_NETWORK: dict[str, Any] = {
    "backbone": "efficientnet_lite0",
    "fpn_channels": 96,
    "box_features": 256,
    "mask_channels": 64,
    "mask_convolutions": 3,
    "pixel_channels": 96,
    "light": True,
    "proposals": 300,
    "proposals_by_area": 150,
    "texture": True,
}
"""What a network is made of unless the plan says otherwise."""
PIXEL_CELLS = 50.0
"""On the validation pictures of `steel`, `nuclei` and `tiles`, from 0 to 400: objects are told apart better from 50 on,
and beyond it areas get worse."""
MASK_NMS_IOU = 0.6
"""On the validation pictures of `steel` and `nuclei` F1 rises by 0.02 to 0.04 and by 0.004, the error of the
percentage by less than 0.01 points; below 0.55 by 0.05, because what is dropped then covers something else, too."""

TILE_OVER_PICTURE, LEAST_TILE, MOST_TILE = 1.25, 320, 1024
"""What a network never saw together it measures less well: 37 sheets of 3 x 3 pictures of `steel` 4, each 256 px there,
had an error of 2.13 points in tiles of 1,024, of 1.31 in tiles of 320. Who learnt from mosaics sees more."""
OVERLAP, MOST_OVERLAP = 0.3, 256


def draft_pack(
    plan: PackPlan, train: LabelledPictures, validation: LabelledPictures, *, mosaic: bool = False
) -> Pack:
    """Return a pack without files: its manifest is all that training needs to know.

    `mosaic` says whether it will learn from crops of several pictures side by side.
    """
    start = None if plan.start_from is None else find_pack(plan.start_from, plan.packs_folder)
    preprocessing = _preprocessing(plan, train, start, mosaic=mosaic)
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
        architecture=_architecture(plan, train, preprocessing, start),
        thresholds=Thresholds(pixel_cells=PIXEL_CELLS, mask_nms_iou=MASK_NMS_IOU),
        onnx=UNKNOWN_FILE,
        training_data=TrainingData(
            name=plan.data_name,
            licence=plan.data_licence,
            pictures=len(everything),
            instances=train.instances + validation.instances,
            started_from="" if start is None else f"{start.name} {start.manifest.version}",
            pixel_size_um=known_pixel_size(everything, preprocessing),
        ),
    )
    return Pack(plan.packs_folder / plan.name, manifest)


def _preprocessing(
    plan: PackPlan, train: LabelledPictures, start: Pack | None, *, mosaic: bool
) -> Preprocessing:
    """Return the size at which the network sees a picture: as planned, else as the model to start from."""
    given = {
        name: getattr(plan, name)
        for name in ("shortest_edge", "longest_edge", "scale")
        if getattr(plan, name) is not None
    }
    edges: dict[str, Any] = {"shortest_edge": 512, "longest_edge": 1408}
    if start is not None and not given:
        edges = start.manifest.preprocessing.model_dump(include={"shortest_edge", "longest_edge", "scale"})
    preprocessing = Preprocessing(**{**edges, **given})
    smallest, median = known_scales(train, preprocessing)
    tile = plan.tile or (MOST_TILE if mosaic else known_tile(train, preprocessing))
    return preprocessing.model_copy(
        update={
            "least_scale": smallest if plan.least_scale is None else plan.least_scale,
            "tile_scale": plan.tile_scale or median,
            "tile": tile,
            "tile_overlap": min(MOST_OVERLAP, _multiple_of_32(OVERLAP * tile)),
        }
    )


def _architecture(
    plan: PackPlan, train: LabelledPictures, preprocessing: Preprocessing, start: Pack | None
) -> Architecture:
    options = {name: getattr(plan, name) for name in _NEW_NETWORK if name in PackPlan.model_fields}
    options["backbone"] = plan.architecture
    given = {field: value for field, value in options.items() if value is not None}
    if start is None:
        sizes, ratios = match_anchors(train, preprocessing)
        most = max(len(picture.labels) for picture in train.pictures)
        if most > CROWDED:
            given = {"proposals": PROPOSALS_WHERE_CROWDED, **given}
        elif most <= SPARSE:
            given = {"proposals": PROPOSALS_WHERE_SPARSE, **given}
        return Architecture(anchor_sizes=sizes, anchor_ratios=ratios, **{**_NEW_NETWORK, **given})
    # Its weights fit its own architecture only, but for anchors and proposals, which are no weights.
    architecture = start.manifest.own_architecture
    if "proposals" in given:
        architecture = architecture.model_copy(update={"proposals": given.pop("proposals")})
    for field, value in given.items():
        if getattr(architecture, field) != value:
            raise TrainingError(
                f"{field} {value} was asked for, but the model {start.name!r} to start from has "
                f"{getattr(architecture, field)}; leave that option out, or start from ImageNet"
            )
    known = (architecture.anchor_sizes, architecture.anchor_ratios)
    sizes, ratios = keep_or_match(train, preprocessing, known)
    return architecture.model_copy(update={"anchor_sizes": sizes, "anchor_ratios": ratios, "texture": True})


def known_scales(data: LabelledPictures, preprocessing: Preprocessing) -> tuple[float, float]:
    """Return the smallest and the median scale of the pictures: what is smaller, the network has never seen."""
    scales: list[float] = []
    for picture in data.pictures:
        height, width = picture.pixels.shape[:2]
        scales.append(network_size(height, width, preprocessing)[0] / height)
    return math.floor(1000 * min(scales)) / 1000, round(float(np.median(scales)), 3)


def known_tile(data: LabelledPictures, preprocessing: Preprocessing) -> int:
    """Return the side of the tiles of large pictures, in network pixels: little more than any training picture."""
    shapes = {picture.pixels.shape[:2] for picture in data.pictures}
    longest = max(max(network_size(height, width, preprocessing)) for height, width in shapes)
    return min(MOST_TILE, max(LEAST_TILE, _multiple_of_32(TILE_OVER_PICTURE * longest)))


def _multiple_of_32(side: float) -> int:
    return 32 * round(side / 32)


def write_pack(
    network: PixelMaskRCNN,
    draft: Pack,
    *,
    thresholds: Thresholds,
    metrics: Mapping[str, Metrics],
    trust: Trust | None = None,
    learnt: Learnt | None = None,
) -> Pack:
    """Write a pack aside, then move it to the draft's folder; returns the pack.

    Weights are rounded to float16 first: the files halve, and both runtimes start from the same numbers.
    """
    with finished_folder(draft.folder) as aside:
        state = {name: _halved(tensor) for name, tensor in network.state_dict().items()}
        network.load_state_dict(
            {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
        )
        write_networks(aside, BoxSpaceNetwork(network, draft.manifest.own_architecture), state)
        manifest = draft.manifest.model_copy(
            update={
                "thresholds": thresholds,
                "onnx": describe(aside / ONNX),
                "weights": describe(aside / WEIGHTS),
                "metrics": {part: entry.model_dump(mode="json") for part, entry in metrics.items()},
            }
        )
        manifest = write_trust(aside, manifest, trust or Trust())
        manifest = write_learnt(aside, manifest, learnt)
        write_manifest(aside, manifest)
    return Pack(draft.folder, manifest)


def write_networks(
    folder: Path, network: nn.Module, state: dict[str, torch.Tensor], *, halve: bool = True
) -> None:
    """Write a box-space network as ONNX, and `state` as its PyTorch weights."""
    save_file(state, folder / WEIGHTS)
    (folder / WEIGHTS).chmod(0o644)
    export_onnx(network, folder / ONNX, halve=halve)


def export_onnx(network: nn.Module, path: Path, *, halve: bool = True) -> None:
    """Write a box-space network as ONNX for pictures of any size, with weights stored in float16 or as they are."""
    example = torch.zeros(1, 3, 256, 320)
    names = list(getattr(network, "outputs", OUTPUTS))
    grids = {name: {2: f"rows_of_{name}", 3: f"columns_of_{name}"} for name in names if name not in OUTPUTS}
    axes = {"image": {2: "height", 3: "width"}, **{name: {0: "instances"} for name in OUTPUTS}, **grids}
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
            dynamic_axes=axes,
        )
    model = onnx.load(path)
    if halve:
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
