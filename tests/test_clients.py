"""Clients that mean harm, or are merely slow, gone or misdirected: they cost their own request and nobody else's."""

import http.client
import json
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from fakes import MODEL, BlockRuntime, block_pack
from planimeter.measuring.segmenter import Segmenter
from planimeter.service.app import create_app
from planimeter.service.gates import DOWNLOADS
from planimeter.service.models import Models
from planimeter.settings import Settings
from planimeter.store import Store
from test_api import assert_problem, post
from test_server import (
    MEASUREMENTS,
    OVERLAPPING,
    PNG,
    Start,
    measure,
    problem,
    request,
    serving,
    start,
    url_in,
)

__all__ = ["start"]
PADDED = OVERLAPPING + bytes(8_000_000)
"""A picture of 64 x 64 pixels with much behind its end: what is kept of it is more than a connection buffers."""


@contextmanager
def connected(url: str, sent: bytes, count: int = 1) -> Iterator[list[socket.socket]]:
    """Yield connections that sent something and read nothing."""
    parts = urlsplit(url)
    with ExitStack() as opened:
        sockets = []
        for _ in range(count):
            connection = opened.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(60)
            connection.connect((parts.hostname, parts.port))
            connection.sendall(sent)
            sockets.append(connection)
        yield sockets


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def send_until_refused(connection: socket.socket, block: bytes) -> int:
    """Send the same again and again, and return how many bytes were taken."""
    sent = 0
    try:
        while sent < 200_000_000:
            connection.sendall(block)
            sent += len(block)
    except ConnectionError:
        pass
    return sent


