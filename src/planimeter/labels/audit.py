"""The audit of labelled pictures: what is broken, what is doubtful, and what is there twice."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from planimeter.labels.census import Census
from planimeter.labels.entries import Finding, Report
from planimeter.labels.formats import open_labels
from planimeter.labels.pictures import LabelledPicture

FEW_INSTANCES = 20
"""A class with fewer cannot be learnt, nor its error be told."""
ALIKE_STEPS = 0.84
"""Cosine of the difference hashes of near-duplicates, at least: 92 of 100 steps that both have agree."""
ALIKE_CORRELATION = 0.98
"""Correlation that their thumbnails have at least: hashes of smooth pictures agree by chance."""
FLAT = 2.0
"""Standard deviation in grey levels below which a thumbnail shows nothing to compare."""

_HASH_SIDE = 16
_STEP = 0.1
"""What counts as a step, in standard deviations of the small picture: less is noise on even ground."""
_THUMBNAIL_SIDE = 32
_BLOCK = 512


@dataclass(frozen=True)
class Audit:
    """What was understood of a data set, and what was found in it."""

    census: Census
    findings: tuple[Finding, ...]
    """Broken things first."""

    @property
    def broken(self) -> bool:
        """Whether anything must be mended before the data can be used."""
        return any(finding.broken for finding in self.findings)


def audit(path: Path, images: Path | None = None, against: Path | None = None) -> Audit:
    """Check the labelled pictures at `path`; `against` is another part that must share no picture with them.

    Pictures are read one after the other. Raises `DataError` only where nothing at all can be understood.
    """
    report = Report(collect=True)
    census, prints = _walk(path, images, report)
    _report_few(path, census, report)
    _report_alike(path, prints, report)
    if against is not None:
        other_census, other_prints = _walk(against, None, Report(collect=True))
        _report_shared(path, prints, against, other_prints, report)
        for name in sorted(set(other_census.classes) - set(census.classes)):
            report.broken(against, f"has the class {name}, which {path} does not have")
    return Audit(census, tuple(sorted(report.findings, key=lambda finding: not finding.broken)))


@dataclass(frozen=True)
class _Print:
    """What a picture is recognised by."""

    name: str
    sha256: str
    steps: NDArray[np.float32]
    """Difference hash: darker -1, brighter 1, even 0 for each of 256 places; scaled to length 1."""
    thumbnail: NDArray[np.float32]
    """Grey, with mean 0 and length 1, so that a product is a correlation; zeros for a flat picture."""


def _walk(path: Path, images: Path | None, report: Report) -> tuple[Census, list[_Print]]:
    labels = open_labels(path, images, report)
    census = Census(labels.format, labels.classes)
    prints = []
    for picture in labels.read(report):
        census.add(picture)
        prints.append(_print(picture))
    return census, prints


def _print(picture: LabelledPicture) -> _Print:
    """Return exact and perceptual hash (dHash: is each place brighter than the one left of it?)."""
    grey = Image.fromarray(picture.pixels).convert("L")
    small = np.asarray(grey.resize((_HASH_SIDE + 1, _HASH_SIDE), Image.Resampling.BOX), np.float32)
    changes = np.diff(small, axis=1)
    steps = (np.sign(changes) * (np.abs(changes) > _STEP * small.std())).ravel()
    thumbnail = grey.resize((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE), Image.Resampling.BOX)
    values = np.asarray(thumbnail, np.float32).ravel()
    values = values - values.mean()
    length = float(np.linalg.norm(values))
    flat = length < FLAT * _THUMBNAIL_SIDE
    digest = hashlib.sha256(repr(picture.pixels.shape).encode() + picture.pixels.tobytes()).hexdigest()
    return _Print(
        picture.name,
        digest,
        steps / max(float(np.linalg.norm(steps)), 1.0),
        np.zeros_like(values) if flat else values / length,
    )


def _report_few(path: Path, census: Census, report: Report) -> None:
    if not census.instances:
        report.broken(path, "has no object at all: there is nothing to learn")
    for name, sizes in census.sizes.items():
        if len(sizes) < FEW_INSTANCES:
            report.doubtful(
                path, f"has {len(sizes)} instances; label {FEW_INSTANCES} or more", f"class {name}"
            )


def _report_alike(path: Path, prints: list[_Print], report: Report) -> None:
    for entry, partner, exact in _pairs(prints, prints, earlier_only=True):
        how = "has the same pixels as" if exact else "looks nearly the same as"
        report.doubtful(
            path,
            f"{how} picture {partner.name}; one may be learnt from and the other validated on",
            f"picture {entry.name}",
        )


def _report_shared(
    path: Path, prints: list[_Print], against: Path, others: list[_Print], report: Report
) -> None:
    for entry, partner, exact in _pairs(prints, others, earlier_only=False):
        where, there = f"picture {entry.name}", f"picture {partner.name} of {against}"
        if exact:
            report.broken(path, f"has the same pixels as {there}; keep it on one side", where)
        else:
            report.doubtful(path, f"looks nearly the same as {there}", where)


def _pairs(
    prints: list[_Print], others: list[_Print], *, earlier_only: bool
) -> list[tuple[_Print, _Print, bool]]:
    """Return each picture that has a like one among the others, with the most like, and whether it is equal.

    With `earlier_only` both lists are the same one, and a picture is compared with those before it.
    """
    if not prints or not others:
        return []
    steps = np.stack([entry.steps for entry in others])
    thumbnails = np.stack([entry.thumbnail for entry in others])
    first: dict[str, _Print] = {}
    for entry in others:
        first.setdefault(entry.sha256, entry)
    pairs = []
    for start in range(0, len(prints), _BLOCK):
        block = prints[start : start + _BLOCK]
        agree = np.stack([entry.steps for entry in block]) @ steps.T
        alike = np.stack([entry.thumbnail for entry in block]) @ thumbnails.T
        alike[agree < ALIKE_STEPS] = 0
        if earlier_only:
            alike[np.arange(len(others))[None] >= np.arange(start, start + len(block))[:, None]] = 0
        best = alike.argmax(axis=1)
        for row, entry in enumerate(block):
            equal = first.get(entry.sha256)
            if equal is not None and equal is not entry:
                pairs.append((entry, equal, True))
            elif alike[row, best[row]] >= ALIKE_CORRELATION:
                pairs.append((entry, others[best[row]], False))
    return pairs
