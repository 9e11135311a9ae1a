"""A webhook: an address to which each message is sent by POST, signed."""

import time
from collections.abc import Callable, Sequence
from hashlib import sha256

from planimeter.errors import Unreachable
from planimeter.http_client import parse_address, send
from planimeter.outputs.receiver import SECONDS, NotTaken
from planimeter.outputs.signing import signature_headers
from planimeter.store.outbox import Message

_MOST_READ = 4096
"""Bytes of an answer, of which only the status counts."""
_ABOUT_THE_RECEIVER = frozenset({408, 425, 429})
"""Of the statuses below 500: it may take none of them now."""


class Webhook:
    """Sends messages to one address."""

    def __init__(self, url: str, secrets: Sequence[bytes]) -> None:
        """Take the address and what messages are signed with; raises `InvalidOption` for what is no address."""
        self._address = parse_address(url, "--webhook")
        self._secrets = secrets
        # The path and the query may be the secret by which a receiver knows its senders.
        self.name = f"{self._address.shown} ({sha256(url.encode()).hexdigest()[:8]})"

    def open(self, _reachable: Callable[[], None], /) -> None:
        """Nothing is to begin: each message has a connection of its own, and only a try tells who is back."""

    def send(self, message: Message) -> NotTaken | None:
        """Send a message; any status from 200 to 299 says that it was taken."""
        body = message.body.encode()
        headers = {"Content-Type": "application/json"}
        headers |= signature_headers(self._secrets, message.id, int(time.time()), body)
        try:
            answer = send(
                self._address, "POST", headers=headers, body=body, seconds=SECONDS, most_bytes=_MOST_READ
            )
        except Unreachable as error:
            return NotTaken(str(error))
        if 200 <= answer.status < 300:
            return None
        redirected = ", which would lead elsewhere and is not followed" if 300 <= answer.status < 400 else ""
        only_this = 400 <= answer.status < 500 and answer.status not in _ABOUT_THE_RECEIVER
        reason = f"{self._address.shown} answers {answer.status}{redirected}"
        return NotTaken(reason, answer.retry_after, only_this)

    def close(self) -> None:
        """Nothing is to end."""
