"""Detectron2 models without Detectron2: the same answers as its own, and a plain no to what would change them."""

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from flask import Flask
from numpy.typing import NDArray
from PIL import Image

torch = pytest.importorskip("torch", reason="needs the train extra")

from fakes import block_pack  # noqa: E402
from labelled import SHARED, shared_dataset  # noqa: E402
from planimeter.commands import main  # noqa: E402
from planimeter.errors import ImportRefused  # noqa: E402
from planimeter.importing.detectron2 import Detectron2Model, known_names  # noqa: E402
from planimeter.importing.detectron2_checkpoint import read_weights  # noqa: E402
from planimeter.importing.detectron2_config import read_config  # noqa: E402
from planimeter.importing.plan import ImportPlan, name_classes  # noqa: E402
from planimeter.importing.tensors import fit_weights  # noqa: E402
from planimeter.masks.rle import rle_decode  # noqa: E402
from planimeter.measurement import Rle  # noqa: E402
from planimeter.measuring.segmenter import Segmenter  # noqa: E402
from planimeter.networks.detectron2.network import Detectron2Network  # noqa: E402
from planimeter.packs.manifest import Manifest, Preprocessing  # noqa: E402
from planimeter.packs.pack import Pack, read_pack  # noqa: E402
from planimeter.pictures.preprocessing import network_size  # noqa: E402
from planimeter.runtimes import RawDetections  # noqa: E402
from planimeter.runtimes.openvino import OpenVinoRuntime  # noqa: E402
from planimeter.runtimes.torch import TorchRuntime  # noqa: E402
from planimeter.service.api.answers.models import model_answer  # noqa: E402

pytestmark = pytest.mark.training

FIXTURE = SHARED.parent / "fixtures" / "detectron2"
FEW = ("1d02c4b5921e916b.png", "8f6e49e474ebb649.png", "9facc652efe19f63.png", "a486f6ed4b8781e7.png")
"""Not square, crowded, scaled down, and scaled down without its sides becoming multiples of 32."""

