"""What tells a request that is sent again from a new one."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from planimeter.errors import KeyInUse, KeyReused
from planimeter.store.tables import RequestKeyRow


@dataclass(frozen=True)
class RequestKey:
    """What tells a request that is sent again from a new one."""

    key: str
    """SHA-256 of the key that the client gave."""
    request: str
    """SHA-256 of the picture and of all that was asked for with it."""


def measured_for(connection: sa.Connection, request: RequestKey) -> str | None:
    """Return the id of the measurement that a request made; raises `KeyReused` where another had its key."""
    columns = sa.select(RequestKeyRow.request, RequestKeyRow.measurement_id)
    row = connection.execute(columns.where(RequestKeyRow.key == request.key)).one_or_none()
    if row is None:
        return None
    if row[0] != request.request:
        raise KeyReused(
            "the Idempotency-Key was sent before with another picture or other options; give each request a key of its "
            "own, and the same one only when it is sent again"
        )
    return str(row[1])


def known(connection: sa.Connection, keys: Sequence[str]) -> set[str]:
    """Return those keys by which something was measured that is here still."""
    query = sa.select(RequestKeyRow.key).where(RequestKeyRow.key.in_(keys))
    return {*connection.scalars(query)}


def put_key(connection: sa.Connection, request: RequestKey, id_: str) -> None:
    """Note that a measurement was made for a request; raises `KeyInUse` where another service was quicker."""
    row = {"key": request.key, "request": request.request, "measurement_id": id_}
    try:
        connection.execute(sa.insert(RequestKeyRow), row)
    except IntegrityError as error:
        raise KeyInUse(
            "another service measured the request with this Idempotency-Key meanwhile; send it again for its answer"
        ) from error
