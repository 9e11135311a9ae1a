"""A client of its own process, which needs nothing but Python: `load.py` starts as many as it wants.

It reads what to do from its first line of input, says "ready", and begins at the moment that its second line names.
All moments are seconds of the monotonic clock, which all processes of a machine share.
"""

import json
import resource
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

ANSWER_SECONDS = 300.0
LEAST = 2
"""The first answer of each client is not counted, so one comes after it however short the time."""


def main() -> None:
    """Post a picture again and again until the time is over."""
    told = json.loads(sys.stdin.readline())
    body = Path(told["picture"]).read_bytes()
    connection = HTTPConnection("127.0.0.1", told["port"], timeout=ANSWER_SECONDS)
    connection.connect()
    print("ready", flush=True)  # noqa: T201  how it talks to the process that started it
    begin, end = json.loads(sys.stdin.readline())
    time.sleep(max(0.0, begin - time.monotonic()))
    before = _processor()
    posts: list[dict[str, Any]] = []
    while len(posts) < LEAST or time.monotonic() < end:
        posts.append(_post(connection, told, body))
    json.dump({"posts": posts, "processor_seconds": _processor() - before}, sys.stdout)


def _post(connection: HTTPConnection, told: dict[str, Any], body: bytes) -> dict[str, Any]:
    """Post once and, where that is wanted, get the drawn picture of it; return the moments."""
    started = time.monotonic()
    connection.request("POST", told["path"], body, {"Content-Type": told["content_type"]})
    answer = connection.getresponse()
    text = answer.read()
    answered = time.monotonic()
    if answer.status not in {200, 201}:
        sys.exit(f"the server answered {answer.status}: {text[:500].decode('utf-8', 'replace')}")
    found = {"started": started, "answered": answered, "ended": answered}
    if told["drawn"]:
        place = urljoin(told["path"], answer.getheader("Location", ""))
        connection.request("GET", f"{place}/overlay")
        drawn = connection.getresponse()
        length = len(drawn.read())
        found["ended"] = time.monotonic()
        if drawn.status != 200 or not length:
            sys.exit(f"the server answered {drawn.status} for the drawn picture")
    if told["steps"]:
        measured = json.loads(text)
        found["timing"] = measured["timing_ms"]
        found["instances"] = len(measured["instances"])
    return found


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
