"""Tables that `planimeter measure --to` wrote, taken into the store of a service: nothing is measured again."""

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal

from planimeter.bulk.places import FolderPlace, Place, is_address, open_place, read_picture
from planimeter.bulk.results import FOUND, MEASURED
from planimeter.bulk.rows import measurement_in
from planimeter.bulk.schema import Row, read_columns
from planimeter.details import Details
from planimeter.drawing.drawing import draw_measurement
from planimeter.drawing.encoding import encode_mask_png, encode_png
from planimeter.errors import (
    InvalidOption,
    KeyInUse,
    MissingPicture,
    PlanimeterError,
    StoreFailed,
    Unreachable,
)
from planimeter.masks.rle import rle_window
from planimeter.masks.union import union_mask
from planimeter.measurement import Measurement
from planimeter.measuring.ahead import in_order
from planimeter.measuring.candidates import PackedCandidates, exact_mask
from planimeter.packs.pack import Pack, colors_of
from planimeter.pictures.decode import decode
from planimeter.runtimes.cores import available
from planimeter.settings import Limits
from planimeter.store import RequestKey, Store

Fate = Literal["stored", "there", "in_trash", "not_measured", "gone", "changed", "damaged"]
"""What becomes of a row: stored; there or in the trash already; and why not: its picture could not be measured, cannot
be read any more, or is another one now; or the row itself is not as it was written."""
SUFFIX = ".parquet"
_SAID = ("lot", "sample", "operator", "note", "tags")
_COLUMNS = [
    *("key", "sha256", "percent_masked", "pixels_masked", "model_sha256", "error_code", "measured_at"),
    *("document", "candidates", *_SAID),
]
_AT_ONCE = 500
"""Keys that a database is asked for together."""


@dataclass(frozen=True)
class Told:
    """A row that was looked at."""

    key: str
    fate: Fate
    reason: str = ""
    """Why it was not stored, in a sentence that names the picture."""


@dataclass(frozen=True)
class Ready:
    """What is stored of a row."""

    request: RequestKey
    measurement: Measurement
    picture: bytes
    overlay_png: bytes
    mask_png: bytes
    candidates: bytes
    details: Details
    measured_at: datetime


@dataclass(frozen=True)
class Table:
    """A part of the tables in one place."""

    place: Place
    name: str

    def rows(self) -> list[tuple[Row, list[Row]]]:
        """Return the rows of pictures, each with those of its instances; raises `StoreFailed`."""
        found = defaultdict(list)
        for entry in self._read(FOUND, ["key", "id", "rle_size", "rle_counts"]):
            found[entry["key"]].append(entry)
        return [(row, found[row["key"]]) for row in self._read(MEASURED, _COLUMNS)]

    def _read(self, folder: str, columns: list[str]) -> list[Row]:
        data, shown = self.place.read(f"{folder}/{self.name}"), f"{self.place.address}/{folder}/{self.name}"
        if data is None:
            raise StoreFailed(f"{shown} is not there: both tables of a place are needed")
        return read_columns(data, columns, shown)


def tables_at(address: str) -> list[Table]:
    """Return the parts at what was given as --to, in its folder of measurements, or of one file there.

    Raises `InvalidOption` where there are none.
    """
    if not is_address(address):
        address = str(Path(address).absolute())
    address = address.rstrip("/")
    root, one = address, None
    if address.endswith(SUFFIX):
        root, _, one = address.rpartition("/")
    if root.endswith(f"/{MEASURED}"):
        root = root.removesuffix(f"/{MEASURED}")
    place = open_place(root) if is_address(root) else FolderPlace(Path(root))
    names = [name.rpartition("/")[2] for name in place.names(MEASURED)]
    names = [name for name in names if name.endswith(SUFFIX) and one in {None, name}]
    if not names:
        raise InvalidOption(
            f"there are no tables of measurements at {address}; name what planimeter measure --to was given"
        )
    return [Table(place, name) for name in names]


