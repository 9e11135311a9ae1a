"""Build a YOLO11n-seg from its own description, without weights of anybody's, and export it to ONNX.

    python make_yolo.py FOLDER PICTURE

It has learnt nothing. So that it finds something all the same, the score of its first class is raised until some
hundred places of PICTURE pass 0.25, the usual threshold, which suppression makes fewer. Writes yolo.pt and yolo.onnx.
"""

import sys
from pathlib import Path

import cv2
import torch
from ultralytics import YOLO

SIDE, PLACES, THRESHOLD = 640, 100, 0.25


def main() -> None:
    """Write both files."""
    folder, source = Path(sys.argv[1]), Path(sys.argv[2])
    torch.manual_seed(1)
    model = YOLO("yolo11n-seg.yaml", task="segment")
    picture = cv2.resize(cv2.imread(str(source), cv2.IMREAD_COLOR), (SIDE, SIDE))
    image = torch.from_numpy(picture[:, :, ::-1].copy()).permute(2, 0, 1)[None].float() / 255
    network = model.model.float().eval()
    with torch.no_grad():
        (answered, _), _ = network(image)
        least = answered[0, 4].logit().topk(PLACES).values[-1] - torch.tensor(THRESHOLD).logit()
        for branch in network.model[-1].cv3:
            branch[-1].bias[0] -= least
    model.save(folder / "yolo.pt")
    YOLO(folder / "yolo.pt").export(format="onnx", imgsz=SIDE, simplify=False, opset=17)


if __name__ == "__main__":
    main()
