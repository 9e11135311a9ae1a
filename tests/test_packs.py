"""Packs: found by name, checked before use, never trusted."""

import json
import shutil
from pathlib import Path

import pytest

from planimeter.errors import InvalidPack, UnknownModel
from planimeter.packs.pack import BUNDLED_FOLDER, find_pack, find_packs, read_pack


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
