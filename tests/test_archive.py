"""A model as one zip file: a round trip changes nothing, and what comes in is not trusted."""

import hashlib
import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from click.testing import CliRunner, Result

from fakes import MODEL, blocks, encoded, write_block_pack
from planimeter.commands import main
from planimeter.errors import ImportRefused, InvalidPack, PlanimeterError
from planimeter.importing import archive
from planimeter.importing.archive import read_archive, write_archive
from planimeter.packs.pack import read_pack

pytest.importorskip("onnx", reason="needs the train extra")


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """The block pack as a zip file."""
    folder = write_block_pack(tmp_path / "here")
    (folder / "report").mkdir()
    (folder / "report" / "figures.json").write_text("{}")
    write_archive(read_pack(folder), tmp_path / "blocks.zip")
    return tmp_path / "blocks.zip"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def contents(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def rewritten(source: Path, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> Path:
    """Write the archive again with each entry changed, or left out."""
    target = source.with_name("changed.zip")
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            changed = change(entry.filename, old.read(entry))
            if changed:
                new.writestr(*changed)
    return target


def refused(path: Path, tmp_path: Path, error: type[PlanimeterError], message: str) -> None:
    """Check that an archive is refused for that reason, and leaves nothing behind."""
    (tmp_path / "there").mkdir()
    with pytest.raises(error, match=message):
        read_archive(path, tmp_path / "there")
    assert list((tmp_path / "there").iterdir()) == []


# ---- There and back


def test_a_round_trip_gives_the_same_files_byte_for_byte(packed: Path, tmp_path: Path) -> None:
    pack = read_archive(packed, tmp_path / "there")
    assert contents(pack.folder) == contents(tmp_path / "here" / MODEL)
    assert len(contents(pack.folder)) == 4
    write_archive(pack, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()


def test_the_command_line_exports_imports_and_measures_as_proof(tmp_path: Path) -> None:
    write_block_pack(tmp_path / "here")
    (tmp_path / "picture.png").write_bytes(encoded(blocks(red=(0, 0, 32, 32), green=(16, 0, 48, 32))))
    exported = run("models", "export", MODEL, tmp_path, "--packs-folder", tmp_path / "here")
    assert exported.exit_code == 0, exported.output
    assert f"wrote {tmp_path / 'blocks.zip'}" in exported.output
    arguments = (
        "models",
        "import",
        "zip",
        tmp_path / "blocks.zip",
        "--packs-folder",
        tmp_path / "there" / "packs",
    )
    imported = run(*arguments, "--picture", tmp_path / "picture.png")
    assert imported.exit_code == 0, imported.output
    assert "37.50 % masked, 2 instances (1 red, 1 green)" in imported.output
    assert (tmp_path / "there" / "imports" / "blocks.png").is_file()
    again = run(*arguments)
    assert again.exit_code == 1
    assert "--replace it" in again.output
    assert run(*arguments, "--replace").exit_code == 0


def test_the_network_alone_is_exported_as_it_is(tmp_path: Path) -> None:
    folder = write_block_pack(tmp_path / "here")
    target = tmp_path / "out" / "network.onnx"
    result = run("models", "export", folder, target, "--format", "onnx")
    assert result.exit_code == 0, result.output
    assert target.read_bytes() == (folder / "model.onnx").read_bytes()
    assert "is there" in run("models", "export", folder, target, "--format", "onnx").output


def test_openvino_reads_the_network_that_was_exported_for_it(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    folder = write_block_pack(tmp_path / "here")
    result = run("models", "export", folder, tmp_path / "network.xml", "--format", "openvino")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.glob("network.*")) == ["network.bin", "network.xml"]
    model = openvino.Core().read_model(tmp_path / "network.xml")
    assert {output.get_any_name() for output in model.outputs} == {"boxes", "labels", "scores", "masks"}


def test_a_damaged_pack_is_not_exported(tmp_path: Path) -> None:
    folder = write_block_pack(tmp_path / "here")
    (folder / "model.onnx").write_bytes(b"")
    with pytest.raises(InvalidPack, match="damaged"):
        write_archive(read_pack(folder), tmp_path / "blocks.zip")
    assert not (tmp_path / "blocks.zip").exists()


# ---- What is refused


@pytest.mark.parametrize(
    "name",
    ["../evil.json", "/etc/evil.json", "blocks/../../evil.json", "blocks\\evil.json", "blocks/.hidden.json"],
)
def test_a_name_that_leads_out_of_the_pack_is_refused(packed: Path, tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(packed, "a") as stream:
        stream.writestr(name, "{}")
    refused(packed, tmp_path, ImportRefused, "not the name of a file inside of a pack")
    assert not list(tmp_path.rglob("evil.json"))


def test_a_link_is_refused(packed: Path, tmp_path: Path) -> None:
    link = zipfile.ZipInfo("blocks/link.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(packed, "a") as stream:
        stream.writestr(link, "/etc/passwd")
    refused(packed, tmp_path, ImportRefused, "a link or a device")


def test_a_bomb_is_refused_before_it_goes_off(packed: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as stream:
        stream.writestr("blocks/zeros.json", bytes(30_000_000))
    refused(packed, tmp_path, ImportRefused, "would unpack to 30,0")


def test_a_size_that_is_lied_about_does_not_help(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_check", lambda file, _: (PurePosixPath("blocks"), file.infolist()))
    monkeypatch.setattr(archive, "MOST_BYTES", 1000)
    refused(packed, tmp_path, ImportRefused, "unpacks to more than 1,000 bytes")


@pytest.mark.parametrize("name", ["blocks/code.py", "blocks/weights.pth", "blocks/weights.pkl", "blocks/run"])
def test_files_that_no_pack_holds_are_refused(packed: Path, tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(packed, "a") as stream:
        stream.writestr(name, "x")
    refused(packed, tmp_path, ImportRefused, "a pack holds only")


def test_a_file_twice_is_refused(packed: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(packed, "a") as stream:
        stream.writestr("blocks/MODEL.onnx", "x")
    refused(packed, tmp_path, ImportRefused, "twice")


def test_files_beside_the_folder_of_the_pack_are_refused(packed: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(packed, "a") as stream:
        stream.writestr("other/notes.txt", "x")
    refused(packed, tmp_path, ImportRefused, "outside of the folder blocks")


def test_an_archive_without_a_manifest_is_refused(packed: Path, tmp_path: Path) -> None:
    changed = rewritten(packed, lambda name, data: None if name.endswith("pack.json") else (name, data))
    refused(changed, tmp_path, ImportRefused, r"it needs one pack\.json")


def test_a_network_that_was_exchanged_is_refused(packed: Path, tmp_path: Path) -> None:
    changed = rewritten(packed, lambda name, data: (name, data + b"x" if name.endswith(".onnx") else data))
    refused(changed, tmp_path, InvalidPack, "damaged or was exchanged")


def test_a_manifest_that_is_wrong_is_refused(packed: Path, tmp_path: Path) -> None:
    def rename(name: str, data: bytes) -> tuple[str, bytes]:
        if name.endswith("pack.json"):
            data = json.dumps({**json.loads(data), "name": "../evil"}).encode()
        return name, data

    refused(rewritten(packed, rename), tmp_path, InvalidPack, "name: String should match pattern")


@pytest.mark.parametrize("cut", [0, 10, 300])
def test_a_file_that_is_no_zip_or_a_torn_one_is_refused(packed: Path, tmp_path: Path, cut: int) -> None:
    packed.write_bytes(packed.read_bytes()[:cut])
    refused(packed, tmp_path, ImportRefused, "not a zip file, or a damaged one")


def test_a_byte_that_changed_on_the_way_is_found(packed: Path, tmp_path: Path) -> None:
    data = bytearray(packed.read_bytes())
    data[200] ^= 0xFF
    packed.write_bytes(data)
    (tmp_path / "there").mkdir()
    with pytest.raises(PlanimeterError):
        read_archive(packed, tmp_path / "there")
    assert list((tmp_path / "there").iterdir()) == []
