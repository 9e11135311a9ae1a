"""Copies of a network that learn beside it: the gradient is that of the batch, and none outlives the training."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

import torch.multiprocessing as processes  # noqa: E402
from click.testing import CliRunner  # noqa: E402
from torch import Tensor  # noqa: E402

from labelled import write_dataset  # noqa: E402
from planimeter.commands import main  # noqa: E402
from planimeter.errors import TrainingError  # noqa: E402
from planimeter.labels import read_labels  # noqa: E402
from planimeter.networks.own import PixelMaskRCNN, build_network  # noqa: E402
from planimeter.packs.pack import find_pack, read_pack  # noqa: E402
from planimeter.training import replicas as module  # noqa: E402
from planimeter.training.crops import Augmentation, Crops, collate  # noqa: E402
from planimeter.training.engine import LAST, Trainer  # noqa: E402
from planimeter.training.export import draft_pack  # noqa: E402
from planimeter.training.losses import Batch, learn_from  # noqa: E402
from planimeter.training.plan import PackPlan  # noqa: E402
from planimeter.training.recipe import Recipe, Status  # noqa: E402
from planimeter.training.replicas import Replicas, choose_processes, most_processes  # noqa: E402
from planimeter.training.start import freeze  # noqa: E402

pytestmark = pytest.mark.training
HAS_ROOM = not module.SHARED.is_dir() or shutil.disk_usage(module.SHARED).free > 200e6
needs_room = pytest.mark.skipif(
    not HAS_ROOM, reason="processes share memory, and /dev/shm has less than 200 MB"
)
SEED = 7


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As many threads here as in a copy: where two proposals tie, rounding chooses, and threads round otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def network() -> PixelMaskRCNN:
    torch.manual_seed(0)
    return build_network(find_pack("steel").manifest.own_architecture, 1)


def batch_of(folder: Path, number: int) -> Batch:
    """Return crops of drawn pictures, and what they show."""
    data = read_labels(write_dataset(folder, pictures=number))
    preprocessing = draft_pack(PackPlan(name="blobs", scale=1.0), data, data).manifest.preprocessing
    crops = Crops(data, preprocessing, 64, 0, Augmentation(scale=(1.0, 1.0), lighting=0.0))
    return collate([crops[index] for index in range(number)])


def gradients(network: PixelMaskRCNN) -> list[Tensor]:
    return [parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None]


@needs_room
@pytest.mark.usefixtures("one_thread")
def test_losses_and_gradient_are_the_means_of_those_of_the_shares(
    network: PixelMaskRCNN, tmp_path: Path
) -> None:
    frozen = freeze(network)
    images, targets = batch_of(tmp_path, 4)
    network.train()
    for layer in frozen:
        layer.eval()
    expected = []
    for rank, part in enumerate((slice(0, 2), slice(2, 4))):
        # Which anchors are learnt from is drawn; a copy draws by the seed and its number.
        torch.manual_seed(SEED + rank)
        losses = learn_from(network, (images[part], targets[part]), torch.float32)
        expected.append((losses, gradients(network)))
        network.zero_grad(set_to_none=True)
    with Replicas(network, frozen, torch.float32, 2, SEED) as replicas:
        assert replicas.number == 2
        own = replicas.give((images, targets))
        assert len(own[0]) == len(own[1]) == 2
        torch.manual_seed(SEED)
        losses = replicas.take(learn_from(network, own, torch.float32))
    assert not processes.active_children()
    for name, loss in losses.items():
        assert loss.item() == pytest.approx(sum(share[name].item() for share, _ in expected) / 2, rel=1e-5)
    found = gradients(network)
    assert len(found) == len(expected[0][1]) > 100
    largest = max(gradient.abs().max().item() for gradient in found)
    for gradient, first, second in zip(found, expected[0][1], expected[1][1], strict=True):
        # What batch normalisation takes away is zero but for rounding.
        assert torch.allclose(gradient, (first + second) / 2, rtol=1e-3, atol=1e-5 * largest)


@needs_room
def test_copies_learn_with_the_weights_that_the_optimizer_changed(
    network: PixelMaskRCNN, tmp_path: Path
) -> None:
    images, targets = batch_of(tmp_path, 4)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.0)
    network.train()
    theirs = []
    threads = torch.get_num_threads()
    with Replicas(network, [], torch.float32, 2, SEED) as replicas:
        for rate in (0.0, 1e-3, 0.0):
            ours = learn_from(network, replicas.give((images, targets)), torch.float32)["loss_pixels"]
            theirs.append(2 * replicas.take({"loss_pixels": ours})["loss_pixels"].item() - ours.item())
            optimizer.param_groups[0]["lr"] = rate
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    assert torch.get_num_threads() == threads
    assert theirs[0] == pytest.approx(theirs[1], rel=1e-4)  # nothing had been changed
    assert theirs[1] != pytest.approx(theirs[2], rel=1e-3)


@pytest.mark.parametrize(
    ("cores", "batch", "expected"),
    [(1, 8, 1), (2, 8, 2), (3, 8, 2), (6, 8, 4), (64, 8, 4), (4, 9, 3), (4, 2, 1), (4, 7, 1)],
)
def test_as_many_processes_as_can_share_a_batch(cores: int, batch: int, expected: int) -> None:
    assert most_processes(cores, batch) == expected


def test_what_cannot_be_is_said(network: PixelMaskRCNN, monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    with pytest.raises(
        TrainingError, match=r"3 processes cannot share a batch of 8 evenly; give --processes"
    ):
        choose_processes(3, 8, network, cpu)
    with pytest.raises(TrainingError, match="on cuda, which takes one process"):
        choose_processes(2, 8, network, torch.device("cuda"))
    assert choose_processes(None, 8, network, torch.device("cuda")) == 1
    if HAS_ROOM:
        assert choose_processes(4, 8, network, cpu) == 4  # asked for, however few cores there are
    if module.SHARED.is_dir():
        monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1_000_000))
        with pytest.raises(TrainingError, match=r"MB are missing; give it more"):
            choose_processes(2, 8, network, cpu)
        assert choose_processes(None, 8, network, cpu) == 1


@needs_room
@pytest.mark.slow
def test_a_training_in_two_processes_makes_a_model(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", pictures=8)
    command = [
        "train", str(data), "--name", "blobs", "--packs-folder", str(tmp_path), "--work-folder", str(tmp_path / "work"),
        "--backbone-weights", "none", "--scale", "1", "--crop", "64", "--batch", "4", "--workers", "0", "--epochs", "2",
        "--validation-fraction", "0.25", "--infer-with-cpu", "--processes", "2",
    ]  # fmt: skip
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "6 pictures to learn from, 2 to validate on; on cpu, 2 processes side by side" in result.output
    assert read_pack(tmp_path / "blobs").manifest.metrics["validation"]["pictures"] == 2
    assert not processes.active_children()


@needs_room
@pytest.mark.slow
def test_a_copy_that_ends_ends_the_training_with_a_sentence(tmp_path: Path) -> None:
    data = read_labels(write_dataset(tmp_path, pictures=6))
    pack = draft_pack(PackPlan(name="blobs", scale=1.0), data, data)
    recipe = Recipe(epochs=99, crop=64, batch=4, workers=0, processes=2)
    trainer = Trainer(build_network(pack.manifest.own_architecture, 1), pack, recipe, tmp_path / "w", "cpu")

    def on_step(status: Status) -> None:
        if status.step == 2:
            trainer.save(LAST)
            [copy] = processes.active_children()
            copy.kill()

    with pytest.raises(TrainingError, match=r"beside this one has ended \(exit code -9\).*--processes 1"):
        trainer.run(data, None, on_step, lambda *_: None)
    assert not processes.active_children()
    assert torch.load(tmp_path / "w" / LAST, weights_only=True)["step"] == 2


def begin(tmp_path: Path) -> "tuple[subprocess.Popen[str], Path]":
    data = write_dataset(tmp_path / "data", pictures=8)
    log = tmp_path / "log"
    command = [
        sys.executable, "-m", "planimeter", "train", str(data), "--name", "blobs", "--packs-folder", str(tmp_path),
        "--work-folder", str(tmp_path / "work"), "--backbone-weights", "none", "--scale", "1", "--crop", "64",
        "--batch", "4", "--workers", "1", "--epochs", "9999", "--infer-with-cpu", "--processes", "2",
    ]  # fmt: skip
    with log.open("w") as stream:
        process = subprocess.Popen(
            command, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True, text=True
        )
    return process, log


def wait_until(true: Callable[[], bool], seconds: float, said: Path) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, said.read_text()
        time.sleep(0.1)


def members(group: int) -> list[int]:
    """Return the processes of a session that are not zombies."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z" and int(fields[2]) == group:
            found.append(int(stat.parent.name))
    return found


@needs_room
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="needs Linux's /proc")
def test_a_stop_is_saved_and_a_kill_leaves_no_copy_behind(tmp_path: Path) -> None:
    process, log = begin(tmp_path)
    try:
        wait_until(lambda: "step 1 " in log.read_text() or process.poll() is not None, 300, log)
        assert len(members(process.pid)) > 2
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the copies too
        assert process.wait(120) == 130, log.read_text()
        assert re.search(r"stopped at step \d+", log.read_text())
        wait_until(lambda: not members(process.pid), 30, log)
    finally:
        process.kill()
    again, log = begin(tmp_path)
    try:
        wait_until(
            lambda: "step " in log.read_text().partition("resumed")[2] or again.poll() is not None, 300, log
        )
        again.kill()
        again.wait(60)
        wait_until(lambda: not members(again.pid), 60, log)
    finally:
        again.kill()
