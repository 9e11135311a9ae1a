"""A reverse proxy, as small as one can be, that does what nginx does with this configuration:

    location /tools/planimeter/ { proxy_pass http://127.0.0.1:PORT/; proxy_set_header X-Forwarded-Proto https; }

It strips the path prefix and says so to nobody, and knows nothing of the service behind it: it rewrites neither
pages nor redirects. What it is asked outside its prefix it answers 404.
"""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
UPSTREAM_SECONDS = 300
IDLE_SECONDS = 20
"""After so long a connection on which nothing is asked, such as a browser opens ahead, is closed."""


@dataclass(frozen=True)
class Passed:
    """A request that the proxy was sent, and what became of it."""

    method: str
    path: str
    sent: dict[str, str]
    """The headers that the service saw, names in lower case; empty where it was not asked."""
    status: int


@dataclass
class Proxy:
    """A running proxy."""

    port: int
    prefix: str
    keeps_host: bool
    adds_slash: bool = True
    passed: list[Passed] = field(default_factory=list)

    def address(self, host: str) -> str:
        """Return the address of the service behind the proxy, as a browser that knows it by `host` opens it."""
        return f"http://{host}:{self.port}{self.prefix}/"


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for the requests under way

    def __init__(self, upstream: str, prefix: str, *, keeps_host: bool, adds_slash: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.proxy = Proxy(self.server_address[1], prefix, keeps_host, adds_slash)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: browsers hang up on pictures that they no longer need."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = IDLE_SECONDS

    def forward(self) -> None:
        prefix = self.server.proxy.prefix
        path, mark, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if path == prefix and not self.server.proxy.adds_slash:
            self.ask(f"/{mark}{query}", body)
        elif path == prefix:
            self.answer(301, [("Location", f"{prefix}/{mark}{query}")], b"")
        elif path.startswith(f"{prefix}/"):
            self.ask(self.path.removeprefix(prefix), body)
        else:
            self.answer(404, [("Content-Type", "text/plain")], b"outside the prefix")

    def ask(self, target: str, body: bytes) -> None:
        headers = {
            name.lower(): value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP
        }
        if not self.server.proxy.keeps_host:
            headers["host"] = self.server.upstream
        headers["x-forwarded-proto"] = "https"
        headers["x-forwarded-for"] = "203.0.113.7"
        connection = http.client.HTTPConnection(self.server.upstream, timeout=UPSTREAM_SECONDS)
        try:
            connection.request(self.command, target, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP]
        self.answer(answer.status, kept, content, headers)

    def answer(
        self, status: int, headers: list[tuple[str, str]], content: bytes, sent: dict[str, str] | None = None
    ) -> None:
        self.server.proxy.passed.append(Passed(self.command, self.path, sent or {}, status))
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers) and status != 304:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_DELETE = forward  # noqa: N815  the names that http.server calls


@contextmanager
def proxy(
    upstream: str, prefix: str = "", *, keeps_host: bool = True, adds_slash: bool = True
) -> Iterator[Proxy]:
    """Run a proxy before the service at `upstream` on a free port of this machine.

    `keeps_host` false sends the service its own address as `Host`, as nginx does unless told otherwise; `adds_slash`
    false passes the prefix without a slash at its end on as if it had one, as careless configurations do.
    """
    with _Server(upstream, prefix, keeps_host=keeps_host, adds_slash=adds_slash) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.proxy
        finally:
            server.shutdown()
            thread.join()
