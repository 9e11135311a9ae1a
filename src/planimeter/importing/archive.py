"""A pack as one zip file, to hand to others, and back: byte for byte the same files.

What comes in is not trusted: names, kinds and sizes are checked before anything is unpacked, contents afterwards.
"""

import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from planimeter.errors import ImportRefused
from planimeter.importing.onnx_file import read_onnx_file
from planimeter.importing.plan import refuse_bundled_name
from planimeter.packs.pack import MANIFEST, Pack, parse_manifest
from planimeter.packs.packing import finished_folder, new_file
from planimeter.reading import refuse_irregular

MOST_FILES = 2000
MOST_BYTES = 4 * 2**30
MOST_RATIO = 100
"""Weights shrink by little; what shrinks more is there to fill a disk."""
_SMALL = 2**20
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}")
_SUFFIXES = {".json", ".jsonl", ".onnx", ".safetensors", ".md", ".txt", ".csv", ".html", ".css", ".js"}
_SUFFIXES |= {".png", ".jpg", ".jpeg", ".webp", ".svg", ".pdf"}
_DATE = (1980, 1, 1, 0, 0, 0)
_BLOCK = 2**20


def write_archive(pack: Pack, target: Path) -> None:
    """Write `pack` as a zip file; the same pack gives the same bytes each time."""
    for entry in filter(None, (pack.manifest.onnx, pack.manifest.weights, pack.manifest.trust)):
        pack.file(entry)
    with new_file(target) as aside, zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in _files(pack.folder):
            name = f"{pack.name}/{path.relative_to(pack.folder).as_posix()}"
            info = zipfile.ZipInfo(name, _DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            info.file_size = path.stat().st_size
            with path.open("rb") as source, archive.open(info, "w") as stream:
                while block := source.read(_BLOCK):
                    stream.write(block)


def read_archive(path: Path, packs_folder: Path, *, replace: bool = False) -> Pack:
    """Unpack the pack in the zip file at `path` into `packs_folder`; returns it.

    Raises `ImportRefused` for an archive that is none or does more than hold a pack, and `InvalidPack` for a pack that
    is incomplete or damaged. Nothing is left behind then.
    """
    try:
        refuse_irregular(path)
        with zipfile.ZipFile(path) as archive:
            root, entries = _check(archive, path)
            manifest = parse_manifest(
                archive.read(str(root / MANIFEST)).decode("utf-8", "replace"), path.name
            )
            refuse_bundled_name(manifest.name)
            target = packs_folder / manifest.name
            if target.exists() and not replace:
                raise ImportRefused(f"there is a model in {target}; remove it, or --replace it")
            with finished_folder(target) as folder:
                _unpack(archive, entries, root, folder)
                _check_contents(Pack(folder, manifest))
            return Pack(target, manifest)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise ImportRefused(f"{path.name} is not a zip file, or a damaged one ({error})") from error
    except OSError as error:
        raise ImportRefused(f"{path.name} cannot be unpacked: {error}") from error


def _unpack(
    archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], root: PurePosixPath, folder: Path
) -> None:
    left = MOST_BYTES
    for entry in entries:
        inside = folder / PurePosixPath(entry.filename).relative_to(root)
        inside.parent.mkdir(parents=True, exist_ok=True)
        left -= _copy(archive, entry, inside, left)


def _check_contents(pack: Pack) -> None:
    """Raise unless the files are those of the manifest, and its network refers to no file outside."""
    if pack.manifest.weights is not None:
        pack.file(pack.manifest.weights)
    _ = pack.trust
    read_onnx_file(pack.file(pack.manifest.onnx))


def _check(archive: zipfile.ZipFile, path: Path) -> tuple[PurePosixPath, list[zipfile.ZipInfo]]:
    """Return the folder of the manifest inside of the archive, and all files; raises `ImportRefused`."""
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > MOST_FILES:
        raise ImportRefused(f"{path.name} holds {len(entries):,} files; a pack has at most {MOST_FILES:,}")
    seen: set[str] = set()
    for entry in entries:
        _check_entry(entry, path.name)
        if entry.filename.casefold() in seen:
            raise ImportRefused(f"{path.name} holds {entry.filename!r} twice")
        seen.add(entry.filename.casefold())
    unpacked = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    if unpacked > MOST_BYTES or (unpacked > _SMALL and unpacked > MOST_RATIO * packed):
        raise ImportRefused(
            f"{path.name} would unpack to {unpacked:,} bytes from {packed:,}; limits are {MOST_BYTES:,} bytes, and "
            f"{MOST_RATIO} times its size"
        )
    manifests = [PurePosixPath(entry.filename) for entry in entries if entry.filename.endswith(MANIFEST)]
    roots = [
        manifest.parent for manifest in manifests if manifest.name == MANIFEST and len(manifest.parts) <= 2
    ]
    if len(roots) != 1:
        raise ImportRefused(
            f"{path.name} is no pack: it needs one {MANIFEST}, at its top or in its only folder"
        )
    if any(roots[0] not in PurePosixPath(entry.filename).parents for entry in entries):
        raise ImportRefused(f"{path.name} holds files outside of the folder {roots[0]} of its {MANIFEST}")
    return roots[0], entries


def _check_entry(entry: zipfile.ZipInfo, archive: str) -> None:
    name = PurePosixPath(entry.filename)
    mode = entry.external_attr >> 16
    if (
        "\\" in entry.filename
        or name.is_absolute()
        or len(name.parts) > 5
        or not all(_NAME.fullmatch(part) for part in name.parts)
    ):
        raise ImportRefused(
            f"{archive} holds {entry.filename!r}, which is not the name of a file inside of a pack"
        )
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        raise ImportRefused(f"{archive} holds {entry.filename!r}, which is a link or a device, not a file")
    if entry.flag_bits & 0x1:
        raise ImportRefused(f"{archive} is encrypted; unpack it and zip it again without a password")
    if name.suffix.lower() not in _SUFFIXES:
        raise ImportRefused(
            f"{archive} holds {entry.filename!r}; a pack holds only {', '.join(sorted(_SUFFIXES))} files"
        )


def _copy(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, most: int) -> int:
    """Unpack one file of at most `most` bytes, whatever size the archive claims; returns its size."""
    size = 0
    with archive.open(entry) as source, target.open("wb") as stream:
        while block := source.read(_BLOCK):
            size += len(block)
            if size > most:
                raise ImportRefused(f"the archive unpacks to more than {MOST_BYTES:,} bytes")
            stream.write(block)
    return size


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if (
            path.is_file()
            and not path.is_symlink()
            and not any(part.startswith(".") for part in inside.parts)
        ):
            yield path
