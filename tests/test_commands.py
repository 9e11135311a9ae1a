"""The command line through click's runner, with a real pack and the real runtime."""

import csv
import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from fakes import MODEL, blocks, encoded, write_block_pack
from planimeter.commands import COMMANDS, main
from planimeter.settings import Settings

OVERLAPPING = blocks(red=(0, 0, 32, 32), green=(16, 0, 48, 32))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with the block pack and three pictures in it."""
    write_block_pack(tmp_path / "packs")
    pictures = tmp_path / "pictures"
    (pictures / "more").mkdir(parents=True)
    (pictures / "a.png").write_bytes(encoded(OVERLAPPING))
    (pictures / "b.JPG").write_bytes(encoded(blocks(), "JPEG"))
    (pictures / "more" / "a.png").write_bytes(encoded(blocks(red=(0, 0, 64, 16))))
    (pictures / "notes.txt").write_text("not a picture")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLANIMETER_PACKS_FOLDER", "packs")
    monkeypatch.setenv("PLANIMETER_MODEL", MODEL)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def measured(result: Result) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = json.loads(result.stdout)
    return answer


# ---- Options


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_an_option_of_serve_with_an_environment_variable(name: str) -> None:
    text = run("serve", "--help").output
    assert f"--{name.replace('_', '-')}" in text
    assert f"PLANIMETER_{name.upper()}" in " ".join(text.split())


@pytest.mark.parametrize("switch", ["--upload-folder", "--output-folder", "--infer-with-cpu", "--use-ngrok"])
def test_the_four_switches_have_their_names(switch: str) -> None:
    assert switch in run("serve", "--help").output


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in {"train", "evaluate"}])
def test_every_command_explains_itself(name: str) -> None:
    assert name in run("--help").output
    result = run(name, "--help")
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: main {name}")


def test_a_setting_outside_its_limits_is_a_usage_error_that_names_the_option() -> None:
    result = run("serve", "--port", "70000")
    assert result.exit_code == 2
    assert "--port" in result.output
    assert "70000" in result.output


@pytest.mark.usefixtures("folder")
def test_an_environment_variable_counts_like_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANIMETER_MODEL", "nosuch")
    result = run("measure", "pictures/a.png")
    assert result.exit_code == 1
    assert "there is no model 'nosuch'; known: " in result.output
    monkeypatch.setenv("PLANIMETER_MAX_SIDE", "10")
    assert "10" in run("measure", "pictures/a.png", "--model", MODEL).output


# ---- Measure


@pytest.mark.usefixtures("folder")
def test_one_picture_is_a_line_of_a_table() -> None:
    result = run("measure", "pictures/a.png")
    assert result.exit_code == 0
    line = next(line for line in result.stdout.splitlines() if line.startswith("pictures/a.png"))
    head = next(line for line in result.stdout.splitlines() if line.startswith("Picture"))
    assert head.split("  ")[0] == "Picture"
    assert head.split()[1:7] == ["Masked", "%", "red", "%", "green", "%"]
    assert line.split()[1:7] == ["37.50", "25.00", "25.00", "2", "1,536", "4,096"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("options", "title", "percent"),
    [
        (("--of", "red"), "% of red", "50.00"),
        (("--region", '{"include": [[[0, 0], [32, 0], [32, 32], [0, 32]]]}'), "% of region", "100.00"),
        (("--ignore", "black_border"), "% of part that counts", None),
    ],
)
def test_a_table_says_of_what_its_percentages_are(
    options: tuple[str, ...], title: str, percent: str | None
) -> None:
    result = run("measure", "pictures/a.png", *options)
    assert result.exit_code == 0, result.output
    head, line = (
        line for line in result.stdout.splitlines() if line.startswith(("Picture", "pictures/a.png"))
    )
    assert head.split("  ", 1)[1].strip().startswith(title)
    assert "Masked %" not in head
    end = head.index(title) + len(title)
    assert percent is None or line[:end].endswith(f" {percent}")


@pytest.mark.usefixtures("folder")
def test_a_folder_is_searched_for_pictures_of_every_kind() -> None:
    result = run("measure", "pictures", "--format", "json")
    assert result.exit_code == 0
    assert [(entry["path"], entry["coverage"]["percent_masked"]) for entry in measured(result)] == [
        ("pictures/a.png", 37.5),
        ("pictures/b.JPG", 0.0),
        ("pictures/more/a.png", 25.0),
    ]


def test_an_unreadable_picture_is_reported_and_the_others_go_on(folder: Path) -> None:
    (folder / "pictures" / "aa.png").write_text("text")
    result = run("measure", "pictures", "pictures/missing.png", "--format", "json")
    assert result.exit_code == 1
    entries = {entry["path"]: entry for entry in measured(result)}
    assert len(entries) == 5
    assert entries["pictures/aa.png"]["error"]["code"] == "unsupported_picture"
    assert entries["pictures/missing.png"]["error"]["code"] == "missing_picture"
    assert entries["pictures/more/a.png"]["coverage"]["percent_masked"] == 25.0
    assert "pictures/aa.png: " in result.stderr


def test_the_table_keeps_the_good_ones_when_one_is_unreadable(folder: Path) -> None:
    (folder / "pictures" / "aa.png").write_text("text")
    result = run("measure", "pictures")
    assert result.exit_code == 1
    assert len([line for line in result.stdout.splitlines() if line.startswith("pictures/")]) == 3


def test_csv_has_a_row_a_picture_with_its_error(folder: Path) -> None:
    (folder / "pictures" / "aa.png").write_text("text")
    rows = list(csv.DictReader(StringIO(run("measure", "pictures", "--format", "csv").stdout)))
    assert [row["path"] for row in rows] == [
        "pictures/a.png",
        "pictures/aa.png",
        "pictures/b.JPG",
        "pictures/more/a.png",
    ]
    assert [row["percent_masked"] for row in rows] == ["37.5", "", "0.0", "25.0"]
    assert rows[0]["percent_masked[green]"] == "25.0"
    assert rows[1]["error"]


def test_drawn_pictures_of_the_same_name_do_not_overwrite_each_other(folder: Path) -> None:
    result = run("measure", "pictures", "--output-folder", "drawn", "--format", "json")
    assert result.exit_code == 0
    names = sorted(path.name for path in (folder / "drawn").iterdir())
    assert names == ["a_2_overlay.png", "a_overlay.png", "b_overlay.png"]
    assert [entry["overlay_path"] for entry in measured(result)] == [
        "drawn/a_overlay.png",
        "drawn/b_overlay.png",
        "drawn/a_2_overlay.png",
    ]
    with Image.open(folder / "drawn" / "a_overlay.png") as drawn:
        assert drawn.size == (64, 64)


def test_nothing_is_written_without_an_output_folder(folder: Path) -> None:
    before = set(folder.rglob("*"))
    run("measure", "pictures")
    assert set(folder.rglob("*")) == before


@pytest.mark.usefixtures("folder")
def test_a_threshold_leaves_instances_out_and_has_limits() -> None:
    result = run("measure", "pictures/a.png", "--score-threshold", "0.7", "--format", "json")
    assert [entry["class"] for entry in measured(result)[0]["instances"]] == ["red"]
    assert run("measure", "pictures/a.png", "--score-threshold", "7").exit_code == 2


def test_a_folder_without_pictures_is_an_error(folder: Path) -> None:
    (folder / "empty").mkdir()
    result = run("measure", "empty")
    assert result.exit_code == 1
    assert "no pictures" in result.output


# ---- Models


@pytest.mark.usefixtures("folder")
def test_models_are_listed_with_their_classes() -> None:
    result = run("models", "list")
    assert result.exit_code == 0
    line = next(line for line in result.stdout.splitlines() if line.startswith("blocks"))
    assert "red, green" in line
    assert "packs/blocks" in line


@pytest.mark.usefixtures("folder")
def test_a_model_is_shown_with_its_card_or_as_json() -> None:
    shown = run("models", "show", "blocks")
    assert shown.exit_code == 0
    assert "Finds rectangles." in shown.stdout
    assert json.loads(run("models", "show", "blocks", "--json").stdout)["thresholds"]["score"] == 0.5
    unknown = run("models", "show", "nosuch")
    assert unknown.exit_code == 1
    assert "nosuch" in unknown.output


# ---- Training stays an extra


WITHOUT_EXTRA = """
import sys
for name in ("torch", "torchvision", "onnx", "scipy", "safetensors", "tensorboardX", "matplotlib"):
    sys.modules[name] = None
