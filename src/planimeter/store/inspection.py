"""What is wrong with a store, found by looking at all of it and changing nothing."""

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from planimeter.errors import StoreFailed
from planimeter.measurement import Measurement
from planimeter.store.block_building import wrong_blocks
from planimeter.store.blocks import BlockRow
from planimeter.store.engine import engine_of, hold_still, is_new, shown, unusable
from planimeter.store.identity import MOVE_AGAIN, NOT_WHOLE, is_moving
from planimeter.store.ids import is_id
from planimeter.store.outbox import given_up
from planimeter.store.places import START_SECONDS, Place, Where, place_of
from planimeter.store.tables import DocumentRow, KeptDocumentRow, MeasurementRow, StoreRow
from planimeter.store.together import within
from planimeter.store.trashed import TRASHED
from planimeter.store.verification import broken

_OURS = re.compile(
    r"_([0-7][0-9A-HJKMNP-TV-Z]{25})(?:(?:_at_[0-9e_-]+)?(?:_region_[0-9a-f]+)?(?:_overlay|_mask))?\.[a-z0-9]+$"
)
"""The end of the names of a measurement's files."""
_AT_ONCE = 200
"""Documents in memory."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, and what to do."""

    what: str
    remedy: str


_LOOKED_AT = 20_000
"""Objects at which a start looks: a bucket may hold millions that are not ours."""


def _places(upload_folder: Where, output_folder: Where) -> list[Place]:
    uploads, outputs = place_of(upload_folder, "upload"), place_of(output_folder, "output")
    return [uploads, outputs]


def ours(place: Place, most: int | None = None) -> Iterator[str]:
    """Yield the names of files that are named like those of measurements."""
    return (name for name, _ in islice(place.listed(), most) if _OURS.search(name))


def _look(place: Place, found: list[str]) -> None:
    found += islice(ours(place, _LOOKED_AT), 1)


def refuse_orphans(database: str, upload_folder: Where, output_folder: Where) -> None:
    """Raise StoreFailed where a database seems lost, so that it is not taken for one that never was."""
    if not is_new(database):
        return
    for place in _places(upload_folder, output_folder):
        found: list[str] = []
        if place.by_age:
            look = partial(_look, place, found)
            with place.failing("read from"):
                within(START_SECONDS, look)
        else:
            found += islice(ours(place), 1)
        if found:
            raise StoreFailed(
                f"The database {shown(database)} is missing or empty, but there are pictures of measurements, "
                f"{place.shown}/{found[0]} among them, which nothing would know any more. Bring the database back, "
                "choose other folders, or begin anew with --begin-anew."
            )


def inspect_store(database: str, upload_folder: Where, output_folder: Where) -> tuple[int, list[Finding]]:
    """Return how many measurements are recorded, and all that is wrong with them; nothing is written.

    Raises StoreFailed where the database, or an object store, cannot be opened at all.
    """
    places = _places(upload_folder, output_folder)
    engine = engine_of(database, create=False)
    try:
        with engine.connect() as connection:
            if not sa.inspect(connection).has_table(MeasurementRow.__tablename__):
                return 0, [*_without_records(places)]
            findings = [*_check_file(connection), *_check_whole(connection, shown(database))]
            rows = [*_rows(connection)]
            trashed = [*_rows_of_trash(connection)]
            findings += _check_outbox(connection)
            findings += _check_audit(connection)
            findings += _check_blocks(connection)
    except SQLAlchemyError as error:
        if engine.dialect.name != "sqlite":
            raise StoreFailed(unusable(database, error)) from error
        reason = getattr(error, "orig", None) or error
        raise StoreFailed(
            f"The database {engine.url} cannot be read: {reason}. Bring back a "
            "copy of it from before; the pictures are still in their folders."
        ) from error
    finally:
        engine.dispose()
    sizes = {place.shown: dict(place.listed()) for place in places}
    findings += _check_records((*rows, *trashed), places, sizes)
    recorded = {str(row[0]) for row in (*rows, *trashed)}
    strays = [
        f"{place}/{name}" for place, names in sizes.items() for name in names if _is_stray(name, recorded)
    ]
    if strays:
        findings.append(
            Finding(
                f"{len(strays):,} files in the folders belong to no measurement, {strays[0]} among them",
                "move them away, or bring back the database that knows them",
            )
        )
    for place in {each.shown: each for each in places}.values():
        findings += _check_unfinished(place)
    return len(rows), findings


def _without_records(places: Iterable[Place]) -> Iterator[Finding]:
    count = sum(1 for place in {each.shown: each for each in places}.values() for _ in ours(place))
    if count:
        yield Finding(
            f"the database is empty, but {count:,} files of measurements are in the folders",
            "bring back a copy of the database, or move the files away",
        )


