"""The files in `deploy/` work: nginx and Caddy with them, in front of the service, on this machine."""

import contextlib
import html
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import numpy as np
import pytest
from numpy.typing import NDArray

from fakes import dots, encoded
from planimeter.store import Store
from serving import serve

DEPLOY = Path(__file__).parents[1] / "deploy"
PNG = {"Content-Type": "image/png"}
HOST, PREFIX = "lab.example.org", "/planimeter"
OPEN: dict[str, Any] = {"public_host": HOST, "trusted_proxy": "127.0.0.1", "insecure_no_auth": True}
Write = Callable[[Path, int, str], list[str]]
Answer = tuple[int, dict[str, str], bytes]


def changed(text: str, *changes: tuple[str, str]) -> str:
    """Return a ready file with the ports of a test; what it changes must be there."""
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def write_nginx(folder: Path, port: int, service: str) -> list[str]:
    ready = changed(
        (DEPLOY / "nginx.conf").read_text("utf-8"),
        ("listen 80;", f"listen 127.0.0.1:{port};"),
        ("http://127.0.0.1:8000/;", f"http://{service}/;"),
        ("client_header_timeout 10s;", "client_header_timeout 1s;"),
    )
    temporary = "".join(
        f"{kind}_temp_path {folder / kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    whole = (
        f"{user} daemon off; pid {folder / 'pid'}; events {{}} http {{ access_log off; {temporary} {ready} }}"
    )
    (folder / "nginx.conf").write_text(whole, "utf-8")
    return ["nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "log")]


def write_caddy(folder: Path, port: int, service: str) -> list[str]:
    ready = changed(
        (DEPLOY / "Caddyfile").read_text("utf-8"),
        (f"\n{HOST} {{", f"\nhttp://{HOST}:{port} {{\n\tbind 127.0.0.1"),
        ("reverse_proxy 127.0.0.1:8000", f"reverse_proxy {service}"),
        ("\n{\n", "\n{\n\tadmin off\n"),
        ("read_header 10s", "read_header 1s"),
    )
    (folder / "Caddyfile").write_text(ready, "utf-8")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


@pytest.fixture(params=["nginx", "caddy"])
def write(request: pytest.FixtureRequest) -> Write:
    name = str(request.param)
    if shutil.which(name) is None:
        if "proxies" in os.environ.get("PLANIMETER_TEST_REQUIRE", ""):
            pytest.fail(f"{name} is missing, and PLANIMETER_TEST_REQUIRE says that it must be there")
        pytest.skip(f"{name} is not installed")
    return {"nginx": write_nginx, "caddy": write_caddy}[name]


@contextmanager
def running(write: Write, folder: Path, service: str) -> Iterator[int]:
    """Run the proxy in front of the service at `service`; yields its port."""
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = write(folder, port, urlsplit(service).netloc)
    environ = {
        **os.environ,
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=output, stderr=output)
    try:
        until = time.monotonic() + 20
        while True:
            assert process.poll() is None, (folder / "output").read_text("utf-8", "replace")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert time.monotonic() < until
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def ask(
    port: int,
    path: str,
    headers: Mapping[str, str] | None = None,
    *,
    body: bytes | None = None,
    source: str = "127.0.0.1",
) -> Answer:
    """Ask the proxy as a browser does that knows it as `HOST`; what has a body is posted."""
    connection = http.client.HTTPConnection("127.0.0.1", port, 30, (source, 0))
    try:
        named = {"Host": f"{HOST}:{port}", **(headers or {})}
        connection.request("GET" if body is None else "POST", path, body, named)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def test_pages_links_pictures_and_keys_work_under_the_prefix(write: Write, tmp_path: Path) -> None:
    with (
        serve(tmp_path, public_host=HOST, trusted_proxy="127.0.0.1") as service,
        running(write, tmp_path / "proxy", service) as port,
    ):
        store = Store.open(
            f"sqlite:///{tmp_path / 'planimeter.db'}", tmp_path / "uploads", tmp_path / "outputs"
        )
        key = {"X-API-Key": store.keys.add("line", "measure")}
        store.close()
        status, headers, _ = ask(port, PREFIX)
        assert status == 308
        assert urljoin(f"http://{HOST}:{port}{PREFIX}", headers["location"]).endswith(
            f"{HOST}:{port}{PREFIX}/"
        )
        assert ask(port, f"{PREFIX}/api/v1/models")[0] == 401
        posted = f"{PREFIX}/api/v1/measurements"
        picture = encoded(dots_of_three())
        status, headers, content = ask(port, posted, {**PNG, **key}, body=picture)
        assert status == 201, content
        measured = json.loads(content)
        found = [urljoin(posted, measured[name]) for name in ("url", "overlay_url", "mask_url", "coco_url")]
        assert {path.startswith(posted) for path in [*found, urljoin(posted, headers["location"])]} == {True}
        assert [ask(port, path, key)[0] for path in found] == [200] * 4
        assert ask(port, urljoin(posted, measured["image"]["url"]), key)[2] == picture
        for page in (f"{PREFIX}/", f"{PREFIX}/measurements/{measured['id']}"):
            status, _, content = ask(port, page, key)
            assert status == 200
            links = re.findall(r'(?:href|src)="([^"#]+)"', html.unescape(content.decode()))
            paths = {
                urljoin(page, link) for link in links if "://" not in link and not link.startswith("data:")
            }
            assert len(paths) > 8
            assert {path: ask(port, path, key)[0] for path in paths} == dict.fromkeys(paths, 200)
        # A form of the page itself is taken, one of another site is not.
        again = f"{PREFIX}/measurements/{measured['id']}/threshold"
        form = {"Content-Type": "application/x-www-form-urlencoded", **key}
        own, other = ({"Origin": f"http://{name}"} for name in (f"{HOST}:{port}", "evil.example"))
        assert ask(port, again, {**form, **own}, body=b"score_threshold=0.9")[0] == 303
        assert ask(port, again, {**form, **other}, body=b"score_threshold=0.9")[0] == 403


def dots_of_three() -> NDArray[np.uint8]:
    return dots(np.array([[250, 0], [120, 200]], np.uint8))


def test_the_address_of_each_client_is_its_own_and_cannot_be_forged(write: Write, tmp_path: Path) -> None:
    options = {**OPEN, "limit": "2/hour"}
    with serve(tmp_path, **options) as service, running(write, tmp_path / "proxy", service) as port:
        path = f"{PREFIX}/api/v1/models"
        forged = {"X-Forwarded-For": "192.0.2.77", "Forwarded": "for=192.0.2.78"}
        assert [ask(port, path, forged)[0] for _ in range(3)] == [200, 200, 429]
        assert ask(port, path, {"X-Forwarded-For": "192.0.2.79"})[0] == 429
        assert ask(port, path, source="127.0.0.2")[0] == 200


def test_what_is_too_large_or_too_slow_is_refused(write: Write, tmp_path: Path) -> None:
    options = {**OPEN, "max_bytes": 50_000}
    with serve(tmp_path, **options) as service, running(write, tmp_path / "proxy", service) as port:
        posted = f"{PREFIX}/api/v1/measurements"
        status, _, content = ask(port, posted, PNG, body=bytes(60_000))
        assert (status, json.loads(content)["error"]["code"]) == (413, "too_many_bytes")
        with socket.create_connection(("127.0.0.1", port), 20) as slow:
            slow.sendall(b"GET / HTTP/1.1\r\nHost: lab.example.org\r\nX-Slow: ")
            answer = slow.recv(1000)
            assert answer == b"" or b" 408 " in answer.partition(b"\r\n")[0]
        if write is write_nginx:
            with socket.create_connection(("127.0.0.1", port), 20) as large:
                head = f"POST {posted} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: image/png\r\n"
                large.sendall(f"{head}Content-Length: 99000000\r\n\r\n".encode())
                assert b" 413 " in large.recv(1000).partition(b"\r\n")[0]