from planimeter.commands import main
main(sys.argv[1:])
"""


def run_without_extra(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", WITHOUT_EXTRA, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    "command",
    ["train", "evaluate", "data", "data check", "models import torchvision", "models import detectron2"],
)
def test_help_needs_no_extra(command: str) -> None:
    result = run_without_extra(*command.split(), "--help")
    assert result.returncode == 0, result.stderr
    assert "Usage:" in result.stdout
    assert result.stderr == ""


def test_training_without_its_extra_says_what_to_install(tmp_path: Path) -> None:
    result = run_without_extra("train", str(tmp_path))
    assert result.returncode == 1
    assert "train needs torch: run make train-extra" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("value", ["inf", "nan", "1e10", "0"])
def test_a_deadline_without_an_end_is_refused_at_start(folder: Path, value: str) -> None:  # noqa: ARG001
    result = run("serve", "--deadline", value)
    assert result.exit_code == 2
    assert "--deadline" in result.output
    assert "Traceback" not in result.output


def test_results_are_not_written_to_a_pipe(folder: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("there are no pipes with a path")
    os.mkfifo(folder / "pipe.csv")
    result = run("measure", "pictures", "--results", "pipe.csv")
    assert result.exit_code == 1
    assert "no regular file" in result.output


def test_a_yolo_folder_is_checked_without_the_extra(tmp_path: Path) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    (tmp_path / "images" / "a.png").write_bytes(encoded(blocks()))
    (tmp_path / "labels" / "a.txt").write_text("0 0.25 0.25 0.75 0.25 0.75 0.75 0.25 0.75\n")
    (tmp_path / "data.yaml").write_text(
        "train: images\nval: ../valid/images  # not exported\nnames: ['Kratzer: tief']\n"
    )
    result = run_without_extra("data", "check", str(tmp_path))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 instances" in result.stdout
    assert "Kratzer: tief" in result.stdout
