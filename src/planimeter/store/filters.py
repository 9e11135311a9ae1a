"""Which records match, as conditions that the indexes answer."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import sqlalchemy.orm

from planimeter.rules import Verdict
from planimeter.store.ids import first_id_at
from planimeter.store.tables import ClassRow, MeasurementRow, TagRow


@dataclass(frozen=True)
class Filter:
    """Which records match: all that fulfil every condition given."""

    ids: tuple[str, ...] | None = None
    batch: str | None = None
    lot: str | None = None
    sample: str | None = None
    operator: str | None = None
    tag: tuple[str, ...] | None = None
    """Each of these tags."""
    profile: str | None = None
    """Measured by the profile of this name, in whichever version."""
    verdict: Verdict | None = None
    reviewed: bool | None = None
    """Whether a person said that all of it is right."""
    corrected: bool | None = None
    """Whether it has corrections."""
    model: str | None = None
    model_sha256: str | None = None
    """Not by name alone, but the same to the byte."""
    class_name: str | None = None
    """At least one instance of this class was found."""
    filename: str | None = None
    """The file's name contains this; capitals make no difference."""
    since: datetime | None = None
    """This moment is included; without a zone it is UTC."""
    until: datetime | None = None
    """This moment is not included."""
    min_percent: float | None = None
    """At least so many percent of the picture are masked."""
    max_percent: float | None = None
    without: tuple[str, ...] = ()
    """Not these ids: earlier measurements of pictures that were measured again."""


EVERYTHING = Filter()
_EQUAL = ("model", "model_sha256", "batch", "lot", "sample", "operator", "profile", "verdict", "reviewed")
"""Conditions that a column of the same name fulfils by being equal."""


def folded(text: str) -> str:
    """Return a text without the difference of capitals, in any script."""
    return text.casefold()


def matching(wanted: Filter, *, needs_columns: bool = False) -> tuple[sa.Select[Any], sa.ColumnElement[str]]:
    """Return a query for the ids of the matching records, and its id column to sort by.

    Only the tables that the conditions need are in it, and `measurements` where `needs_columns` asks for it:
    with a class, it is the index of classes that is walked.
    """
    plain = plain_conditions(wanted)
    if wanted.class_name is None:
        id_column = _column(MeasurementRow.id)
        query: sa.Select[Any] = sa.select(id_column)
    else:
        id_column = _column(ClassRow.measurement_id)
        query = sa.select(id_column).where(ClassRow.class_name == wanted.class_name)
        if plain or needs_columns:
            query = query.join(MeasurementRow, MeasurementRow.id == id_column)
    return query.where(*id_conditions(wanted, id_column), *plain), id_column


def conditions(wanted: Filter) -> list[sa.ColumnElement[bool]]:
    """Return all conditions for a query that has `measurements` in it."""
    found = [*id_conditions(wanted, _column(MeasurementRow.id)), *plain_conditions(wanted)]
    if wanted.class_name is not None:
        other = sa.orm.aliased(ClassRow)
        of_class = sa.select(other.measurement_id).where(
            other.measurement_id == MeasurementRow.id, other.class_name == wanted.class_name
        )
        found.append(of_class.exists())
    return found


def _column(attribute: Any) -> sa.ColumnElement[str]:
    return sa.type_coerce(attribute, sa.String())


def id_conditions(wanted: Filter, id_column: sa.ColumnElement[str]) -> list[sa.ColumnElement[bool]]:
    """Return those on the id. Dates are ranges of ids, which begin with the time: no further index is needed."""
    found: list[sa.ColumnElement[bool]] = []
    if wanted.ids is not None:
        found.append(id_column.in_(wanted.ids))
    if wanted.without:
        found.append(id_column.not_in(wanted.without))
    if wanted.since is not None:
        found.append(id_column >= first_id_at(wanted.since))
    if wanted.until is not None:
        found.append(id_column < first_id_at(wanted.until))
    return found


def plain_conditions(wanted: Filter) -> list[sa.ColumnElement[bool]]:
    """Return those on the other columns of `measurements`."""
    found: list[sa.ColumnElement[bool]] = [
        getattr(MeasurementRow, name) == getattr(wanted, name)
        for name in _EQUAL
        if getattr(wanted, name) is not None
    ]
    found += [
        MeasurementRow.id.in_(sa.select(TagRow.measurement_id).where(TagRow.tag == tag))
        for tag in wanted.tag or ()
    ]
    if wanted.corrected is not None:
        # Written out: SQLite takes the index of those that are corrected only where it sees this very condition.
        found.append(sa.literal_column(f"measurements.corrections {'>' if wanted.corrected else '='} 0"))
    if wanted.filename is not None:
        found.append(MeasurementRow.folded_name.contains(folded(wanted.filename), autoescape=True))
    if wanted.min_percent is not None:
        found.append(MeasurementRow.percent_masked >= wanted.min_percent)
    if wanted.max_percent is not None:
        found.append(MeasurementRow.percent_masked <= wanted.max_percent)
    return found


def class_names(connection: sa.Connection) -> list[str]:
    """Return the names of the classes in the records, alphabetically."""
    return distinct(connection, ClassRow.class_name)


def distinct(connection: sa.Connection, attribute: Any) -> list[str]:
    """Return the different values of a column, by one search in its index for each."""
    column = _column(attribute)
    found: list[str] = []
    value = connection.scalar(sa.select(sa.func.min(column)))
    while value is not None:
        found.append(value)
        value = connection.scalar(sa.select(sa.func.min(column)).where(column > value))
    return found
