"""Only regular files are read: a pipe is not waited for, a device not read without end, a NUL no crash."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes import MODEL, block_segmenter, write_block_pack
from planimeter.errors import DataError, ImportRefused, InvalidPack, MissingPicture, PlanimeterError
from planimeter.importing.archive import read_archive
from planimeter.importing.onnx_file import read_onnx_file
from planimeter.importing.tensors import read_checkpoint
from planimeter.labels.formats import open_labels
from planimeter.packs.pack import read_pack

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes and devices with a path")
SENTENCE = "it is no regular file, but a device, a pipe or the like"


def import_archive(path: Path) -> object:
    return read_archive(path, path.parent / "packs")


READERS: dict[str, tuple[Callable[[Path], object], type[PlanimeterError]]] = {
    "a picture": (lambda path: block_segmenter().measure(path), MissingPicture),
    "an ONNX file": (read_onnx_file, ImportRefused),
    "a checkpoint": (read_checkpoint, ImportRefused),
    "an archive": (import_archive, ImportRefused),
    "labels": (open_labels, DataError),
}


@pytest.mark.parametrize("what", READERS)
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_pipe_and_a_device_are_refused_at_once(tmp_path: Path, what: str, kind: str) -> None:
    read, error = READERS[what]
    path = tmp_path / "it.png"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(error, match=SENTENCE):
        read(path)


def test_a_pack_with_a_pipe_for_a_file_is_refused(tmp_path: Path) -> None:
    folder = write_block_pack(tmp_path)
    network = folder / "model.onnx"
    network.unlink()
    os.mkfifo(network)
    pack = read_pack(folder)
    with pytest.raises(InvalidPack, match=SENTENCE):
        pack.file(pack.manifest.onnx)
    manifest = folder / "pack.json"
    manifest.unlink()
    os.mkfifo(manifest)
    with pytest.raises(InvalidPack, match=SENTENCE):
        read_pack(tmp_path / MODEL)


def test_a_nul_in_a_path_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(MissingPicture, match="NUL character"):
        block_segmenter().measure("a\0.png")
    labels = {"images": [{"id": 1, "file_name": "a\0.png", "width": 4, "height": 4}], "annotations": []}
    (tmp_path / "coco.json").write_text(json.dumps({**labels, "categories": [{"id": 1, "name": "x"}]}))
    assert open_labels(tmp_path / "coco.json").classes == ("x",)
