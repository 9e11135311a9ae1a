"""The versions of a model: the one in use, those that were in use before, and the one that came with Planimeter.

An earlier version is kept whole beside the packs, so that it can be taken again; the one in use is a copy. At every
moment, also after a kill, one of them is in place.
"""

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from planimeter.errors import InvalidPack, StoreFailed, UnknownVersion
from planimeter.packs.pack import BUNDLED_FOLDER, MANIFEST, Pack, find_packs, read_pack
from planimeter.reading import read_file

EARLIER = ".earlier"
_REPLACING = "replacing"


@dataclass(frozen=True)
class Version:
    """One version of a model that is here."""

    key: str
    pack: Pack
    in_use: bool


def key_of(folder: Path) -> str:
    """Return what a version is known by: its manifest, which has the hashes of all else that it is made of."""
    return hashlib.sha256(read_file(folder / MANIFEST)).hexdigest()[:16]


def versions_of(name: str, packs_folder: Path) -> list[Version]:
    """Return the versions of a model, the one in use first, then the others by when they were put away, last first."""
    current = find_packs(packs_folder).get(name)
    found = (
        {}
        if current is None
        else {key_of(current.folder): Version(key_of(current.folder), current, in_use=True)}
    )
    kept = packs_folder / EARLIER / name
    manifests = sorted(kept.glob(f"[0-9a-f]*/{MANIFEST}"), key=lambda path: -path.parent.stat().st_mtime_ns)
    for folder in [path.parent for path in manifests] + [BUNDLED_FOLDER / name]:
        if not (folder / MANIFEST).is_file():
            continue
        try:
            pack = read_pack(folder, bundled=folder.parent == BUNDLED_FOLDER)
        except InvalidPack:
            continue
        if pack.name == name:
            found.setdefault(key_of(folder), Version(key_of(folder), pack, in_use=False))
    return list(found.values())


def find_version(name: str, key: str, packs_folder: Path) -> Version:
    """Return a version of a model; raises UnknownVersion."""
    versions = versions_of(name, packs_folder)
    for version in versions:
        if version.key == key:
            return version
    known = ", ".join(version.key for version in versions) or "none"
    raise UnknownVersion(f"the model {name!r} has no version {key[:40]!r} here; known: {known}")


def put_to_use(new: Pack, packs_folder: Path) -> None:
    """Let a pack answer for its name from now on; the one that did is kept.

    Raises StoreFailed; nothing has changed then. A bundled pack is put to use by putting away what is in its place.
    """
    before = find_packs(packs_folder).get(new.name)
    kept = packs_folder / EARLIER / new.name
    target = packs_folder / new.name if before is None or before.bundled else before.folder
    try:
        kept.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=kept) as folder:
            aside = Path(folder) / new.name
            if not new.bundled:
                shutil.copytree(new.folder, aside)
            _replace(before, aside if aside.exists() else None, target, kept)
    except (OSError, shutil.Error) as error:
        raise StoreFailed(
            f"the version {new.manifest.version} of {new.name} cannot be put to use: {error}; nothing has changed"
        ) from error


def _replace(before: Pack | None, aside: Path | None, target: Path, kept: Path) -> None:
    """Move what is in place away, and `aside` there; a note says so meanwhile."""
    note = kept / _REPLACING
    if before is not None and not before.bundled:
        place = kept / key_of(before.folder)
        note.write_text(f"{place.name}\n{target.name}", "utf-8")
        shutil.rmtree(place, ignore_errors=True)
        before.folder.rename(place)
        place.touch()
    if aside is not None:
        try:
            aside.rename(target)
        except OSError:
            mend(kept.parents[1])
            raise
    note.unlink(missing_ok=True)


def mend(packs_folder: Path) -> None:
    """Bring back what was put away where a process was killed before another was in its place."""
    for note in (packs_folder / EARLIER).glob(f"*/{_REPLACING}"):
        key, _, name = note.read_text("utf-8").partition("\n")
        target, place = packs_folder / name, note.parent / key
        if name and not target.exists() and (place / MANIFEST).is_file():
            place.rename(target)
        note.unlink(missing_ok=True)
