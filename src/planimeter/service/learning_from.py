"""What people reviewed, as a data set on the disk that a training learns from."""

import json
from pathlib import Path

from planimeter.errors import StoreFailed, TooFewPictures
from planimeter.service.reviewed import LABELS, Reviewed
from planimeter.store import Store
from planimeter.training.plan import Review
from planimeter.training.reviews import write_reviews

LEAST_REVIEWED = 8
"""Pictures, before a training is worth its beginning; some dozens are."""


def write_reviewed(store: Store, model: str, folder: Path) -> Path:
    """Write the pictures that people reviewed of what a model measured, with their labels; return the labels' path.

    Each is there as it is now, whatever is corrected or deleted later. Raises TooFewPictures and StoreFailed.
    """
    found = Reviewed(store, model)
    count = store.count(found.filter)
    if count < LEAST_REVIEWED:
        raise TooFewPictures(few(count, model))
    numbers = {
        record.id: record.corrected.number
        for record in store.walk(found.filter)
        if record.corrected is not None
    }
    try:
        written = found.write(folder)
        labels = folder / LABELS
        images = json.loads(labels.read_text("utf-8"))["images"]
        reviews = {
            entry["file_name"]: Review(entry["measurement"], numbers.get(entry["measurement"], 0))
            for entry in images
        }
        write_reviews(folder, reviews)
    except OSError as error:
        raise StoreFailed(f"the reviewed pictures cannot be written to {folder}: {error.strerror}") from error
    if written < LEAST_REVIEWED:
        raise TooFewPictures(
            f"{few(written, model)} ({len(found.left_out)} reviewed ones are of no use: {found.left_out[0][1]})"
        )
    return labels


def few(count: int, model: str) -> str:
    """Return the sentence for too few reviewed pictures."""
    pictures = "1 picture is" if count == 1 else f"{count} pictures are"
    return (
        f"{pictures} reviewed of what the model {model!r} measured, and {LEAST_REVIEWED} are the least to learn from: "
        "review more, which tells that all of a picture is right"
    )
