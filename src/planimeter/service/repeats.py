"""Requests that are sent again: with the same `Idempotency-Key` they measure nothing twice."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from planimeter.errors import InvalidOption, KeyInUse
from planimeter.service.api.options.uploads import UploadOptions
from planimeter.store import RequestKey

HEADER = "Idempotency-Key"
LONGEST_KEY = 255


class Repeats:
    """The keys of the requests that are under way."""

    def __init__(self) -> None:
        self._under_way: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def working_on(self, request: RequestKey | None) -> Iterator[None]:
        """Work on a request; raises `KeyInUse` where another with its key is under way."""
        if request is None:
            yield
            return
        with self._lock:
            if request.key in self._under_way:
                raise KeyInUse(
                    f"the request with this {HEADER} is being worked on; send it again when it may be done"
                )
            self._under_way.add(request.key)
        try:
            yield
        finally:
            with self._lock:
                self._under_way.discard(request.key)


def request_key(given: str | None, data: bytes, filename: str, options: UploadOptions) -> RequestKey | None:
    """Return what tells the request with this header; None without one."""
    if given is None:
        return None
    if not 0 < len(given) <= LONGEST_KEY:
        raise InvalidOption(
            f"the {HEADER} has {len(given):,} characters; give 1 to {LONGEST_KEY}, a UUID for example"
        )
    asked = sha256(data)
    asked.update(f"\0{filename}\0{options.model_dump_json()}".encode())
    return RequestKey(sha256(given.encode()).hexdigest(), asked.hexdigest())
