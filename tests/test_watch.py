"""`planimeter watch`: a real folder, a real service, and a watcher that is killed and started again."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fakes import DotRuntime, dots, encoded
from planimeter.inbox.journal import HIDDEN
from planimeter.inbox.moving import move
from planimeter.store import Store
from receivers import PATIENCE, wait
from serving import serve
from test_server import request

QUICK = ("--poll", "0.05", "--settle", "0.15", "--patience", "0.3")


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


def test_a_profile_decides_and_its_verdict_stands_in_the_line(service: str, tmp_path: Path) -> None:
    """A model of the environment is the default that a profile is for, and no contradiction to it."""
    folder = tmp_path / "in"
    said = json.dumps({"model": "blocks", "rules": [{"figure": "percent_masked", "at_most": 10}]})
    as_json = {"Content-Type": "application/json"}
    status, _, body = request(f"{service}api/v1/profiles/strip", "PUT", said.encode(), as_json)
    assert status == 200, body
    with watching(folder, service, "--profile", "strip", PLANIMETER_MODEL="nuclei") as watcher:
        (folder / "a.png").write_bytes(picture(1))
        wait(lambda: "a.png" in names_in(folder / "done"), lambda: watcher.said)
        (folder / "b.png").write_bytes(picture(0xFFFF))
        wait(lambda: "b.png" in names_in(folder / "done"), lambda: watcher.said)
        assert watcher.stop() == 0
    assert {entry["image"]["filename"]: entry["verdict"] for entry in listed(service)} == {
        "a.png": "pass",
        "b.png": "fail",
    }
    assert "pass  a.png" in watcher.said
    assert "fail  b.png" in watcher.said


def test_the_lines_say_of_what_percentages_are(service: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    said = json.dumps({"model": "blocks", "region": {"include": [[[0, 0], [64, 0], [64, 64], [0, 64]]]}})
    as_json = {"Content-Type": "application/json"}
    status, _, body = request(f"{service}api/v1/profiles/corner", "PUT", said.encode(), as_json)
    assert status in {200, 201}, body
    with watching(folder, service, "--profile", "corner") as watcher:
        (folder / "a.png").write_bytes(picture(1))
        wait(lambda: "a.png" in names_in(folder / "done"), lambda: watcher.said)
        assert watcher.stop() == 0
    assert "% of region" in watcher.said
    assert "Masked %" not in watcher.said


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


STALLING = {
    "stall.png": "PNG",
    "stall.jpg": "JPEG",
    "stall.tif": "TIFF",
    "stall.bmp": "BMP",
    "stall.gif": "GIF",
    "stall.webp": "WEBP",
}


def test_a_picture_whose_writer_stalls_is_measured_once_it_is_whole(service: str, tmp_path: Path) -> None:
    """Longer than it takes to settle; some writers keep the file open, some open it again, one reserves it first."""
    folder = tmp_path / "in"
    noise = np.random.default_rng(0).integers(0, 255, (160, 160, 3)).astype(np.uint8)
    whole = {name: encoded(noise, kind) for name, kind in STALLING.items()}
    reserved = picture(9)
    with watching(folder, service, "--patience", "600") as watcher:
        writers = {}
        for name, data in whole.items():
            writers[name] = (folder / name).open("wb")
            writers[name].write(data[: len(data) * 2 // 3])
            writers[name].flush()
        (folder / "reserved.png").write_bytes(bytes(len(reserved)))
        for name in (*whole, "reserved.png"):
            watcher.says(f"{name}: ")
        assert watcher.said.count("perhaps it is not written to its end yet") == 7
        (folder / "other.png").write_bytes(picture(3))
        wait(lambda: "other.png" in names_in(folder / "done"), lambda: watcher.said)
        assert waiting_in(folder) == {*whole, "reserved.png"}
        for number, (name, writer) in enumerate(writers.items()):
            rest = whole[name][len(whole[name]) * 2 // 3 :]
            if number % 2:
                writer.write(rest)
            writer.close()
            if not number % 2:
                with (folder / name).open("ab") as again:
                    again.write(rest)
        (folder / "reserved.png").write_bytes(reserved)
        wait(lambda: waiting_in(folder) == set(), lambda: watcher.said)
        assert watcher.stop() == 0
    moved = {name: (folder / "done" / name).read_bytes() for name in names_in(folder / "done")}
    assert moved == {**whole, "reserved.png": reserved, "other.png": picture(3)}
    assert names_in(folder / "failed") == set()
    assert sorted(entry["image"]["filename"] for entry in listed(service)) == sorted(moved)
    assert json.loads((folder / HIDDEN / "begun.json").read_text("utf-8")) == {}


@pytest.mark.parametrize("killed", [False, True])
def test_a_picture_that_is_finished_after_it_was_moved_away_is_measured(
    service: str, tmp_path: Path, killed: bool
) -> None:
    """The writer has it open in `failed` by then; also where the watcher was killed before that."""
    folder, data = tmp_path / "in", picture(0x1234)
    with watching(folder, service) as watcher, (folder / "slow.png").open("wb") as writer:
        (folder / "broken.png").write_bytes(data[:70])
        writer.write(data[: len(data) // 2])
        writer.flush()
        failed = {"slow.png", "slow.png.json", "broken.png", "broken.png.json"}
        wait(lambda: names_in(folder / "failed") == failed, lambda: watcher.said)
        if killed:
            watcher.stop(signal.SIGKILL)
        writer.write(data[len(data) // 2 :])
        writer.close()
        with watching(folder, service) if killed else nullcontext(watcher) as second:
            wait(lambda: "slow.png" in names_in(folder / "done"), lambda: second.said)
            second.says("changed after it was moved there")
            assert second.stop() == 0
    assert names_in(folder / "failed") == {"broken.png", "broken.png.json"}
    assert (folder / "done" / "slow.png").read_bytes() == data
    (entry,) = listed(service)
    assert entry["image"]["filename"] == "slow.png"


def test_a_broken_picture_is_moved_away_after_the_patience_and_stays_there(
    service: str, tmp_path: Path
) -> None:
    folder, broken = tmp_path / "in", picture(5)[:70]
    with watching(folder, service, "--patience", "1.5") as watcher:
        (folder / "broken.png").write_bytes(broken)
        watcher.says("where it has not changed in 1.5 s")
        told = time.monotonic()
        assert waiting_in(folder) == {"broken.png"}
        wait(lambda: "broken.png" in names_in(folder / "failed"), lambda: watcher.said)
        assert time.monotonic() - told >= 1
        why = json.loads((folder / "failed" / "broken.png.json").read_text("utf-8"))
        assert (why["code"], why["bytes"]) == ("undecodable_picture", 70)
        os.utime(folder / "failed" / "broken.png")  # its time alone, as some network drives change it
        for name in ("a.png", "b.png"):
            (folder / name).write_bytes(picture(3))
            wait(lambda name=name: name in names_in(folder / "done"), lambda: watcher.said)  # type: ignore[misc]
        assert "changed after it was moved" not in watcher.said
        (folder / "failed" / "broken.png").write_bytes(picture(5))  # somebody mends it there
        wait(lambda: "broken.png" in names_in(folder / "done"), lambda: watcher.said)
        assert watcher.stop() == 0
    assert names_in(folder / "failed") == set()
    assert len(listed(service)) == 3
    assert watcher.said.count("perhaps it is not written") == 1


def test_two_folders_that_share_one_for_what_failed_each_take_back_their_own(
    service: str, tmp_path: Path
) -> None:
    first, second, failed = tmp_path / "one", tmp_path / "two", tmp_path / "failed"
    options = ("--failed", str(failed))
    with watching(first, service, *options) as watcher:
        (first / "a.png").write_bytes(picture(5)[:70])
        wait(lambda: "a.png" in names_in(failed), lambda: watcher.said)
    with watching(second, service, *options) as other:
        other.says("Watching")
        (failed / "a.png").write_bytes(picture(5))
        (second / "b.png").write_bytes(picture(6))
        wait(lambda: "b.png" in names_in(second / "done"), lambda: other.said)
    assert "a.png" in names_in(failed)
    with watching(first, service, *options) as watcher:
        wait(lambda: "a.png" in names_in(first / "done"), lambda: watcher.said)
    assert names_in(failed) == set()


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


def test_any_name_is_measured_and_moved(service: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    names = [
        "two\nlines.png",
        "x" * 251 + ".png",
        os.fsdecode(b"caf\xe9.png"),
        "Ärger & 100 %.PNG",
        "a;b'\".png",
    ]
    for number, name in enumerate(names):
        (folder / name).write_bytes(picture(number + 1))
    (folder / ("y" * 251 + ".png")).write_bytes(b"\x89PNG\r\n\x1a\n but no more")
    with watching(folder, service) as watcher:
        wait(lambda: waiting_in(folder) == set(), lambda: watcher.said)
        assert watcher.stop() == 0
    moved = {name: (folder / "done" / name).read_bytes() for name in names_in(folder / "done")}
    assert moved == {
        ("x" * 200 + ".png" if name.startswith("xx") else name): picture(number + 1)
        for number, name in enumerate(names)
    }
    assert names_in(folder / "failed") == {"y" * 200 + ".png", "y" * 200 + ".png.json"}
    assert len(listed(service)) == 5
    assert "two?lines.png" in watcher.said
    assert "Traceback" not in watcher.said


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


class Held(DotRuntime):
    """Tells when a picture has entered it, and holds it until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.opened = threading.Event(), threading.Event()

    def run(self, image: Any) -> Any:
        self.entered.set()
        assert self.opened.wait(PATIENCE)
        return super().run(image)


