"""Signatures of Standard Webhooks: by them a receiver knows who sent a message, and that nobody changed it.

https://www.standardwebhooks.com: HMAC-SHA256 over id, time and body, with a secret that both sides know.
"""

import base64
import binascii
import hmac
from collections.abc import Sequence

from planimeter.errors import InvalidOption

PREFIX = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64
HOW_TO_MAKE = "echo whsec_$(head -c 32 /dev/urandom | base64)"


def parse_secrets(text: str, source: str) -> tuple[bytes, ...]:
    """Return the secrets in a text, with white space between them; raises `InvalidOption`, which shows none of them.

    More than one while a secret is being exchanged: each message carries a signature by each.
    """
    secrets = tuple(_decoded(each, source) for each in text.split())
    if not secrets:
        raise InvalidOption(f"{source} is empty; make a secret with {HOW_TO_MAKE}")
    return secrets


def signature_headers(secrets: Sequence[bytes], id_: str, seconds: int, body: bytes) -> dict[str, str]:
    """Return the headers of a message that is sent `seconds` after the beginning of 1970."""
    signed = f"{id_}.{seconds}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in secrets)
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(f"v1,{each}" for each in signatures),
    }


def _decoded(secret: str, source: str) -> bytes:
    try:
        found = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not LEAST_BYTES <= len(found) <= MOST_BYTES:
        raise InvalidOption(
            f"{source} holds no secret of webhooks, which is {PREFIX} and the base64 of {LEAST_BYTES} to {MOST_BYTES} "
            f"bytes; make one with {HOW_TO_MAKE}"
        )
    return found
