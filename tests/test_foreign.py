"""Imported networks against the libraries that they come from: their own exports, their own post-processing.

Networks have random weights, drawn so that they find something. Ultralytics and rfdetr are no dependency of anything
here. `pip install ultralytics rfdetr`, then `pytest -m foreign`; what is not installed is skipped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from planimeter.importing.onnx_pack import draw_up, write_imported
from planimeter.importing.onnx_plan import OnnxPlan
from planimeter.masks.union import union_mask
from planimeter.measuring.candidates import Candidate
from planimeter.measuring.opening import load
from planimeter.measuring.segmenter import Segmenter
from planimeter.pictures.decode import decode
from planimeter.samples import find_sample

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytestmark = [pytest.mark.foreign, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

BOX_TOLERANCE_PX, SCORE_TOLERANCE, LEAST_IOU, PERCENT_TOLERANCE = 0.05, 1e-3, 0.99, 0.02
FOUND = 20
"""Thresholds are set between two scores, so that about as many instances are compared."""


@dataclass
class Theirs:
    """What a library answers: boxes x0, y0, x1, y1; labels are class ids from 1; masks bool [N, H, W]."""

    boxes: NDArray[Any]
    labels: NDArray[Any]
    scores: NDArray[Any]
    masks: NDArray[np.bool_]


def pictures() -> list[NDArray[np.uint8]]:
    """Return pictures of the input's own size, of a narrow one, and of a larger one."""
    sample = decode(find_sample("nuclei-culture").read(), filename="sample").pixels
    large = Image.fromarray(sample[:300, :200]).resize((500, 700))
    return [sample[:256, :320].copy(), sample[:301, :137].copy(), np.asarray(large)]


def segmenter(onnx: Path, **plan: Any) -> Segmenter:
    folder = onnx.parent / "packs"
    pack, _ = write_imported(onnx, draw_up(onnx, OnnxPlan(name="foreign", packs_folder=folder, **plan)))
    return load(str(pack.folder), infer_with_cpu=True)


def compare(
    ours: Segmenter, library: Callable[[NDArray[np.uint8], float], Theirs], pixels: NDArray[np.uint8]
) -> None:
    """Check that both find the same in a picture."""
    everything = ours.segment(pixels)
    ranked = [entry.score for entry in everything]
    threshold = (ranked[FOUND] + ranked[FOUND + 1]) / 2 if len(ranked) > FOUND + 1 else 0.0
    found, theirs = (
        [entry for entry in everything if entry.score >= threshold],
        library(pixels, threshold - 1e-7),
    )
    height, width = pixels.shape[:2]
    assert len(found) == len(theirs.scores) > 0
    assert_pairs(found, theirs, height, width)
    percent = ours.measure(pixels, score_threshold=threshold).coverage.percent_masked
    assert abs(percent - 100 * theirs.masks.any(axis=0).mean()) <= PERCENT_TOLERANCE


def assert_pairs(found: list[Candidate], theirs: Theirs, height: int, width: int) -> None:
    free = np.ones(len(theirs.scores), bool)
    for entry in found:
        distances = np.abs(theirs.boxes - np.array(entry.box)).max(axis=1)
        distances = np.where(free & (theirs.labels == entry.label), distances, np.inf)
        partner = int(np.lexsort((np.abs(theirs.scores - entry.score), distances.round(2)))[0])
        free[partner] = False
        assert distances[partner] <= BOX_TOLERANCE_PX
        assert abs(theirs.scores[partner] - entry.score) <= SCORE_TOLERANCE
        mine, other = union_mask([entry.mask], height, width), theirs.masks[partner]
        assert (mine & other).sum() >= LEAST_IOU * (mine | other).sum()


