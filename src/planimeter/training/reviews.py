"""Which measurements a data set of reviewed pictures is of: a file beside its labels."""

import json
from collections.abc import Mapping
from pathlib import Path

from planimeter.errors import DataError
from planimeter.training.plan import Review

REVIEWS = "reviews.json"
PICTURES = "images"
"""The folder of the pictures, beside their labels."""


def write_reviews(folder: Path, reviews: Mapping[str, Review]) -> None:
    """Write by the names of pictures what each is of; raises OSError."""
    document = {name: [review.measurement, review.corrections] for name, review in reviews.items()}
    (folder / REVIEWS).write_text(json.dumps(document, indent=1) + "\n", "utf-8")


def read_reviews(folder: Path) -> dict[str, Review]:
    """Return what the pictures of a data set are of; nothing where it is none of reviewed pictures."""
    path = folder / REVIEWS
    if not path.is_file():
        return {}
    try:
        document = json.loads(path.read_text("utf-8"))
        return {str(name): Review(str(id_), int(number)) for name, (id_, number) in document.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path} cannot be read as what pictures were reviewed: {error}") from error
