"""What is seen of each request: an id, a line in the log, counts and times, and a trace where one is wanted.

Never pictures, keys or queries: a line of the log has the path, the role's key by its id, and how it ended.
"""

import logging
import re
import secrets
import time

from flask import Flask, Response, g, request

from planimeter.service.context import context

REQUEST_ID = "X-Request-ID"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
log = logging.getLogger("planimeter.requests")


def register(app: Flask) -> None:
    """Make `app` watch its requests; before all else that looks at them."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_leave)


def _begin() -> None:
    given = request.headers.get(REQUEST_ID, "")
    g.request_id = given if _GIVEN_ID.fullmatch(given) else secrets.token_hex(8)
    g.began = time.perf_counter()
    g.span = context().tracing.of_request(f"{method()} {route()}", dict(request.headers))
    g.span.set("http.request.method", method())
    g.span.set("http.route", route())
    g.span.set("planimeter.request_id", g.request_id)


def _end(answer: Response) -> Response:
    seconds = time.perf_counter() - g.began
    answer.headers[REQUEST_ID] = g.request_id
    context().metrics.answered(method(), route(), answer.status_code, seconds)
    g.span.set("http.response.status_code", answer.status_code)
    key = g.get("key")
    log.info(
        "%s %s %d",
        request.method,
        request.path,
        answer.status_code,
        extra={
            "seen": {
                "method": request.method,
                "path": request.path,
                "route": route(),
                "status": answer.status_code,
                "ms": round(1000 * seconds, 1),
                "bytes": answer.content_length,
                "client": request.remote_addr,
                "key": key.id if key else None,
            }
        },
    )
    return answer


def _leave(_: BaseException | None) -> None:
    if span := g.pop("span", None):
        span.end()


def route() -> str:
    """Return the route of the request under way as it was declared: one word for all ids."""
    return request.url_rule.rule if request.url_rule else "none"


def method() -> str:
    """Return its method, where it is one that there is: nobody outside can invent a label."""
    return request.method if request.method in METHODS else "other"
