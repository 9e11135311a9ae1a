"""Packs: found by name, checked before use, never trusted."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from planimeter.commands import main
from planimeter.errors import ImportRefused, InvalidPack, UnknownModel
from planimeter.importing.archive import read_archive, write_archive
from planimeter.importing.onnx_plan import OnnxPlan
from planimeter.packs.pack import BUNDLED_FOLDER, find_pack, find_packs, read_pack
from planimeter.training.plan import PackPlan


@pytest.fixture
def packs(tmp_path: Path) -> Path:
    """A packs folder with a copy of the bundled model in it."""
    shutil.copytree(BUNDLED_FOLDER / "nuclei", tmp_path / "mine")
    rewrite(tmp_path / "mine", name="mine")
    return tmp_path


def rewrite(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / "pack.json").read_text("utf-8"))
    (folder / "pack.json").write_text(json.dumps({**manifest, **changes}), "utf-8")


def test_packs_of_the_folder_stand_beside_the_bundled_ones(packs: Path) -> None:
    found = find_packs(packs)
    assert {"nuclei", "mine"} <= set(found)
    assert found["nuclei"].bundled
    assert not found["mine"].bundled


def test_a_pack_can_be_named_by_its_folder(packs: Path) -> None:
    assert find_pack(str(packs / "mine")).name == "mine"


def test_an_unknown_name_is_refused_with_the_names_that_are_known(packs: Path) -> None:
    with pytest.raises(UnknownModel, match=r"no model 'steal'; known: .*mine.*"):
        find_pack("steal", packs)


def test_a_name_is_never_a_way_out_of_the_packs_folder(packs: Path) -> None:
    with pytest.raises(UnknownModel):
        find_pack("../../etc", packs)


def test_a_damaged_file_is_refused_by_name(packs: Path) -> None:
    pack = find_pack("mine", packs)
    with (packs / "mine" / "model.onnx").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(InvalidPack, match=r"model\.onnx is damaged"):
        pack.file(pack.manifest.onnx)


def test_a_missing_file_is_refused_by_name(packs: Path) -> None:
    (packs / "mine" / "model.onnx").unlink()
    pack = find_pack("mine", packs)
    with pytest.raises(InvalidPack, match=r"model\.onnx cannot be read"):
        pack.file(pack.manifest.onnx)


def test_a_broken_pack_is_left_out_with_a_warning_and_the_others_serve(
    packs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rewrite(packs / "mine", schema_version=99)
    assert find_packs(packs).keys() == find_packs().keys() >= {"nuclei", "steel", "tiles"}
    assert "schema_version" in caplog.text
    with pytest.raises(InvalidPack, match="schema_version"):
        find_pack("mine", packs)


def test_a_folder_that_may_not_be_looked_into_is_passed_over(
    packs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a disk's lost+found; the system refuses it here, as root, who runs tests, may look into all folders."""
    (packs / "lost+found").mkdir()
    stat, refused = os.stat, list[str]()

    def refuse(path: Any, **how: Any) -> os.stat_result:
        if "lost+found/" in os.fspath(path):
            refused.append(os.fspath(path))
            raise PermissionError(13, "Permission denied", path)
        return stat(path, **how)

    monkeypatch.setattr("os.stat", refuse)
    assert "mine" in find_packs(packs)
    assert refused


@pytest.mark.parametrize(
    "change", [{"name": "../evil"}, {"classes": []}, {"onnx": {"name": "../../x", "sha256": "0" * 64}}]
)
def test_a_manifest_that_could_do_harm_is_refused(packs: Path, change: dict[str, object]) -> None:
    rewrite(packs / "mine", **change)
    with pytest.raises(InvalidPack, match=r"pack\.json"):
        read_pack(packs / "mine")


def test_two_classes_of_one_name_are_refused(packs: Path) -> None:
    one = {"name": "nucleus", "color": "#ffffff"}
    rewrite(packs / "mine", classes=[one, one])
    with pytest.raises(InvalidPack, match="same name"):
        read_pack(packs / "mine")


# ---- Packs that mean harm

HOSTILE: dict[str, Any] = {
    "preprocessing.tile": 10**12,
    "preprocessing.tile_overlap": 1024,
    "preprocessing.multiple": 2**40,
    "preprocessing.mean": [1e300, 0, 0],
    "preprocessing.std": [0, 1, 1],
    "preprocessing.scale": 1e-300,
    "preprocessing.least_scale": 1e300,
    "preprocessing.tile_scale": 1e-12,
    "thresholds.score": float("nan"),
    "title": "x" * 100_000,
    "summary": "x" * 100_000,
    "version": "1" * 10_000,
    "classes": [],
    "classes.0.name": "x" * 10_000,
    "onnx.name": "../model.onnx",
    "schema_version": 10**400,
}


@pytest.mark.parametrize("field", HOSTILE)
def test_a_manifest_with_absurd_values_is_refused_by_the_field(packs: Path, field: str) -> None:
    path = packs / "mine" / "pack.json"
    document = json.loads(path.read_text("utf-8"))
    place = document
    *steps, last = [int(step) if step.isdigit() else step for step in field.split(".")]
    for step in steps:
        place = place[step]
    place[last] = HOSTILE[field]
    path.write_text(json.dumps(document), "utf-8")
    with pytest.raises(InvalidPack, match=str(field.split(".", maxsplit=1)[0])):
        read_pack(path.parent)
    assert "mine" not in find_packs(packs)


def test_a_foreign_model_does_not_take_the_name_of_a_bundled_one(tmp_path: Path) -> None:
    archive = tmp_path / "nuclei.zip"
    write_archive(find_pack("nuclei"), archive)
    with pytest.raises(ImportRefused, match="nuclei is the name of a model that comes with Planimeter"):
        read_archive(archive, tmp_path / "packs")
    with pytest.raises(ValidationError, match="nuclei is the name of a model that comes with Planimeter"):
        OnnxPlan(name="nuclei")
    assert not list(tmp_path.glob("packs/*"))


def test_a_trained_model_takes_the_name_of_a_bundled_one_only_on_purpose(tmp_path: Path) -> None:
    command = ["train", str(tmp_path), "--name", "nuclei", "--packs-folder", str(tmp_path / "packs")]
    refused = CliRunner().invoke(main, command)
    assert refused.exit_code == 2
    assert "give yours another --name" in " ".join(refused.output.split())
    assert PackPlan(name="nuclei", instead_of_bundled=True).name == "nuclei"
    assert not list(tmp_path.iterdir())
