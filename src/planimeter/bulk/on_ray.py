"""Batches measured by Ray Data: actors read the pictures and write the parts, and only sums come back."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from math import ceil
from typing import Any

import pyarrow as pa

from planimeter.bulk.batch import measure_batch
from planimeter.bulk.places import open_place
from planimeter.bulk.results import Results
from planimeter.bulk.task import Task
from planimeter.cluster.connection import connected
from planimeter.cluster.packs import files_of, open_files
from planimeter.cluster.resources import share_out
from planimeter.errors import PlanimeterError, RuntimeUnavailable, StoreFailed, Unreachable
from planimeter.measuring.tally import Tally
from planimeter.packs.pack import Pack
from planimeter.rules import VERDICTS
from planimeter.runtimes import cores

LARGEST_BATCH, SMALLEST_BATCH, BATCHES = 1000, 16, 4
"""Pictures of a batch; each actor gets several batches, so that none waits long for the last."""
_ROW = pa.schema(
    [
        ("measured", pa.int64()),
        ("failed", pa.int64()),
        ("percents", pa.int64()),
        ("total_percent", pa.float64()),
        *((verdict, pa.int64()) for verdict in VERDICTS),
        ("error_code", pa.string()),
        ("error", pa.string()),
    ]
)


def measure_on_ray(task: Task, pack: Pack, address: str, todo: Sequence[str]) -> Iterator[Tally]:
    """Measure pictures on the cluster that `RAY_ADDRESS` names, or on one started here; yield the sums of each batch.

    The pack travels to where it is needed; pictures and results must be reachable from every machine. Raises what
    `connected` raises, `StoreFailed`, and `RuntimeUnavailable` where the cluster cannot measure.
    """
    with connected():
        import ray  # noqa: PLC0415 - an extra
        from ray.exceptions import RayError  # noqa: PLC0415

        _be_quiet()
        shares = share_out(ray, gpu=not task.how.infer_with_cpu and pack.manifest.weights is not None)
        size = max(SMALLEST_BATCH, min(LARGEST_BATCH, ceil(len(todo) / (shares.processes * BATCHES))))
        manifest = [pa.table({"key": todo[start : start + size]}) for start in range(0, len(todo), size)]
        measured = ray.data.from_arrow(manifest).map_batches(
            Measurer,
            batch_size=None,  # a block is a batch
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=shares.processes),
            fn_constructor_args=(task, ray.put(files_of(pack)), address, shares.cpus),
            num_cpus=shares.cpus,
            num_gpus=shares.gpus,
        )
        try:
            for row in measured.iter_rows():
                yield _tally(row)
        except RayError as error:
            raise RuntimeUnavailable(f"the Ray cluster could not measure: {_first_line(error)}") from error


class Measurer:
    """An actor: one network, which measures one batch after the other.

    Where its process or its machine is gone, Ray has the batch begun anew; what was written of it is found then.
    """

    def __init__(self, task: Task, files: Any, address: str, cpus: int) -> None:
        import ray  # noqa: PLC0415 - an extra

        cores.use(cpus)
        self._task = task
        self._results = Results(open_place(address))
        self._held = ExitStack()  # until this process ends
        self._held.enter_context(self._results.written())
        content: dict[str, bytes] = ray.get(files) if isinstance(files, ray.ObjectRef) else files
        self._segmenter = open_files(content, task.how)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Measure the keys of a batch and write their parts; returns its sums."""
        keys = batch.column("key").to_pylist()
        row: dict[str, Any]
        try:
            tally = measure_batch(self._segmenter, self._task, self._results, keys)
        except (
            PlanimeterError
        ) as error:  # as a row: Ray would begin the batch anew, and hide what is wrong in a page
            row = {"error_code": error.code, "error": str(error)}
        else:
            row = {name: getattr(tally, name) for name in ("measured", "failed", "percents", "total_percent")}
            row |= {verdict: tally.verdicts[verdict] for verdict in VERDICTS}
        return pa.Table.from_pylist([row], schema=_ROW)


def _tally(row: dict[str, Any]) -> Tally:
    if row["error_code"] is not None:
        kind = Unreachable if row["error_code"] == Unreachable.code else StoreFailed
        raise kind(row["error"])
    tally = Tally(row["measured"], row["failed"], row["percents"], row["total_percent"])
    tally.verdicts.update({verdict: row[verdict] for verdict in VERDICTS})
    return tally


def _be_quiet() -> None:
    """Leave progress and errors to the command."""
    from ray.data import DataContext  # noqa: PLC0415 - an extra

    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
