"""From torchvision's Mask R-CNN, its COCO weights or somebody's fine-tuned ones, to a pack."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torchvision.models import WeightsEnum
from torchvision.models.detection import MaskRCNN_ResNet50_FPN_V2_Weights, MaskRCNN_ResNet50_FPN_Weights

from planimeter.errors import ImportRefused
from planimeter.importing.coco_classes import COCO_BY_NUMBER
from planimeter.importing.plan import ImportPlan
from planimeter.importing.tensors import as_tensors, fit_weights, read_checkpoint
from planimeter.importing.torch_networks import write_imported
from planimeter.importing.torchvision_settings import Settings
from planimeter.networks.torchvision import TorchvisionNetwork
from planimeter.packs.architectures import TorchvisionArchitecture
from planimeter.packs.manifest import Preprocessing
from planimeter.packs.pack import Pack

WEIGHTS: dict[str, WeightsEnum] = {
    "maskrcnn_resnet50_fpn": MaskRCNN_ResNet50_FPN_Weights.COCO_V1,
    "maskrcnn_resnet50_fpn_v2": MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1,
}
"""The models of `torchvision_settings.MODELS`, and where torchvision keeps their weights."""
_COCO_OUTPUTS = 91
_WRAPPERS = ("model", "model_state_dict", "state_dict")
_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class TorchvisionModel:
    """The network, weights and all, and the names of its classes where they are known."""

    architecture: TorchvisionArchitecture
    network: TorchvisionNetwork
    names: list[str] | None
    source: str
    settings: Settings

    @classmethod
    def read(cls, weights: Path, settings: Settings) -> "TorchvisionModel":
        """Read a state dict from a file; raises `ImportRefused` with what is not supported or does not fit."""
        return cls._make(_state(weights), str(weights), settings)

    @classmethod
    def fetch(cls, name: str, settings: Settings) -> "TorchvisionModel":
        """Fetch torchvision's own COCO weights, or take them from its cache."""
        weights = WEIGHTS[name]
        try:
            state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
        except (OSError, RuntimeError) as error:
            raise ImportRefused(
                f"{weights.url} cannot be fetched ({error}); download it elsewhere and give --weights FILE"
            ) from error
        return cls._make(state, weights.url, settings)

    @classmethod
    def _make(cls, state: dict[str, Tensor], source: str, settings: Settings) -> "TorchvisionModel":
        outputs = _outputs(state, source)
        # COCO's numbers have gaps: torchvision's network has an output for each, but learned 80 of them.
        is_coco = outputs == _COCO_OUTPUTS
        architecture = TorchvisionArchitecture(
            family="torchvision",
            model=_kind(state),
            outputs=outputs,
            kept=tuple(COCO_BY_NUMBER) if is_coco else tuple(range(1, outputs)),
            mask_channels=_mask_channels(state, source),
            norm_eps=_norm_eps(state) if settings.norm_eps is None else settings.norm_eps,
            detections=settings.box_detections_per_img,
            score_floor=settings.box_score_thresh,
            nms_iou=settings.box_nms_thresh,
        )
        network = TorchvisionNetwork(architecture)
        fit_weights(network, _without_counters(state, network), f"torchvision's {architecture.model}")
        return cls(
            architecture, network.eval(), list(COCO_BY_NUMBER.values()) if is_coco else None, source, settings
        )

    def write(self, plan: ImportPlan) -> Pack:
        """Write the pack and return it."""
        return write_imported(
            self.network,
            plan,
            architecture=self.architecture,
            preprocessing=Preprocessing(
                shortest_edge=self.settings.min_size,
                longest_edge=self.settings.max_size,
                multiple=1,
                rounding="down",
                antialias=False,
            ),
            classes=len(self.architecture.kept),
            known_names=self.names,
            # torchvision pads a mask with zeros before it enlarges it.
            mask_edge="fade",
            origin="torchvision",
        )

    def facts(self) -> list[tuple[str, str]]:
        """Return what was read, title and text, for a person to check."""
        shape = self.architecture
        network = f"torchvision's {shape.model}, {len(shape.kept)} classes and the background"
        return [("Network", f"{network}; eps of its norms {shape.norm_eps:g}"), ("Weights", self.source)]

    def notes(self, plan: ImportPlan) -> list[str]:
        """Return what a person should look at."""
        if plan.class_names or self.names:
            return []
        return [
            "the classes are numbered, as the file does not name them; --classes does, in training's order"
        ]


def _state(path: Path) -> dict[str, Tensor]:
    """Return the state dict in a file, also where a training script put it beside other things."""
    found: Any = read_checkpoint(path)
    for wrapper in _WRAPPERS:
        if isinstance(found.get(wrapper), dict):
            found = found[wrapper]
            break
    return as_tensors(path, found)


def _kind(state: dict[str, Tensor]) -> Any:
    """Return which of torchvision's models has such tensors: only the second version has norms in its pyramid."""
    second = any(name.startswith("backbone.fpn.inner_blocks.0.1.") for name in state)
    return "maskrcnn_resnet50_fpn_v2" if second else "maskrcnn_resnet50_fpn"


def _outputs(state: dict[str, Tensor], source: str) -> int:
    name = "roi_heads.box_predictor.cls_score.weight"
    if "roi_heads.mask_predictor.mask_fcn_logits.weight" not in state or name not in state:
        raise ImportRefused(
            f"{source} is no state dict of torchvision's Mask R-CNN ({name} or its mask predictor is missing); "
            f"supported: {', '.join(WEIGHTS)}, also fine-tuned"
        )
    if state[name].dim() != 2 or state[name].shape[0] < 2:
        raise ImportRefused(
            f"{source}: {name} has shape {tuple(state[name].shape)}; one row a class is needed"
        )
    return int(state[name].shape[0])


def _mask_channels(state: dict[str, Tensor], source: str) -> int:
    name = "roi_heads.mask_predictor.conv5_mask.weight"
    if name not in state or state[name].dim() != 4:
        raise ImportRefused(f"{source}: {name} is missing; supported is torchvision's MaskRCNNPredictor")
    return int(state[name].shape[1])


def _without_counters(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Return the tensors with the network's own counters of training steps, which frozen norms lack."""
    wanted = network.state_dict()
    kept = {name: tensor for name, tensor in state.items() if not name.endswith(_COUNTER)}
    return kept | {name: tensor for name, tensor in wanted.items() if name.endswith(_COUNTER)}


def _norm_eps(state: dict[str, Tensor]) -> float:
    """Return torchvision's own: it freezes norms, and takes 0, where it starts from its first COCO weights."""
    return 1e-5 if any(name.endswith(_COUNTER) for name in state) else 0.0
