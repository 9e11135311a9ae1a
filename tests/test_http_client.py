"""What we send to others: bounded in time and in what is read, whatever the other side does."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import pytest

from planimeter.errors import InvalidOption, Unreachable
from planimeter.http_client import LONGEST_WAIT, Answer, parse_address, receive, send, wait_seconds


@contextmanager
def talking(say: Callable[[socket.socket], None], wrap: ssl.SSLContext | None = None) -> Iterator[int]:
    """Accept one connection and let `say` have it; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            with suppress(OSError):
                plain, _ = listening.accept()
                with plain, suppress(OSError):
                    say(wrap.wrap_socket(plain, server_side=True) if wrap else plain)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.close()
            thread.join(30)


def ask(port: int, scheme: str = "http", seconds: float = 1.0) -> Answer:
    return send(
        parse_address(f"{scheme}://127.0.0.1:{port}/x?y", "it"),
        "POST",
        body=b"z",
        seconds=seconds,
        most_bytes=9,
    )


def test_an_answer_that_trickles_is_ended_in_time() -> None:
    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"A: b\r\n")
            time.sleep(0.1)

    started = time.monotonic()
    with talking(trickle) as port, pytest.raises(Unreachable, match="no answer within 1 s"):
        ask(port)
    assert time.monotonic() - started < 20


def test_no_answer_at_all_is_ended_in_time() -> None:
    with talking(lambda _: time.sleep(3)) as port, pytest.raises(Unreachable, match="no answer within 1 s"):
        ask(port)


def test_an_endless_answer_is_read_no_further_than_wanted() -> None:
    def pour(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(bytes(65536))

    with talking(pour) as port:
        assert ask(port, seconds=20).body == bytes(9)


@pytest.mark.parametrize(
    "said", [b"", b"\x16\x03\x01", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a" * 99999]
)
def test_what_is_no_http_is_said_to_be_out_of_reach(said: bytes) -> None:
    with (
        talking(lambda connection: connection.sendall(said)) as port,
        pytest.raises(Unreachable, match=r"127\.0\.0\.1"),
    ):
        ask(port, seconds=10)


CUT_SHORT = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n64\r\nd",
]


@pytest.mark.parametrize("said", CUT_SHORT)
def test_an_answer_that_is_cut_short_is_none(said: bytes) -> None:
    with talking(answering(said)) as port:
        address = parse_address(f"http://127.0.0.1:{port}/", "it")
        with pytest.raises(Unreachable, match="Incomplete"):
            send(address, "GET", seconds=10, most_bytes=1000)
    with (
        talking(answering(said)) as port,
        pytest.raises(Unreachable, match="Incomplete"),
    ):
        download(port)


def answering(said: bytes) -> Callable[[socket.socket], None]:
    """Return what reads a request and answers it."""

    def say(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(said)

    return say


def download(port: int, seconds: float = 10, take: Callable[[bytes], object] = len) -> int:
    """Receive an answer; returns in how many pieces it came."""
    with receive(parse_address(f"http://127.0.0.1:{port}/", "it"), "GET", seconds=seconds) as (
        answer,
        pieces,
    ):
        assert answer.status == 200
        return len([take(piece) for piece in pieces])


def fail(_: bytes) -> None:
    raise OSError("the disk is full")


def test_an_answer_is_received_piece_by_piece_and_what_fails_here_is_not_the_others_fault() -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + bytes(3_000_000)
    with talking(answering(said)) as port:
        assert download(port) == 3
    with (
        talking(answering(said)) as port,
        pytest.raises(OSError, match="disk is full"),
    ):
        download(port, take=fail)


def test_a_download_that_trickles_is_ended_in_time() -> None:
    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n")
        while True:
            connection.sendall(b"a")
            time.sleep(0.1)

    with talking(trickle) as port, pytest.raises(Unreachable, match="no answer within 1 s"):
        download(port, seconds=1)


def test_an_answer_before_all_was_read_is_an_answer() -> None:
    def refuse(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    with talking(refuse) as port:
        address = parse_address(f"http://127.0.0.1:{port}", "it")
        assert send(address, "POST", body=bytes(30_000_000), seconds=30, most_bytes=9).status == 413


def test_a_certificate_that_nobody_here_trusts_is_refused(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    made = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -keyout key -out certificate"
    )
    subprocess.run(made.split(), cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    with (
        talking(lambda _: None, context) as port,
        pytest.raises(Unreachable, match=r"self.signed certificate"),
    ):
        ask(port, "https", seconds=10)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7), ("99999999999", LONGEST_WAIT), ("", None), ("soon", None), ("-1", None), ("1.5", None)],
)
def test_retry_after_is_seconds(said: str, seconds: float | None) -> None:
    assert Answer(429, {"retry-after": said}, b"").retry_after == seconds


def test_retry_after_is_a_date_too() -> None:
    moment = datetime.now(timezone.utc) + timedelta(seconds=100)
    said = Answer(429, {"retry-after": format_datetime(moment, usegmt=True)}, b"").retry_after
    assert said is not None
    assert 50 < said <= 100
    assert Answer(429, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, b"").retry_after == 0


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("lab.example.org", "write an address that begins with http"),
        ("file:///etc/passwd", "write an address"),
        ("http://", "write an address"),
        ("http://a b/", "a space"),
        ("http://a/\r\nX: y", "a space or a character that nobody sees"),
        ("http://a:b/", "is no address"),
        ("http://[::1/", "is no address"),
        ("http://a@b/", "a name or a password"),
        ("http://a/#b", "has a #"),
    ],
)
def test_what_is_no_address_is_refused(url: str, words: str) -> None:
    with pytest.raises(InvalidOption, match=words):
        parse_address(url, "--webhook")


def test_an_address_shows_neither_path_nor_query() -> None:
    address = parse_address("https://[::1]:8443/hööks/T0P?token=s3cret", "it")
    assert address.shown == "https://[::1]:8443"
    assert address.target == "/h%C3%B6%C3%B6ks/T0P?token=s3cret"


def test_waiting_doubles_up_to_a_limit() -> None:
    for failures in (1, 2, 5, 7, 1000):
        longest = min(60.0, 2.0 ** (min(failures, 30) - 1))
        assert all(longest / 2 <= wait_seconds(failures, most=60.0) <= longest for _ in range(20))
