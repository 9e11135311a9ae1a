"""Copies of a network that learn beside it: each in a process of its own, from a share of every batch.

On a CPU a step is thousands of small operations, which more threads hardly make quicker; more processes do. It is
what several GPUs do (Goyal et al. 2017, arXiv:1706.02677): the gradient of a batch is the mean of those of its shares.
The copies read the very weights that the optimizer changes, in memory that all share, and leave their gradients in such
memory. Batch normalisation sees each share by itself; the figures that are kept are those of the first one's.
"""

import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
import torch.multiprocessing as processes
from torch import Tensor, nn

from planimeter.allocator import keep_freed_memory
from planimeter.errors import TrainingError
from planimeter.networks.own import PixelMaskRCNN
from planimeter.runtimes.cores import available
from planimeter.training.loading import STOPPING_SIGNALS, leave_signals_to_the_trainer
from planimeter.training.losses import Batch, learn_from

LEAST_CROPS = 2
"""Of a share, where nothing else is asked for: batch normalisation has nothing to compare one crop with."""
SHARED = Path("/dev/shm")  # noqa: S108 - where Linux keeps what processes share
_ENDING_SECONDS = 5.0


def choose_processes(wanted: int | None, batch: int, network: nn.Module, device: torch.device) -> int:
    """Return how many processes learn: as many as there are cores, where they can share the batch evenly.

    Raises `TrainingError` for a number that is `wanted` and cannot be.
    """
    if wanted is None and device.type == "cpu":
        number = most_processes(available(), batch)
        return number if _missing_bytes(network, number) <= 0 else 1
    number = wanted or 1
    if batch % number:
        raise TrainingError(
            f"{number} processes cannot share a batch of {batch} evenly; give --processes or --batch another number"
        )
    if number > 1 and device.type != "cpu":
        raise TrainingError(f"training is on {device.type}, which takes one process; leave --processes out")
    if (missing := _missing_bytes(network, number)) > 0:
        raise TrainingError(
            f"{number} processes share more memory than {SHARED} has: {missing / 1e6:,.0f} MB are missing; give it "
            "more (docker run --shm-size 1g), or --processes 1"
        )
    return number