def _check_file(connection: sa.Connection) -> Iterator[Finding]:
    if connection.dialect.name != "sqlite":
        return
    for (line,) in connection.exec_driver_sql("PRAGMA integrity_check(20)"):
        if line != "ok":
            yield Finding(f"the database is damaged: {line}", "bring back a copy of it from before")
    broken = len(connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall())
    if broken:
        yield Finding(
            f"{broken:,} rows belong to measurements that are gone", "bring back a copy from before"
        )


def _check_whole(connection: sa.Connection, name: str) -> Iterator[Finding]:
    if any(map(is_moving, connection.scalars(sa.select(StoreRow.id)))):
        yield Finding(NOT_WHOLE.format(name).rstrip("."), MOVE_AGAIN.rstrip("."))


def _check_outbox(connection: sa.Connection) -> Iterator[Finding]:
    for messages in given_up(connection):
        yield Finding(
            f"{messages.count:,} messages to {messages.receiver} were given up ({messages.reason})",
            "see docs/outputs.md for how a receiver catches up",
        )


def _check_audit(connection: sa.Connection) -> Iterator[Finding]:
    hold_still(connection)
    for wrong in broken(connection):
        yield Finding(wrong, "compare it with a copy from before; see docs/records.md")


def _check_blocks(connection: sa.Connection) -> Iterator[Finding]:
    if not sa.inspect(connection).has_table(BlockRow.__tablename__):
        return  # of a version before there were any
    for wrong in wrong_blocks(connection):
        yield Finding(wrong, "start planimeter doctor --rebuild-sums")


def _rows(connection: sa.Connection) -> Iterator[tuple[Any, ...]]:
    """Yield id, the names of the three files, and whether the documents can be read; as they are in the database."""
    columns = (
        MeasurementRow.id,
        MeasurementRow.upload_name,
        MeasurementRow.overlay_name,
        MeasurementRow.mask_name,
    )
    own = sa.type_coerce(MeasurementRow.id, sa.String())
    query = (
        sa.select(*columns, DocumentRow.document, KeptDocumentRow.document)
        .outerjoin(DocumentRow, DocumentRow.measurement_id == own)
        .outerjoin(KeptDocumentRow, KeptDocumentRow.measurement_id == own)
    )
    for *names, measured, kept in connection.execute(query, execution_options={"yield_per": _AT_ONCE}):
        yield (*names, _readable(measured) and (kept is None or _readable(kept)))


def _rows_of_trash(connection: sa.Connection) -> Iterator[tuple[Any, ...]]:
    """Yield the same of what is in the trash; whether its documents can be read shows when it is brought back."""
    if not sa.inspect(connection).has_table(TRASHED.name):
        return  # of a version before there was one
    own = sa.type_coerce(TRASHED.c.id, sa.String())
    for row in connection.execute(
        sa.select(own, TRASHED.c.upload_name, TRASHED.c.overlay_name, TRASHED.c.mask_name)
    ):
        yield (*row, True)


def _readable(document: Any) -> bool:
    try:
        Measurement.model_validate_json(document)
    except (ValidationError, TypeError):
        return False
    return True


def _check_records(
    rows: Iterable[tuple[Any, ...]], places: Sequence[Place], sizes: Mapping[str, Mapping[str, int]]
) -> Iterator[Finding]:
    uploads, outputs = (place.shown for place in places)
    for id_, upload, overlay, mask, readable in rows:
        if not readable or not is_id(str(id_)):
            yield Finding(
                f"the record of measurement {id_} cannot be read",
                "delete that measurement, or bring back a copy of the database",
            )
        for place, name in ((uploads, upload), (outputs, overlay), (outputs, mask)):
            size = sizes[place].get(str(name))
            if not size:
                yield Finding(
                    f"measurement {id_}: {place}/{name} is {'not there' if size is None else 'empty'}",
                    "bring the file back, or delete that measurement",
                )


def _check_unfinished(place: Place) -> Iterator[Finding]:
    count = place.unfinished()
    if count:
        yield Finding(
            f"{count:,} measurements in {place.shown} are being written or deleted, or were when the service ended",
            "start the service, unless it runs: it finishes them",
        )


def id_in(name: str) -> str:
    """Return the id in the name of a measurement's file; empty in others."""
    found = _OURS.search(name)
    return found[1] if found else ""


def _is_stray(name: str, recorded: Container[str]) -> bool:
    return bool(found := id_in(name)) and found not in recorded
