"""The score thresholds that users saved as defaults of models."""

import sqlalchemy as sa

from planimeter.store.tables import ThresholdRow


def saved_thresholds(connection: sa.Connection) -> dict[str, float]:
    """Return them by the name of the model."""
    rows = connection.execute(sa.select(ThresholdRow.model, ThresholdRow.score))
    return {model: score for model, score in rows}  # noqa: C416  rows are not pairs to the types


def save_threshold(connection: sa.Connection, model: str, score: float | None) -> None:
    """Save that of a model, or forget it."""
    connection.execute(sa.delete(ThresholdRow).where(ThresholdRow.model == model))
    if score is not None:
        connection.execute(sa.insert(ThresholdRow), {"model": model, "score": score})