SMALL: dict[str, Any] = {
    "_BASE_": "Base-RCNN-FPN.yaml",
    "MODEL": {
        "MASK_ON": True,
        "RESNETS": {"WIDTH_PER_GROUP": 8, "STEM_OUT_CHANNELS": 8, "RES2_OUT_CHANNELS": 16},
        "FPN": {"OUT_CHANNELS": 16},
        "ANCHOR_GENERATOR": {"SIZES": [[16], [24], [32], [48], [64]]},
        "RPN": {"PRE_NMS_TOPK_TEST": 60, "POST_NMS_TOPK_TEST": 60},
        "ROI_HEADS": {"NUM_CLASSES": 3, "SCORE_THRESH_TEST": 0.05},
        "ROI_BOX_HEAD": {"FC_DIM": 32},
        "ROI_MASK_HEAD": {"CONV_DIM": 16, "NUM_CONV": 2},
    },
    "INPUT": {"MIN_SIZE_TEST": 96, "MAX_SIZE_TEST": 160},
    "VERSION": 2,
}


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def changed(keys: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy of `keys` with one key, named as "A.B.C", changed."""
    first, _, rest = path.partition(".")
    return {**keys, first: changed(keys.get(first, {}), rest, value) if rest else value}


def write_config(folder: Path, keys: dict[str, Any], name: str = "config.yaml") -> Path:
    path = folder / name
    path.write_text(yaml.safe_dump(keys), "utf-8")
    return path


SPREAD = {
    "objectness_logits": 2.0,
    "anchor_deltas": 0.3,
    "cls_score": 2.0,
    "bbox_pred": 1.0,
    "predictor": 2.0,
}
"""The standard deviation that the outputs of random heads are given, so that they find something."""


def small_network(path: Path, seed: int = 0) -> Detectron2Network:
    """Return the network of a configuration with random weights, whose heads find something in `noise`."""
    config = read_config(path)
    torch.manual_seed(seed)
    network = Detectron2Network(config.architecture, config.classes).eval()
    for name, tensor in network.state_dict().items():
        if tensor.dim() > 1:
            torch.nn.init.normal_(tensor, std=1 / np.sqrt(tensor[0].numel()))
        elif name.endswith("running_var"):
            torch.nn.init.uniform_(tensor, 0.5, 1.5)
    for name, module in network.named_modules():
        if name.rpartition(".")[2] in SPREAD:
            module.register_forward_hook(_spread_once(SPREAD[name.rpartition(".")[2]]))
    with torch.inference_mode():
        network(torch.from_numpy(noise(96, 128).transpose(2, 0, 1)[None].astype(np.float32) - 110))
    for module in network.modules():
        module._forward_hooks.clear()
    return network


def _spread_once(wanted: float) -> Any:
    """Return a hook that scales a layer's weights so that its outputs spread as much as `wanted`."""

    def scale(layer: Any, _: Any, output: Any) -> Any:
        factor = wanted / output.std()
        for tensor in layer.parameters():
            tensor.data.mul_(factor)
        return output * factor

    return scale


def save_weights(folder: Path, network: Detectron2Network) -> Path:
    path = folder / "model_final.pth"
    torch.save({"model": network.state_dict(), "iteration": 7}, path)
    return path


def imported(folder: Path, config: Path, weights: Path, **plan: Any) -> Pack:
    model = Detectron2Model.read(config, weights)
    return model.write(ImportPlan(name="theirs", packs_folder=folder / "packs", **plan))


def noise(height: int, width: int) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(3).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


# ── What Detectron2 answered ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def fixture_pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    if not FIXTURE.is_dir():
        if "shared" in os.environ.get("PLANIMETER_TEST_REQUIRE", ""):
            pytest.fail(f"{FIXTURE} is missing, and PLANIMETER_TEST_REQUIRE says that it must be there")
        pytest.skip("the Detectron2 fixture is not on this machine")
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("imported")
    return imported(folder, FIXTURE / "config.yaml", FIXTURE / "model_final.pth", classes="nucleus")


def assert_answers_as_detectron2(segmenter: Segmenter, names: tuple[str, ...] | None) -> None:
    """Compare with Detectron2's own answers: boxes within 0.05 px, masks IoU >= 0.99, percent within 0.02."""
    pictures = shared_dataset("nuclei") / "images"
    expected = json.loads((FIXTURE / "expected.json").read_text("utf-8"))["results"]
    for entry in expected:
        if names is not None and entry["file_name"] not in names:
            continue
        measured = segmenter.measure(pictures / entry["file_name"])
        assert len(measured.instances) == len(entry["instances"])
        assert measured.coverage.percent_masked == pytest.approx(entry["percent_masked"], abs=0.02)
        for theirs in entry["instances"]:
            x0, y0, x1, y1 = theirs["box_xyxy"]
            wanted = np.array([x0, y0, x1 - x0, y1 - y0])
            ours = min(measured.instances, key=lambda one: float(np.abs(one.bbox - wanted).max()))
            assert ours.bbox == pytest.approx(wanted, abs=0.05)
            assert ours.score == pytest.approx(theirs["score"], abs=1e-4)
            assert isinstance(ours.mask, Rle)
            mine, wanted_mask = rle_decode(ours.mask), rle_decode(Rle(**theirs["mask"]))
            assert (mine & wanted_mask).sum() >= 0.99 * (mine | wanted_mask).sum(), entry["file_name"]


def test_fixture_answers_as_detectron2_does_in_torch(fixture_pack: Pack) -> None:
    assert_answers_as_detectron2(
        Segmenter(fixture_pack, TorchRuntime.from_pack(fixture_pack, "cpu")), FEW[:3]
    )


def test_fixture_answers_as_detectron2_does_in_openvino(fixture_pack: Pack) -> None:
    runtime = OpenVinoRuntime(fixture_pack.file(fixture_pack.manifest.onnx))
    assert_answers_as_detectron2(Segmenter(fixture_pack, runtime), FEW)


@pytest.mark.slow
def test_every_picture_of_the_fixture_is_answered_as_detectron2_does(fixture_pack: Pack) -> None:
    runtime = OpenVinoRuntime(fixture_pack.file(fixture_pack.manifest.onnx))
    assert_answers_as_detectron2(Segmenter(fixture_pack, runtime), None)


# ── The variety of Detectron2's networks ──────────────────────────────────────────────────────────────────────

VARIETY: dict[str, list[tuple[str, Any]]] = {
    "plain": [],
    "basic blocks of depth 18": [("MODEL.RESNETS.DEPTH", 18), ("MODEL.RESNETS.RES2_OUT_CHANNELS", 64)],
    "stride in the 3x3 convolution, RGB": [
        ("MODEL.RESNETS.STRIDE_IN_1X1", False),
        ("INPUT.FORMAT", "RGB"),
        ("MODEL.PIXEL_STD", [57.4, 57.1, 58.4]),
    ],
    "groups, depth 101": [
        ("MODEL.RESNETS.DEPTH", 101),
        ("MODEL.RESNETS.NUM_GROUPS", 4),
        ("MODEL.RESNETS.WIDTH_PER_GROUP", 2),
    ],
    "agnostic heads, group norm, several layers": [
        ("MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG", True),
        ("MODEL.ROI_MASK_HEAD.CLS_AGNOSTIC_MASK", True),
        ("MODEL.ROI_BOX_HEAD.NUM_CONV", 2),
        ("MODEL.ROI_BOX_HEAD.CONV_DIM", 32),
        ("MODEL.ROI_BOX_HEAD.NORM", "GN"),
        ("MODEL.ROI_BOX_HEAD.NUM_FC", 1),
        ("MODEL.RPN.CONV_DIMS", [-1, 24]),
        ("MODEL.FPN.FUSE_TYPE", "avg"),
        ("MODEL.FPN.NORM", "BN"),
        ("MODEL.ANCHOR_GENERATOR.OFFSET", 0.5),
    ],
    "RoIAlign of old with two samples, scores by sigmoid, smallest proposals": [
        ("MODEL.ROI_BOX_HEAD.POOLER_TYPE", "ROIAlign"),
        ("MODEL.ROI_BOX_HEAD.POOLER_SAMPLING_RATIO", 2),
        ("MODEL.ROI_BOX_HEAD.USE_SIGMOID_CE", True),
        ("MODEL.PROPOSAL_GENERATOR.MIN_SIZE", 8),
        ("MODEL.ROI_MASK_HEAD.POOLER_RESOLUTION", 7),
    ],
    "cascade": [
        ("MODEL.ROI_HEADS.NAME", "CascadeROIHeads"),
        ("MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG", True),
    ],
    "C4": [
        ("_BASE_", "Base-RCNN-C4.yaml"),
        ("MODEL.ANCHOR_GENERATOR.SIZES", [[16, 32, 64]]),
        ("MODEL.ROI_MASK_HEAD.NUM_CONV", 0),
    ],
    "dilated C5": [("_BASE_", "Base-RCNN-DilatedC5.yaml"), ("MODEL.ANCHOR_GENERATOR.SIZES", [[16, 32, 64]])],
}


HEAVY = {"groups, depth 101"}


@pytest.mark.parametrize(
    "variety", [pytest.param(name, marks=pytest.mark.slow if name in HEAVY else ()) for name in VARIETY]
)
def test_each_variety_answers_the_same_from_onnx_as_in_torch(tmp_path: Path, variety: str) -> None:
    keys = SMALL
    for path, value in VARIETY[variety]:
        keys = changed(keys, path, value)
    config = write_config(tmp_path, keys)
    network = small_network(config)

    pack = read_pack(imported(tmp_path, config, save_weights(tmp_path, network)).folder)

    assert pack.manifest.thresholds.mask_edge == "fade"
    assert pack.manifest.preprocessing.channels == keys["INPUT"].get("FORMAT", "BGR").lower()
    runtimes = TorchRuntime.from_pack(pack, "cpu"), OpenVinoRuntime(pack.file(pack.manifest.onnx))
    for height, width in ((96, 128), (72, 72)):
        image = noise(height, width).transpose(2, 0, 1)[None].astype(np.float32) - 110
        assert_same(*(runtime.run(image) for runtime in runtimes))


def assert_same(one: RawDetections, other: RawDetections) -> None:
    """Scores may tie within rounding, so each detection is looked for among the others'."""
    assert len(one.scores) == len(other.scores) > 0
    assert isinstance(one.masks, np.ndarray)
    assert isinstance(other.masks, np.ndarray)
    for box, label, score, mask in zip(one.boxes, one.labels, one.scores, one.masks, strict=True):
        distance = np.abs(other.boxes - box).max(axis=1) + 100 * (other.labels != label)
        nearest = int(distance.argmin())
        assert distance[nearest] < 0.05
        assert other.scores[nearest] == pytest.approx(score, abs=1e-4)
        assert np.abs(other.masks[nearest] - mask).max() < 1e-3


def test_a_detection_ends_where_the_picture_does_not_where_its_padding_does(tmp_path: Path) -> None:
    network = small_network(write_config(tmp_path, SMALL))
    image = torch.from_numpy(noise(72, 104).transpose(2, 0, 1)[None].astype(np.float32) - 110)
    with torch.inference_mode():
        boxes = network(image)[0][1:]
    assert float(boxes[:, 2].max()) == 104
    assert float(boxes[:, 3].max()) == 72


def test_a_picture_in_which_nothing_is_found_is_answered_by_the_sentinel_alone(tmp_path: Path) -> None:
    config = write_config(tmp_path, changed(SMALL, "MODEL.ROI_HEADS.SCORE_THRESH_TEST", 1.0))
    pack = imported(tmp_path, config, save_weights(tmp_path, small_network(config)))
    image = np.zeros((1, 3, 64, 64), np.float32)
    for runtime in (TorchRuntime.from_pack(pack, "cpu"), OpenVinoRuntime(pack.file(pack.manifest.onnx))):
        assert runtime.run(image).boxes.shape == (0, 4)


# ── Configurations ────────────────────────────────────────────────────────────────────────────────────────────


def test_bases_are_read_from_the_folder_of_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "bases").mkdir()
    write_config(tmp_path / "bases", {**SMALL, "TEST": {"DETECTIONS_PER_IMAGE": 30}}, "first.yaml")
    second = {"_BASE_": "first.yaml", "MODEL": {"ROI_HEADS": {"NUM_CLASSES": 5}}, "INPUT": {"FORMAT": "RGB"}}
    write_config(tmp_path / "bases", second, "second.yaml")
    top = {"_BASE_": "bases/second.yaml", "MODEL": {"ROI_HEADS": {"NMS_THRESH_TEST": 0.3}}}

    config = read_config(write_config(tmp_path, top))

    assert config.classes == 5
    assert config.architecture.nms_iou == 0.3
    assert config.architecture.detections == 30
    assert config.preprocessing.channels == "rgb"
    assert config.architecture.proposals.per_level == 60


