"""The PyTorch runtime: the same network from the same weights, on a CUDA GPU or, to compare, on the CPU."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from planimeter.errors import InvalidPack
from planimeter.network import BoxSpaceNetwork, build_network
from planimeter.packs import Pack
from planimeter.runtimes import RawDetections, without_sentinel


def cuda_is_available() -> bool:
    """Return whether PyTorch sees a CUDA GPU that it can use."""
    return torch.cuda.is_available()


class TorchRuntime:
    """A box-space network in PyTorch, in float32."""

    name = "torch"
    precision = "f32"

    def __init__(self, network: Callable[[Tensor], tuple[Tensor, ...]], device: str) -> None:
        self._network = network
        self.device = device

    @classmethod
    def from_pack(cls, pack: Pack, device: str) -> "TorchRuntime":
        """Build the network that the pack describes and load its weights."""
        entry = pack.manifest.weights
        if entry is None:
            raise InvalidPack(f"pack {pack.name!r} has no PyTorch weights; it runs with OpenVINO only")
        path: Path = pack.file(entry)
        network = build_network(pack.manifest.own_architecture, len(pack.manifest.classes))
        try:
            state = {
                name: tensor.float() if tensor.is_floating_point() else tensor
                for name, tensor in load_file(path).items()
            }
            network.load_state_dict(state)
        except (RuntimeError, SafetensorError) as error:
            raise InvalidPack(f"{path} does not fit the architecture in the manifest: {error}") from error
        return cls(BoxSpaceNetwork(network, pack.manifest.own_architecture).eval().to(device), device)

    def run(self, image: NDArray[np.float32]) -> RawDetections:
        """Detect in one picture, float32 [1, 3, H, W]."""
        # TF32 would round inputs to 10 bits on GPUs that have it: not the float32 that the answer names.
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            answer = self._network(torch.from_numpy(image).to(self.device))
        return without_sentinel(*(tensor.cpu().numpy() for tensor in answer))
