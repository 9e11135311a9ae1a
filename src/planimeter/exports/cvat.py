"""CVAT's own XML for images, version 1.1: each object a mask, which is exact."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import SpooledTemporaryFile
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from planimeter.exports.source import Change, Source, change_of
from planimeter.labels import cvat
from planimeter.labels.entries import ObjectEntry, Report
from planimeter.masks.window import WindowMask, trim

IN_MEMORY, PIECE = 2**24, 2**20
"""Characters: of pictures before they go to a disk, and that are given at once."""
_NOT_IN_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML 1.0 can hold."""
_APART = "-\u200b-"
"""In the place of two hyphens, which end a comment: with a space between them that has no width."""


def of_one(source: Source, said: str) -> str:
    """Return the document of one picture, with what is `said` of the format."""
    return "".join(of_many([source], said))


def of_many(sources: Iterable[Source], said: str) -> Iterator[str]:
    """Yield, piece by piece, the document of many pictures: what is to know of each as it comes, then all of them.

    The classes have to stand before the pictures, and are known when the last one has come: until then the pictures
    are in a temporary file.
    """
    classes: dict[str, None] = {}
    yield f'<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n{_comment(said)}\n'
    with SpooledTemporaryFile(IN_MEMORY, "w+", encoding="utf-8", newline="") as images:
        for number, source in enumerate(sources):
            classes |= dict.fromkeys(source.classes)
            image = _image(source, number)
            facts = _facts(source, change_of(source, read(image, source)))
            yield f"{_comment(json.dumps(facts, ensure_ascii=False))}\n"
            images.write(image)
        labels = "".join(f"<label><name>{escape(_plain(name))}</name></label>" for name in classes)
        yield f"<meta><task><labels>{labels}</labels></task></meta>\n"
        images.seek(0)
        while piece := images.read(PIECE):
            yield piece
    yield "</annotations>\n"


def read(text: str, source: Source) -> list[ObjectEntry]:
    """Return the objects of the first picture in a document, as they are read as labels."""
    root = ET.fromstring(text)  # noqa: S314 - our own
    image = root if root.tag == "image" else root.find("image")
    return list(cvat.objects_in(Path(source.stem), source.name, image, Report()))


def _image(source: Source, number: int) -> str:
    height, width = source.size
    masks = "".join(_mask(instance.class_name, trim(mask)) for instance, mask in source.objects if mask.area)
    name = quoteattr(_plain(source.name))
    return f'<image id="{number}" name={name} width="{width}" height="{height}">\n{masks}</image>\n'


def _mask(label: str, mask: WindowMask) -> str:
    """Return a mask: row after row, how many pixels of its window are out and in by turns."""
    flat = mask.pixels.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    lengths = ", ".join(map(str, [0, *runs] if flat[0] else runs))
    height, width = mask.pixels.shape
    return (
        f'<mask label={quoteattr(_plain(label))} source="auto" occluded="0" rle="{lengths}" left="{mask.x}" '
        f'top="{mask.y}" width="{width}" height="{height}" z_order="0"></mask>\n'
    )


def _facts(source: Source, change: Change) -> dict[str, object]:
    """Return what a careful reader must know of a picture."""
    measurement = source.measurement
    return {
        "filename": measurement.image.filename,
        "measurement": source.id,
        "model": f"{measurement.model.name} {measurement.model.version}",
        "score_threshold": measurement.options.score_threshold,
        **source.facts,
        **change.described(),
    }


def _comment(text: str) -> str:
    return f"<!-- {_plain(text).replace('--', _APART)} -->"


def _plain(text: str) -> str:
    return _NOT_IN_XML.sub("_", text)
