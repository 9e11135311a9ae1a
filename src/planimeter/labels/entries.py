"""What label files say, in one form for all formats, and the pictures and masks made of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from planimeter.errors import DataError, PlanimeterError
from planimeter.labels.finder import Missing
from planimeter.labels.pictures import LabelledPicture, LabelledPictures
from planimeter.labels.shapes import Shape, unite
from planimeter.masks.window import WindowMask
from planimeter.pictures.decode import decode
from planimeter.reading import read_file
from planimeter.settings import Limits

LEAVE_OUT = "to go on without all that is broken, add --leave-out broken (in Python: leave_out_broken=True)"


@dataclass(frozen=True)
class Finding:
    """Something about labelled pictures that their owner should know."""

    file: str
    message: str
    object: str | None = None
    """Which object of the file: "annotation 12", "line 3"."""
    broken: bool = True
    """Whether it must be mended before the data can be used; otherwise it is only worth a look."""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.object, self.message) if part)


@dataclass
class Report:
    """Receives what is wrong: stops at the first broken thing, or collects all and goes on without them."""

    collect: bool = False
    findings: list[Finding] = field(default_factory=list)

    def broken(self, file: str | Path, message: str, name: str | None = None) -> None:
        """Report what cannot be used; raises `DataError` unless all is collected."""
        finding = Finding(str(file), message, name)
        if not self.collect:
            raise DataError(f"{finding}; {LEAVE_OUT}")
        self.findings.append(finding)

    def doubtful(self, file: str | Path, message: str, name: str | None = None) -> None:
        """Report what can be used, but is likely not meant."""
        self.findings.append(Finding(str(file), message, name, broken=False))


@dataclass(frozen=True)
class ObjectEntry:
    """One labelled object: the union of its shapes."""

    name: str
    class_name: str
    shapes: tuple[Shape, ...]
    area: float | None = None
    """As the file states it, in pixels; only compared, never used."""


@dataclass(frozen=True)
class PictureEntry:
    """One picture as the label files describe it."""

    name: str
    labels: Path
    """The file that findings name."""
    source: Path | bytes | Missing
    """Where the picture is, the picture itself, or why there is none."""
    objects: tuple[ObjectEntry, ...] = ()
    size: tuple[int, int] | None = None
    """Height and width as the label file states them."""


@dataclass(frozen=True)
class LabelSet:
    """All pictures of a data set, none of them read yet."""

    format: str
    classes: tuple[str, ...]
    pictures: tuple[PictureEntry, ...]

    def read(self, report: Report) -> Iterator[LabelledPicture]:
        """Decode the pictures and draw their masks, one after the other; what is broken is left out."""
        label_of = {name: label for label, name in enumerate(self.classes, start=1)}
        for entry in self.pictures:
            picture = _read_picture(entry, label_of, report)
            if picture is not None:
                yield picture

    def load(self, report: Report) -> LabelledPictures:
        """Return all pictures in memory, with what `report` holds or receives as doubts."""
        pictures = tuple(self.read(report))
        broken = [f"left out: {finding}" for finding in report.findings if finding.broken]
        if broken and not any(picture.labels for picture in pictures):
            raise DataError(
                f"nothing is left but what is broken; the first is {broken[0].removeprefix('left out: ')}"
            )
        count = [f"left out as broken: {len(broken)} objects or pictures"] if broken else []
        doubts = [str(finding) for finding in report.findings if not finding.broken]
        return LabelledPictures(self.classes, pictures, self.format, (*count, *broken, *doubts))


def _read_picture(entry: PictureEntry, label_of: dict[str, int], report: Report) -> LabelledPicture | None:
    if isinstance(entry.source, Missing):
        report.broken(entry.labels, f"picture {entry.name}: {entry.source.reason}")
        return None
    try:
        data = (
            read_file(entry.source, most_bytes=Limits().max_bytes)
            if isinstance(entry.source, Path)
            else entry.source
        )
        picture = decode(data, filename=entry.name, limits=Limits())
    except OSError as error:
        report.broken(entry.labels, f"picture {entry.name}: {error.strerror}")
        return None
    except PlanimeterError as error:
        report.broken(entry.labels, f"picture {entry.name}: {error}")
        return None
    height, width = picture.pixels.shape[:2]
    if entry.size not in (None, (height, width)):
        report.broken(entry.labels, f"picture {entry.name} {_compare(entry.size, (height, width))}")
        return None
    labels: list[int] = []
    masks: list[WindowMask] = []
    seen: dict[tuple[int, int, tuple[int, ...], bytes], str] = {}
    for item in entry.objects:
        mask = _draw(entry, item, (height, width), report)
        if mask is None:
            continue
        key = (mask.x, mask.y, mask.pixels.shape, mask.pixels.tobytes())
        if key in seen:
            report.doubtful(entry.labels, f"has the same mask as {seen[key]}", _where(entry, item))
        seen.setdefault(key, item.name)
        labels.append(label_of[item.class_name])
        masks.append(mask)
    return LabelledPicture(entry.name, picture.pixels, tuple(labels), tuple(masks), picture.info.scale)


def _compare(stated: tuple[int, int] | None, size: tuple[int, int]) -> str:
    """Say how the size that labels state differs from that of the picture; heights come first."""
    high, wide = stated or (0, 0)
    message = f"is {size[1]} x {size[0]}, the labels say {wide} x {high}"
    if (wide, high) == size:
        return (
            f"{message}: the sides are swapped, for it was labelled without regard to its EXIF orientation; remove the "
            "orientation from the picture (exiftool -Orientation= FILE), or label it as it is shown"
        )
    return f"{message}; use the picture that was labelled, or label this one"


def _where(entry: PictureEntry, item: ObjectEntry) -> str:
    return f"{item.name} in picture {entry.name}"


def refuse_other_size(what: str, stated: tuple[int, int], size: tuple[int, int]) -> None:
    """Raise `ValueError` where a mask of a stated height and width is not as large as its picture."""
    if stated != size:
        raise ValueError(f"{what} does not fit: the picture {_compare(stated, size)}")


def _draw(entry: PictureEntry, item: ObjectEntry, size: tuple[int, int], report: Report) -> WindowMask | None:
    height, width = size
    where = _where(entry, item)
    try:
        mask = unite([shape.draw(height, width) for shape in item.shapes])
    except (ValueError, PlanimeterError) as error:
        report.broken(entry.labels, str(error), where)
        return None
    for shape in item.shapes:
        across, down = (width, height) if shape.shares else (1, 1)
        left, right = shape.bounds[0] * across, shape.bounds[2] * across
        top, bottom = shape.bounds[1] * down, shape.bounds[3] * down
        # A tool may round a point at the edge to the pixel beyond it.
        if left < -1 or top < -1 or right > width + 1 or bottom > height + 1:
            report.doubtful(
                entry.labels,
                f"reaches from ({left:g}, {top:g}) to ({right:g}, {bottom:g}), out of its picture of "
                f"{width} x {height}: cut off at the edge",
                where,
            )
            break
    if not mask.area:
        report.doubtful(entry.labels, "has not one pixel in the picture: left out", where)
        return None
    # The area of an outline and that of its pixels differ by what the outline's length allows.
    if item.area is not None and abs(item.area - mask.area) > max(0.05 * mask.area, 2 * mask.area**0.5):
        report.doubtful(
            entry.labels, f"states an area of {item.area:g}, its mask has {mask.area} pixels (used)", where
        )
    return mask