def most_processes(cores: int, batch: int) -> int:
    """Return how many processes can share a batch evenly: one a core at most, each with `LEAST_CROPS` or more."""
    most = min(cores, batch // LEAST_CROPS)
    return max((number for number in range(1, most + 1) if batch % number == 0), default=1)


def _missing_bytes(network: nn.Module, number: int) -> int:
    """Return how much more memory would be needed for what is shared: a container has 64 MB unless told otherwise.

    Whoever writes beyond that is ended by the system, with no error before.
    """
    if number == 1 or not SHARED.is_dir():
        return 0
    weights: int = sum(value.nbytes for value in network.state_dict().values())
    # Weights once, gradients for each copy, and the crops on their way.
    return 2 * number * weights - shutil.disk_usage(SHARED).free


class Replicas:
    """The copies of one network; made when a training begins, and ended with it, as a context."""

    def __init__(
        self,
        network: PixelMaskRCNN,
        frozen: Sequence[nn.Module],
        arithmetic: torch.dtype,
        number: int,
        seed: int,
    ) -> None:
        """Start `number - 1` copies of `network`, on the CPU; its `frozen` layers stay as they are."""
        self._learnt = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self._threads = torch.get_num_threads()
        self._copies: list[_Copy] = []
        if number > 1:
            network.share_memory()
            threads = max(1, self._threads // number)
            try:
                for rank in range(1, number):
                    gradients = [torch.zeros_like(parameter).share_memory_() for parameter in self._learnt]
                    task = _Task(network, list(frozen), gradients, arithmetic, threads, seed + rank)
                    self._copies.append(_Copy(task))
            except BaseException:
                self.close()
                raise
            torch.set_num_threads(threads)

    @property
    def number(self) -> int:
        """How many processes learn, this one among them."""
        return 1 + len(self._copies)

    def __enter__(self) -> "Replicas":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def give(self, batch: Batch) -> Batch:
        """Give each copy its share of a batch to learn from; returns the share that is left for this process."""
        images, targets = batch
        length = len(images) // self.number
        for rank, copy in enumerate(self._copies, start=1):
            part = slice(rank * length, (rank + 1) * length)
            copy.give((images[part], targets[part]))
        return images[:length], targets[:length]

    def take(self, losses: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the mean losses of all shares, and leave the mean gradient in the network.

        `losses` are those of this process's own share, whose gradient the network has.
        """
        if not self._copies:
            return losses
        sums = dict(losses)
        own = []
        for parameter in self._learnt:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            own.append(parameter.grad)
        for copy in self._copies:
            theirs = copy.take()
            sums = {name: loss + theirs[name] for name, loss in sums.items()}
            torch._foreach_add_(own, copy.gradients)
        torch._foreach_div_(own, float(self.number))
        return {name: loss / self.number for name, loss in sums.items()}

    @contextmanager
    def all_cores(self) -> Iterator[None]:
        """Let this process have all cores while nothing is learnt."""
        before = torch.get_num_threads()
        torch.set_num_threads(self._threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def close(self) -> None:
        """End the copies; what they read and wrote stays in this process."""
        for copy in self._copies:
            copy.close()
        self._copies = []
        torch.set_num_threads(self._threads)


@dataclass(frozen=True)
class _Task:
    """What a copy is told once."""

    network: PixelMaskRCNN
    frozen: list[nn.Module]
    gradients: list[Tensor]
    """Where it leaves them: one for each parameter that learns."""
    arithmetic: torch.dtype
    threads: int
    seed: int


class _Copy:
    """A process that learns from what it is given."""

    def __init__(self, task: _Task) -> None:
        self.gradients = task.gradients
        # A fork would take over locks of threads that it does not have.
        context = processes.get_context("spawn")
        self._connection, far = context.Pipe()
        self._process = context.Process(target=_work, args=(far, task), name="replica", daemon=True)
        with _signals_held():
            self._process.start()
        far.close()  # so that this end hears when the process is gone

    def give(self, batch: Batch) -> None:
        images, targets = batch
        # As arrays, in one piece: PyTorch would make a file of shared memory for each of some twenty tensors.
        plain = (
            images.numpy(),
            [{name: value.numpy() for name, value in target.items()} for target in targets],
        )
        try:
            self._connection.send(plain)
        except OSError as error:
            raise self._ended() from error

    def take(self) -> dict[str, float]:
        try:
            answer = self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._ended() from error
        if isinstance(answer, BaseException):
            raise answer
        return dict(answer)

    def close(self) -> None:
        self._connection.close()
        self._process.join(_ENDING_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _ended(self) -> TrainingError:
        self._process.join(_ENDING_SECONDS)
        return TrainingError(
            f"a process that learnt beside this one has ended (exit code {self._process.exitcode}), perhaps for want "
            "of memory; the same command goes on from the last checkpoint, with --processes 1 in one process"
        )


@contextmanager
def _signals_held() -> Iterator[None]:
    """Hold back what stops training while a process is started, which never gets it then: not even as it starts.

    Terminals send it to all processes at once, and a copy that ended by it would end training with nothing saved.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows, which has no such signals
        yield
        return
    resource_tracker.ensure_running()  # which a start does by itself, and lets signals through after it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(connection: Connection, task: _Task) -> None:
    """Learn from each share that comes, until none does: also where the process that gives them was killed."""
    leave_signals_to_the_trainer(0)
    keep_freed_memory()
    torch.set_num_threads(task.threads)
    torch.manual_seed(task.seed)
    network = task.network
    _own_figures(network)
    network.train()
    for layer in task.frozen:
        layer.eval()
    learnt = [parameter for parameter in network.parameters() if parameter.requires_grad]
    while True:
        try:
            images, targets = connection.recv()
        except (EOFError, OSError):
            return
        share = (
            torch.from_numpy(images),
            [{name: torch.from_numpy(value) for name, value in target.items()} for target in targets],
        )
        answer: Any
        try:
            losses = learn_from(network, share, task.arithmetic)
            for parameter, gradient in zip(learnt, task.gradients, strict=True):
                if parameter.grad is None:
                    gradient.zero_()
                else:
                    gradient.copy_(parameter.grad)
                    parameter.grad = None
            answer = {name: loss.item() for name, loss in losses.items()}
        except Exception as error:  # noqa: BLE001 - raised where the share was given
            answer = error
        with suppress(OSError):
            connection.send(answer)


def _own_figures(network: nn.Module) -> None:
    """Let batch normalisation count in figures of its own: two processes would write over each other's."""
    for module in network.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            setattr(module, name, buffer.clone())
