"""What people reviewed, as a data set to learn from and to evaluate with: corrected figures, taken for the truth.

`planimeter train` and `planimeter evaluate` read it as it is. Pictures of which only a part counted are left out:
nobody went over the rest of them. Of a picture that was measured several times the newest measurement counts whose file
is what was uploaded.
"""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from planimeter.errors import StoreFailed
from planimeter.exports.archive import Archive
from planimeter.exports.coco import of_many
from planimeter.exports.source import Names, Source
from planimeter.store import Filter, Record, Store
from planimeter.training.reviews import PICTURES

log = logging.getLogger(__name__)

LABELS = "reviewed.json"
"""The labels of a data set, beside the folder of its pictures."""
_PART = "only a part of it counted"
_AGAIN = "its picture was reviewed again later"
_MISSING = "its file cannot be read"
_DAMAGED = "its file is not what was uploaded"


@dataclass
class Reviewed:
    """The reviewed pictures of a store, of one model or of all; from them, one data set is made."""

    store: Store
    model: str | None = None
    left_out: list[tuple[str, str]] = field(default_factory=list)
    """Ids of measurements that are not in it, and why."""

    @property
    def filter(self) -> Filter:
        """Which measurements these are, whatever part of them counted."""
        return Filter(reviewed=True, model=self.model)

    def coco(self, url: Callable[[str], str]) -> Iterator[str]:
        """Yield, piece by piece, a COCO json; `url` says where the picture of a measurement is."""
        yield from of_many(source for source, _, _ in self._sources(url))

    def archive(self) -> Iterator[bytes]:
        """Yield, piece by piece, a zip of the pictures, of `reviewed.json` and of what is left out."""
        archive = Archive()
        drained: list[bytes] = []

        def add(name: str, data: bytes, record: Record) -> None:
            archive.add(name, data, record.created_at, packed=False)
            drained.append(archive.drained())

        pieces: list[str] = []
        for piece in of_many(self._with_pictures(add)):
            pieces.append(piece)
            yield b"".join(drained)
            drained.clear()
        archive.add(LABELS, "".join(pieces))
        archive.add("left_out.json", self._told())
        yield b"".join(drained) + archive.closed()

    def write(self, folder: Path) -> int:
        """Write the same into a folder, which may be new; return how many pictures are in it.

        Raises OSError where it cannot be written.
        """
        (folder / PICTURES).mkdir(parents=True, exist_ok=True)
        count = 0

        def add(name: str, data: bytes, _: Record) -> None:
            nonlocal count
            (folder / name).write_bytes(data)
            count += 1

        with (folder / LABELS).open("w", encoding="utf-8") as labels:
            labels.writelines(of_many(self._with_pictures(add)))
        (folder / "left_out.json").write_text(self._told(), encoding="utf-8")
        return count

    def _with_pictures(self, add: Callable[[str, bytes, Record], None]) -> Iterator[Source]:
        for source, record, picture in self._sources():
            add(source.picture, picture, record)
            yield source

    def _sources(self, url: Callable[[str], str] | None = None) -> Iterator[tuple[Source, Record, bytes]]:
        """Yield what is in it, with the bytes of its picture; notes what is left out, and what is taken instead."""
        names = Names()
        seen: set[str] = set()
        for record in self.store.walk(self.filter):  # newest first
            counting = record.measurement.options.counting
            if counting is not None and not counting.all_counts:
                self._leave_out(record, _PART)
                continue
            if record.measurement.image.sha256 in seen:
                self._leave_out(record, _AGAIN)
                continue
            picture = self._whole_picture(record)
            if picture is None:
                continue
            seen.add(record.measurement.image.sha256)
            stem = names.of(record.measurement.image.filename)
            ending = Path(record.files.image).suffix
            source = Source(
                record.with_figures("corrected").measurement,
                stem,
                f"{PICTURES}/{stem}{ending}",
                record.id,
                record.created_at,
                figures="corrected",
                reviewed=True,
                url=None if url is None else url(record.id),
            )
            yield source, record, picture

    def _whole_picture(self, record: Record) -> bytes | None:
        """Return the picture as it was uploaded; None where it is gone or damaged: an earlier one may be whole."""
        try:
            picture = self.store.read(record, "image")
        except StoreFailed:
            self._leave_out(record, _MISSING)
            return None
        if sha256(picture).hexdigest() != record.measurement.image.sha256:
            self._leave_out(record, _DAMAGED)
            return None
        return picture

    def _leave_out(self, record: Record, why: str) -> None:
        self.left_out.append((record.id, why))
        if why in {_MISSING, _DAMAGED}:
            log.warning("the reviewed measurement %s is left out of the data set: %s", record.id, why)

    def _told(self) -> str:
        return json.dumps([{"measurement": id_, "why": why} for id_, why in self.left_out], indent=1) + "\n"
