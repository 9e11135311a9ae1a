"""Batches, as the pages name them."""

import re

_PAGE_BATCH = re.compile(r"\d{4}-\d\d-\d\dT[\d-]+Z")
"""The name that our own page gives to pictures sent together: when it was. No heading for a person."""


def is_named(batch: str | None) -> bool:
    """Return whether a batch has a name that says something to a person."""
    return bool(batch) and not _PAGE_BATCH.fullmatch(batch or "")
