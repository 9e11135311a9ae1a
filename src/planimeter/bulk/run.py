"""A whole run: what is left to do, in batches, measured here or on a cluster."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from planimeter.bulk.batch import Told, in_table, measure_batch
from planimeter.bulk.places import Place
from planimeter.bulk.results import Results
from planimeter.bulk.task import Engine, Task, keep_task
from planimeter.measuring.opening import open_segmenter
from planimeter.measuring.tally import Tally
from planimeter.packs.pack import Pack

BATCH = 1000
"""Pictures of a batch, and so of a part."""


@dataclass
class Progress:
    """What a run tells of itself; each is called in the thread that runs it."""

    begun: Callable[[int, int], None] = lambda _todo, _done: None
    """How many pictures are to be measured, and how many are done already."""
    picture: Told = lambda *_: None
    """Of each picture, where it is measured here."""
    batch: Callable[[Tally], None] = lambda _: None
    """Of each batch that a cluster measured."""


def run(
    task: Task,
    pack: Pack,
    keys: Sequence[str],
    place: Place,
    *,
    engine: Engine = "here",
    retry_failed: bool = False,
    stopping: threading.Event | None = None,
    progress: Progress | None = None,
) -> Tally:
    """Measure all pictures that are not in the results yet, and write them; return how these went.

    Raises `InvalidOption` where the results that are there were measured in another way, or another run writes them,
    `StoreFailed`, and `Unreachable`. Whatever ends it, the next run goes on from there.
    """
    stopping, progress, results = stopping or threading.Event(), progress or Progress(), Results(place)
    segmenter = open_segmenter(pack, task.how)
    task.check(segmenter.classes)
    with results.taken():
        keep_task(place, task.described(segmenter))
        results.finish_left_over()
        if retry_failed:
            results.forget_failed()
        done = results.done()
        todo = [key for key in keys if in_table(key) not in done]
        progress.begun(len(todo), len(keys) - len(todo))
        tally = Tally()
        if not todo:
            return tally
        if engine == "ray":
            from planimeter.bulk.on_ray import measure_on_ray  # noqa: PLC0415 - an extra

            for each in measure_on_ray(task, pack, place.address, todo):
                tally.include(each)
                progress.batch(each)
                if stopping.is_set():
                    break
            return tally
        for start in range(0, len(todo), BATCH):
            if stopping.is_set():
                break
            batch = todo[start : start + BATCH]
            tally.include(
                measure_batch(segmenter, task, results, batch, stopping=stopping, told=progress.picture)
            )
    return tally