@dataclass(frozen=True)
class Import:
    """Takes rows into a store, each once, however often they are given."""

    store: Store
    packs: Mapping[str, Pack]
    """Whose colours are drawn with."""
    most_bytes: int
    """Of a picture."""
    moved: Sequence[tuple[str, str]] = ()
    """Beginnings of keys, and what is there now."""
    batch: str | None = None

    def take(self, table: Table, stopping: threading.Event) -> Iterator[Told]:
        """Store the measurements of a table that are not there yet, and tell what became of each row.

        Nothing more is begun once it is `stopping`. Raises `StoreFailed` and `Unreachable`: what was stored until then
        stays, and the next time goes on from there.
        """
        rows = table.rows()
        for start in range(0, len(rows), _AT_ONCE):
            portion = rows[start : start + _AT_ONCE]
            known = self.store.known_requests([_request_of(row).key for row, _ in portion])
            todo = []
            for row, instances in portion:
                if fate := self._known(row, known):
                    yield Told(row["key"], fate)
                else:
                    todo.append((row, instances))
            for (row, _), made in zip(todo, in_order(todo, self._made, available(), stopping), strict=False):
                yield made if isinstance(made, Told) else Told(row["key"], self._store(made))
            if stopping.is_set():
                return

    def _known(self, row: Row, known: set[str]) -> Fate | None:
        if row["error_code"] is not None:
            return "not_measured"
        if _request_of(row).key in known:
            return "there"
        in_trash = self.store.trash.holds(row["measured_at"], row["sha256"] or "", row["model_sha256"] or "")
        return "in_trash" if in_trash else None

    def _made(self, given: tuple[Row, list[Row]]) -> Ready | Told:
        """Return what is to be stored of a row, or why nothing is."""
        row, instances = given
        try:
            return self._make(row, instances)
        except Unreachable:
            raise
        except MissingPicture as error:
            return Told(row["key"], "gone", str(error))
        except PlanimeterError as error:
            return Told(row["key"], "damaged", f"{row['key']}: {error}")
        except Exception as error:  # noqa: BLE001  one row of a million must not end the others
            told = f"{row['key']}: an error that was not foreseen: {type(error).__name__}: {error}"
            return Told(row["key"], "damaged", told)

    def _make(self, row: Row, instances: list[Row]) -> Ready | Told:
        if row["document"] is None or row["candidates"] is None:
            raise StoreFailed(
                "the row has no document or no candidates, as those of earlier versions; measure the picture again"
            )
        measurement = measurement_in(row, instances)
        image = measurement.image
        place = self._place_of(row["key"])
        pixels = image.width * image.height
        data = read_picture(place, Limits(self.most_bytes, pixels, max(image.width, image.height)))
        if sha256(data).hexdigest() != image.sha256:
            return Told(row["key"], "changed", f"{place} is another picture than the one that was measured")
        PackedCandidates.unpack(row["candidates"])
        masks = [rle_window(exact_mask(entry)) for entry in measurement.instances]
        mask = union_mask(masks, image.height, image.width)
        if int(mask.sum()) != measurement.coverage.pixels_masked:
            raise StoreFailed("the row was changed: its masks do not cover as many pixels as it says")
        limits = Limits(len(data), pixels, max(image.width, image.height))
        picture = decode(data, filename=image.filename, limits=limits)
        colors = colors_of(self.packs, measurement.model.name, len(measurement.coverage.by_class))
        drawn = draw_measurement(picture.pixels, measurement, colors, "fill", masks=masks, copy=False)
        return Ready(
            request=_request_of(row),
            measurement=measurement,
            picture=data,
            overlay_png=encode_png(drawn),
            mask_png=encode_mask_png(mask),
            candidates=row["candidates"],
            details=Details(**{name: row[name] or () if name == "tags" else row[name] for name in _SAID}),
            measured_at=row["measured_at"],
        )

    def _place_of(self, key: str) -> str:
        for before, now in self.moved:
            if key.startswith(before):
                return now + key[len(before) :]
        return key

    def _store(self, ready: Ready) -> Fate:
        try:
            self.store.add(
                ready.measurement,
                picture=ready.picture,
                overlay_png=ready.overlay_png,
                mask_png=ready.mask_png,
                candidates=ready.candidates,
                batch=self.batch,
                request=ready.request,
                details=ready.details,
                measured_at=ready.measured_at,
            )
        except KeyInUse:  # another import was quicker
            return "there"
        return "stored"


def _request_of(row: Row) -> RequestKey:
    """Return what tells a row; no client can send such a key, for it has a null character."""
    moment = row["measured_at"].isoformat()
    parts = ("planimeter history import", row["key"], row["sha256"], row["model_sha256"], moment)
    told = sha256("\0".join(map(str, parts)).encode()).hexdigest()
    return RequestKey(told, told)