def test_bases_that_name_each_other_are_refused(tmp_path: Path) -> None:
    write_config(tmp_path, {"_BASE_": "b.yaml"}, "a.yaml")
    write_config(tmp_path, {"_BASE_": "a.yaml"}, "b.yaml")
    with pytest.raises(ImportRefused, match=r"a\.yaml -> b\.yaml -> a\.yaml"):
        read_config(tmp_path / "a.yaml")


def test_a_base_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match=r"nowhere\.yaml cannot be read"):
        read_config(write_config(tmp_path, {"_BASE_": "nowhere.yaml"}))


def test_a_zoo_configuration_has_the_zoo_s_values(tmp_path: Path) -> None:
    zoo = """
    _BASE_: "../Base-RCNN-FPN.yaml"
    MODEL:
      WEIGHTS: "detectron2://ImageNetPretrained/MSRA/R-50.pkl"
      MASK_ON: True
      RESNETS:
        DEPTH: 50
    SOLVER:
      STEPS: (210000, 250000)
      MAX_ITER: 270000
    """
    path = tmp_path / "mask_rcnn_R_50_FPN_3x.yaml"
    path.write_text(zoo, "utf-8")
    config = read_config(path)
    architecture = config.architecture
    assert (config.classes, config.preprocessing.shortest_edge, config.preprocessing.longest_edge) == (
        80,
        800,
        1333,
    )
    assert config.preprocessing.mean == (103.53, 116.28, 123.675)
    assert architecture.proposals.anchors.sizes == ((32,), (64,), (128,), (256,), (512,))
    assert (architecture.proposals.per_level, architecture.proposals.kept) == (1000, 1000)
    assert (architecture.box.pooling.size, architecture.mask.convolutions, architecture.detections) == (
        7,
        4,
        100,
    )


