"""Regions of interest of ImageJ and Fiji: a zip of `.roi` files for each picture, or one such file."""

import re
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import roifile

from planimeter.errors import DataError
from planimeter.labels.entries import LabelSet, ObjectEntry, PictureEntry, Report
from planimeter.labels.files import ordered
from planimeter.labels.finder import Finder, Folders, Missing, find_named, pictures_beside
from planimeter.labels.shapes import Shape, ellipse, even_odd, polygon, rectangle

FORMAT = "Fiji ROI"
ONLY_CLASS = "object"
"""Of regions in no group."""
CLASS = "class"
"""The property that names a region's class; Planimeter writes it."""
MOST_BYTES = 64 * 2**20
"""Of one region unpacked."""

_DAMAGED = (struct.error, ValueError, TypeError, IndexError, RuntimeError, NotImplementedError, OverflowError)
"""What roifile raises for a file that is cut short, or holds what it does not read."""
_SET = re.compile(r"(?i)^roi[-_ ]?sets?[-_ ]+|[-_ ]+roi[-_ ]?sets?$|[-_ ]+rois?$")
"""What people put before or behind the name of a picture."""
_NAMELESS = re.compile(r"(?i)^roi[-_ ]?sets?\d*$|^rois?\d*$|^\d+(-\d+)*$")
"""What the ROI Manager calls its zip and its regions by itself."""
_OUTLINES = {roifile.ROI_TYPE.POLYGON, roifile.ROI_TYPE.FREEHAND, roifile.ROI_TYPE.TRACED}
_FLAT_SUBTYPES = {roifile.ROI_SUBTYPE.TEXT, roifile.ROI_SUBTYPE.ARROW, roifile.ROI_SUBTYPE.IMAGE}
READ = "read are polygon, freehand, traced, rectangle, oval and composite"


def fiji_files(folder: Path) -> list[Path]:
    """Return the files of regions in a folder."""
    return sorted(
        file
        for file in folder.iterdir()
        if not file.name.startswith(".") and (file.suffix.lower() == ".roi" or is_fiji(file))
    )


def is_fiji(file: Path) -> bool:
    """Tell whether a zip holds regions, or nothing at all: then its picture has none."""
    if file.suffix.lower() != ".zip" or not file.is_file():
        return False
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            return not names or any(name.lower().endswith(".roi") for name in names)
    except (OSError, zipfile.BadZipFile):
        return False


def open_fiji(path: Path, images: Path | None, report: Report) -> LabelSet:
    """Read a file, or a folder of files, each under the name of its picture."""
    pictures: dict[Path, PictureEntry] = {}
    folders = Folders()
    for file in fiji_files(path) if path.is_dir() else [path]:
        if file.suffix.lower() == ".zip" and not is_fiji(file):
            raise DataError(f"{file} holds no regions of Fiji (.roi); unpack other zips, and name the folder")
        source = _find(file, images, folders)
        found = tuple(_objects(file, report))
        if isinstance(source, Path) and source in pictures:  # single regions of one picture
            found = (*pictures[source].objects, *found)
        name = source.name if isinstance(source, Path) else file.stem
        pictures[source if isinstance(source, Path) else file] = PictureEntry(name, file, source, found)
    classes = ordered(item.class_name for picture in pictures.values() for item in picture.objects)
    return LabelSet(FORMAT, classes, tuple(pictures.values()))


def region_in(name: str, data: bytes) -> ObjectEntry:
    """Return one region as an object; raises `ValueError` with a sentence."""
    try:
        region = roifile.ImagejRoi.frombytes(data)
    except _DAMAGED as error:
        raise ValueError("is no region of ImageJ, or damaged; save it again") from error
    slices = max(region.position, region.z_position, region.t_position)
    if slices > 1:
        raise ValueError(
            f"is on slice {slices} of a stack, and a picture has one; save the regions of each slice"
        )
    return ObjectEntry(name, _class(region, data), (_shape(region),))


