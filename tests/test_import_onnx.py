"""Networks exported elsewhere become models: recognised, stated, measured as proof, or refused by name."""

import pickle
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

import planimeter
from fakes import blocks, encoded, write_block_pack
from foreign_networks import (
    DETECTRON2_SHAPES,
    ULTRALYTICS,
    Shape,
    detectron2_outputs,
    end_to_end_outputs,
    rf_detr_outputs,
    write_bright,
    write_endless,
    write_network,
    yolo_outputs,
)
from planimeter.commands import main
from planimeter.errors import ImportRefused, RuntimeUnavailable
from planimeter.importing.onnx_file import read_onnx_file
from planimeter.importing.onnx_pack import draw_up, write_imported
from planimeter.importing.onnx_plan import OnnxPlan
from planimeter.importing.trial import try_shapes
from planimeter.service.app import create_app
from planimeter.service.models import Models
from planimeter.settings import RuntimeName, Settings
from planimeter.store import Store

onnx = pytest.importorskip("onnx", reason="needs the train extra")
WIDE = np.zeros((32, 64, 3), np.uint8)
"""In a letterbox of 64 x 64 it has 16 rows of grey above and below."""
BOTH: tuple[RuntimeName, ...] = ("openvino", "onnxruntime")


def run(file: Path, *arguments: str) -> Result:
    folder = str(file.parent / "packs")
    return CliRunner().invoke(
        main, ["models", "import", "onnx", str(file), "--packs-folder", folder, *arguments]
    )


def imported(file: Path, *arguments: str) -> str:
    """Import a file as "mine"; returns what was printed."""
    picture = file.parent / "picture.png"
    picture.write_bytes(encoded(WIDE))
    result = run(file, "--name", "mine", "--picture", str(picture), *arguments)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def measured(
    file: Path, pixels: NDArray[np.uint8], runtime: RuntimeName = "openvino"
) -> planimeter.Measurement:
    segmenter = planimeter.load(
        "mine", packs_folder=file.parent / "packs", runtime=runtime, infer_with_cpu=True
    )
    return segmenter.measure(pixels)


def refused(file: Path, *arguments: str) -> str:
    """Check that a file is refused in one message and leaves nothing; returns the message."""
    result = run(file, *arguments)
    assert result.exit_code == 1, result.output
    assert result.output.startswith("Error: ")
    assert not list((file.parent / "packs").glob("*"))
    return " ".join(result.output.split())


# ---- One of each family


@pytest.mark.parametrize("runtime", BOTH)
def test_yolo_is_recognised_and_its_metadata_is_used(tmp_path: Path, runtime: RuntimeName) -> None:
    file = write_network(tmp_path / "best.onnx", yolo_outputs(), metadata=ULTRALYTICS)
    text = imported(file)
    assert "Ultralytics YOLO11n-seg model, read as yolo (predictions = output0, prototypes = output1)" in text
    assert "scaled into a letterbox of 64 x 64 px" in text
    assert "2: cat, dog" in text
    assert "secret" not in (tmp_path / "packs" / "mine" / "CARD.md").read_text()
    assert "9.77 % masked, 1 instances (1 dog)" in text
    answer = measured(file, WIDE, runtime)
    assert answer.coverage.pixels_masked == 200
    assert answer.instances[0].bbox == (22.0, 11.0, 20.0, 10.0)
    assert measured(file, np.zeros((64, 64, 3), np.uint8), runtime).coverage.pixels_masked == 200


@pytest.mark.parametrize("runtime", BOTH)
def test_an_end_to_end_head_is_recognised(tmp_path: Path, runtime: RuntimeName) -> None:
    file = write_network(tmp_path / "yolo26.onnx", end_to_end_outputs(), metadata=ULTRALYTICS)
    assert "read as yolo-end-to-end" in imported(file)
    assert measured(file, WIDE, runtime).coverage.pixels_masked == 200


@pytest.mark.parametrize("runtime", BOTH)
def test_rf_detr_is_recognised_and_its_last_column_left_out(tmp_path: Path, runtime: RuntimeName) -> None:
    file = write_network(tmp_path / "detr.onnx", rf_detr_outputs())
    text = imported(file, "--classes", "cat,dog")
    assert "RF-DETR, read as rf-detr (boxes = dets, scores = labels, masks = masks)" in text
    assert "stretched to 64 x 64 px" in text
    answer = measured(file, WIDE, runtime)
    assert answer.coverage.percent_masked == 50.0
    assert [entry.class_name for entry in answer.instances] == ["dog"]