def test_what_was_begun_is_finished_as_it_was_begun_and_measured_once(tmp_path: Path) -> None:
    """A kill after the service had measured, before the picture was moved; then other options."""
    folder, network = tmp_path / "in", Held()
    with serve(tmp_path / "service", network) as service:
        folder.mkdir()
        (folder / "a.png").write_bytes(picture(3))
        with watching(folder, service, "--lot", "first") as watcher:
            assert network.entered.wait(PATIENCE), watcher.said
            watcher.stop(signal.SIGKILL)
        assert waiting_in(folder) == {"a.png"}
        with watching(folder, service, "--lot", "second") as watcher:
            watcher.says("being worked on")  # by the request of the killed one
            network.opened.set()
            wait(lambda: "a.png" in names_in(folder / "done"), lambda: watcher.said)
            (folder / "b.png").write_bytes(picture(4))
            wait(lambda: "b.png" in names_in(folder / "done"), lambda: watcher.said)
        lots = {entry["image"]["filename"]: entry["lot"] for entry in listed(service)}
    assert lots == {"a.png": "first", "b.png": "second"}
    assert network.ran == 2


def test_a_picture_that_is_renamed_while_it_is_measured_is_measured_once(tmp_path: Path) -> None:
    """Its copies are pictures of their own."""
    folder, network = tmp_path / "in", Held()
    folder.mkdir()
    (folder / "a.png").write_bytes(picture(3))
    with serve(tmp_path / "service", network) as service, watching(folder, service) as watcher:
        assert network.entered.wait(PATIENCE), watcher.said
        (folder / "a.png").rename(folder / "b.png")
        (folder / "c.png").write_bytes(picture(3))
        network.opened.set()
        wait(lambda: names_in(folder / "done") == {"b.png", "c.png"}, lambda: watcher.said)
        names = [entry["image"]["filename"] for entry in listed(service)]
        assert sorted(names) == ["a.png", "c.png"]
        assert watcher.stop() == 0
    assert json.loads((folder / HIDDEN / "begun.json").read_text("utf-8")) == {}


