"""Build a YOLO11n-seg from its own description, without weights of anybody's, and export it to ONNX.

    python make_yolo.py FOLDER PICTURE

It has learnt nothing. So that it answers as one that has, its normalisation is told what PICTURE is like, its boxes are
made small (four cells of their grid), its masks full, and the scores of its first class spread out and raised until
some hundred places of PICTURE pass 0.25, the usual threshold. Writes yolo.pt and yolo.onnx.
"""

import sys
from pathlib import Path

import cv2
import torch
from ultralytics import YOLO

SIDE, PLACES, THRESHOLD = 640, 100, 0.25
CELLS, CERTAIN = 2, 8.0
"""How far a box reaches from its place to each side, and what that outweighs other distances by."""
SPREAD = 1.5
"""Standard deviation of the logits of the class."""


def main() -> None:
    """Write both files."""
    folder, source = Path(sys.argv[1]), Path(sys.argv[2])
    torch.manual_seed(1)
    model = YOLO("yolo11n-seg.yaml", task="segment")
    network = model.model.float().eval()
    head = network.model[-1]
    image = read(source)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.momentum = 1.0
        network.train()(image)
        network.eval()
        (_, prototypes), _ = network(image)
        for masks in head.cv4:  # where prototypes are as usual, that is mask
            masks[-1].bias += prototypes.mean((0, 2, 3)).sign()
        for boxes in head.cv2:
            boxes[-1].bias.view(4, -1)[:, CELLS] += CERTAIN
        for classes in head.cv3:
            classes[-1].bias[0] = 0.0
        factor = SPREAD / logits(network, image).std()
        for classes in head.cv3:
            classes[-1].weight[0] *= factor
        least = logits(network, image).topk(PLACES).values[-1] - torch.tensor(THRESHOLD).logit()
        for classes in head.cv3:
            classes[-1].bias[0] -= least
    # Not by its own `save`, which halves the digits.
    torch.save(
        {"model": network, "epoch": -1, "train_args": {"imgsz": SIDE, "task": "segment"}}, folder / "yolo.pt"
    )
    YOLO(folder / "yolo.pt").export(format="onnx", imgsz=SIDE, simplify=False, opset=17)


def read(source: Path) -> torch.Tensor:
    """Return a picture as the network gets it, [1, 3, SIDE, SIDE], its sides in proportion."""
    picture = cv2.imread(str(source), cv2.IMREAD_COLOR)
    scale = SIDE / max(picture.shape[:2])
    picture = cv2.resize(picture, None, fx=scale, fy=scale)
    top, left = (SIDE - picture.shape[0]) // 2, (SIDE - picture.shape[1]) // 2
    below, right = SIDE - picture.shape[0] - top, SIDE - picture.shape[1] - left
    picture = cv2.copyMakeBorder(picture, top, below, left, right, cv2.BORDER_CONSTANT, value=(114, 114, 114))
    return torch.from_numpy(picture[:, :, ::-1].copy()).permute(2, 0, 1)[None].float() / 255


def logits(network: torch.nn.Module, image: torch.Tensor) -> torch.Tensor:
    """Return those of the first class at each place."""
    (answered, _), _ = network(image)
    return answered[0, 4].double().logit()


if __name__ == "__main__":
    main()
