"""The versions of a model: the one in use, those that were in use before, and the one that came with Planimeter.

An earlier version is kept whole beside the packs, so that it can be taken again; the one in use is a copy. At every
moment, also after a kill, one of them is in place.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planimeter.errors import InvalidPack, StoreFailed, UnknownVersion
from planimeter.packs.changing import (
    ASIDE,
    EARLIER,
    Replacement,
    begin,
    changing,
    end,
    key_of,
    settle,
)
from planimeter.packs.manifest import NAME_PATTERN
from planimeter.packs.pack import BUNDLED_FOLDER, MANIFEST, Pack, find_packs, read_pack


@dataclass(frozen=True)
class Version:
    """One version of a model that is here."""

    key: str
    pack: Pack
    in_use: bool


def versions_of(name: str, packs_folder: Path) -> list[Version]:
    """Return the versions of a model, the one in use first, then the others by when they were put away, last first."""
    if not re.fullmatch(NAME_PATTERN, name):  # it would be part of a path
        return []
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


@contextmanager
def made_ready(
    new: Pack, packs_folder: Path, *, id_: str = "", told: Mapping[str, Any] | None = None
) -> Iterator[Callable[[], None]]:
    """Yield what lets a pack answer for its name, once it is called; its copy lies ready. Within `changing`.

    The one that answers before is kept. `told` is kept under `id_` once that is done, until it is told, see `untold`.
    Making ready and what is yielded raise StoreFailed; nothing has changed then. A bundled pack is put to use by
    putting away what is in its place.
    """
    before = find_packs(packs_folder).get(new.name)
    kept = packs_folder / EARLIER / new.name
    target = packs_folder / new.name if before is None or before.bundled else before.folder
    replacement = Replacement(
        target=target.name,
        before=None if before is None or before.bundled else key_of(before.folder),
        after=None if new.bundled else key_of(new.folder),
        id=id_,
        told=dict(told or {}),
    )
    with ExitStack() as held:
        aside = None
        with _failing(new):
            kept.mkdir(parents=True, exist_ok=True)
            if not new.bundled:
                folder = held.enter_context(tempfile.TemporaryDirectory(prefix=ASIDE, dir=kept))
                aside = Path(folder) / new.name
                shutil.copytree(new.folder, aside)

        def replace() -> None:
            with _failing(new):
                _replace(replacement, aside, packs_folder, kept)

        yield replace


def put_to_use(new: Pack, packs_folder: Path) -> None:
    """Let a pack answer for its name from now on; the one that did is kept. Nobody is told."""
    with changing(packs_folder), made_ready(new, packs_folder) as replace:
        replace()


@contextmanager
def _failing(new: Pack) -> Iterator[None]:
    try:
        yield
    except (OSError, shutil.Error) as error:
        raise StoreFailed(
            f"the version {new.manifest.version} of {new.name} cannot be put to use: {error}; nothing has changed"
        ) from error


def _replace(replacement: Replacement, aside: Path | None, packs_folder: Path, kept: Path) -> None:
    """Move what is in place away, and `aside` there; a note says so meanwhile."""
    target = packs_folder / replacement.target
    if replacement.before is not None:
        shutil.rmtree(kept / replacement.before, ignore_errors=True)  # the same one, put away before
    begin(kept, replacement)
    try:
        if replacement.before is not None:
            place = target.rename(kept / replacement.before)
            place.touch()
        if aside is not None:
            aside.rename(target)
    except OSError:
        settle(packs_folder)
        raise
    end(kept, replacement)
