"""Writing packs: aside first, then in one move, so that nothing half-written is ever found."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from planimeter.errors import ModelsBusy
from planimeter.packs.card import write_card
from planimeter.packs.changing import changing, key_of
from planimeter.packs.learnt import Learnt
from planimeter.packs.manifest import NAME_PATTERN, Manifest, PackFile
from planimeter.packs.pack import CARD, MANIFEST
from planimeter.packs.trust import Trust
from planimeter.settings import PACKS_FOLDER

ONNX, WEIGHTS, TRUST, LEARNT = "model.onnx", "weights.safetensors", "trust.json", "learnt.json"
UNKNOWN_FILE = PackFile(name=ONNX, sha256="0" * 64)
"""Stands in a manifest that is drawn up before its files are there."""


class NewPack(BaseModel):
    """What a person may say about a pack that is about to be written, and where it goes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=NAME_PATTERN, description="Name of the new model.")
    version: str = Field("1", description="Version of the new model.")
    title: str = Field("", description="One line for people; the name where empty.")
    summary: str = Field("", description="What the model sees, in a sentence or two, for the card.")
    limitations: str = Field("", description="Where the model fails, for the card.")
    data_name: str = Field("not stated", description="What pictures it was trained on, for the card.")
    data_licence: str = Field("not stated", description="Licence of those pictures, for the card.")
    score_threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Default score threshold; unless given, what validation or the network itself says.",
    )
    packs_folder: Path = Field(PACKS_FOLDER, description="Receives the pack.")


@contextmanager
def finished_folder(target: Path) -> Iterator[Path]:
    """Yield a new folder that takes the place of `target` at the end, or is gone where the end is not reached.

    Raises `ModelsBusy` where others change the models beside it for too long, or changed this one meanwhile.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    before = _what_is_in(target)
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    aside.chmod(0o755)  # mkdtemp makes it private; a pack is for every reader
    try:
        yield aside
        with changing(target.parent):
            if _what_is_in(target) != before:
                raise ModelsBusy(
                    f"another service or command has exchanged the model in {target} meanwhile: look at that one, and "
                    "do this again where it is still wanted"
                )
            _swap(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """Yield a path to write; what is there at the end becomes `target`, or is gone where the end is not reached."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as folder:
        aside = Path(folder) / target.name
        yield aside
        aside.replace(target)


def describe(path: Path) -> PackFile:
    """Return the name and the content's hash of a file of a pack."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return PackFile(name=path.name, sha256=digest.hexdigest())


def write_trust(folder: Path, manifest: Manifest, trust: Trust) -> Manifest:
    """Write what a model knows of its own errors, if anything; returns the manifest that says so, not yet written."""
    if trust == Trust():
        return manifest.model_copy(update={"trust": None})
    (folder / TRUST).write_text(trust.model_dump_json() + "\n", "utf-8")
    return manifest.model_copy(update={"trust": describe(folder / TRUST)})


def write_learnt(folder: Path, manifest: Manifest, learnt: Learnt | None) -> Manifest:
    """Write which pictures a model learnt from, if that is known; returns the manifest that says so, unwritten."""
    if learnt is None:
        return manifest
    (folder / LEARNT).write_text(learnt.model_dump_json() + "\n", "utf-8")
    data = manifest.training_data.model_copy(update={"sha256": learnt.sha256})
    return manifest.model_copy(update={"learnt": describe(folder / LEARNT), "training_data": data})


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `pack.json`, in one move, and the card that follows from it."""
    aside = folder / f"{MANIFEST}.part"
    aside.write_text(manifest.model_dump_json(indent=2, exclude_none=True) + "\n", "utf-8")
    aside.replace(folder / MANIFEST)
    (folder / CARD).write_text(write_card(manifest), "utf-8")


def _what_is_in(folder: Path) -> str | None:
    return key_of(folder) if (folder / MANIFEST).is_file() else None


def _swap(aside: Path, target: Path) -> None:
    """Move a finished folder into place; an older one of that name is gone only once the new one is there."""
    old = target.with_name(f".{target.name}-old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    aside.rename(target)
    shutil.rmtree(old, ignore_errors=True)
