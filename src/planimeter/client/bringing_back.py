"""What people corrected in another program, brought back onto the measurements of a service as corrections."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from planimeter.client.answers import MeasurementAnswer
from planimeter.client.client import Client
from planimeter.client.options import FilterOptions
from planimeter.corrections import MOST_CHANGES, Changes
from planimeter.errors import DataError, PlanimeterError, UnknownMeasurement
from planimeter.labels.entries import PictureEntry
from planimeter.labels.formats import open_labels
from planimeter.labels.shapes import unite
from planimeter.masks.rle import rle_window
from planimeter.measurement import Rle
from planimeter.measuring.relabelled import Known, Labelled, changes_between
from planimeter.reading import read_file

_ID = re.compile(r"(?<![0-9A-Za-z])[0-7][0-9A-HJKMNP-TV-Z]{25}(?![0-9A-Za-z])")
MOST_NAMED = 20
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What becomes of one measurement."""

    picture: str
    """As the labels call it."""
    measurement: MeasurementAnswer
    changes: Changes
    complete: bool

    @property
    def is_needed(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.changes.count) or (self.complete and not self.measurement.reviewed)

    @property
    def words(self) -> str:
        """What is to be done, for people."""
        counts = {name: len(getattr(self.changes, name)) for name in ("reject", "reclass", "replace", "add")}
        names = ("rejected", "of another class", "redrawn", "added")
        told = [f"{count} {word}" for count, word in zip(counts.values(), names, strict=True) if count]
        return ", ".join(told) or "nothing changed"


def plan(
    client: Client,
    labels: Path,
    *,
    images: Path | None = None,
    complete: bool = False,
    within: FilterOptions | None = None,
    say: Say = lambda _: None,
) -> list[Plan]:
    """Return what corrected labels, in any format that is read, change of which measurements; nothing is sent yet.

    A picture is that of the measurement whose id its name has, else of the one that has its bytes, among those that
    `within` filters. One without any object is left alone unless it is `complete`, for it may not have been looked
    at; `say` tells of it. Raises `DataError` with all pictures that belong to no measurement, or cannot be used.
    """
    found = open_labels(labels, images)
    search = _Search(client, within or FilterOptions())
    plans: list[Plan] = []
    problems: list[str] = []
    seen: dict[str, str] = {}
    for entry in found.pictures:
        try:
            measurement = search.measurement_of(entry)
            if measurement.id in seen:
                problems.append(f"{entry.name} is of the same measurement as {seen[measurement.id]}")
                continue
            seen[measurement.id] = entry.name
            if not entry.objects and not complete:
                say(f"{entry.name}: without any object, so left as it is; --reviewed says that there is none")
                continue
            plans.append(Plan(entry.name, measurement, _changes(entry, measurement), complete))
        except (DataError, UnknownMeasurement) as error:
            problems.append(
                f"{entry.name} {error}" if isinstance(error, DataError) else f"{entry.name}: {error}"
            )
    if problems:
        more = f"; and {len(problems) - MOST_NAMED} more" if len(problems) > MOST_NAMED else ""
        raise DataError(f"nothing was corrected: {'; '.join(problems[:MOST_NAMED])}{more}")
    return plans


def carry_out(client: Client, plans: Sequence[Plan], reason: str, say: Say) -> int:
    """Send what is needed, one measurement after the other; returns how many. Raises what the service refuses.

    What was sent before is done then, and says so: the same labels once more change nothing of it.
    """
    done = 0
    for entry in plans:
        if not entry.is_needed:
            continue
        before = entry.measurement.corrected
        changes = entry.changes
        try:
            answer = client.correct(
                entry.measurement.id,
                after=before.number if before else 0,
                reject=changes.reject,
                reclass=[each.model_dump(by_alias=True) for each in changes.reclass],
                replace=[each.model_dump(mode="json", exclude_none=True) for each in changes.replace],
                add=[each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in changes.add],
                reason=reason,
                complete=entry.complete,
            )
        except PlanimeterError as error:
            say(f"{entry.picture}: not corrected; {done} before it are")
            raise DataError(f"{entry.picture} ({entry.measurement.id}): {error}") from error
        done += 1
        percent = answer.corrected.coverage.percent_masked if answer.corrected else None
        say(
            f"{entry.picture}: {entry.words}; {_shown(answer.coverage.percent_masked)} becomes {_shown(percent)}"
        )
    return done


class _Search:
    """Finds the measurement of a picture."""

    def __init__(self, client: Client, within: FilterOptions) -> None:
        self._client = client
        self._within = within
        self._by_hash: dict[str, list[str]] | None = None

    def measurement_of(self, entry: PictureEntry) -> MeasurementAnswer:
        """Return it; raises `DataError` and `UnknownMeasurement`."""
        named = _ID.findall(entry.name)
        if named:
            return self._client.get(named[-1])
        try:
            data = read_file(entry.source) if isinstance(entry.source, Path) else entry.source
        except OSError as error:
            raise DataError(f"cannot be read ({error.strerror})") from error
        if not isinstance(data, bytes):
            raise DataError(
                "has no id of a measurement in its name, and there is no picture whose bytes could tell; name a folder "
                "with --images"
            )
        found = self._hashes().get(sha256(data).hexdigest(), [])
        if len(found) != 1:
            which = (
                f"measured {len(found)} times ({', '.join(found[:5])}); choose with --batch, --lot or --model"
            )
            raise DataError(f"was {which if found else 'not measured by this service'}")
        return self._client.get(found[0])

    def _hashes(self) -> dict[str, list[str]]:
        if self._by_hash is None:
            self._by_hash = {}
            for line in self._client.measurements(**self._within):
                self._by_hash.setdefault(line.image.sha256, []).append(line.id)
        return self._by_hash


def _changes(entry: PictureEntry, measurement: MeasurementAnswer) -> Changes:
    """Return what a picture's labels change; raises `DataError`."""
    size = measurement.image.height, measurement.image.width
    if entry.size not in {None, size}:
        raise DataError(f"is {size[1]} x {size[0]}, and its labels are of {entry.size}")
    classes = {each.class_name for each in measurement.coverage.by_class}
    labelled: list[Labelled] = []
    for item in entry.objects:
        if item.class_name not in classes:
            raise DataError(
                f"has {item.name} of the class {item.class_name!r}, and the model knows {', '.join(sorted(classes))}"
            )
        try:
            mask = unite([shape.draw(*size) for shape in item.shapes])
        except (ValueError, PlanimeterError) as error:
            raise DataError(f"has {item.name}, which cannot be drawn: {error}") from error
        if not mask.area:
            raise DataError(f"has {item.name} without one pixel in the picture")
        labelled.append(Labelled(item.class_name, mask))
    instances = measurement.corrected.instances if measurement.corrected else measurement.instances
    known = [
        Known(each.id, each.class_name, rle_window(each.mask))
        for each in instances
        if isinstance(each.mask, Rle) and each.area_px
    ]
    changes = changes_between(known, labelled, size)
    if changes.count > MOST_CHANGES:
        raise DataError(f"has {changes.count:,} changes, and one correction may have {MOST_CHANGES:,}")
    return changes


def _shown(percent: float | None) -> str:
    return "nothing" if percent is None else f"{percent:.4g} %"