def test_tuples_written_as_text_or_with_a_tag_are_read_as_yacs_does(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    text = yaml.safe_dump(changed(SMALL, "MODEL.ROI_BOX_HEAD.BBOX_REG_WEIGHTS", "(20., 20., 10., 10.)"))
    path.write_text(text + "TEST:\n  EXPECTED_RESULTS: !!python/tuple [1, 2]\n", "utf-8")
    assert read_config(path).architecture.box.box_weights == ((20.0, 20.0, 10.0, 10.0),)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("MODEL.META_ARCHITECTURE", "PanopticFPN", "supported: 'GeneralizedRCNN'"),
        ("MODEL.MASK_ON", False, "finds boxes, not masks"),
        ("MODEL.KEYPOINT_ON", True, "supported: False"),
        ("MODEL.LOAD_PROPOSALS", True, "supported: False"),
        ("MODEL.BACKBONE.NAME", "build_vit_backbone", "build_resnet_fpn_backbone"),
        ("MODEL.RESNETS.DEPTH", 26, "supported: 18, 34, 50, 101 or 152"),
        ("MODEL.RESNETS.NORM", "LN", "'FrozenBN'"),
        ("MODEL.RESNETS.DEFORM_ON_PER_STAGE", [False, True, True, True], "supported: False"),
        ("MODEL.RESNETS.RES5_DILATION", 2, "must be 1"),
        ("MODEL.FPN.IN_FEATURES", ["res3", "res5"], "the same as MODEL.RESNETS.OUT_FEATURES"),
        ("MODEL.PROPOSAL_GENERATOR.NAME", "RRPN", "supported: 'RPN'"),
        ("MODEL.ANCHOR_GENERATOR.NAME", "RotatedAnchorGenerator", "supported: 'DefaultAnchorGenerator'"),
        ("MODEL.ANCHOR_GENERATOR.SIZES", [[8], [16]], "has 2 lists"),
        ("MODEL.RPN.HEAD_NAME", "MyHead", "supported: 'StandardRPNHead'"),
        ("MODEL.RPN.IN_FEATURES", ["p2", "p9"], "p2, p3, p4, p5, p6"),
        ("MODEL.ROI_HEADS.NAME", "PointRendROIHeads", "'CascadeROIHeads'"),
        ("MODEL.ROI_BOX_HEAD.POOLER_TYPE", "ROIPool", "supported: 'ROIAlign' or 'ROIAlignV2'"),
        ("MODEL.ROI_MASK_HEAD.NAME", "PointRendMaskHead", "supported: 'MaskRCNNConvUpsampleHead'"),
        ("MODEL.PIXEL_MEAN", [0.5], "PIXEL_MEAN"),
        ("MODEL.POINT_HEAD", {"NUM_CLASSES": 3}, "is not a key of Detectron2 0.6"),
        ("MODEL.ROI_HEADS.NMS_TYPE", "soft", "is not a key of Detectron2 0.6"),
        ("INPUT.FORMAT", "YUV-BT.601", "supported: 'BGR' or 'RGB'"),
        ("VERSION", 1, "supported: 2"),
    ],
)
def test_what_would_change_an_answer_is_refused_by_its_name(
    tmp_path: Path, key: str, value: Any, message: str
) -> None:
    with pytest.raises(ImportRefused) as refusal:
        read_config(write_config(tmp_path, changed(SMALL, key, value)))
    assert key.rpartition(".")[2] in str(refusal.value)
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch {witness}']",
        "- a\n- b",
        "MODEL: [",
        "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, "
        "*b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c]\ne: [*d, *d, *d, *d, *d, *d, *d, *d]",
    ],
)
def test_a_hostile_configuration_is_refused_and_nothing_is_executed(tmp_path: Path, text: str) -> None:
    path, witness = tmp_path / "config.yaml", tmp_path / "witness"
    path.write_text(text.format(witness=witness), "utf-8")
    with pytest.raises(ImportRefused):
        read_config(path)
    assert not witness.exists()


