"""The trash: what was deleted, brought back or deleted for good."""

from datetime import datetime, timedelta

from flask import Response
from pydantic import Field

from planimeter.errors import UnknownMeasurement
from planimeter.measuring.table import Cell, to_csv
from planimeter.service.api.answering import json_answer
from planimeter.service.api.answers.base import Answer, Link, Moment
from planimeter.service.api.answers.many import Deleted
from planimeter.service.api.described import TEXT, answer_of
from planimeter.service.api.options.parsing import NoOptions
from planimeter.service.api.options.trash import DeletionOptions, EmptyingOptions, TrashOptions
from planimeter.service.api.routes import api
from planimeter.service.caller import caller
from planimeter.service.context import context
from planimeter.service.links import link
from planimeter.store import Trashed


class TrashedAnswer(Answer):
    """A measurement in the trash."""

    id: str
    created_at: Moment
    filename: str
    model: str
    batch: str | None
    percent_masked: float | None
    instance_count: int
    measured_by: str | None = Field(description="The name of the key; null where nobody was asked for one.")
    deleted_at: Moment
    deleted_by: str | None = Field(description="The name of the key; null where nobody was asked for one.")
    deletion: str = Field(description="What was deleted together has it in common.")
    removed_after: Moment = Field(description="When it will be deleted for good, unless it is brought back.")
    restore_url: Link


class TrashList(Answer):
    """What is in the trash."""

    count: int = Field(description="How many measurements are in it.")
    keep_days: float = Field(description="How long they stay.")
    measurements: list[TrashedAnswer] = Field(description="What was deleted last comes first.")


class Restored(Answer):
    """What was brought back."""

    restored: int = Field(description="How many measurements.")


@api.get(
    "/trash",
    "List what was deleted and can be brought back",
    answer_of("A part of the trash.", TrashList, **{"text/csv": TEXT}),
    role="read",
    options=TrashOptions,
)
def list_trash(options: TrashOptions) -> Response:
    """List the trash."""
    parts = context()
    found = parts.store.trash.list(limit=options.limit, offset=options.offset)
    entries = [_answer(entry) for entry in found]
    if options.format == "csv":
        answer = Response(to_csv(map(_row, entries)), content_type="text/csv; charset=utf-8")
        answer.headers.set("Content-Disposition", "attachment", filename="trash.csv")
        return answer
    days = parts.settings.keep_trash_days
    return json_answer(TrashList(count=parts.store.trash.count(), keep_days=days, measurements=entries))


@api.route(
    "POST",
    "/trash/<id>/restore",
    "Bring a measurement back from the trash",
    answer_of("It is back, as it was.", Restored),
    role="admin",
    errors=(400, 403, 404, 503),
)
def restore(_: NoOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Bring a measurement back."""
    context().store.trash.restore(id, by=caller())
    return json_answer(Restored(restored=1))


@api.route(
    "POST",
    "/trash/restore",
    "Bring back what was deleted together",
    answer_of("They are back, as they were.", Restored),
    role="admin",
    options=DeletionOptions,
    errors=(400, 403, 404, 409, 503),
)
def restore_deletion(options: DeletionOptions) -> Response:
    """Bring back what was deleted together."""
    return json_answer(Restored(restored=restore_together(options.deletion)))


@api.route(
    "DELETE",
    "/trash/<id>",
    "Delete a measurement in the trash for good",
    {"description": "It is gone."},
    role="admin",
    status=204,
    errors=(400, 403, 404, 503),
)
def delete_trashed(_: NoOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Delete a measurement in the trash for good."""
    context().store.trash.delete(id, by=caller())
    return Response(status=204)


@api.route(
    "DELETE",
    "/trash",
    "Empty the trash",
    answer_of("They are gone.", Deleted),
    role="admin",
    options=EmptyingOptions,
    errors=(400, 403, 409, 503),
)
def empty_trash(options: EmptyingOptions) -> Response:
    """Delete all that is in the trash for good, if there is as much as `count` says."""
    return json_answer(
        Deleted(deleted=context().store.trash.empty(count=options.count, by=caller()), deletion=None)
    )


def restore_together(deletion: str) -> int:
    """Bring back what was deleted together; raises `UnknownMeasurement` where nothing of it is in the trash."""
    restored = context().store.trash.restore_deletion(deletion, by=caller())
    if not restored:
        raise UnknownMeasurement(
            f"nothing of deletion {deletion} is in the trash: it may have been brought back, or deleted for good"
        )
    return restored


def removed_after(entry: Trashed) -> datetime:
    """Return when a measurement in the trash will be deleted for good."""
    return entry.deleted_at + timedelta(days=context().settings.keep_trash_days)


def _answer(entry: Trashed) -> TrashedAnswer:
    return TrashedAnswer(
        id=entry.id,
        created_at=entry.created_at,
        filename=entry.filename,
        model=entry.model,
        batch=entry.batch,
        percent_masked=entry.percent_masked,
        instance_count=entry.instances,
        measured_by=entry.measured_by,
        deleted_at=entry.deleted_at,
        deleted_by=entry.deleted_by,
        deletion=entry.deletion,
        removed_after=removed_after(entry),
        restore_url=link("api.restore", id=entry.id),
    )


def _row(answer: TrashedAnswer) -> dict[str, Cell]:
    values = answer.model_dump(exclude={"restore_url"}).items()
    return {name: "" if value is None else value for name, value in values}