def is_closed(connection: socket.socket) -> bool:
    """Wait until the other side has closed; what it sent before is read."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


# ---- Clients that do not read


def test_clients_that_do_not_read_a_file_block_nothing(app: Flask, settings: Settings) -> None:
    with serving(app, settings) as (url, _):
        id_ = measure(url, PADDED)["id"]
        with connected(url, get(f"{MEASUREMENTS}/{id_}/image"), 80):
            for path in ("/healthz", "/", MEASUREMENTS):
                assert request(url + path)[0] == 200
            assert measure(url, OVERLAPPING)["coverage"]["percent_masked"] == 37.5
            status, headers, content = request(f"{url}{MEASUREMENTS}/{id_}/image")
            assert (status, headers["content-length"]) == (200, str(len(PADDED)))
            assert content == PADDED


def test_downloads_have_threads_of_their_own_and_the_others_are_told_to_come_back(
    app: Flask, settings: Settings
) -> None:
    with serving(app, settings) as (url, _):
        for _ in range(4):
            measure(url, PADDED)
        archive = f"{MEASUREMENTS}/zip?content=image"
        with connected(url, get(archive), DOWNLOADS):
            while app.extensions["planimeter"].downloads._inside._value:
                threading.Event().wait(0.02)
            assert request(url + archive)[0] == 429
            assert request(url + "/")[0] == 200
        # They hung up: their threads are free again.
        for _ in range(100):
            status, _, content = request(url + archive)
            if status == 200:
                break
            threading.Event().wait(0.1)
        assert len(content) > 4 * len(PADDED)


@pytest.mark.parametrize(
    "sent",
    [
        get("/healthz")[:-2] + b"X-Half: ",
        b"POST /api/v1/measurements HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\nabc",
    ],
    ids=["half a header", "half a body"],
)
def test_what_does_not_come_is_not_waited_for(app: Flask, settings: Settings, sent: bytes) -> None:
    with serving(app, settings, patience=0.01) as (url, _), connected(url, sent) as (one,):
        assert is_closed(one)


def test_an_answer_that_is_not_read_is_not_kept(app: Flask, settings: Settings) -> None:
    with serving(app, settings, patience=0.01) as (url, server):
        id_ = measure(url, PADDED)["id"]
        with connected(url, get(f"{MEASUREMENTS}/{id_}/image")):
            while server._waitress.active_channels:
                threading.Event().wait(0.05)
        assert measure(url, OVERLAPPING)["id"] > id_


def test_connections_that_wait_make_room_for_new_ones(app: Flask, settings: Settings) -> None:
    half = get("/healthz")[:-2] + b"X-Half: "
    with serving(app, settings, most_connections=20) as (url, server), connected(url, half, 60):
        assert measure(url, OVERLAPPING)["coverage"]["percent_masked"] == 37.5
        assert request(url + "/")[0] == 200
        assert len(server._waitress.active_channels) <= 20


# ---- Clients that left


def test_the_pictures_of_clients_that_left_are_neither_measured_nor_kept(
    settings: Settings, store: Store, models: Models
) -> None:
    entered, opened = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        assert opened.wait(60)

    runtime = BlockRuntime(hold)
    models.get()._runtime = runtime
    app = create_app(settings, store, models)
    queue = app.extensions["planimeter"].queue
    head = f"POST {MEASUREMENTS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    sent = f"{head}Content-Length: {len(OVERLAPPING)}\r\n\r\n".encode() + OVERLAPPING
    with serving(app, settings) as (url, _):
        first = threading.Thread(target=measure, args=(url, OVERLAPPING))
        first.start()
        assert entered.wait(30)
        with connected(url, sent, 10):
            while queue.length < 10:
                threading.Event().wait(0.02)
        while queue.length:  # they have left, and so their pictures leave the line
            threading.Event().wait(0.02)
        opened.set()
        first.join()
        measure(url, OVERLAPPING)
    assert runtime.ran == 2
    assert store.count() == 2


KEY = {"Idempotency-Key": "7f3a-1"}


def test_a_request_sent_again_with_its_key_measures_nothing_twice(
    settings: Settings, store: Store, models: Models
) -> None:
    runtime = BlockRuntime()
    models.get()._runtime = runtime
    first = create_app(settings, store, models).test_client()
    body: dict[str, Any] = {"data": OVERLAPPING, "content_type": "image/png"}
    one = first.post(MEASUREMENTS, **body, headers=KEY)
    again = create_app(settings, store, models).test_client().post(MEASUREMENTS, **body, headers=KEY)
    assert (one.status_code, again.status_code) == (201, 201)
    assert again.headers["Location"] == one.headers["Location"]
    assert json.loads(again.data)["coverage"] == json.loads(one.data)["coverage"]
    assert (runtime.ran, store.count()) == (1, 1)
    other = first.post(f"{MEASUREMENTS}?score_threshold=0.7", **body, headers=KEY)
    assert_problem(other, 409, "key_reused", "other options")
    assert first.post(MEASUREMENTS, **body, headers={"Idempotency-Key": "7f3a-2"}).status_code == 201
    assert_problem(
        first.post(MEASUREMENTS, **body, headers={"Idempotency-Key": "k" * 256}), 400, "invalid_option"
    )
    store.delete(json.loads(one.data)["id"])
    assert first.post(MEASUREMENTS, **body, headers=KEY).status_code == 201
    assert store.count() == 2


def test_a_key_that_is_being_worked_on_is_told_so(settings: Settings, store: Store, models: Models) -> None:
    answers: list[Any] = []
    body: dict[str, Any] = {"data": OVERLAPPING, "content_type": "image/png", "headers": KEY}

    def during() -> None:
        with ThreadPoolExecutor(1) as other:  # as any other request comes
            answers.append(other.submit(lambda: app.test_client().post(MEASUREMENTS, **body)).result())

    models.get()._runtime = BlockRuntime(during)
    app = create_app(settings, store, models)
    assert app.test_client().post(MEASUREMENTS, **body).status_code == 201
    assert_problem(answers[0], 409, "key_in_use", "being worked on")


@pytest.mark.both_databases
@pytest.mark.usefixtures("records_in")
def test_a_key_that_comes_to_two_services_at_once_is_measured_once(
    settings: Settings, store: Store, models: Models
) -> None:
    body: dict[str, Any] = {"data": OVERLAPPING, "content_type": "image/png", "headers": KEY}
    answers: list[Any] = []
    other_store = Store.open(settings.database, settings.upload_folder, settings.output_folder)
    other_models = Models(
        settings, find=lambda _: {MODEL: block_pack()}, load=lambda pack, _: Segmenter(pack, BlockRuntime())
    )
    other = create_app(settings, other_store, other_models)

    def during() -> None:
        with ThreadPoolExecutor(1) as thread:  # as a balancer of load sends it again
            answers.append(thread.submit(lambda: other.test_client().post(MEASUREMENTS, **body)).result())

    models.get()._runtime = BlockRuntime(during)
    app = create_app(settings, store, models)
    assert_problem(app.test_client().post(MEASUREMENTS, **body), 409, "key_in_use", "send it again")
    assert answers[0].status_code == 201
    assert store.count() == 1
    files = [
        path for folder in (settings.upload_folder, settings.output_folder) for path in Path(folder).iterdir()
    ]
    assert len([path for path in files if path.is_file()]) == 3
    again = app.test_client().post(MEASUREMENTS, **body)
    assert json.loads(again.data)["id"] == json.loads(answers[0].data)["id"]
    other_store.close()


# ---- Requests that are no requests


@pytest.mark.parametrize(
    ("length", "status", "code"),
    [("9" * 5000, 400, "bad_request"), ("9" * 15, 413, "too_many_bytes")],
    ids=["thousands of digits", "a quadrillion"],
)
def test_an_absurd_length_is_answered(
    app: Flask, settings: Settings, length: str, status: int, code: str
) -> None:
    head = f"POST {MEASUREMENTS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    sent = f"{head}Content-Length: {length}\r\n\r\n".encode()
    with serving(app, settings) as (url, _), connected(url, sent) as (one,):
        answer = http.client.HTTPResponse(one)
        answer.begin()
        assert answer.status == status
        assert problem(answer.read())[0] == code


def test_an_endless_body_is_ended_soon_after_the_limit(app: Flask, settings: Settings) -> None:
    settings = settings.model_copy(update={"max_bytes": 1_000_000})
    head = f"POST {MEASUREMENTS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    block = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    with serving(app, settings) as (url, _):
        with connected(url, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode()) as (one,):
            sent = send_until_refused(one, block)
        assert sent < 20_000_000
        assert request(url + "/healthz")[0] == 200


@pytest.mark.parametrize("begin", [b"1;", b"1\r\nx\r\n0\r\na: "])
def test_a_line_between_chunks_without_an_end_is_ended_soon(
    app: Flask, settings: Settings, begin: bytes
) -> None:
    head = f"POST {MEASUREMENTS} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with serving(app, settings) as (url, _):
        with connected(url, head.encode() + begin) as (one,):
            assert send_until_refused(one, b"a" * 10_000) < 5_000_000
        assert request(url + "/healthz")[0] == 200


def test_a_form_of_too_many_parts_is_told_so(client: FlaskClient) -> None:
    fields = {f"field{number}": "x" for number in range(2_000)}
    answer = client.post(MEASUREMENTS, data={"image": (BytesIO(OVERLAPPING), "a.png"), **fields})
    assert_problem(answer, 413, "too_many_bytes", "1,000 parts")


def test_a_name_of_four_thousand_characters_is_refused(client: FlaskClient) -> None:
    assert_problem(post(client, OVERLAPPING, "a" * 4_000 + ".png"), 400, "invalid_option", "4,004 characters")


# ---- JSON that is small on the way and large in memory


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (MEASUREMENTS, 350_000),
        ("/api/v1/profiles/p", 350_000),
        ("/api/v1/jobs", 350_000),
        (f"/v2/models/{MODEL}/infer", 5_000_000),
        ("/label-studio/predict", 1_000_000),
        ("/label-studio/webhook", 1_000_000),
    ],
)
def test_values_by_the_million_are_counted_before_they_are_read(
    client: FlaskClient, path: str, values: int
) -> None:
    # Where a body may not be as long, its length is refused.
    for text in (b"[" + b"0," * values + b"0]", b'["\\"",' + b"{}," * (values // 2) + b"0]"):
        answer = client.open(
            path, method="PUT" if "profiles" in path else "POST", data=text, content_type="application/json"
        )
        assert answer.status_code in {400, 413}
        assert answer.status_code == 413 or f"{values:,} values" in answer.text
    within = client.post(
        MEASUREMENTS, data=b'{"image": "' + b"," * 400_000 + b'"}', content_type="application/json"
    )
    assert_problem(within, 400, "invalid_option", "base64")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-32"])
def test_json_is_utf_8(client: FlaskClient, encoding: str) -> None:
    # Marks and texts could not be told apart in another.
    body = '{"image": "aaaa"}'.encode(encoding)
    answer = client.post(MEASUREMENTS, data=body, content_type="application/json")
    assert_problem(answer, 400, "invalid_option", "no JSON")


@pytest.mark.parametrize("path", ["/label-studio/setup", MEASUREMENTS, f"/v2/models/{MODEL}/infer"])
def test_half_a_character_is_refused_and_a_pair_is_one(client: FlaskClient, path: str) -> None:
    for text in (r'{"schema": "\ud800", "x": 1}', r'{"\uDFFF": 0}', r'{"image": "\ude00\ud83d"}'):
        answer = client.post(path, data=text, content_type="application/json")
        assert (answer.status_code, "no JSON" in answer.text) == (400, True)
    pair = client.post(path, data=r'{"schema": "\ud83d\ude00"}', content_type="application/json")
    assert (pair.status_code, "no JSON" in pair.text) == (400, False)


@pytest.mark.parametrize("path", [f"{MEASUREMENTS}/lines", "/api/v1/lots", "/api/v1/trash"])
def test_an_offset_of_ninety_digits_is_refused(client: FlaskClient, path: str) -> None:
    assert_problem(client.get(path, query_string={"offset": "9" * 90}), 400, "invalid_option", "offset")


def test_what_is_said_of_an_option_is_no_longer_than_a_line(client: FlaskClient) -> None:
    long = "x" * 100_000
    for sent in (
        {long: 1},
        {"image": "aaaa", long: 1},
        {"image": "aaaa", long: []},
        {"image": "aaaa", "of": long},
    ):
        answer = client.post(MEASUREMENTS, json=sent)
        assert answer.status_code == 400
        assert len(answer.text) < 2_000
    assert len(client.get(f"{MEASUREMENTS}?{'&'.join(f'o{n}=1' for n in range(1_000))}").text) < 2_000


# ---- Names that this service does not have


def test_a_request_for_another_host_is_misdirected_and_changes_nothing(
    client: FlaskClient, store: Store
) -> None:
    id_ = json.loads(post(client, OVERLAPPING).data)["id"]
    foreign = {"Host": "rebound.example:8000", "Origin": "http://rebound.example:8000"}
    for method, path in (("GET", "/"), ("DELETE", f"{MEASUREMENTS}/{id_}"), ("GET", f"{MEASUREMENTS}/{id_}")):
        answer = client.open(path, method=method, headers=foreign | {"Accept": "application/json"})
        assert_problem(answer, 421, "misdirected_request", "rebound.example", "--public-host")
    assert store.count() == 1


@pytest.mark.parametrize("name", ["Host", "Origin"])
def test_brackets_that_do_not_close_are_no_host(client: FlaskClient, name: str) -> None:
    where = {"Host": "[::1", "Origin": "http://[::1"}[name]
    assert (
        client.put(MEASUREMENTS + "/x/pin", headers={name: where}).status_code
        == {"Host": 421, "Origin": 403}[name]
    )


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1:9", "192.168.7.4", "[::1]:8000", "LOCALHOST."]
)
def test_this_machine_and_addresses_in_numbers_are_served(client: FlaskClient, host: str) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [("lab.example.org", 200), ("a.b.internal:81", 200), ("example.org", 421), ("internal", 421)],
)
def test_public_hosts_are_served(
    settings: Settings, store: Store, models: Models, host: str, status: int
) -> None:
    named = settings.model_copy(update={"public_host": "lab.example.org, .internal"})
    client = create_app(named, store, models).test_client()
    assert client.get("/healthz", headers={"Host": host}).status_code == status


def test_the_name_of_the_tunnel_is_served(app: Flask, client: FlaskClient) -> None:
    app.extensions["planimeter"].public_url = "https://abc.ngrok.example"
    assert client.get("/healthz", headers={"Host": "abc.ngrok.example"}).status_code == 200
    assert client.get("/healthz", headers={"Host": "other.ngrok.example"}).status_code == 421


def test_only_colab_may_show_the_pages_in_a_frame_and_only_its_own(client: FlaskClient) -> None:
    assert client.get("/").headers["Content-Security-Policy"].endswith("frame-ancestors 'self'")


# ---- A stop while much is under way


def test_a_stop_with_many_under_way_answers_each_and_exits_with_0(start: Start, tmp_path: Path) -> None:
    process = start()
    url = url_in(process.message())
    measure(url, OVERLAPPING)
    answers: list[Any] = []

    def send() -> None:
        try:
            answers.append(request(url + MEASUREMENTS, "POST", OVERLAPPING, PNG)[0])
        except OSError as error:
            answers.append(error)

    threads = [threading.Thread(target=send) for _ in range(24)]
    for thread in threads:
        thread.start()
    threads[0].join()
    status, _, err = process.stop(signal.SIGTERM)
    for thread in threads:
        thread.join()
    assert status == 0, err
    assert "Traceback" not in err
    # Those whose connection was not yet accepted are refused by the system; no answer is cut off.
    odd = [a for a in answers if not isinstance(a, ConnectionError) and a not in {201, 503}]
    assert not odd, (odd, err[-2000:])
    assert answers.count(201) >= 1
    stored = [path for path in (tmp_path / "planimeter-data" / "uploads").iterdir() if path.is_file()]
    assert len(stored) == 1 + answers.count(201)