@pytest.mark.parametrize(("height", "width"), [(480, 640), (511, 701), (1000, 333), (97, 97), (2, 1999)])
def test_sides_are_scaled_by_detectron2_s_rule(height: int, width: int) -> None:
    rule = Preprocessing(shortest_edge=800, longest_edge=1333, rounding="half-up")
    scale = 800 / min(height, width)
    rows, columns = (800, scale * width) if height < width else (scale * height, 800)
    if max(rows, columns) > 1333:
        rows, columns = rows * (1333 / max(rows, columns)), columns * (1333 / max(rows, columns))
    assert network_size(height, width, rule) == (max(1, int(rows + 0.5)), max(1, int(columns + 0.5)))


# ── Checkpoints ───────────────────────────────────────────────────────────────────────────────────────────────


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.witness}",)


def test_a_pickle_of_the_zoo_holds_arrays_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "model_final.pkl"
    weights = {
        "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
        "pixel_mean": np.ones(3),
        "b.norm.num_batches_tracked": np.array(3),
    }
    for protocol in (2, 4):
        path.write_bytes(pickle.dumps({"model": weights, "__author__": "Zoo", "n": np.float32(2)}, protocol))
        found = read_weights(path)
        assert list(found) == ["a.weight"]
        assert found["a.weight"].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("name", ["model.pkl", "model.pth"])
