"""Whether the audit trail is whole, and corrections are what it says they are."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError

from planimeter.corrections import Corrected
from planimeter.store.audit import AT_ONCE, FIRST, AuditHeadRow, AuditRow, Entry, canonical, chained, read
from planimeter.store.tables import CorrectedRow, CorrectionRow
from planimeter.store.trashed import MEASUREMENTS, TRASHED, trashed_table

_Corrections = dict[tuple[str, int], str]
"""The hashes that the trail holds, by measurement and number."""


def broken(connection: sa.Connection) -> Iterator[str]:
    """Yield sentences on what is wrong with the trail, its first broken entry alone, and with corrections.

    A database of an earlier version has neither. Where a service may go on writing, `hold_still` first: what it adds
    meanwhile is nothing wrong.
    """
    if not sa.inspect(connection).has_table(AuditRow.__tablename__):
        return
    told: _Corrections = {}
    try:
        found = first_broken(_entries(connection), told)
    except (ValueError, TypeError) as error:  # a value that its column cannot have
        found = f"the audit trail has an entry that cannot be read ({error})"
    if isinstance(found, str):
        yield found
        return
    head = connection.execute(sa.select(AuditHeadRow.sequence, AuditHeadRow.hash)).one_or_none()
    if head is None or tuple(head) != found:
        last = "no entry" if head is None else f"entry {head[0]:,}"
        yield (
            f"the audit trail ends with entry {found[0]:,}, and should end with {last}: what came last was taken away, "
            "or its end was changed"
        )
        return
    yield from _broken_corrections(connection, told)


def first_broken(
    entries: Iterable[Entry], told: _Corrections | None = None, *, whole: bool = True
) -> str | tuple[int, str]:
    """Return a sentence on the first entry that is broken, or, where none is, the last one's sequence and hash.

    `told` receives the hashes of corrections. Unless it is the `whole` trail, the first entry may be any.
    """
    sequence, last = 0, FIRST
    for entry in entries:
        if not whole:
            sequence, last, whole = entry.sequence - 1, entry.previous, True
        wrong = _wrong(entry, sequence, last)
        if wrong is not None:
            return f"the audit trail is broken at entry {entry.sequence:,}: {wrong}"
        sequence, last = entry.sequence, entry.hash
        if told is not None and entry.action == "corrected" and entry.measurement_id is not None:
            content = json.loads(entry.content)
            told[entry.measurement_id, content["number"]] = content["document_sha256"]
    return sequence, last


def _entries(connection: sa.Connection) -> Iterator[Entry]:
    after = 0
    while found := read(connection, after, AT_ONCE):
        yield from found
        after = found[-1].sequence


def _wrong(entry: Entry, sequence: int, last: str) -> str | None:
    if entry.sequence != sequence + 1:
        return f"it follows entry {sequence:,}, and those between are not there"
    if entry.previous != last:
        return "it was not made after the one before it, which was changed or put there later"
    if sha256(entry.content.encode()).hexdigest() != entry.sha256:
        return "what it says was done is not what was written"
    if chained(vars(entry)) != entry.hash:
        return "its time, name, action or measurement is not what was written"
    return None


def _broken_corrections(connection: sa.Connection, told: _Corrections) -> Iterator[str]:
    """Yield what is wrong with corrections, of measurements in the trash too."""
    seen: set[tuple[str, int]] = set()
    objects: dict[str, str] = {}
    there: set[str] = set()
    for parent, corrections, corrected in (
        (MEASUREMENTS, CorrectionRow.__table__, CorrectedRow.__table__),
        (TRASHED, trashed_table(CorrectionRow), trashed_table(CorrectedRow)),
    ):
        there.update(connection.scalars(sa.select(parent.c.id).where(parent.c.corrections > 0)))
        rows = sa.select(corrections).order_by(corrections.c.measurement_id, corrections.c.number)
        for id_, number, document in connection.execute(rows, execution_options={"yield_per": AT_ONCE}):
            seen.add((id_, number))
            if told.get((id_, number)) != _hash(document):
                yield f"correction {number} of measurement {id_} is not what was written"
            else:
                objects[id_] = json.loads(document)["objects_sha256"]
        for id_, text, figures in connection.execute(
            sa.select(corrected.c.measurement_id, corrected.c.objects, corrected.c.document),
            execution_options={"yield_per": AT_ONCE},
        ):
            if not _readable(figures):
                yield f"the corrected figures of measurement {id_} cannot be read"
            if id_ in objects and objects[id_] != _hash(text):
                yield f"the corrected instances of measurement {id_} are not those that its corrections come to"
    for id_, number in sorted(told.keys() - seen):
        if id_ in there:
            yield f"correction {number} of measurement {id_} is not there any more"


def _readable(figures: str) -> bool:
    try:
        Corrected.model_validate_json(figures)
    except (ValidationError, TypeError):
        return False
    return True


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def entries_in(lines: Iterable[str]) -> Iterator[Entry]:
    """Yield the entries of an exported trail; raises ValueError, KeyError and TypeError for lines that are none."""
    for line in lines:
        if line.strip():
            yield _entry(json.loads(line))


def _entry(found: Any) -> Entry:
    at = datetime.fromisoformat(found["at"].replace("Z", "+00:00"))
    return Entry(**{**found, "at": at, "content": canonical(found["content"])})
