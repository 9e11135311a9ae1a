"""Regions of interest for ImageJ and Fiji: a zip that the ROI Manager opens, a region for each object."""

import zipfile
from io import BytesIO

import numpy as np
import roifile

from planimeter.exports.source import Source, file_name
from planimeter.labels.entries import ObjectEntry
from planimeter.labels.fiji import CLASS, region_in
from planimeter.masks.outlines import Ring, outlines
from planimeter.measurement import Instance

_EPOCH = (1980, 1, 1, 0, 0, 0)
_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0
"""The steps of a path."""
_VERSION = 228
"""Of the format: with properties and groups."""
_MOST_GROUPS = 255
_FARTHEST = 60_000
"""Whole coordinates are kept in 16 bits."""


def write(source: Source, comment: str = "") -> bytes:
    """Return the zip: traced regions, and composite ones where an object has holes or several parts."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for instance, mask in source.objects:
            if not mask.area:
                continue
            region = _region(instance, [ring for part in outlines(mask) for ring in part])
            entry = zipfile.ZipInfo(f"{region.name}.roi", _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, region.tobytes(), zipfile.ZIP_DEFLATED)
        archive.comment = f"Figures as {source.figures}. {comment}".strip().encode()
    return file.getvalue()


def read(data: bytes, _: Source) -> list[ObjectEntry]:
    """Return the objects as they are read as labels."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        return [region_in(name, archive.read(name)) for name in archive.namelist()]


def _region(instance: Instance, rings: list[Ring]) -> roifile.ImagejRoi:
    corners = np.concatenate(rings)
    single = len(rings) == 1
    if single:
        region: roifile.ImagejRoi = roifile.ImagejRoi.frompoints(
            corners if corners.max() <= _FARTHEST else corners.astype(np.float32)
        )
        region.roitype = roifile.ROI_TYPE.TRACED
    else:
        path = np.concatenate([_steps(ring) for ring in rings])
        region = roifile.ImagejRoi(
            roitype=roifile.ROI_TYPE.RECT, multi_coordinates=path, shape_roi_size=len(path)
        )
    region.left, region.top = corners.min(axis=0).tolist()
    region.right, region.bottom = corners.max(axis=0).tolist()
    region.version = _VERSION
    region.group = min(instance.class_id, _MOST_GROUPS)  # which the ROI Manager shows in colours
    name = _plain(instance.class_name)
    region.name = f"{instance.id:04}_{file_name(name.replace('/', '_'))}"
    region.props = f"{CLASS}: {name}\nscore: {instance.score:.6g}\n"
    return region


def _steps(ring: Ring) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Return a ring as steps of a path: move, lines, close."""
    steps = np.full((len(ring), 3), _LINE, np.float32)
    steps[0, 0] = _MOVE
    steps[:, 1:] = ring
    return np.append(steps.ravel(), np.float32(_CLOSE))


def _plain(name: str) -> str:
    """Return a name in one line of characters of 16 bits, as the file holds it."""
    return "".join("_" if not mark.isprintable() or ord(mark) > 0xFFFF else mark for mark in name)