def test_a_hostile_pickle_is_refused_and_nothing_is_executed(tmp_path: Path, name: str) -> None:
    witness, path = tmp_path / "witness", tmp_path / name
    path.write_bytes(pickle.dumps({"model": {"a": Hostile(witness)}}))
    with pytest.raises(ImportRefused, match=r"nothing in it was executed: it asks for posix\.system"):
        read_weights(path)
    assert not witness.exists()


def test_a_hostile_pytorch_file_is_refused_and_nothing_is_executed(tmp_path: Path) -> None:
    witness, path = tmp_path / "witness", tmp_path / "model.pth"
    torch.save({"model": {"a": Hostile(witness)}}, path)
    with pytest.raises(ImportRefused, match="more than weights, which is never executed"):
        read_weights(path)
    assert not witness.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I1000000000000\ntS'd'\ntR.",
        b"cnumpy\ndtype\n(S'O'\ntR.",
        b"cnumpy\nndarray\n((I1000000000000\nttR.",
        b"\x80\x02}q\x00.",
        b"",
        b"GIF89a",
        b"PK\x03\x04 but no archive",
    ],
)
def test_a_file_that_is_not_what_it_claims_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(content)
    config = write_config(tmp_path, SMALL)
    with pytest.raises(ImportRefused):
        Detectron2Model.read(config, path)


def test_arrays_of_objects_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"model": {"a": np.array([{}, "x"], dtype=object)}}))
    with pytest.raises(ImportRefused, match="not numbers"):
        read_weights(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"blobs": {"conv1_w": np.zeros(3)}}, "Caffe2 blobs"),
        ({"model": {}, "matching_heuristics": True}, "a backbone to start a training from"),
        ({"model": [1, 2]}, "not a state dict"),
        ({"model": {"a": "text"}}, "a is a str, not a tensor"),
        ({"model": {"a": np.array([np.nan])}}, "a has values that are not finite"),
    ],
)
def test_other_kinds_of_checkpoints_are_told_apart(tmp_path: Path, content: Any, message: str) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(ImportRefused, match=message):
        read_weights(path)


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    network = small_network(write_config(tmp_path, SMALL))
    state = network.state_dict()
    state["roi_heads.extra"] = torch.zeros(2)
    del state["roi_heads.box_head.fc1.bias"]
    state["roi_heads.box_predictor.cls_score.weight"] = torch.zeros(2, 32)
    with pytest.raises(ImportRefused) as refusal:
        fit_weights(network, state, "the network")
    assert "missing: roi_heads.box_head.fc1.bias" in str(refusal.value)
    assert "left over: roi_heads.extra" in str(refusal.value)
    assert "roi_heads.box_predictor.cls_score.weight (is 2 x 32, should be 4 x 32)" in str(refusal.value)


