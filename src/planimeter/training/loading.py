"""How crops come to the training: in which order, and what the processes that prepare them leave to it."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler

STOPPING_SIGNALS = signal.SIGINT, signal.SIGTERM
"""What stops a training."""


class EndlessSampler(Sampler[int]):
    """Indices epoch after epoch, each epoch shuffled by the seed; starts anywhere, so that resuming is exact."""

    def __init__(self, length: int, seed: int, start: int) -> None:
        self._length, self._seed, self._start = length, seed, start

    def __iter__(self) -> Iterator[int]:
        position = self._start
        while True:
            epoch, offset = divmod(position, self._length)
            generator = torch.Generator().manual_seed(self._seed * 100_003 + epoch)
            for index in torch.randperm(self._length, generator=generator)[offset:].tolist():
                yield epoch * self._length + index
                position += 1


def leave_signals_to_the_trainer(_: int) -> None:
    """Ignore what stops training: terminals and service managers send it to all processes at once.

    A loader's process that ended by it would end training on the spot, with nothing saved.
    """
    for number in STOPPING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def batches_of(loader: "DataLoader[Any]") -> Iterator[Iterator[Any]]:
    """Give the batches of a loader, and end the processes that make them where what is done with them fails.

    An error keeps its frames, and so the loader, until Python ends; which then waits without end for processes that
    ignore signals and were never told to stop.
    """
    batches = iter(loader)
    try:
        yield batches
    except BaseException:
        shut_down = getattr(
            batches, "_shutdown_workers", None
        )  # what the loader does by itself when it is forgotten
        if shut_down is not None:
            shut_down()
        raise
