"""torchvision's Mask R-CNN as a pack: compared with torchvision's own forward, from pixels to detections."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

torch = pytest.importorskip("torch", reason="needs the train extra")

from torchvision.models import detection  # noqa: E402
from torchvision.models.detection.roi_heads import paste_masks_in_image  # noqa: E402

from planimeter.commands import main  # noqa: E402
from planimeter.errors import ImportRefused  # noqa: E402
from planimeter.importing.coco_classes import COCO_BY_NUMBER  # noqa: E402
from planimeter.importing.plan import ImportPlan  # noqa: E402
from planimeter.importing.torchvision import TorchvisionModel  # noqa: E402
from planimeter.importing.torchvision_settings import Settings  # noqa: E402
from planimeter.masks.paste import paste  # noqa: E402
from planimeter.packs.manifest import Preprocessing  # noqa: E402
from planimeter.packs.pack import Pack  # noqa: E402
from planimeter.pictures.preprocessing import preprocess  # noqa: E402
from planimeter.runtimes.openvino import OpenVinoRuntime  # noqa: E402
from planimeter.runtimes.torch import TorchRuntime  # noqa: E402

pytestmark = pytest.mark.training

SPREAD = {"cls_logits": 2.0, "bbox_pred": 0.5, "cls_score": 3.0, "mask_fcn_logits": 2.0}
"""The standard deviation that the outputs of random heads are given, so that they find something."""
SIZES: dict[str, Any] = {
    "min_size": 96,
    "max_size": 128,
    "box_score_thresh": 0.3,
    "box_detections_per_img": 300,
}
SETTINGS = Settings(**SIZES)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def noise(height: int, width: int) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(3).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def as_input(pixels: NDArray[np.uint8]) -> Any:
    return torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32) / 255)


def theirs(name: str, outputs: int) -> Any:
    """Return torchvision's network with random weights that find something in `noise`."""
    torch.manual_seed(0)
    build = getattr(detection, name)
    network = build(weights=None, weights_backbone=None, num_classes=outputs, **SIZES).eval()

    def scale_by(wanted: float) -> Any:
        def scale(layer: Any, _: Any, output: Any) -> Any:
            factor = wanted / output.std()
            for tensor in layer.parameters():
                tensor.data.mul_(factor)
            layer._forward_hooks.clear()  # the proposal head runs once a level
            return output * factor

        return scale

    for layer, module in network.named_modules():
        if layer.rpartition(".")[2] in SPREAD:
            module.register_forward_hook(scale_by(SPREAD[layer.rpartition(".")[2]]))
    with torch.inference_mode():
        network([as_input(noise(80, 104))])
    return network


def imported(tmp_path: Path, network: Any) -> TorchvisionModel:
    path = tmp_path / "weights.pth"
    torch.save({"model": network.state_dict(), "epoch": 3}, path)
    return TorchvisionModel.read(path, SETTINGS)


def assert_same(
    boxes: NDArray[Any], labels: NDArray[Any], scores: NDArray[Any], expected: dict[str, NDArray[Any]]
) -> None:
    """Same detections: boxes within 0.05 px, scores within 0.0001."""
    assert len(scores) == len(expected["scores"]) > 0
    for box, label, score in zip(boxes, labels, scores, strict=True):
        distance = np.abs(expected["boxes"] - box).max(axis=1) + 1000 * (expected["labels"] != label)
        nearest = int(distance.argmin())
        assert distance[nearest] < 0.05
        assert expected["scores"][nearest] == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "outputs"), [("maskrcnn_resnet50_fpn", 91), ("maskrcnn_resnet50_fpn_v2", 4)]
)
def test_an_imported_network_detects_what_torchvision_does(tmp_path: Path, name: str, outputs: int) -> None:
    network = theirs(name, outputs)
    model = imported(tmp_path, network)
    pixels = noise(80, 104)
    with torch.inference_mode():
        expected = {key: value.numpy() for key, value in network([as_input(pixels)])[0].items()}
        preprocessing = Preprocessing(**model_preprocessing())
        image, placement = preprocess(pixels, preprocessing)
        boxes, labels, scores, masks = (
            tensor.numpy()[1:] for tensor in model.network(torch.from_numpy(image))
        )
    assert model.architecture.model == name
    kept = np.array(model.architecture.kept)
    known = np.isin(expected["labels"], kept)  # random weights also find classes that COCO does not use
    expected = {key: value[known] for key, value in expected.items()}
    assert masks.shape[1:] == (28, 28)

    assert_same(placement.in_picture(boxes), kept[labels - 1], scores, expected)
    if outputs == 91:
        assert model.names == list(COCO_BY_NUMBER.values())
        assert len(model.architecture.kept) == 80