def test_rf_detr_with_three_classes_has_two_outputs_of_four_columns_and_names_tell(tmp_path: Path) -> None:
    file = write_network(tmp_path / "detr.onnx", rf_detr_outputs(4))
    assert "boxes = dets, scores = labels" in imported(file, "--classes", "ant,bee,cow")
    assert [entry.class_name for entry in measured(file, WIDE).instances] == ["bee"]


def test_rf_detr_of_coco_needs_no_names(tmp_path: Path) -> None:
    file = write_network(tmp_path / "detr.onnx", rf_detr_outputs(91))
    assert "80: person, bicycle, car" in imported(file)
    assert [entry.class_name for entry in measured(file, WIDE).instances] == ["person"]


def test_torchvision_gets_the_picture_as_it_is(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the onnxruntime extra is not installed")
    file = write_bright(tmp_path / "maskrcnn.onnx")
    text = imported(file, "--classes", "red,green")
    assert "torchvision, read as pasted" in text
    assert "check the file does not say how pixels go in" in text
    answer = measured(file, blocks(red=(0, 0, 32, 32), green=(16, 0, 48, 32)), "auto")
    assert answer.coverage.percent_masked == 37.5
    assert [entry.area_px for entry in answer.instances] == [1024, 1024]


def test_detectron2_is_recognised_without_names(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the onnxruntime extra is not installed")
    file = write_network(
        tmp_path / "model.onnx", detectron2_outputs(), shape=(3, "h", "w"), declared=DETECTRON2_SHAPES
    )
    text = imported(file, "--classes", "cat,dog", "--shortest-edge", "64", "--longest-edge", "128")
    assert (
        "Detectron2, read as box-space (boxes = value.3, labels = 2211, scores = 2210, masks = 2305)" in text
    )
    assert "BGR" in text
    answer = measured(file, np.zeros((64, 64, 3), np.uint8), "auto")
    assert [(entry.class_name, entry.area_px) for entry in answer.instances] == [("dog", 200), ("cat", 200)]


def test_shapes_that_a_file_leaves_open_are_found_by_running_it(tmp_path: Path) -> None:
    declared: dict[str, Shape] = {"output0": ("batch", "rows", "places"), "output1": ("batch", 2, "h", "w")}
    file = write_network(
        tmp_path / "best.onnx",
        yolo_outputs(),
        shape=("batch", 3, "h", "w"),
        declared=declared,
        metadata=ULTRALYTICS,
    )
    text = imported(file)
    assert "read as yolo (" in text
    assert "scaled to fit into 64 x 64 px" in text
    assert measured(file, np.zeros((64, 64, 3), np.uint8)).coverage.pixels_masked == 200


def test_an_imported_model_is_served_like_any_other(tmp_path: Path, settings: Settings, store: Store) -> None:
    file = write_network(tmp_path / "best.onnx", yolo_outputs(), metadata=ULTRALYTICS)
    imported(file)
    client = create_app(settings, store, Models(settings)).test_client()
    answer = client.get("/api/v1/models/mine").get_json()
    assert (answer["architecture"], answer["output"]["layout"]) == (None, "yolo")
    assert "YOLO11n-seg" in client.get("/models/mine").get_data(as_text=True)
    posted = client.post("/api/v1/measurements?model=mine", data=encoded(WIDE), content_type="image/png")
    assert posted.get_json()["coverage"]["pixels_masked"] == 200


# ---- What a user may say


def test_a_family_can_be_forced_where_it_is_not_what_it_looks_like(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the onnxruntime extra is not installed")
    file = write_network(tmp_path / "small.onnx", detectron2_outputs(), declared=DETECTRON2_SHAPES)
    assert "read as pasted" in imported(file, "--classes", "cat,dog", "--layout", "pasted")


def test_pixels_go_in_as_the_options_say(tmp_path: Path) -> None:
    file = write_network(tmp_path / "best.onnx", yolo_outputs(), shape=(1, 3, "h", "w"))
    options = {"fit": "stretch", "input_size": "96x64", "channels": "bgr", "mean": "1,2,3", "std": "4,5,6"}
    plan = OnnxPlan.model_validate({**options, "resampling": "antialias", "classes": "cat,dog"})
    how = draw_up(file, plan).pack.manifest.preprocessing
    assert (how.fit, how.size, how.channels, how.antialias) == ("stretch", (96, 64), "bgr", True)
    assert (how.mean, how.std) == ((1, 2, 3), (4, 5, 6))


def test_classes_can_be_read_from_a_file_or_be_those_of_coco(tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("cat\n\n  big dog \n", "utf-8")
    file = write_network(tmp_path / "best.onnx", yolo_outputs())
    assert [entry.name for entry in draw_up(file, OnnxPlan(classes_file=names)).pack.manifest.classes] == [
        "cat",
        "big dog",
    ]
    manifest = draw_up(write_bright(tmp_path / "bright.onnx"), OnnxPlan(classes="coco")).pack.manifest
    assert manifest.output is not None
    assert manifest.output.labels is not None
    assert (len(manifest.classes), manifest.classes[-1].name, manifest.output.labels[-1]) == (
        80,
        "toothbrush",
        90,
    )


def test_without_names_classes_have_numbers(tmp_path: Path) -> None:
    file = write_network(tmp_path / "best.onnx", yolo_outputs())
    assert "2: class 1, class 2" in imported(file)


def test_an_import_does_not_overwrite_a_model_unless_told_to(tmp_path: Path) -> None:
    file = write_network(tmp_path / "best.onnx", yolo_outputs())
    imported(file)
    assert "choose another --name, or --replace it" in run(file, "--name", "mine").output
    assert "2: a, b" in imported(file, "--replace", "--classes", "a,b")


# ---- What is refused


def test_outputs_that_are_not_known_are_listed_with_what_is(tmp_path: Path) -> None:
    file = write_network(tmp_path / "boxes.onnx", {"boxes": np.zeros((1, 8, 4), np.float32)})
    message = refused(file)
    assert "boxes: float32 [1, 8, 4]" in message
    assert "Supported are yolo YOLOv8, YOLO11" in message


def test_a_network_without_masks_says_what_to_export_instead(tmp_path: Path) -> None:
    outputs = {"output0": np.zeros((1, 84, 8), np.float32)}
    file = write_network(tmp_path / "det.onnx", outputs, metadata={**ULTRALYTICS, "task": "detect"})
    assert "its task is 'detect': it finds no masks" in refused(file)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4, 3, 64, 64), "a batch of 4 pictures; export it for a batch of 1"),
        ((1, 64, 64, 3), "with the channels last"),
        ((1, 1, 64, 64), "supported are three channels"),
        ((1, 3), "supported are [1, 3, height, width]"),
    ],
)
def test_inputs_that_are_no_picture_are_refused(tmp_path: Path, shape: tuple[int, ...], message: str) -> None:
    assert message in refused(write_network(tmp_path / "best.onnx", yolo_outputs(), shape=shape))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--classes", "a,b,c"), "3 classes are named (a, b, c), but the network tells 2 apart"),
        (("--classes", "a,a"), "a name of its own"),
        (("--input-size", "32x32"), "the file fixes it to 64x64"),
        (("--fit", "edges"), "use letterbox or stretch"),
        (("--mean", "1,2"), "write three numbers"),
        (("--layout", "rf-detr"), "no rf-detr network answers so"),
        (("--picture", "nowhere.png"), "is not a file"),
    ],
)
def test_options_that_do_not_fit_the_file_are_refused(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    assert message in refused(write_network(tmp_path / "best.onnx", yolo_outputs()), *arguments)


def test_classes_must_be_named_where_outputs_do_not_show_them(tmp_path: Path) -> None:
    assert "name them with --classes a,b" in refused(write_bright(tmp_path / "maskrcnn.onnx"))


def test_our_own_export_is_sent_to_its_zip(tmp_path: Path) -> None:
    file = write_block_pack(tmp_path / "own") / "model.onnx"
    result = run(file, "--classes", "red,green")
    assert result.exit_code == 1
    assert "models export --format zip" in result.output


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\r\n\x1a\n", b"hello world", pickle.dumps({"a": 1}), b"\x08\x08"]
)
def test_a_file_that_is_not_what_it_claims_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    assert "not an ONNX file" in refused(tmp_path / "model.onnx")


