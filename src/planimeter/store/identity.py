"""What a database is called while it is being filled from another one, and afterwards: its own identity tells.

No service starts on one that is not filled completely, and a second move finds what the first one made.
"""

from hashlib import sha256

from ulid import ULID

NOT_WHOLE = "The database {} is not whole: planimeter migrate is filling it, or was when it ended."
MOVE_AGAIN = "Run that again until it says that all is there."
_PREFIX = "moving-"
_DIGITS = 26 - len(_PREFIX)


def while_moving(source: str) -> str:
    """Return the identity of a database that is being filled from the store of this identity."""
    return _PREFIX + _digest(source).hex()[:_DIGITS]


def once_moved(source: str) -> str:
    """Return its identity once that is done: another one than the source's, but the same each time."""
    return str(ULID.from_bytes(_digest(source)[:16]))


def is_moving(identity: str) -> bool:
    """Say whether a database of this identity is not filled completely."""
    return identity.startswith(_PREFIX)


def _digest(source: str) -> bytes:
    return sha256(f"planimeter migrate {source}".encode()).digest()
