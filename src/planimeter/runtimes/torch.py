"""The PyTorch runtime: the same network from the same weights, on a CUDA GPU or, to compare, on the CPU."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from planimeter.errors import InvalidPack, RuntimeUnavailable
from planimeter.networks.detectron2.network import Detectron2Network
from planimeter.networks.exact_boxes import keep_boxes_exact
from planimeter.networks.own import BoxSpaceNetwork, build_network
from planimeter.networks.torchvision import TorchvisionNetwork
from planimeter.packs.architectures import Detectron2Architecture, TorchvisionArchitecture
from planimeter.packs.outputs import OUTPUTS
from planimeter.packs.pack import Pack
from planimeter.runtimes import RawDetections, read_own


def cuda_is_available() -> bool:
    """Return whether PyTorch sees a CUDA GPU that it can use."""
    return torch.cuda.is_available()


def box_space_network(pack: Pack) -> nn.Module:
    """Return the network that a pack describes, without its weights."""
    architecture, classes = pack.manifest.architecture, len(pack.manifest.classes)
    if isinstance(architecture, Detectron2Architecture):
        return Detectron2Network(architecture, classes)
    if isinstance(architecture, TorchvisionArchitecture):
        return TorchvisionNetwork(architecture)
    own = pack.manifest.own_architecture
    return BoxSpaceNetwork(build_network(own, classes), own)


class TorchRuntime:
    """A box-space network in PyTorch, in float32, or on a GPU in float16 where that keeps enough digits."""

    name = "torch"
    streams = 1

    def __init__(
        self, network: Callable[[Tensor], tuple[Tensor, ...]], device: str, *, precision: str = "f32"
    ) -> None:
        if precision == "f16" and not device.startswith("cuda"):
            raise RuntimeUnavailable(
                f"f16 is for CUDA GPUs; on the {device} use --precision f32 (or auto, which is the same)"
            )
        if precision not in {"f32", "f16"}:
            raise RuntimeUnavailable(
                f"PyTorch computes in f32 here, or in f16 on a CUDA GPU, not in {precision}"
            )
        self._network = network
        self.device = device
        self.precision = precision

    @classmethod
    def from_pack(cls, pack: Pack, device: str, *, precision: str = "f32") -> "TorchRuntime":
        """Build the network that the pack describes and load its weights."""
        entry = pack.manifest.weights
        if entry is None:
            raise InvalidPack(
                f"pack {pack.name!r} has no PyTorch weights; use --runtime openvino or onnxruntime"
            )
        path: Path = pack.file(entry)
        network = box_space_network(pack)
        try:
            state = {
                name: tensor.float() if tensor.is_floating_point() else tensor
                for name, tensor in load_file(path).items()
            }
            network.load_state_dict(state)
        except (RuntimeError, SafetensorError) as error:
            raise InvalidPack(f"{path} does not fit the architecture in the manifest: {error}") from error
        # Detectron2's computes boxes so by itself.
        if isinstance(network, (BoxSpaceNetwork, TorchvisionNetwork)):
            keep_boxes_exact(network)
        return cls(network.eval().to(device), device, precision=precision)

    def rest(self) -> None:
        """Give back nothing: PyTorch keeps what it allocated for the next picture."""

    def run(self, image: NDArray[np.float32]) -> RawDetections:
        """Detect in one picture, float32 [1, 3, H, W]."""
        return self._answers(self._network, image)[0]

    def run_many(self, images: NDArray[np.float32]) -> list[RawDetections]:
        """Detect in pictures of one size, float32 [B, 3, H, W], together where the network can."""
        each = getattr(self._network, "each", None)
        if each is None:
            return [self.run(image[np.newaxis]) for image in images]
        return self._answers(each, images)

    def _answers(self, network: Callable[[Tensor], Any], images: NDArray[np.float32]) -> list[RawDetections]:
        # TF32 would round inputs to 10 bits on GPUs that have it: not the float32 that the answer names.
        # In float16 only convolutions and matrix products are: boxes, suppression and pooling stay in float32.
        half = torch.autocast("cuda", torch.float16) if self.precision == "f16" else nullcontext()
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False), half:
            answer = network(torch.from_numpy(images).to(self.device))
        answers: list[tuple[Tensor, ...]] = answer if isinstance(answer, list) else [answer]
        # Only the labels are whole numbers, and they are made so again.
        names = getattr(self._network, "outputs", OUTPUTS)
        return [
            read_own(dict(zip(names, (tensor.float().cpu().numpy() for tensor in each), strict=True)))
            for each in answers
        ]
