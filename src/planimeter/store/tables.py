"""The tables of the record database."""

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import (
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite keeps no zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Store the moment in UTC."""
        return None if value is None else value.astimezone(timezone.utc)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the moment with its zone."""
        if value is None:
            return None
        moment: datetime = value
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)


class Table(DeclarativeBase):
    """The root of the tables."""


class StoreRow(Table):
    """One row: the identity of this database, which notes in the folders refer to."""

    __tablename__ = "store"

    id: Mapped[str] = mapped_column(String(26), primary_key=True)


class MeasurementRow(Table):
    """One measurement: what is filtered on as columns, all of it as JSON."""

    __tablename__ = "measurements"
    __table_args__ = (Index("measurements_by_model", "model", "id"),)

    id: Mapped[str] = mapped_column(String(26), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    model: Mapped[str] = mapped_column(String(64))
    percent_masked: Mapped[float] = mapped_column(Float)
    filename: Mapped[str] = mapped_column(Text)
    upload_name: Mapped[str] = mapped_column(String(255))
    overlay_name: Mapped[str] = mapped_column(String(255))
    mask_name: Mapped[str] = mapped_column(String(255))
    document: Mapped[str] = mapped_column(Text)  # last: SQLite reads the columns before it without it

    classes: Mapped[list["ClassRow"]] = relationship(lazy="raise", passive_deletes=True)


class ClassRow(Table):
    """How much one class covers in one measurement; only classes with at least one instance have a row."""

    __tablename__ = "measurement_classes"
    __table_args__ = (Index("measurement_classes_by_class", "class_name", "measurement_id"),)

    measurement_id: Mapped[str] = mapped_column(
        ForeignKey("measurements.id", ondelete="CASCADE"), primary_key=True
    )
    class_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    class_name: Mapped[str] = mapped_column(Text)
    count: Mapped[int] = mapped_column(Integer)
    percent_masked: Mapped[float] = mapped_column(Float)


class CandidatesRow(Table):
    """All that the network found in one measurement, in its own table: few requests need it."""

    __tablename__ = "measurement_candidates"

    measurement_id: Mapped[str] = mapped_column(
        ForeignKey("measurements.id", ondelete="CASCADE"), primary_key=True
    )
    packed: Mapped[bytes] = mapped_column(LargeBinary)


class ThresholdRow(Table):
    """The score threshold that a user saved as the default of a model."""

    __tablename__ = "model_thresholds"

    model: Mapped[str] = mapped_column(String(64), primary_key=True)
    score: Mapped[float] = mapped_column(Float)
