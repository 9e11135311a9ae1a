"""Packs that travel to where they are needed."""

from pathlib import Path

from planimeter.packs.pack import Pack, read_pack


def files_of(pack: Pack) -> dict[str, bytes]:
    """Return the files of a pack by their names, without its report."""
    return {path.name: path.read_bytes() for path in sorted(pack.folder.iterdir()) if path.is_file()}


def unpacked(files: dict[str, bytes], folder: Path) -> Pack:
    """Write the files of a pack into a folder and return it."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return read_pack(folder)
