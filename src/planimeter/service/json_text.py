"""JSON that others send: read where it holds no more values than its route needs.

Short values, by the million, take many times their own bytes of memory while they are read, and nothing else runs in
this process meanwhile. So they are counted before.
"""

import json
import re

from planimeter.errors import InvalidOption

MOST_VALUES = 350_000
"""Where a route says nothing else; each takes up to a few hundred bytes while it is read."""
LONGEST_REASON = 200
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
"""How a half of a character outside of the first 65,536 is written."""


def load_json(body: bytes, what: str, remedy: str, most: int = MOST_VALUES) -> object:
    """Return what a body holds: `what` ("a profile").

    Raises `InvalidOption` with the remedy for what is no JSON in UTF-8, for halves of characters (lone surrogates),
    which nothing could store or send, and for more than `most` values.
    """
    refuse_many_values(body, what, most=most)
    try:
        document: object = json.loads(body.decode("utf-8-sig"))
        if _SURROGATE.search(body):
            json.dumps(document, ensure_ascii=False).encode()  # which half a pair cannot be
    except (ValueError, RecursionError) as error:
        raise InvalidOption(f"the body is no JSON ({str(error)[:LONGEST_REASON]}); {remedy}") from error
    return document


def refuse_many_values(
    body: bytes, what: str, remedy: str = "send less at once", most: int = MOST_VALUES
) -> None:
    """Raise `InvalidOption` where JSON has more than `most` values; lists and objects count too, and so do texts."""
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"")
    if plain.count(b'"') <= 2 * MOST_VALUES:  # texts are larger than numbers, and more of them serve nothing
        outside = b"".join(plain.split(b'"')[::2])  # what is in no text
        if sum(map(outside.count, (b",", b"[", b"{"))) <= most:
            return
    raise InvalidOption(f"{what} has more than {most:,} values; {remedy}")
