"""Deleting measurements: into the trash for as long as the settings say, or for good."""

import logging

from planimeter.service.caller import caller
from planimeter.service.context import context
from planimeter.store import Filter

log = logging.getLogger(__name__)


def delete(id_: str, *, for_good: bool = False) -> str | None:
    """Delete a measurement; return what brings it back, or None where nothing does.

    Raises `UnknownMeasurement`, `StoreFailed`, and `NoRoom` where the disk is too full for the trash.
    """
    store = context().store
    if for_good or not keeps_trash():
        store.delete(id_, by=caller())
        log.info("deleted %s for good, by %s", id_, caller() or "somebody")
        return None
    deletion = store.discard(id_, by=caller())
    log.info("moved %s to the trash, by %s", id_, caller() or "somebody")
    return deletion


def delete_many(wanted: Filter, count: int, *, for_good: bool = False) -> tuple[int, str | None]:
    """Delete the matching measurements; return how many, and what brings them back.

    Raises `CountDiffers` where they are not `count`; else like `delete`.
    """
    store = context().store
    if for_good or not keeps_trash():
        deleted = store.delete_many(wanted, count=count, by=caller())
        log.info("deleted %d measurements for good, by %s", deleted, caller() or "somebody")
        return deleted, None
    deleted, deletion = store.discard_many(wanted, count=count, by=caller())
    log.info("moved %d measurements to the trash, by %s", deleted, caller() or "somebody")
    return deleted, deletion


def keeps_trash() -> bool:
    """Say whether what is deleted goes to the trash first."""
    return context().settings.keep_trash_days > 0
