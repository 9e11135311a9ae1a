"""What goes along with a call to a replica, and what comes back in its answer.

Ray's object store is made for what is large: a picture of 120 kB takes it some 10 ms of processor time from one machine
to another. So pictures up to some size are part of the call. They are made bytes, and read, by the threads that ask and
measure: Ray itself would do so in the event loops that all calls share.
"""

import pickle
from typing import Any

from planimeter.measurement import Counting
from planimeter.pictures.decode import Picture

Asked = tuple[Picture, float, Counting | None]
"""A picture, the score threshold, and what of it counts."""
MOST_BYTES = 3 * 2**20
"""In a call. A replica of Ray Serve takes no call of more than 4 MiB; what is larger goes through the object store."""
MOST_BYTES_BACK = 2**31 - 1
"""In an answer: as much as one may have. Ray Serve itself would end a call whose answer has more than 4 MiB."""


def to_bytes(value: object) -> bytes:
    """Return something as bytes."""
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def from_bytes(data: bytes) -> Any:
    """Return what a member of the cluster made bytes of; Ray itself reads what comes from there in the same way."""
    return pickle.loads(data)  # noqa: S301 - see above


def bytes_of_small(asked: Asked) -> bytes | None:
    """Return it as bytes where they may be part of a call."""
    if asked[0].pixels.nbytes > MOST_BYTES:
        return None
    packed = to_bytes(asked)
    return packed if len(packed) <= MOST_BYTES else None
