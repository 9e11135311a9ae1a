"""The service as a process: a real port, a real model file, real signals."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from flask import Flask

from fakes import MODEL, BlockRuntime, blocks, encoded, write_block_pack
from planimeter.errors import NotReady
from planimeter.service.models import Models
from planimeter.service.server import Server, address_of, bind
from planimeter.settings import Settings

MEASUREMENTS = "/api/v1/measurements"
PNG = {"Content-Type": "image/png"}
OVERLAPPING = encoded(blocks(red=(0, 0, 32, 32), green=(16, 0, 48, 32)))


def request(
    url: str, method: str = "GET", data: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers (names in lower case) and body."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, data, headers or {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def measure(url: str, data: bytes) -> Any:
    status, _, body = request(url + MEASUREMENTS, "POST", data, PNG)
    assert status == 201, body
    return json.loads(body)


def problem(body: bytes) -> tuple[str, str]:
    answer = json.loads(body)
    assert set(answer) == {"error"}
    assert set(answer["error"]) == {"code", "message"}
    return answer["error"]["code"], answer["error"]["message"]


# ---- The server in this process


@contextmanager
def serving(app: Flask, settings: Settings, **more: Any) -> Iterator[tuple[str, Server]]:
    listening = bind(settings.host, 0)
    url = address_of(listening)
    server = Server(app, settings, listening, **more)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield url, server
    finally:
        server.stop()
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture
def url(app: Flask, settings: Settings) -> Iterator[str]:
    with serving(app, settings) as (url, _):
        yield url


def test_a_body_that_is_somewhat_too_long_is_read_and_refused_by_the_app(
    app: Flask, settings: Settings
) -> None:
    settings = settings.model_copy(update={"max_bytes": 1000})
    app.config["MAX_CONTENT_LENGTH"] = 2000
    with serving(app, settings) as (url, _):
        status, _, body = request(url + MEASUREMENTS, "POST", bytes(3_000_000), PNG)
        assert status == 413
        assert problem(body)[0] == "too_many_bytes"
        assert measure(url, OVERLAPPING)["coverage"]["percent_masked"] == 37.5


def test_a_length_beyond_all_limits_is_refused_at_once_in_the_same_shape(url: str) -> None:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port or 0), timeout=60) as connection:
        head = f"POST {MEASUREMENTS} HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\n"
        connection.sendall(f"{head}Content-Length: 99999999999\r\n\r\n".encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == 413
        code, message = problem(answer.read())
    assert code == "too_many_bytes"
    assert "67,108,864 bytes" in message


def test_broken_http_is_answered_in_the_same_shape(url: str) -> None:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port or 0), timeout=60) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == 400
        assert problem(answer.read())[0] == "bad_request"


def test_a_chunked_upload_is_measured(url: str) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    connection.request(
        "POST", MEASUREMENTS, iter([OVERLAPPING[:50], OVERLAPPING[50:]]), PNG, encode_chunked=True
    )
    answer = connection.getresponse()
    assert json.loads(answer.read())["coverage"]["pixels_masked"] == 1536
    connection.close()


def test_the_links_of_an_answer_lead_to_the_pictures(url: str) -> None:
    posted = measure(url, OVERLAPPING)
    for name in ("url", "overlay_url", "mask_url", "coco_url"):
        assert request(urljoin(url + MEASUREMENTS, posted[name]))[0] == 200


def test_forwarded_headers_change_nothing(url: str) -> None:
    headers = PNG | {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    _, answered, body = request(url + MEASUREMENTS, "POST", OVERLAPPING, headers)
    assert answered["location"] == f"measurements/{json.loads(body)['id']}"
    assert b"evil" not in request(url + "/", headers=headers)[2]


def test_a_full_queue_leaves_the_probes_and_pages_answering(
    app: Flask, settings: Settings, models: Models
) -> None:
    opened, entered = threading.Event(), threading.Semaphore(0)

    def hold() -> None:
        entered.release()
        assert opened.wait(60)

    models.get()._runtime = BlockRuntime(hold)
    statuses: list[int] = []
    # More clients than threads that answer: all of them wait, and nothing else does.
    with serving(app, settings.model_copy(update={"threads": 1})) as (url, _):
        clients = [
            threading.Thread(
                target=lambda: statuses.append(request(url + MEASUREMENTS, "POST", OVERLAPPING, PNG)[0])
            )
            for _ in range(6)
        ]
        for client in clients:
            client.start()
        assert entered.acquire(timeout=30)
        assert request(url + "/healthz")[0] == 200
        assert request(url + "/")[0] == 200
        opened.set()
        for client in clients:
            client.join(60)
    assert statuses == [201] * 6


def test_a_stop_lets_the_request_under_way_finish(app: Flask, settings: Settings, models: Models) -> None:
    opened, entered = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        assert opened.wait(60)

    models.get()._runtime = BlockRuntime(hold)
    statuses: list[int] = []
    with serving(app, settings) as (url, server):
        client = threading.Thread(
            target=lambda: statuses.append(request(url + MEASUREMENTS, "POST", OVERLAPPING, PNG)[0])
        )
        client.start()
        assert entered.wait(30)
        server.stop()
        opened.set()
        client.join(60)
    assert statuses == [201]


def test_a_taken_port_is_an_error_that_names_it() -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(NotReady, match=rf"port {port}: .*--port"):
            bind("127.0.0.1", port)


def test_a_host_that_is_not_ours_is_an_error_that_names_it() -> None:
    with pytest.raises(NotReady, match=r"no\.such\.host\.invalid.*--host"):
        bind("no.such.host.invalid", 0)


# ---- The command in a process of its own


class Process:
    """`planimeter serve` as a person starts it, with the block model in its packs folder."""

    def __init__(self, folder: Path, *options: str, port: int = 0, **environ: str) -> None:
        command = [sys.executable, "-m", "planimeter", "serve", "--model", MODEL, "--packs-folder", "packs"]
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PLANIMETER_")
        }
        self._process = subprocess.Popen(
            [*command, "--port", str(port), *options],
            cwd=folder,
            env=environment | {"PYTHONUNBUFFERED": "1", "COLUMNS": "80"} | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def message(self) -> str:
        """Return the start-up message, up to and including the curl line."""
        lines = []
        assert self._process.stdout is not None
        for line in self._process.stdout:
            lines.append(line)
            if "curl" in line:
                break
        return "".join(lines)

    def stop(self, kind: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        """Return exit status, the rest of stdout, and stderr."""
        self._process.send_signal(kind)
        return self.wait()

    def wait(self) -> tuple[int, str, str]:
        out, err = self._process.communicate(timeout=60)
        return self._process.returncode, out, err

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    write_block_pack(tmp_path / "packs")
    started: list[Process] = []

    def start(*options: str, port: int = 0, **environ: str) -> Process:
        started.append(Process(tmp_path, *options, port=port, **environ))
        return started[-1]

    yield start
    for process in started:
        process.kill()


def url_in(message: str) -> str:
    found = re.search(r"Page +(http://\S+)", message)
    assert found, message
    return found[1]


def test_the_start_up_message_says_where_with_what_and_how(start: Start, tmp_path: Path) -> None:
    process = start("--upload-folder", "in", "--output-folder", "out")
    message = process.message()
    url = url_in(message)
    assert f"curl -F image=@picture.png {url}/api/v1/measurements" in message
    assert str(tmp_path / "in") in message
    assert str(tmp_path / "out") in message
    assert "blocks 1, openvino f32 on cpu" in message
    assert "\x1b" not in message


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly_and_a_restart_still_has_everything(
    start: Start, tmp_path: Path, kind: signal.Signals
) -> None:
    options = ("--upload-folder", "in", "--output-folder", "out", "--database", "sqlite:///db/p.db")
    first = start(*options)
    url = url_in(first.message())
    posted = measure(url, OVERLAPPING)
    overlay = request(urljoin(url + MEASUREMENTS, posted["overlay_url"]))[2]
    status, out, err = first.stop(kind)
    assert status == 0, err
    assert "Stopped." in out
    assert "Traceback" not in err
    again = url_in(start(*options).message())
    listed = json.loads(request(again + MEASUREMENTS)[2])["measurements"]
    assert [entry["id"] for entry in listed] == [posted["id"]]
    assert request(f"{again}{MEASUREMENTS}/{posted['id']}/overlay")[2] == overlay
    assert [path.suffix for path in (tmp_path / "in").iterdir() if path.is_file()] == [".png"]
    assert len([path for path in (tmp_path / "out").iterdir() if path.is_file()]) == 2


def test_eight_clients_at_once_each_get_the_answer_of_their_own_picture(start: Start) -> None:
    url = url_in(start().message())
    answers: dict[int, Any] = {}

    def post(number: int) -> None:
        picture = encoded(blocks(red=(0, 0, 8 * number, 16), green=(0, 32, 8, 8 * number + 32)))
        answers[number] = measure(url, picture)["coverage"]["by_class"][0]["pixels_masked"]

    threads = [threading.Thread(target=post, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: 128 * number for number in range(1, 9)}


def test_a_taken_port_ends_it_with_a_sentence_before_it_touches_a_folder(
    start: Start, tmp_path: Path
) -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        status, _, err = start(port=port).wait()
    assert status == 1
    assert f"port {port}" in err
    assert "--port" in err
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["packs"]


def test_an_unknown_model_ends_it_with_a_sentence(start: Start) -> None:
    status, _, err = start("--model", "nosuch").wait()
    assert status == 1
    assert "there is no model 'nosuch'" in err
    assert "blocks" in err


def test_a_public_address_without_a_token_ends_it_with_a_sentence(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ngrok")
    monkeypatch.delenv("NGROK_AUTHTOKEN", raising=False)
    status, _, err = start("--use-ngrok", "--insecure-no-auth").wait()
    assert status == 1
    assert "NGROK_AUTHTOKEN" in err


def test_serving_never_imports_torch() -> None:
    code = (
        "import planimeter.commands.serve, planimeter.commands.measure, sys; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
