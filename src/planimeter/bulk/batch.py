"""A batch of pictures, measured by one process: the same on one machine and on a cluster."""

import threading
import time
from collections.abc import Callable, Sequence
from hashlib import sha256

from planimeter.bulk.places import name_of, read_picture
from planimeter.bulk.results import Part, Results, name_batch
from planimeter.bulk.rows import error_row, instance_rows, measurement_row
from planimeter.bulk.schema import Row
from planimeter.bulk.task import Task
from planimeter.errors import InferenceFailed, PlanimeterError, RuntimeUnavailable, Unreachable
from planimeter.measurement import Measurement
from planimeter.measuring.ahead import in_order
from planimeter.measuring.segmenter import Segmenter
from planimeter.measuring.tally import Tally

Told = Callable[[str, Measurement | None, PlanimeterError | None], None]
"""Is told of each picture: its key, and its measurement or why there is none."""
_FATAL = (Unreachable, RuntimeUnavailable)
"""Errors that are no picture's own: the run ends, and goes on where it was once they are mended."""


class Outcome:
    """A picture that was looked at."""

    def __init__(
        self,
        key: str,
        rows: tuple[Row, list[Row]],
        measurement: Measurement | None,
        error: PlanimeterError | None = None,
    ) -> None:
        self.key = key
        self.rows = rows
        self.measurement = measurement
        self.error = error


def measure_batch(
    segmenter: Segmenter,
    task: Task,
    results: Results,
    keys: Sequence[str],
    *,
    stopping: threading.Event | None = None,
    told: Told = lambda *_: None,
) -> Tally:
    """Measure pictures and write their parts; those of the batch that are in a part already are counted alone.

    What is under way once it is `stopping` is finished and written. Raises `StoreFailed`, and `Unreachable` where
    pictures are in a bucket that does not answer.
    """
    batch = name_batch(keys)
    part, tally = Part(results, batch), Tally()
    part.salvage({row["key"] for row in results.rows_of(batch)})
    done = results.rows_of(batch)
    for row in done:
        if row["error_code"] is None:
            tally.add_figures(row["percent_masked"], row["verdict"])
        else:
            tally.add(None)
    finished = {row["key"] for row in done}
    todo = [key for key in keys if in_table(key) not in finished]
    outcomes = in_order(
        todo, lambda key: _measure(segmenter, task, key), 1 + segmenter.streams, stopping or threading.Event()
    )
    try:
        for outcome in outcomes:
            part.add(*outcome.rows)
            tally.add(outcome.measurement)
            told(outcome.key, outcome.measurement, outcome.error)
    except _FATAL:
        part.write()
        raise
    part.write()
    return tally


def in_table(key: str) -> str:
    """Return a key as it stands in tables, which hold no halves of characters: names of files can."""
    return key.encode("utf-8", "backslashreplace").decode()


def _measure(segmenter: Segmenter, task: Task, key: str) -> Outcome:
    """Measure one picture; whatever is wrong with it becomes its row."""
    asked, data = task.asked, None
    now = time.time_ns() // 1_000_000
    try:
        data = read_picture(key, task.limits)
        measured = segmenter.measure(
            data,
            filename=in_table(name_of(key)),
            score_threshold=asked.score_threshold,
            limits=task.limits,
            pixel_size=asked.scale.pixel_size,
            unit=asked.scale.unit,
            counting=asked.counting,
            judging=asked.judging,
        )
        measurement, candidates = measured.without_picture(), measured.candidates().packed().pack()
    except _FATAL:
        raise
    except PlanimeterError as error:
        return _failed(task, key, error, data, now)
    except Exception as error:  # noqa: BLE001  one picture of a million must not end the others
        told = InferenceFailed(f"an error that was not foreseen: {type(error).__name__}: {error}")
        return _failed(task, key, told, data, now)
    shown = in_table(key)
    row = measurement_row(shown, measurement, candidates, task.details, now)
    return Outcome(key, (row, instance_rows(shown, measurement)), measurement)


def _failed(task: Task, key: str, error: PlanimeterError, data: bytes | None, now: int) -> Outcome:
    content = None if data is None else sha256(data).hexdigest()
    row = error_row(in_table(key), error, content, task.details, now)
    return Outcome(key, (row, []), None, error)