def test_sigterm_finishes_the_picture_under_way(tmp_path: Path) -> None:
    folder, network = tmp_path / "in", Held()
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(picture(3))
    with serve(tmp_path / "service", network) as service, watching(folder, service) as watcher:
        assert network.entered.wait(PATIENCE), watcher.said
        threading.Timer(0.5, network.opened.set).start()
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


@contextmanager
def answering(handler: type[Busy]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


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

    options = ("--profile", "strip line")
    with (
        answering(Told) as address,
        watching(folder, f"{address}/tools", *options, PLANIMETER_WATCH_KEY="pm_secret") as watcher,
    ):
        (folder / "a.png").write_bytes(picture(1))
        watcher.says("pass")
        assert watcher.stop() == 0
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


def test_wrong_options_move_no_picture_away(tmp_path: Path) -> None:
    folder = tmp_path / "in"

    class Strict(Busy):
        asked: list[tuple[float, str, str]] = []  # noqa: RUF012
        refusal = {"error": {"code": "invalid_option", "message": "no such profile is possible"}}  # noqa: RUF012
        answers = [(400, {}, refusal), (201, {}, MEASURED), (400, {}, refusal)]  # noqa: RUF012

    with answering(Strict) as address, watching(folder, address) as watcher:
        (folder / "b.png").write_bytes(picture(2))
        watcher.says("b.png: ")
        assert names_in(folder / "failed") == set()
        wait(lambda: "b.png" in names_in(folder / "done"), lambda: watcher.said)
        (folder / "c.png").write_bytes(picture(3))  # now the options are good, and it is the picture
        wait(lambda: "c.png" in names_in(folder / "failed"), lambda: watcher.said)


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

    folder.mkdir()
    (folder / "bad.png").write_bytes(picture(1))
    with answering(Crashing) as address, watching(folder, address) as watcher:
        watcher.says("bad.png: ")
        (folder / "good.png").write_bytes(picture(2))
        watcher.says("good.png")
        assert watcher.stop() == 0
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


def test_another_drive_is_refused_at_the_start(service: str, tmp_path: Path) -> None:
    other = Path("/dev/shm")  # noqa: S108  of the system, in memory
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second drive here")
    with (
        tempfile.TemporaryDirectory(dir=other) as done,
        watching(tmp_path / "in", service, "--done", done) as watcher,
    ):
        assert watcher.stop(signal.SIGCONT) == 1
        assert list(Path(done).iterdir()) == []
    assert f"to --done {done}" in watcher.said
    assert "both must be on the same drive" in watcher.said


@pytest.mark.parametrize("links", [True, False])
def test_a_move_that_a_kill_interrupted_is_finished_with_and_without_second_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    done = tmp_path / "done"
    for name in ("done", "in"):
        (tmp_path / name).mkdir()
    (done / "a.png").write_bytes(b"another")
    source = tmp_path / "in" / "a.png"
    source.write_bytes(b"picture")
    if links:
        os.link(source, done / "a (2).png")  # as a kill leaves it
    else:

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError

        monkeypatch.setattr(os, "link", refuse)
    assert move(source, done, "a.png") == done / "a (2).png"
    assert not source.exists()
    assert {path.name: path.read_bytes() for path in done.iterdir()} == {
        "a.png": b"another",
        "a (2).png": b"picture",
    }


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
        (("--profile", "nosuch"), "There is no profile 'nosuch'"),
        (("--profile", ""), "is empty, and pictures would be measured otherwise"),
        (("--model", ""), "is empty, and pictures would be measured otherwise"),
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