# ---- Ultralytics


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("yolov8n-seg", {}),
        ("yolo11n-seg", {"nms": True}),
        ("yolo26n-seg", {"nms": False}),
        ("yolo11n-seg", {"dynamic": True, "imgsz": 256}),
    ],
)
def test_ultralytics_networks_measure_as_ultralytics_does(
    name: str, options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ultralytics = pytest.importorskip("ultralytics", reason="Ultralytics is not installed")
    monkeypatch.chdir(tmp_path)
    model = ultralytics.YOLO(f"{name}.yaml", task="segment")
    enliven(model.model)
    exported = Path(model.export(format="onnx", **{"imgsz": (256, 320), "simplify": False, **options}))
    ours = segmenter(exported.resolve())
    theirs = ultralytics.YOLO(str(exported), task="segment")
    size = ours.pack.manifest.preprocessing.size

    def predict(pixels: NDArray[np.uint8], threshold: float) -> Theirs:
        bgr = pixels[..., ::-1].copy()
        answer = theirs.predict(
            bgr, conf=threshold, retina_masks=True, imgsz=size, verbose=False, device="cpu"
        )[0]
        boxes = answer.boxes
        return Theirs(
            boxes.xyxy.numpy(),
            boxes.cls.numpy().astype(int) + 1,
            boxes.conf.numpy(),
            answer.masks.data.numpy().astype(bool),
        )

    for pixels in pictures():
        compare(ours, predict, pixels)


def enliven(network: Any) -> None:
    """Draw a random network's class heads so that scores differ, on batch statistics of a real picture."""
    torch.manual_seed(0)
    picture = torch.from_numpy(pictures()[0]).permute(2, 0, 1)[None].float() / 255
    settle(network, torch.cat([picture, torch.rand_like(picture)]))
    head = network.model[-1]
    for heads in (getattr(head, name, None) for name in ("cv3", "one2one_cv3")):
        for branch in heads or ():
            torch.nn.init.normal_(branch[-1].weight, std=0.3)
            branch[-1].bias.data.fill_(-3.0)


# ---- RF-DETR


def test_rf_detr_measures_as_rfdetr_does(tmp_path: Path) -> None:
    rfdetr = pytest.importorskip("rfdetr", reason="rfdetr is not installed")
    torch.manual_seed(0)
    model = rfdetr.RFDETRSegNano(pretrain_weights=None, num_classes=3)
    head = model.model.model.class_embed
    torch.nn.init.normal_(head.weight, std=0.08)
    head.bias.data.fill_(-1.0)
    ours = segmenter(Path(model.export(output_dir=str(tmp_path), format="onnx")), classes="a,b,c")

    def predict(pixels: NDArray[np.uint8], threshold: float) -> Theirs:
        answer = model.predict(Image.fromarray(pixels), threshold=threshold)
        return Theirs(answer.xyxy, answer.class_id + 1, answer.confidence, answer.mask)

    for pixels in pictures():
        compare(ours, predict, pixels)


# ---- torchvision


@pytest.mark.training
def test_torchvision_networks_measure_as_torchvision_does(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the onnxruntime extra is not installed")
    network = random_mask_rcnn()
    names = ["boxes", "labels", "scores", "masks"]
    dynamic = {
        "image": {1: "h", 2: "w"},
        "masks": {0: "n", 2: "mh", 3: "mw"},
        **{name: {0: "n"} for name in names[:3]},
    }
    example = torch.from_numpy(pictures()[0]).permute(2, 0, 1).float() / 255
    with torch.inference_mode():
        torch.onnx.export(
            network,
            ([example],),
            str(tmp_path / "maskrcnn.onnx"),
            dynamo=False,
            opset_version=17,
            input_names=["image"],
            output_names=names,
            dynamic_axes=dynamic,
        )
    ours = segmenter(tmp_path / "maskrcnn.onnx", classes="a,b")

    def predict(pixels: NDArray[np.uint8], threshold: float) -> Theirs:
        with torch.inference_mode():
            answer = network([torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255])[0]
        kept = answer["scores"].numpy() >= threshold
        labels, scores = answer["labels"].numpy()[kept], answer["scores"].numpy()[kept]
        return Theirs(answer["boxes"].numpy()[kept], labels, scores, answer["masks"].numpy()[kept, 0] > 0.5)

    random = np.random.default_rng(0)
    for shape in ((150, 220, 3), (300, 200, 3)):
        compare(ours, predict, random.integers(0, 256, shape, dtype=np.uint8))
    black = np.zeros((200, 260, 3), np.uint8)
    assert len(ours.segment(black)) == len(predict(black, 0.05).scores) == 0


def random_mask_rcnn() -> Any:
    """Return torchvision's Mask R-CNN with random weights, which finds something in noise."""
    detection = pytest.importorskip("torchvision.models.detection", reason="the train extra is not installed")
    torch.manual_seed(0)
    sizes = {"min_size": 200, "max_size": 320, "rpn_post_nms_top_n_test": 50, "box_detections_per_img": 10}
    network = detection.maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=3, **sizes)
    return network.eval()


def settle(network: Any, pictures: Any) -> None:
    """Give batch normalisation the statistics of some pictures: random networks would fade to a constant."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    network.train()
    with torch.no_grad():
        for _ in range(2):
            network(pictures)
    network.eval()
