"""Packs that travel to where they are needed."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from planimeter.measuring.opening import open_segmenter
from planimeter.measuring.segmenter import Segmenter
from planimeter.packs.pack import Pack, read_pack
from planimeter.runtimes import Runtime
from planimeter.settings import Inference


def files_of(pack: Pack) -> dict[str, bytes]:
    """Return the files of a pack by their names, without its report."""
    return {path.name: path.read_bytes() for path in sorted(pack.folder.iterdir()) if path.is_file()}


def open_files(
    files: dict[str, bytes], how: Inference, around: Callable[[Runtime], Runtime] | None = None
) -> Segmenter:
    """Return the segmenter of a pack that came as its files; `around` is as `open_segmenter` takes it."""
    with tempfile.TemporaryDirectory(prefix="planimeter-pack-") as folder:
        return open_segmenter(_unpacked(files, Path(folder)), how, around)


def _unpacked(files: dict[str, bytes], folder: Path) -> Pack:
    """Write the files of a pack into a folder and return it."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return read_pack(folder)
