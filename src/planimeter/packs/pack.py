"""A pack: one folder with all that a model needs, and nothing that executes.

`pack.json` is the manifest; `model.onnx` the network up to box-space masks; `weights.safetensors` (optional)
the same weights for PyTorch; `trust.json` (optional) what is known of its errors; `learnt.json` (optional) which
pictures it learnt from. Nothing in a pack is ever unpickled.
"""

import hashlib
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from pydantic import ValidationError

from planimeter.errors import InvalidPack, UnknownModel
from planimeter.packs.learnt import Learnt
from planimeter.packs.manifest import NAME_PATTERN, PALETTE, Manifest, PackFile
from planimeter.packs.trust import Trust
from planimeter.reading import read_file, read_file_text

MANIFEST = "pack.json"
CARD = "CARD.md"
REPORT_FOLDER, REPORT_PAGE = "report", "index.html"
BUNDLED_FOLDER = Path(__file__).parents[1] / "bundled"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pack:
    """A pack found on disk: its manifest and where it lies. The files are checked when it is loaded."""

    folder: Path
    manifest: Manifest
    bundled: bool = False

    @property
    def name(self) -> str:
        """The name that requests use."""
        return self.manifest.name

    def file(self, entry: PackFile) -> Path:
        """Return the path of a file of the pack after checking that it holds what the manifest says."""
        path = self.folder / entry.name
        try:
            found = hashlib.sha256(read_file(path)).hexdigest()
        except OSError as error:
            raise InvalidPack(f"pack {self.name!r}: {entry.name} cannot be read ({error})") from error
        if found != entry.sha256:
            raise InvalidPack(
                f"pack {self.name!r}: {entry.name} is damaged or was exchanged (sha256 {found[:12]}…, the "
                f"manifest says {entry.sha256[:12]}…); install the pack again"
            )
        return path

    @cached_property
    def trust(self) -> Trust:
        """What the model knows of its own errors; raises `InvalidPack` where that file is damaged."""
        entry = self.manifest.trust
        if entry is None:
            return Trust()
        try:
            return Trust.model_validate_json(read_file(self.file(entry)))
        except ValidationError as error:
            raise InvalidPack(f"pack {self.name!r}: {entry.name}: {_first(error)}") from error

    @cached_property
    def learnt(self) -> Learnt | None:
        """Which pictures it learnt from; None where the pack does not say. Raises `InvalidPack`."""
        entry = self.manifest.learnt
        if entry is None:
            return None
        try:
            return Learnt.model_validate_json(read_file(self.file(entry)))
        except ValidationError as error:
            raise InvalidPack(f"pack {self.name!r}: {entry.name}: {_first(error)}") from error

    @property
    def card(self) -> str:
        """The model card, Markdown; empty where the pack has none."""
        path = self.folder / CARD
        return path.read_text("utf-8") if path.is_file() else ""

    @property
    def report(self) -> Path | None:
        """The page of the report of its evaluation, where the pack has one."""
        path = self.folder / REPORT_FOLDER / REPORT_PAGE
        return path if path.is_file() else None


def read_pack(folder: Path, *, bundled: bool = False) -> Pack:
    """Return the pack in `folder`; raises `InvalidPack` when its manifest is missing or wrong."""
    path = folder / MANIFEST
    try:
        state = path.stat()
        manifest = _read_manifest(path, state.st_ino, state.st_mtime_ns, state.st_size)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidPack(f"{folder} is no pack: {MANIFEST} cannot be read ({error})") from error
    return Pack(folder, manifest, bundled)


@lru_cache(maxsize=256)
def _read_manifest(path: Path, _inode: int, _changed: int, _size: int) -> Manifest:
    """Return a manifest; it is read again only where the file is another one."""
    return parse_manifest(read_file_text(path), str(path))


def parse_manifest(text: str, source: str) -> Manifest:
    """Return the manifest in `text`; raises `InvalidPack`, which names `source`."""
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise InvalidPack(f"{source}: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    """Return what is wrong first, and where."""
    first = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"])
    return f"{where}: {first['msg']}"


def find_packs(packs_folder: Path | None = None) -> dict[str, Pack]:
    """Return every pack by name: the bundled ones, then those in `packs_folder`, which win over a bundled one.

    A pack that cannot be read is left out with a warning in the log: it must not stop the others from serving.
    """
    packs: dict[str, Pack] = {}
    for root, bundled in ((BUNDLED_FOLDER, True), (packs_folder, False)):
        for folder in _folders_with_manifest(root) if root is not None else ():
            try:
                pack = read_pack(folder, bundled=bundled)
            except InvalidPack as error:
                _log.warning("left out: %s", error)
            else:
                packs[pack.name] = pack
    return packs


def _folders_with_manifest(root: Path) -> list[Path]:
    # Each request looks again, and this takes a fifth of the time of `root.glob`.
    try:
        with os.scandir(root) as entries:
            folders = [root / name for name in sorted(entry.name for entry in entries)]
    except OSError:
        return []
    # Not `Path.exists`, which raises where a folder may not be looked into, as a disk's lost+found.
    return [folder for folder in folders if os.path.exists(folder / MANIFEST)]  # noqa: PTH110


def colors_of(packs: Mapping[str, Pack], name: str, classes: int) -> tuple[str, ...]:
    """Return one colour per class: those of the pack called `name`, or a palette where it is gone."""
    pack = packs.get(name)
    if pack is not None and len(pack.manifest.classes) >= classes:
        return tuple(entry.color for entry in pack.manifest.classes)
    return tuple(PALETTE[index % len(PALETTE)] for index in range(classes))


def bundled_names() -> frozenset[str]:
    """Return the names of the models that come with the package."""
    return frozenset(find_packs())


def find_pack(name: str, packs_folder: Path | None = None) -> Pack:
    """Return the pack called `name`, or the one in the folder that `name` is a path of."""
    packs = find_packs(packs_folder)
    if re.match(NAME_PATTERN, name) and name in packs:
        return packs[name]
    for folder in (Path(name), *([packs_folder / name] if packs_folder else [])):
        if (folder / MANIFEST).is_file():
            return read_pack(folder)
    raise UnknownModel(f"there is no model {name!r}; known: {', '.join(packs) or 'none'}")
