"""Where training starts: the device, and the ImageNet weights of the backbone."""

import pickle
from pathlib import Path

import torch
from torch import Tensor
from torchvision.models import MobileNet_V2_Weights
from torchvision.models.detection import MaskRCNN

from planimeter.errors import TrainingError


def choose_device(*, cpu_only: bool = False) -> str:
    """Return "cuda" where a usable GPU is present and not refused, else "cpu"."""
    return "cuda" if not cpu_only and torch.cuda.is_available() else "cpu"


def load_backbone_weights(network: MaskRCNN, file: Path | None) -> None:
    """Start the backbone from torchvision's ImageNet weights, downloaded or from the same `file`."""
    if file is None:
        try:
            state = MobileNet_V2_Weights.IMAGENET1K_V1.get_state_dict(progress=True, check_hash=True)
        except OSError as error:
            raise TrainingError(
                f"the ImageNet weights could not be downloaded ({error}); fetch mobilenet_v2-b0353104.pth "
                "elsewhere and name it with --backbone-weights FILE, or train from scratch with "
                "--backbone-weights none"
            ) from error
    else:
        state = _read_weights(file)
    kept = {
        name.removeprefix("features."): tensor
        for name, tensor in state.items()
        if name.startswith("features.") and not name.startswith("features.18.")
    }
    try:
        network.backbone.body.load_state_dict(kept)
    except RuntimeError as error:
        raise TrainingError(f"{file} does not hold torchvision's MobileNetV2: {error}") from error


def _read_weights(file: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{file} cannot be read as PyTorch weights: {error}") from error
    if not isinstance(state, dict):
        raise TrainingError(f"{file} holds a {type(state).__name__}, not a state dict")
    return state
