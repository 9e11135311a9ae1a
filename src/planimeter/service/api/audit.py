"""The audit trail: who changed what of measurements, and when."""

from collections.abc import Iterator

from flask import Response
from pydantic import Field

from planimeter.service.api.answering import file_answer
from planimeter.service.api.described import TEXT
from planimeter.service.api.options.filters import ID_PATTERN
from planimeter.service.api.options.parsing import RequestOptions
from planimeter.service.api.routes import api
from planimeter.service.context import context
from planimeter.store import Store

JSON_LINES = "application/x-ndjson"


class AuditOptions(RequestOptions):
    """Which entries of the audit trail."""

    after: int = Field(0, ge=0, le=2**63 - 1, description="Only entries after this sequence: the cursor.")
    measurement: str | None = Field(None, pattern=ID_PATTERN, description="Only those of this measurement.")
    limit: int | None = Field(None, ge=1, le=2**31 - 1, description="How many; without it all of them.")


@api.get(
    "/audit",
    "Get the audit trail",
    {
        "description": "JSON lines in the order of their sequence: sequence, at, by, action, measurement_id, content, "
        "sha256 (of the content), previous and hash. Each hash is of its entry and of the hash before; planimeter "
        "audit verify checks them, and docs/records.md says how they are made.",
        "content": {JSON_LINES: TEXT},
    },
    role="admin",
    options=AuditOptions,
    errors=(400, 403, 503),
)
def audit(options: AuditOptions) -> Response:
    """Answer entries of the audit trail, a few in memory at a time."""
    return file_answer(_lines(context().store, options), JSON_LINES, "audit.jsonl")


def _lines(store: Store, options: AuditOptions) -> Iterator[str]:
    for entry in store.audit.entries(
        after=options.after, measurement_id=options.measurement, limit=options.limit
    ):
        yield entry.line + "\n"
