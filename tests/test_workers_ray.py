"""`planimeter serve --workers ray`: the answers of one process, by a real cluster that the test starts."""

import json
import os
import re
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fakes import MODEL, blocks, encoded, write_block_pack
from planimeter.cluster.carried import to_bytes
from planimeter.cluster.deployment import Worker
from planimeter.errors import NotReady
from planimeter.pictures.decode import Picture, decode
from planimeter.samples import list_samples
from processes import below
from test_server import MEASUREMENTS, PNG, Process, request

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra ray: make test-ray"),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds a worker by /proc"),
]
NEVER_THE_SAME = {"id", "created_at", "url", "timing_ms"}
REGION = json.dumps({"include": [[[0, 0], [40, 0], [40, 64], [0, 64]]]}).replace(" ", "")
LARGE = encoded(blocks(red=(100, 200, 700, 900), green=(500, 300, 1050, 800), width=1100, height=1000))
"""Of more bytes than are part of a call."""
OVERLAPPING = encoded(blocks(red=(0, 0, 32, 32), green=(16, 0, 48, 32)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workers")
    write_block_pack(folder / "packs")
    return folder


@pytest.fixture(scope="module")
def on_ray(folder: Path) -> Iterator[tuple[Process, str]]:
    """A service whose pictures a cluster measures, and its address."""
    process = Process(folder, "--workers", "ray", "--queue-size", "6", "--deadline", "120")
    try:
        message = process.message()
        assert "Workers  Ray on this machine, whose own page is http://127.0.0.1:" in message
        found = re.search(r"Page +(http://\S+)", message)
        assert found is not None
        yield process, found[1]
    finally:
        process.kill()


def everything(url: str) -> list[Any]:
    """Return all that a service answers to some pictures, without what no two requests have in common."""
    sample = next(entry for entry in list_samples() if entry.model == "nuclei").read()
    asked = [
        (f"?model={MODEL}", OVERLAPPING),
        (f"?model={MODEL}&score_threshold=0.7&least_area=2", OVERLAPPING),
        (f"?model={MODEL}&region={REGION}&ignore=saturated", OVERLAPPING),
        (f"?model={MODEL}&of=red&pixel_size=2&unit=um", OVERLAPPING),
        ("?model=nuclei&mask_format=polygon", sample),
        (f"?model={MODEL}", LARGE),
        (f"?model={MODEL}", OVERLAPPING[:-30]),
        (f"?model={MODEL}&classes=blue", OVERLAPPING),
    ]
    return [_answers(url, query, data) for query, data in asked]


def _answers(url: str, query: str, data: bytes) -> Any:
    status, _, body = request(url + MEASUREMENTS + query.replace('"', "%22"), "POST", data, PNG)
    answer = json.loads(body)
    if status != 201:
        return status, answer
    found = [
        request(f"{url}{MEASUREMENTS}/{answer['id']}/{name}")
        for name in ("overlay", "mask", "mask?kind=instance", "candidates")
    ]
    assert [entry[0] for entry in found] == [200, 200, 200, 200]
    files = [body.replace(answer["id"].encode(), b"") for _, _, body in found]
    return status, _without(answer, answer["id"]), files


def _without(answer: Any, id_: str) -> Any:
    if isinstance(answer, dict):
        return {key: _without(value, id_) for key, value in answer.items() if key not in NEVER_THE_SAME}
    if isinstance(answer, list):
        return [_without(entry, id_) for entry in answer]
    return answer.replace(id_, "") if isinstance(answer, str) else answer


def test_answers_are_those_of_one_process_to_the_byte(folder: Path, on_ray: tuple[Process, str]) -> None:
    there = everything(on_ray[1])
    assert [entry[0] for entry in there] == [201, 201, 201, 201, 201, 201, 422, 409]
    here = Process(folder)
    try:
        found = re.search(r"Page +(http://\S+)", here.message())
        assert found is not None
        assert everything(found[1]) == there
    finally:
        here.kill()
    metrics = request(f"{on_ray[1]}/metrics")[2].decode()
    assert re.search(r'planimeter_worker_measurements_total\{replica="\w+"\} [3-9]', metrics)


def test_a_worker_that_is_killed_under_load_makes_no_answer_wrong(on_ray: tuple[Process, str]) -> None:
    process, url = on_ray

    def send(number: int) -> int:
        picture = encoded(blocks(red=(0, 0, 2 * (1 + number % 30), 32)))
        status, body = 429, b""
        while status == 429:  # as a client does
            status, _, body = request(f"{url}{MEASUREMENTS}?model={MODEL}", "POST", picture, PNG)
            time.sleep(0.05 * (status == 429))
        if status == 201:
            assert json.loads(body)["coverage"]["pixels_masked"] == 64 * (1 + number % 30)
        return status

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(send, number) for number in range(150)]
        assert answers[20].result() == 201
        killed = below(process.pid, "ServeReplica")
        for replica in killed:
            os.kill(replica, signal.SIGKILL)
        statuses = [answer.result() for answer in answers]
    assert killed
    assert {*statuses} <= {201, 503}
    assert statuses.count(201) >= 130
    assert send(1) == 201


def test_a_cluster_that_is_not_there_ends_the_start_and_is_named(folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        begun = Process(folder, "--workers", "ray", RAY_ADDRESS=f"ray://me:secret@127.0.0.1:{port}")
        status, out, err = begun.wait()
    assert status == 1
    assert f"the Ray cluster at ray://127.0.0.1:{port} cannot be reached: Connection refused" in err
    assert "secret" not in out + err


class _Handle:
    """What Ray hands out for a deployment, whose answers are given; errors are raised as Ray raises them."""

    def __init__(self, *answers: Any) -> None:
        self.answers = [*answers]
        self.asked: list[tuple[Any, ...]] = []
        self.describe = self.measure = self

    def remote(self, *given: Any) -> "_Handle":
        self.asked.append(given)
        return self

    def result(self, timeout_s: float) -> Any:
        assert timeout_s > 0
        found = self.answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


def _worker(*answers: Any) -> tuple[Worker, _Handle]:
    handle = _Handle("info", *answers)
    return Worker(handle, handle, "model", "files", Counter()), handle


def _picture() -> Picture:
    return decode(OVERLAPPING)


def _lost() -> list[Exception]:
    """Return what Ray raises where what was asked, what it was given or what it answered was on a machine that died."""
    from grpc import RpcError  # noqa: PLC0415 - an extra

    os.environ.setdefault("RAY_AUTH_MODE", "token")  # Ray reads it once, when it is first imported
    from ray import exceptions  # noqa: PLC0415
    from ray.serve.exceptions import RayServeException  # noqa: PLC0415

    lost = exceptions.ObjectLostError("0" * 56, None, "")
    within = exceptions.RayTaskError("measure", "", lost).as_instanceof_cause()
    dead = (
        exceptions.ActorDiedError(),
        exceptions.NodeDiedError("a node died"),
        exceptions.WorkerCrashedError(),
    )
    direct = (
        exceptions.ActorUnavailableError("gone", b"0" * 16),
        RpcError(),
        RuntimeError("Unexpected error (StatusCode.UNAVAILABLE): Socket closed."),
    )
    return [lost, within, *dead, *direct, RayServeException("gone")]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what Ray imports
def test_whatever_is_lost_with_a_machine_is_asked_for_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planimeter.cluster.deployment.time.sleep", lambda _: None)
    for error in _lost():
        worker, handle = _worker(error, to_bytes(SimpleNamespace(replica="one")), error, error)
        assert worker.measure(_picture(), 0.5, None, lambda: 9.0).replica == "one"
        with pytest.raises(NotReady, match="nothing was kept"):
            worker.measure(_picture(), 0.5, None, lambda: 9.0)
        assert handle.answers == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what Ray imports
def test_a_defect_of_ours_on_a_worker_is_told_and_not_asked_for_again() -> None:
    worker, handle = _worker(to_bytes(ZeroDivisionError("ours")), "never asked for")
    with pytest.raises(ZeroDivisionError):
        worker.measure(_picture(), 0.5, None, lambda: 9.0)
    assert handle.answers == ["never asked for"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what Ray imports
def test_a_replica_that_does_not_know_the_model_gets_its_files() -> None:
    worker, handle = _worker(None, SimpleNamespace(replica="new"), to_bytes(SimpleNamespace(replica="new")))
    for _ in range(2):
        assert worker.measure(_picture(), 0.5, None, lambda: 9.0).replica == "new"
    described, carried, with_files, again = handle.asked
    assert described == ("model", ["files"])
    assert [len(entry) for entry in (carried, with_files, again)] == [2, 3, 2]
    assert with_files[2] == ["files"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what Ray imports
def test_a_large_picture_is_not_part_of_the_call() -> None:
    worker, handle = _worker(SimpleNamespace(replica="one"))
    large = replace(_picture(), pixels=np.zeros((1025, 1024, 3), np.uint8))
    assert worker.measure(large, 0.5, None, lambda: 9.0).replica == "one"
    assert handle.asked[-1] == ("model", (large, 0.5, None), ["files"])
