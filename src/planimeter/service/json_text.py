"""JSON that others send: read where it holds no more values than its route needs.

Short values, by the million, take many times their own bytes of memory while they are read, and nothing else runs in
this process meanwhile. So they are counted before.
"""

import json

from planimeter.errors import InvalidOption

MOST_VALUES = 350_000
"""Where a route says nothing else; each takes up to a few hundred bytes while it is read."""
LONGEST_REASON = 200


def load_json(body: bytes, what: str, remedy: str, most: int = MOST_VALUES) -> object:
    """Return what a body holds: `what` ("a profile").

    Raises `InvalidOption` with the remedy for what is no JSON in UTF-8, and for more than `most` values.
    """
    refuse_many_values(body, what, most=most)
    try:
        return json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InvalidOption(f"the body is no JSON ({str(error)[:LONGEST_REASON]}); {remedy}") from error


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