def test_weights_of_parallel_training_are_read(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save({"model": {"module.a": torch.ones(2)}}, path)
    assert list(read_weights(path)) == ["a"]


# ── The pack ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_classes_are_named_by_the_user_by_the_data_set_or_by_number(tmp_path: Path) -> None:
    def names(classes: str, count: int = 3, known: list[str] | None = None) -> list[str]:
        return [entry.name for entry in name_classes(ImportPlan(classes=classes), count, known)]

    assert names("scratch, dent,rust") == ["scratch", "dent", "rust"]
    assert names("") == ["class 1", "class 2", "class 3"]
    with pytest.raises(ImportRefused, match=r"names 2 classes .* but the network tells 3 apart"):
        names("scratch, dent")
    with pytest.raises(ImportRefused, match="a name of its own"):
        names("dent, dent, rust")
    keys = changed(SMALL, "MODEL.ROI_HEADS.NUM_CLASSES", 80) | {"DATASETS": {"TEST": ["coco_2017_val"]}}
    coco = known_names(read_config(write_config(tmp_path, keys)))
    assert coco is not None
    assert (coco[0], coco[2], coco[-1], len(coco)) == ("person", "car", "toothbrush", 80)
    assert names("", 80, coco) == coco
    assert known_names(read_config(write_config(tmp_path, SMALL))) is None


def test_the_command_says_what_it_read_and_measures_a_picture(tmp_path: Path) -> None:
    config = write_config(tmp_path, SMALL)
    weights = save_weights(tmp_path, small_network(config))
    picture = tmp_path / "noise.png"
    Image.fromarray(noise(96, 128)).save(picture)
    given = ["--config", str(config), "--weights", str(weights), "--packs-folder", str(tmp_path / "packs")]
    command = ["models", "import", "detectron2", "--name", "theirs", "--classes", "a,b,c", *given]

    done = CliRunner().invoke(main, [*command, "--picture", str(picture)], catch_exceptions=False)

    assert done.exit_code == 0, done.output
    assert "ResNet-50 with a feature pyramid; norm FrozenBN, stride in the 1x1 convolution" in done.output
    assert "shorter side 96 px, longer side at most 160 px" in done.output
    assert "BGR, (103.53, 116.28, 123.675) taken off, divided by (1, 1, 1)" in done.output
    assert "sides 16, 24, 32, 48, 64; heights over widths 0.5, 1, 2" in done.output
    assert "3: a, b, c" in done.output
    assert "proof  noise.png: " in done.output
    card = read_pack(tmp_path / "packs" / "theirs").card
    assert "Trained on:** not stated; licence: not stated" in card

    write_config(tmp_path, changed(SMALL, "MODEL.ROI_HEADS.NAME", "PointRendROIHeads"))
    refused = CliRunner().invoke(main, [*command, "--replace"])
    assert refused.exit_code == 1
    assert "MODEL.ROI_HEADS.NAME is 'PointRendROIHeads'; supported: 'Res5ROIHeads'" in refused.output
    assert "Traceback" not in refused.output


def test_a_failed_import_leaves_nothing_behind_and_an_older_pack_alone(tmp_path: Path) -> None:
    config = write_config(tmp_path, SMALL)
    weights = save_weights(tmp_path, small_network(config))
    before = imported(tmp_path, config, weights)
    with pytest.raises(ImportRefused):
        imported(tmp_path, config, weights, classes="one")
    assert {path.name for path in (tmp_path / "packs").iterdir()} == {"theirs", ".lock"}
    assert read_pack(before.folder).manifest == before.manifest


def test_the_service_tells_of_an_imported_model_what_it_is(tmp_path: Path, app: Flask) -> None:
    config = read_config(write_config(tmp_path, SMALL))
    manifest = block_pack("theirs").manifest.model_copy(update={"architecture": config.architecture})
    with app.test_request_context():
        answer = model_answer(Pack(tmp_path, manifest), "nuclei", None).model_dump(mode="json")
    assert answer["architecture"]["family"] == "detectron2"
    assert Manifest.model_validate_json(manifest.model_dump_json(exclude_none=True)) == manifest