def _find(file: Path, images: Path | None, folders: Folders) -> Path | Missing:
    """Return the picture that a file of regions is named after, or the only one there is where it bears no name."""
    finder = Finder(file, images, folders)
    found = find_named(finder, file.stem)
    if isinstance(found, Path):
        return found
    bare = _SET.sub("", file.stem)
    if bare != file.stem and bare and isinstance(named := find_named(finder, bare), Path):
        return named
    beside = pictures_beside(images or file.parent)
    if _NAMELESS.search(file.stem):
        if len(beside) == 1:
            return beside[0]
        return Missing(
            f"cannot be told among {len(beside)} pictures, for {file.name} bears no name; call the regions as their "
            "picture is called"
        )
    return found


def _objects(file: Path, report: Report) -> Iterator[ObjectEntry]:
    try:
        for name, data in _regions(file, report):
            try:
                yield region_in(name, data)
            except ValueError as error:
                report.broken(file, str(error), name)
    except OSError as error:
        report.broken(file, f"cannot be opened: {error.strerror}")
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        report.broken(file, f"is a damaged or encrypted zip ({error}); save the regions again")


def _regions(file: Path, report: Report) -> Iterator[tuple[str, bytes]]:
    if file.suffix.lower() == ".roi":
        yield f"region {file.stem}", file.read_bytes()
        return
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            if not entry.filename.lower().endswith(".roi") or "__MACOSX" in entry.filename:
                continue
            name = f"region {entry.filename[: -len('.roi')]}"
            if entry.file_size > MOST_BYTES:
                report.broken(file, f"is larger than {MOST_BYTES >> 20} MB", name)
                continue
            yield name, archive.read(entry)


def _class(region: roifile.ImagejRoi, data: bytes) -> str:
    for line in _properties(data).splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip() == CLASS and value.strip():
            return value.strip()
    return f"group {region.group}" if region.group else ONLY_CLASS


def _properties(data: bytes) -> str:
    """Return the properties of a region, of which roifile cuts off the end before 2026 (and on Python 3.10)."""
    second = int.from_bytes(data[60:64], "big")
    fields = data[second + 40 : second + 48]
    if second < 64 or len(fields) < 8:
        return ""
    start, length = struct.unpack(">ii", fields)
    return data[start : start + 2 * length].decode("utf-16-be", "replace") if start > 0 and length > 0 else ""


def _shape(region: roifile.ImagejRoi) -> Shape:
    kind = region.roitype
    if region.subtype in _FLAT_SUBTYPES:
        raise ValueError(f"a region of text, an arrow or a picture has no area; {READ}")
    if region.options & roifile.ROI_OPTIONS.SPLINE_FIT:
        raise ValueError(
            "an outline that is fitted with a spline is not read; make it a polygon first (in Fiji: Edit, Selection, "
            "Interpolate)"
        )
    try:
        if region.composite:
            return even_odd([ring for ring in region.coordinates(multi=True) if len(ring) > 2])
        if kind in _OUTLINES:
            return polygon(region.coordinates())
    except _DAMAGED as error:
        raise ValueError(f"its outline is damaged, or has curves, which are not read ({error})") from error
    if kind in {roifile.ROI_TYPE.RECT, roifile.ROI_TYPE.OVAL}:
        left, top, right, bottom = _sides(region)
        if kind == roifile.ROI_TYPE.OVAL:
            return ellipse((left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2)
        if region.rounded_rect_arc_size:
            raise ValueError(f"a rectangle with rounded corners is not read; {READ}")
        return rectangle(left, top, right, bottom)
    raise ValueError(f"a region of type {kind.name.lower()} has no area; {READ}")


def _sides(region: roifile.ImagejRoi) -> tuple[float, float, float, float]:
    if region.subpixelrect:
        return region.xd, region.yd, region.xd + region.widthd, region.yd + region.heightd
    return region.left, region.top, region.right, region.bottom