def model_preprocessing() -> dict[str, Any]:
    """Return torchvision's transform, written down apart from the code under test."""
    return {
        "shortest_edge": 96,
        "longest_edge": 128,
        "multiple": 1,
        "rounding": "down",
        "antialias": False,
        "mean": (123.675, 116.28, 103.53),
        "std": (58.395, 57.12, 57.375),
    }


@pytest.fixture(scope="module")
def network() -> Any:
    torch.set_num_threads(1)
    return theirs("maskrcnn_resnet50_fpn", 4)


@pytest.fixture(scope="module")
def pack(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Pack:
    folder = tmp_path_factory.mktemp("imported")
    plan = ImportPlan(name="mine", classes="a,b,c", packs_folder=folder / "packs", score_threshold=0.35)
    return imported(folder, network).write(plan)


def test_a_fine_tuned_network_answers_as_torchvision_does_in_both_runtimes(network: Any, pack: Pack) -> None:
    assert [entry.name for entry in pack.manifest.classes] == ["a", "b", "c"]
    assert pack.manifest.preprocessing == Preprocessing(**model_preprocessing())
    pixels = noise(80, 104)
    image, _ = preprocess(pixels, pack.manifest.preprocessing)
    expected: dict[str, NDArray[Any]] = {}

    def keep(_: Any, __: Any, output: Any) -> None:
        expected.update({key: value.numpy() for key, value in output[0][0].items()})

    hook = network.roi_heads.register_forward_hook(keep)
    with torch.inference_mode():
        network([as_input(pixels)])
    hook.remove()
    for runtime in (TorchRuntime.from_pack(pack, "cpu"), OpenVinoRuntime(pack.file(pack.manifest.onnx))):
        raw = runtime.run(image)
        assert_same(raw.boxes, raw.labels, raw.scores, expected)
        assert isinstance(raw.masks, np.ndarray)
        for box, label, mask in zip(raw.boxes, raw.labels, raw.masks, strict=True):
            distance = np.abs(expected["boxes"] - box).max(axis=1) + 1000 * (expected["labels"] != label)
            assert np.abs(expected["masks"][int(distance.argmin()), 0] - mask).max() < 2e-3


def test_a_mask_is_pasted_as_torchvision_does_but_for_moving_its_box_to_whole_pixels() -> None:
    rows, columns = np.mgrid[:28, :28] / 13.5 - 1
    blob = (1 / (1 + np.exp(8 * (rows**2 + columns**2 - 0.9)))).astype(np.float32)
    box = (10.3, 12.7, 60.8, 50.2)
    their = paste_masks_in_image(torch.from_numpy(blob)[None, None], torch.tensor([box]), (80, 104))[
        0, 0
    ].numpy()
    mask = paste(blob, box, 80, 104, edge="fade")
    ours = np.zeros((80, 104), bool)
    ours[mask.window] = mask.pixels
    assert ((their >= 0.5) & ours).sum() / ((their >= 0.5) | ours).sum() > 0.95


def test_torchvision_s_scaling_is_that_of_its_own_transform(network: Any) -> None:
    for height, width in ((80, 104), (97, 210), (300, 120), (96, 96)):
        pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
        image, _ = preprocess(pixels, Preprocessing(**model_preprocessing()))
        images, _ = network.transform([as_input(pixels)])
        assert images.image_sizes == [image.shape[2:]]
        rows, columns = image.shape[2:]
        assert np.abs(images.tensors[:, :, :rows, :columns].numpy() - image).max() < 1e-4


def test_files_that_are_no_mask_r_cnn_of_torchvision_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"conv1.weight": torch.zeros(3)}, path)
    with pytest.raises(ImportRefused, match="is no state dict of torchvision's Mask R-CNN"):
        TorchvisionModel.read(path, SETTINGS)


def test_weights_that_do_not_fit_are_named(network: Any, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    state = dict(network.state_dict())
    del state["rpn.head.cls_logits.bias"]
    torch.save(state, path)
    with pytest.raises(ImportRefused, match=r"missing: rpn\.head\.cls_logits\.bias"):
        TorchvisionModel.read(path, SETTINGS)


def test_without_a_network_the_error_says_what_to_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    asked = ["models", "import", "torchvision", "maskrcnn_resnet50_fpn", "--packs-folder", str(tmp_path)]
    refused = CliRunner().invoke(main, asked)
    assert refused.exit_code == 1
    assert "maskrcnn_resnet50_fpn_coco" in refused.output
    assert "download it elsewhere and give --weights FILE" in refused.output


def test_the_command_needs_a_model_or_a_file() -> None:
    refused = CliRunner().invoke(main, ["models", "import", "torchvision"])
    assert refused.exit_code == 2
    assert (
        "give either MODEL (maskrcnn_resnet50_fpn or maskrcnn_resnet50_fpn_v2), or --weights FILE"
        in refused.output
    )
