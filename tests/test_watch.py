"""`planimeter watch`: a real folder, a real service, and a watcher that is killed and started again."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fakes import DotRuntime, dots, encoded
from planimeter.inbox.journal import HIDDEN
from planimeter.store import Store
from serving import serve
from test_server import request

QUICK = ("--poll", "0.05", "--settle", "0.15")
PATIENCE = 60.0


class Watcher:
    """A running `planimeter watch`."""

    def __init__(self, folder: Path, service: str, *options: str, **environ: str) -> None:
        self.log = folder.parent / f"watch-{time.monotonic_ns()}.log"
        command = [
            sys.executable,
            "-m",
            "planimeter",
            "watch",
            str(folder),
            "--service",
            service,
            *QUICK,
            *options,
        ]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | environ)

    @property
    def said(self) -> str:
        return self.log.read_text("utf-8")

    def says(self, words: str) -> None:
        """Wait until it has said this."""
        wait(lambda: words in self.said, lambda: self.said)

    def stop(self, kind: signal.Signals = signal.SIGTERM) -> int:
        if self._process.poll() is None:
            self._process.send_signal(kind)
        return self._process.wait(PATIENCE)


def wait(condition: Callable[[], bool], told: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, told()
        time.sleep(0.02)


@contextmanager
def watching(folder: Path, service: str, *options: str, **environ: str) -> Iterator[Watcher]:
    folder.mkdir(exist_ok=True)
    watcher = Watcher(folder, service, *options, **environ)
    try:
        yield watcher
    finally:
        watcher.stop(signal.SIGKILL)


def picture(number: int) -> bytes:
    """Return a picture of its own: which of 16 cells are lit tells the number, and the percentage too."""
    lit = np.array([number >> bit & 1 for bit in range(16)], np.uint8).reshape(4, 4) * 200
    return encoded(dots(lit))


def listed(service: str, query: str = "") -> list[dict[str, Any]]:
    answer = json.loads(request(f"{service}api/v1/measurements?limit=200{query}")[2])
    assert answer["next_url"] is None
    found: list[dict[str, Any]] = answer["measurements"]
    return found


def names_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def waiting_in(folder: Path) -> set[str]:
    """Return the files that lie in a watched folder itself."""
    return {path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[str]:
    with serve(tmp_path / "service") as url:
        yield url


def test_pictures_that_appear_are_measured_and_moved_with_a_line_for_each(
    service: str, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "there before.png").write_bytes(picture(1))
    options = ("--lot", "L 7", "--tags", "line,night", "--score-threshold", "0.3")
    with watching(folder, service, *options) as watcher:
        watcher.says("there before.png")
        (folder / "whole.part").write_bytes(picture(3))
        (folder / "whole.part").rename(folder / "renamed.png")
        (folder / ".hidden.png").write_bytes(picture(1))
        (folder / "~temporary.png").write_bytes(picture(1))
        (folder / "notes.txt").write_text("of the line")
        (folder / "link.png").symlink_to(tmp_path / "elsewhere.png")
        (tmp_path / "elsewhere.png").write_bytes(picture(1))
        (folder / "sub").mkdir()
        (folder / "sub" / "inner.png").write_bytes(picture(1))
        watcher.says("renamed.png")
        assert watcher.stop() == 0
    first, second = sorted(listed(service), key=lambda entry: str(entry["created_at"]))
    assert (first["image"]["filename"], second["image"]["filename"]) == ("there before.png", "renamed.png")
    assert (first["lot"], first["tags"], first["options"]["score_threshold"]) == (
        "L 7",
        ["line", "night"],
        0.3,
    )
    assert names_in(folder / "done") == {"there before.png", "renamed.png"}
    assert (folder / "done" / "renamed.png").read_bytes() == picture(3)
    assert waiting_in(folder) == {"~temporary.png", "notes.txt", "link.png"}
    lines = [line.split() for line in watcher.said.splitlines() if line.endswith(".png")]
    percents = [f"{entry['coverage']['percent_masked']:.2f}" for entry in (first, second)]
    assert [line[1] for line in lines] == percents
    assert watcher.said.endswith("Stopped.\n")


def test_a_file_that_is_still_being_written_waits(service: str, tmp_path: Path) -> None:
    folder, data = tmp_path / "in", picture(7)
    with watching(folder, service) as watcher:
        (folder / "empty.png").write_bytes(b"")
        with (folder / "slow.png").open("wb") as file:
            for start in range(0, len(data), max(1, len(data) // 8)):
                file.write(data[start : start + max(1, len(data) // 8)])
                file.flush()
                time.sleep(0.1)  # shorter than it takes to settle, all together longer
        watcher.says("slow.png")
        watcher.says("empty.png is empty: waiting")
        (entry,) = listed(service)
        assert entry["image"]["filename"] == "slow.png"
        (folder / "empty.png").write_bytes(data)
        wait(lambda: "empty.png" in names_in(folder / "done"), lambda: watcher.said)
    assert len(listed(service)) == 2
    assert names_in(folder / "failed") == set()


def test_what_is_refused_goes_to_failed_with_why_and_names_never_replace_each_other(
    service: str, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    with watching(folder, service) as watcher:
        for turn in range(2):
            (folder / "broken.png").write_bytes(picture(5)[: 60 + turn])
            (folder / "strip.png").write_bytes(picture(8 + turn))
            wait(lambda: waiting_in(folder) == set(), lambda: watcher.said)
    assert names_in(folder / "failed") == {
        "broken.png", "broken.png.json", "broken (2).png", "broken (2).png.json",
    }  # fmt: skip
    why = json.loads((folder / "failed" / "broken (2).png.json").read_text("utf-8"))
    assert (why["picture"], why["status"], why["code"]) == ("broken.png", 422, "undecodable_picture")
    assert "broken.png" in watcher.said
    assert (folder / "failed" / "broken (2).png").read_bytes() == picture(5)[:61]
    assert (folder / "done" / "strip.png").read_bytes() == picture(8)
    assert (folder / "done" / "strip (2).png").read_bytes() == picture(9)
    assert len(listed(service)) == 2


def test_a_picture_that_is_too_large_for_the_service_is_not_even_read(service: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    with watching(folder, service, "--max-bytes", "100000") as watcher:
        with (folder / "huge.png").open("wb") as file:
            file.truncate(10 * 2**30)
        wait(lambda: "huge.png.json" in names_in(folder / "failed"), lambda: watcher.said)
        why = json.loads((folder / "failed" / "huge.png.json").read_text("utf-8"))
    assert why["code"] == "too_many_bytes"
    assert "10,737,418,240 bytes" in why["message"]


def test_subfolders_are_watched_where_asked_for_and_what_was_done_is_not(
    service: str, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    (folder / "line 1" / "a").mkdir(parents=True)
    (folder / "line 1" / "a" / "x.png").write_bytes(picture(1))
    (folder / "x.png").write_bytes(picture(1))
    with watching(folder, service, "--subfolders") as watcher:
        wait(lambda: len(names_in(folder / "done")) == 2, lambda: watcher.said)
        time.sleep(0.5)
    assert names_in(folder / "done") == {"x.png", "line 1/a/x.png"}
    assert len(listed(service)) == 2


@pytest.mark.slow
def test_killed_at_any_moment_it_measures_each_picture_exactly_once(tmp_path: Path) -> None:
    folder, count, chance = tmp_path / "in", 24, np.random.default_rng(7)
    folder.mkdir()

    class Slow(DotRuntime):
        def run(self, image: Any) -> Any:
            time.sleep(0.03)
            return super().run(image)

    with serve(tmp_path / "service", Slow()) as service:
        for number in range(count):
            (folder / f"strip {number}.png").write_bytes(picture(number + 1))
        kills = 0
        while waiting_in(folder):
            watcher = Watcher(folder, service)
            watcher.says("Watching")
            time.sleep(chance.uniform(0.15, 0.5))
            kills += watcher.stop(signal.SIGKILL) == -signal.SIGKILL
            assert kills < 200
        entries = listed(service)
    assert kills > 3
    assert sorted(entry["image"]["filename"] for entry in entries) == sorted(
        f"strip {number}.png" for number in range(count)
    )
    done = {path.name: path.read_bytes() for path in (folder / "done").iterdir()}
    assert done == {f"strip {number}.png": picture(number + 1) for number in range(count)}


def test_what_was_begun_is_finished_as_it_was_begun_and_measured_once(tmp_path: Path) -> None:
    """A kill after the service had measured, before the picture was moved; then other options."""
    folder, opened, entered = tmp_path / "in", threading.Event(), threading.Event()

    class Held(DotRuntime):
        def run(self, image: Any) -> Any:
            entered.set()
            assert opened.wait(PATIENCE)
            return super().run(image)

    network = Held()
    with serve(tmp_path / "service", network) as service:
        folder.mkdir()
        (folder / "a.png").write_bytes(picture(3))
        with watching(folder, service, "--lot", "first") as watcher:
            assert entered.wait(PATIENCE), watcher.said
            watcher.stop(signal.SIGKILL)
        assert waiting_in(folder) == {"a.png"}
        with watching(folder, service, "--lot", "second") as watcher:
            watcher.says("being worked on")  # by the request of the killed one
            opened.set()
            wait(lambda: "a.png" in names_in(folder / "done"), lambda: watcher.said)
            (folder / "b.png").write_bytes(picture(4))
            wait(lambda: "b.png" in names_in(folder / "done"), lambda: watcher.said)
        lots = {entry["image"]["filename"]: entry["lot"] for entry in listed(service)}
    assert lots == {"a.png": "first", "b.png": "second"}
    assert network.ran == 2


def test_sigterm_finishes_the_picture_under_way(tmp_path: Path) -> None:
    folder, opened, entered = tmp_path / "in", threading.Event(), threading.Event()

    class Held(DotRuntime):
        def run(self, image: Any) -> Any:
            entered.set()
            assert opened.wait(PATIENCE)
            return super().run(image)

    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(picture(3))
    with serve(tmp_path / "service", Held()) as service, watching(folder, service) as watcher:
        assert entered.wait(PATIENCE), watcher.said
        threading.Timer(0.5, opened.set).start()
        assert watcher.stop() == 0
        assert len(listed(service)) == 1
    assert len(names_in(folder / "done")) == len(waiting_in(folder)) == 1


def test_a_service_that_is_not_there_is_waited_for_and_nothing_is_dropped(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    with serve(tmp_path / "service") as service:
        pass  # now its address is one at which nobody listens
    with watching(folder, service) as watcher:
        watcher.says("cannot be reached")
        (folder / "a.png").write_bytes(picture(1))
        watcher.says("it is tried again")
        assert waiting_in(folder) == {"a.png"}
    with serve(tmp_path / "service") as service, watching(folder, service) as watcher:
        watcher.says("a.png")
        assert len(listed(service)) == 1
        assert "Traceback" not in watcher.said


class Busy(BaseHTTPRequestHandler):
    """Answers like a service that says what it was told to, and then measures."""

    asked: list[tuple[float, str, str]] = []  # noqa: RUF012
    answers: list[tuple[int, dict[str, str], dict[str, Any]]] = []  # noqa: RUF012

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.say(200, {}, {})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append((time.monotonic(), self.path, self.headers["Idempotency-Key"]))
        self.say(*(self.answers.pop(0) if self.answers else (201, {}, MEASURED)))

    def say(self, status: int, headers: dict[str, str], answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


MEASURED = {
    "id": "1",
    "coverage": {"percent_masked": 12.345, "interval": {"low": 10.0, "high": 15.0}},
    "verdict": "pass",
}


def test_it_comes_back_when_the_service_says_and_with_the_same_key(tmp_path: Path) -> None:
    folder = tmp_path / "in"

    def error(code: str) -> dict[str, Any]:
        return {"error": {"code": code, "message": f"it is {code}"}}

    class Told(Busy):
        asked: list[tuple[float, str, str]] = []  # noqa: RUF012
        answers = [  # noqa: RUF012
            (429, {"Retry-After": "2"}, error("queue_full")),
            (503, {}, error("not_ready")),
            (401, {}, error("unauthorized")),
            (307, {"Location": "http://127.0.0.1:9/elsewhere"}, {}),
        ]

    server = ThreadingHTTPServer(("127.0.0.1", 0), Told)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_address[1]}/tools"
        with watching(
            folder, address, "--profile", "strip line", PLANIMETER_WATCH_KEY="pm_secret"
        ) as watcher:
            (folder / "a.png").write_bytes(picture(1))
            watcher.says("pass")
            assert watcher.stop() == 0
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert Told.asked[1][0] - Told.asked[0][0] >= 2
    assert len({key for _, _, key in Told.asked}) == 1
    assert len(Told.asked) == 5
    assert all(path.startswith("/tools/api/v1/measurements?filename=a.png") for _, path, _ in Told.asked)
    assert "profile=strip+line" in Told.asked[0][1]
    for words in (
        "429: it is queue_full",
        "503: it is not_ready",
        "401: it is unauthorized",
        "elsewhere",
        "measures again",
    ):
        assert words in watcher.said
    assert "12.35      10.0 to 15.0       pass  a.png" in watcher.said
    assert "pm_secret" not in watcher.said


def test_one_picture_that_crashes_the_service_does_not_hold_up_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "in"

    class Crashing(Busy):
        asked: list[tuple[float, str, str]] = []  # noqa: RUF012

        def do_POST(self) -> None:
            if "bad.png" in self.path:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.say(500, {}, {"error": {"code": "internal_error", "message": "it crashed"}})
            else:
                super().do_POST()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Crashing)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    folder.mkdir()
    (folder / "bad.png").write_bytes(picture(1))
    try:
        with watching(folder, f"http://127.0.0.1:{server.server_address[1]}") as watcher:
            watcher.says("bad.png: ")
            (folder / "good.png").write_bytes(picture(2))
            watcher.says("good.png")
            assert watcher.stop() == 0
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert waiting_in(folder) == {"bad.png"}
    assert watcher.said.count("it crashed") == 1


def test_a_folder_that_vanishes_is_waited_for(service: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    with watching(folder, service) as watcher:
        watcher.says("Watching")
        folder.rename(tmp_path / "away")
        watcher.says("cannot be read (No such file or directory); waiting for it")
        (tmp_path / "away" / "a.png").write_bytes(picture(1))
        (tmp_path / "away").rename(folder)
        watcher.says("is back")
        watcher.says("a.png")
        assert watcher.stop() == 0
    assert names_in(folder / "done") == {"a.png"}


def test_a_done_folder_that_cannot_be_written_keeps_the_picture_and_measures_it_once(
    service: str, tmp_path: Path
) -> None:
    folder, done = tmp_path / "in", tmp_path / "done"
    with watching(folder, service, "--done", str(done)) as watcher:
        watcher.says("Watching")
        done.rmdir()
        done.write_text("a file in its place")
        (folder / "a.png").write_bytes(picture(1))
        watcher.says("a.png: it cannot be moved")
        begun = json.loads((folder / HIDDEN / "begun.json").read_text("utf-8"))
        (entry,) = listed(service)
        assert begun["a.png"]["id"] == entry["id"]
        watcher.stop(signal.SIGKILL)
    done.unlink()
    assert request(f"{service}api/v1/measurements/{entry['id']}", "DELETE")[0] == 204
    with watching(folder, service, "--done", str(done)) as watcher:
        watcher.says(f"measured before: {entry['id']}")
    assert names_in(done) == {"a.png"}
    assert listed(service) == []  # a second one would be a picture measured twice


def test_two_watchers_of_one_folder_are_refused(service: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    with watching(folder, service) as first:
        first.says("Watching")
        with watching(folder, service) as second:
            second.says("another planimeter watch is at work on")
            assert second.stop(signal.SIGCONT) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--service", "ftp://lab"), "--service is 'ftp://lab'"),
        (("--service", "http://u:secret@lab"), "--service at 'lab' has a name or a password"),
        (("--model", "nosuch"), "there is no model 'nosuch'"),
        (("--done", "."), "--done . holds the watched folder itself"),
        (("--key", "pm key"), "--key has a character that no key has"),
        (("--lot", "x" * 101), "it has 101 characters"),
        (("--poll", "0"), "--poll"),
    ],
)
def test_what_cannot_be_is_refused_at_the_start(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with watching(tmp_path / "in", service, *options) as watcher:
        assert watcher.stop(signal.SIGCONT) in {1, 2}
    assert words in watcher.said
    assert "secret" not in watcher.said
    assert "Traceback" not in watcher.said


def test_a_folder_that_is_missing_is_refused(service: str, tmp_path: Path) -> None:
    watcher = Watcher(tmp_path / "nowhere", service)
    assert watcher.stop(signal.SIGCONT) == 1
    assert "nowhere is not there" in watcher.said


def test_nothing_is_measured_twice_with_two_services_on_one_store(tmp_path: Path) -> None:
    """The key of a request is in the store: another service knows it too."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.png").write_bytes(picture(1))
    with serve(tmp_path / "service") as first, watching(folder, first) as watcher:
        watcher.says("a.png")
    (folder / "done" / "a.png").rename(folder / "a.png")
    with serve(tmp_path / "service") as second, watching(folder, second) as watcher:
        watcher.says("a.png")
        assert len(listed(second)) == 1
    store = Store.open(
        f"sqlite:///{tmp_path}/service/planimeter.db",
        tmp_path / "service/uploads",
        tmp_path / "service/outputs",
    )
    assert store.count() == 1
    store.close()