def test_a_torn_file_is_refused_wherever_it_was_cut(tmp_path: Path) -> None:
    data = write_network(tmp_path / "best.onnx", yolo_outputs()).read_bytes()
    for cut in range(0, len(data) - 1, 41):
        (tmp_path / "torn.onnx").write_bytes(data[:cut])
        with pytest.raises(ImportRefused, match="not an ONNX file"):
            read_onnx_file(tmp_path / "torn.onnx")


def test_bytes_that_changed_never_do_worse_than_be_refused(tmp_path: Path) -> None:
    data = write_network(tmp_path / "best.onnx", yolo_outputs(), metadata=ULTRALYTICS).read_bytes()
    random = np.random.default_rng(1)
    for _ in range(300):
        changed = bytearray(data)
        for place in random.integers(0, len(data), 5):
            changed[place] = random.integers(0, 256)
        (tmp_path / "changed.onnx").write_bytes(changed)
        with suppress(ImportRefused):
            draw_up(tmp_path / "changed.onnx", OnnxPlan())


def test_weights_in_other_files_are_not_followed(tmp_path: Path) -> None:
    model = onnx.load(write_network(tmp_path / "best.onnx", yolo_outputs()))
    onnx.save(
        model, tmp_path / "split.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    assert "lie in another file" in refused(tmp_path / "split.onnx")


def test_metadata_is_read_as_literals_and_never_run(tmp_path: Path) -> None:
    evil = f"__import__('pathlib').Path({str(tmp_path / 'ran')!r}).touch()"
    metadata = {**ULTRALYTICS, "names": evil, "imgsz": evil}
    file = write_network(tmp_path / "best.onnx", yolo_outputs(), metadata=metadata)
    assert "2: class 1, class 2" in imported(file)
    assert not (tmp_path / "ran").exists()


def test_operators_that_no_runtime_has_are_named(tmp_path: Path) -> None:
    model = onnx.load(write_network(tmp_path / "best.onnx", yolo_outputs()))
    model.graph.node[0].op_type, model.graph.node[0].domain = "ResizeShortestEdge", "org.example"
    model.opset_import.append(onnx.helper.make_opsetid("org.example", 1))
    onnx.save(model, tmp_path / "custom.onnx")
    message = refused(tmp_path / "custom.onnx")
    assert "recognised as yolo, but cannot be run" in message
    assert "org.example.ResizeShortestEdge" in message


# ---- Networks that may answer nothing


def test_openvino_is_never_asked_where_a_network_may_answer_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime", reason="the onnxruntime extra is not installed")
    file = write_bright(tmp_path / "maskrcnn.onnx")
    imported(file, "--classes", "red,green")
    assert measured(file, WIDE, "auto").model.runtime == "onnxruntime"
    with pytest.raises(RuntimeUnavailable, match="may answer nothing at all, which OpenVINO gets wrong"):
        measured(file, WIDE, "openvino")
    monkeypatch.setattr("planimeter.runtimes.choice.find_spec", lambda _: None)
    (tmp_path / "elsewhere").mkdir()
    moved = file.rename(tmp_path / "elsewhere" / "maskrcnn.onnx")
    assert "pip install '.[onnxruntime]'" in refused(moved, "--classes", "red,green")


# ---- Networks that mean harm


@pytest.mark.parametrize("name", ["output0", "output1"])
def test_an_output_that_is_no_number_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    outputs = yolo_outputs()
    outputs[name] = np.full_like(outputs[name], np.nan)
    file = write_network(tmp_path / "best.onnx", outputs, metadata=ULTRALYTICS)
    text = refused(file, "--name", "mine")
    assert f"output '{name}'" in text
    assert "NaN" in text


def test_a_network_that_never_answers_is_ended(tmp_path: Path) -> None:
    file = write_endless(tmp_path / "endless.onnx")
    with pytest.raises(ImportRefused, match="did not answer within 6 s"):
        try_shapes(file, 64, 64, seconds=6)
    imported = draw_up(file, OnnxPlan(name="mine", packs_folder=tmp_path / "packs", classes="cat,dog"))
    with pytest.raises(ImportRefused, match=r"endless\.onnx.*did not answer within 6 s"):
        write_imported(file, imported, seconds=6)
    assert not list((tmp_path / "packs").glob("*"))
