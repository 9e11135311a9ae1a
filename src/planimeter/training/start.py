"""Where training starts: the device, and the ImageNet weights of the backbone."""

import pickle
from pathlib import Path

import torch
from torch import Tensor
from torchvision.models.detection import MaskRCNN

from planimeter.errors import TrainingError
from planimeter.network import BACKBONES
from planimeter.packs import Backbone


def choose_device(*, cpu_only: bool = False) -> str:
    """Return "cuda" where a usable GPU is present and not refused, else "cpu"."""
    return "cuda" if not cpu_only and torch.cuda.is_available() else "cpu"


def load_backbone_weights(network: MaskRCNN, backbone: Backbone, file: Path | None) -> None:
    """Start the backbone from torchvision's ImageNet weights, downloaded or from the same `file`."""
    kind = BACKBONES[backbone]
    if file is None:
        try:
            state = kind.weights.get_state_dict(progress=True, check_hash=True)
        except OSError as error:
            raise TrainingError(
                f"the ImageNet weights could not be downloaded ({error}); fetch {kind.weights.url} elsewhere and "
                "name the file with --backbone-weights FILE, or train from scratch with --backbone-weights none"
            ) from error
    else:
        state = _read_weights(file)
    body = network.backbone.body
    wanted = body.state_dict()
    # What the file has beyond that is only for classification: the last layers of the backbone.
    kept = {name: state[kind.prefix + name] for name in wanted if kind.prefix + name in state}
    try:
        body.load_state_dict(kept)
    except RuntimeError as error:
        raise TrainingError(
            f"{file or kind.weights.url} does not hold torchvision's {backbone}: {error}"
        ) from error


def _read_weights(file: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{file} cannot be read as PyTorch weights: {error}") from error
    if not isinstance(state, dict):
        raise TrainingError(f"{file} holds a {type(state).__name__}, not a state dict")
    return state
