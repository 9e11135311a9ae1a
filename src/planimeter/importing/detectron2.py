"""From a Detectron2 configuration and checkpoint to a pack, without Detectron2."""

from dataclasses import dataclass
from pathlib import Path

from planimeter.importing.coco_classes import COCO_BY_NUMBER
from planimeter.importing.detectron2_checkpoint import read_weights
from planimeter.importing.detectron2_config import Detectron2Config, read_config
from planimeter.importing.plan import ImportPlan
from planimeter.importing.tensors import fit_weights
from planimeter.importing.torch_networks import write_imported
from planimeter.networks.detectron2.network import Detectron2Network
from planimeter.packs.pack import Pack


@dataclass(frozen=True)
class Detectron2Model:
    """A configuration with the network that it describes, weights and all."""

    config: Detectron2Config
    network: Detectron2Network

    @classmethod
    def read(cls, config_path: Path, weights_path: Path) -> "Detectron2Model":
        """Read both files; raises `ImportRefused` with what is not supported or does not fit."""
        config = read_config(config_path)
        network = Detectron2Network(config.architecture, config.classes)
        fit_weights(network, read_weights(weights_path), f"the network that {config_path} describes")
        return cls(config, network.eval())

    def write(self, plan: ImportPlan) -> Pack:
        """Write the pack and return it."""
        config = self.config
        return write_imported(
            self.network,
            plan,
            architecture=config.architecture,
            preprocessing=config.preprocessing,
            classes=config.classes,
            known_names=known_names(config),
            # How Detectron2 itself makes pixels of probabilities.
            mask_edge="fade",
            origin="Detectron2",
        )

    def facts(self) -> list[tuple[str, str]]:
        """Return what was read, title and text, for a person to check."""
        config, architecture = self.config, self.config.architecture
        resnet, first, pooling = architecture.resnet, architecture.proposals, architecture.box.pooling
        stride = f"stride in the {'1x1' if resnet.stride_in_1x1 else '3x3'} convolution"
        sizes = ", ".join("/".join(f"{size:g}" for size in sizes) for sizes in first.anchors.sizes)
        ratios = ", ".join(f"{ratio:g}" for ratio in first.anchors.ratios[0])
        return [
            (
                "Network",
                f"Mask R-CNN, {architecture.backbone}; norm {config.norm or 'none'}, {stride}",
            ),
            ("Anchors", f"sides {sizes}; heights over widths {ratios}; offset {first.anchors.offset:g}"),
            ("Proposals", f"{first.per_level} a level, {first.kept} in all, overlap up to {first.nms_iou:g}"),
            (
                "Heads",
                f"RoIAlign{'V2' if pooling.aligned else ''} {pooling.size}x{pooling.size}, "
                f"{'one box for all classes' if architecture.box.agnostic else 'a box a class'}, "
                f"{'one mask for all classes' if architecture.mask.agnostic else 'a mask a class'}, overlap up to "
                f"{architecture.nms_iou:g}",
            ),
        ]

    def notes(self, plan: ImportPlan) -> list[str]:
        """Return what a person should look at."""
        if plan.class_names or known_names(self.config):
            return []
        return [
            "the classes are numbered, as the files do not name them; --classes does, in training's order"
        ]


def known_names(config: Detectron2Config) -> list[str] | None:
    """Return the names of COCO's classes where the configuration names that data set."""
    is_coco = any(name.startswith("coco_20") for name in config.datasets)
    return list(COCO_BY_NUMBER.values()) if is_coco and config.classes == len(COCO_BY_NUMBER) else None
