"""The tables of the record database."""

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
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
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

_CORRECTED = text("corrections > 0")


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
    """One measurement: what is filtered, sorted and summed up. Narrow, because much of it is scanned."""

    __tablename__ = "measurements"
    __table_args__ = (
        Index("measurements_by_model", "model", "id"),
        Index("measurements_by_batch", "batch", "id"),
        Index("measurements_by_lot", "lot", "id"),
        Index("measurements_by_sample", "sample", "id"),
        Index("measurements_by_operator", "operator", "id"),
        Index("measurements_by_profile", "profile", "id"),
        Index("measurements_by_reviewed", "reviewed", "id"),
        Index("measurements_corrected", "id", sqlite_where=_CORRECTED, postgresql_where=_CORRECTED),  # few
        Index("measurements_by_bytes", "stored_bytes"),  # summed up for limits, without a look at the rest
        {"sqlite_with_rowid": False},  # kept in the order of the ids, which is that of time
    )

    id: Mapped[str] = mapped_column(String(26), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    model: Mapped[str] = mapped_column(String(64))
    batch: Mapped[str | None] = mapped_column(String(64))
    percent_masked: Mapped[float | None] = mapped_column(Float)
    """None where nothing was found of the class that it would be of."""
    percent_low: Mapped[float | None] = mapped_column(Float)
    """Between these the truth is thought to lie, where that is known; see `planimeter.measurement.truth_span`."""
    percent_high: Mapped[float | None] = mapped_column(Float)
    pixels_masked: Mapped[int] = mapped_column(BigInteger)
    pixels_counted: Mapped[int] = mapped_column(BigInteger)
    instances: Mapped[int] = mapped_column(Integer)
    filename: Mapped[str] = mapped_column(Text)
    folded_name: Mapped[str] = mapped_column(Text)
    """The file name without the difference of capitals, to search in: SQL knows only that of ASCII."""
    score_threshold: Mapped[float] = mapped_column(Float, server_default="0")
    """At which all the other figures hold."""
    measured_threshold: Mapped[float] = mapped_column(Float, server_default="0")
    """With which the picture was measured; another one counts where a user keeps it."""
    sha256: Mapped[str] = mapped_column(String(64), server_default="")
    """Of the picture, to tell one that was measured twice."""
    upload_name: Mapped[str] = mapped_column(String(255))
    overlay_name: Mapped[str] = mapped_column(String(255))
    mask_name: Mapped[str] = mapped_column(String(255))
    measured_by: Mapped[str | None] = mapped_column(String(100))
    """The name of the key; none where nobody was asked for one."""
    pinned: Mapped[bool] = mapped_column(Boolean, server_default=false(), default=False)
    """Whether retention leaves it alone."""
    stored_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """Of its files; none until they were looked at, see `planimeter.store.sizes`."""
    lot: Mapped[str | None] = mapped_column(Text)
    """This and the next three are what a person says of the picture; see `planimeter.details`."""
    sample: Mapped[str | None] = mapped_column(Text)
    operator: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    model_sha256: Mapped[str] = mapped_column(String(64), server_default="")
    """Of the model: one that was trained again under its name is another one."""
    profile: Mapped[str | None] = mapped_column(String(64))
    """The name of the profile that the picture was measured by."""
    profile_version: Mapped[int | None] = mapped_column(Integer)
    verdict: Mapped[str | None] = mapped_column(String(16))
    """Of its rules: pass, fail or undecided; none without rules."""
    corrections: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    """How many there were; all other figures here are as measured."""
    reviewed: Mapped[bool] = mapped_column(Boolean, server_default=false(), default=False)
    """Whether the last one said that all is right; retention leaves it alone then."""
    corrected_percent_masked: Mapped[float | None] = mapped_column(Float)

    classes: Mapped[list["ClassRow"]] = relationship(lazy="raise", passive_deletes=True)
    document: Mapped["DocumentRow"] = relationship(lazy="raise", passive_deletes=True)


class DocumentRow(Table):
    """All of a measurement as JSON, with its masks: apart, so that nothing reads past it on its way."""

    __tablename__ = "measurement_documents"

    measurement_id: Mapped[str] = mapped_column(
        ForeignKey("measurements.id", ondelete="CASCADE"), primary_key=True
    )
    document: Mapped[str] = mapped_column(Text)


class KeptDocumentRow(Table):
    """The same at the score threshold that a user keeps for a measurement; the document as measured stays beside it."""

    __tablename__ = "kept_documents"

    measurement_id: Mapped[str] = mapped_column(
        ForeignKey("measurements.id", ondelete="CASCADE"), primary_key=True
    )
    document: Mapped[str] = mapped_column(Text)


class ClassRow(Table):
    """How much one class covers in one measurement; only classes with at least one instance have a row."""

    __tablename__ = "measurement_classes"
    __table_args__ = (
        # The figures are in the index too: sums over all measurements need nothing else.
        Index("measurement_classes_by_class", "class_name", "measurement_id", "percent_masked", "count"),
        {"sqlite_with_rowid": False},
    )

    measurement_id: Mapped[str] = mapped_column(
        ForeignKey("measurements.id", ondelete="CASCADE"), primary_key=True
    )
    class_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    class_name: Mapped[str] = mapped_column(Text)
    count: Mapped[int] = mapped_column(Integer)
    percent_masked: Mapped[float] = mapped_column(Float)


class TagRow(Table):
    """One tag of one measurement."""

    __tablename__ = "measurement_tags"
    __table_args__ = (Index("measurement_tags_by_tag", "tag", "measurement_id"),)

    measurement_id: Mapped[str] = mapped_column(
        ForeignKey("measurements.id", ondelete="CASCADE"), primary_key=True
    )
    tag: Mapped[str] = mapped_column(Text, primary_key=True)


class CandidatesRow(Table):
    """All that the network found in one measurement, in its own table: few requests need it."""

    __tablename__ = "measurement_candidates"

    measurement_id: Mapped[str] = mapped_column(
        ForeignKey("measurements.id", ondelete="CASCADE"), primary_key=True
    )
    packed: Mapped[bytes] = mapped_column(LargeBinary)


class CorrectionRow(Table):
    """One correction of one measurement: never changed."""

    __tablename__ = "corrections"

    measurement_id: Mapped[str] = mapped_column(
        ForeignKey("measurements.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    """1, 2, …"""
    document: Mapped[str] = mapped_column(Text)
    """All of it as canonical JSON: the audit trail holds its hash."""


class CorrectedRow(Table):
    """What the corrections of a measurement come to."""

    __tablename__ = "corrected_documents"

    measurement_id: Mapped[str] = mapped_column(
        ForeignKey("measurements.id", ondelete="CASCADE"), primary_key=True
    )
    document: Mapped[str] = mapped_column(Text)
    """The figures, see `planimeter.corrections.Corrected`."""
    objects: Mapped[str] = mapped_column(Text)
    """All objects as canonical JSON, rejected ones too: the last correction holds its hash."""


class ThresholdRow(Table):
    """The score threshold that a user saved as the default of a model."""

    __tablename__ = "model_thresholds"

    model: Mapped[str] = mapped_column(String(64), primary_key=True)
    score: Mapped[float] = mapped_column(Float)


class RequestKeyRow(Table):
    """The key under which a client asked for a measurement, so that the same request sent again finds it."""

    __tablename__ = "request_keys"
    __table_args__ = (Index("request_keys_by_measurement", "measurement_id"),)

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of what the client sent."""
    request: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the picture and of all that was asked for with it."""
    measurement_id: Mapped[str] = mapped_column(ForeignKey("measurements.id", ondelete="CASCADE"))


class AccessKeyRow(Table):
    """A key with which somebody may use the service; the key itself is nowhere."""

    __tablename__ = "access_keys"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(16))
    hash: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the whole key: it is 256 bits of chance, which no list of words and no computer guesses."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ProfileRow(Table):
    """A profile that can be measured by, and which of its versions."""

    __tablename__ = "profiles"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(Integer)


class ProfileVersionRow(Table):
    """What a profile said in one version: never changed and never deleted, since measurements name it."""

    __tablename__ = "profile_versions"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    document: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    made_by: Mapped[str | None] = mapped_column(String(100))
    """The name of the key; none where nobody was asked for one."""


class JobRow(Table):
    """A job: what people see of it and decide. How far it is stands in its folder."""

    __tablename__ = "jobs"
    __table_args__ = (Index("jobs_by_state", "state", "id"),)

    id: Mapped[str] = mapped_column(String(26), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    place: Mapped[str] = mapped_column(String(32))
    """Of the folder of jobs that it belongs to: a service looks after those of its own."""
    plan: Mapped[str] = mapped_column(Text)
    """What was asked for, as JSON."""
    message: Mapped[str] = mapped_column(Text)
    """Why it is in this state, where that is to be said."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str | None] = mapped_column(String(100))
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ModelChangeRow(Table):
    """Another version of a model was put to use: when, by whom, and which one it was before."""

    __tablename__ = "model_changes"
    __table_args__ = (Index("model_changes_by_model", "model", "id"),)

    id: Mapped[str] = mapped_column(String(26), primary_key=True)
    model: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    made_by: Mapped[str | None] = mapped_column(String(100))
    version: Mapped[str] = mapped_column(String(100))
    sha256: Mapped[str] = mapped_column(String(64))
    """Of its network."""
    before_version: Mapped[str | None] = mapped_column(String(100))
    before_sha256: Mapped[str | None] = mapped_column(String(64))
    job_id: Mapped[str | None] = mapped_column(String(26))
    """The job that made it; none where an earlier version was taken again."""
