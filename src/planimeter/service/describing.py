"""Saying something of a stored measurement."""

from planimeter.details import Details
from planimeter.service.caller import caller
from planimeter.service.context import context
from planimeter.store import Record


def describe(id_: str, details: Details) -> Record:
    """Say this of a measurement instead of what was said before; raises UnknownMeasurement."""
    store = context().store
    store.details.change(store.get(id_).id, details, by=caller())
    return store.get(id_)
