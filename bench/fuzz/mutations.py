"""Pictures changed as chance has it, always alike for the same number."""

import struct
import zlib
from collections.abc import Callable
from random import Random

MOST_CHANGES = 8
EDGES = (0, 1, 2, 3, 4, 7, 8, 16, 255, 256, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
"""Numbers at which programs go wrong."""
_PNG = b"\x89PNG\r\n\x1a\n"


def mutated(seeds: dict[str, bytes], chance: Random) -> bytes:
    """Return one of the seeds, changed in one to eight places; the sums of a PNG are mostly made right again."""
    name = chance.choice(list(seeds))
    data = bytearray(seeds[name])
    for _ in range(chance.randint(1, MOST_CHANGES)):
        if not data:
            break
        chance.choice(_CHANGES)(data, chance)
    if chance.random() < 0.1:
        alike = [each for each in seeds if each.split()[0] == name.split()[0]]
        other = seeds[chance.choice(alike)]
        cut = chance.randrange(len(other))
        data[chance.randrange(len(data) + 1) :] = other[cut:]
    whole = bytes(data)
    return _with_sums(whole) if whole.startswith(_PNG) and chance.random() < 0.9 else whole


def _flip(data: bytearray, chance: Random) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _set(data: bytearray, chance: Random) -> None:
    data[chance.randrange(len(data))] = chance.randrange(256)


def _number(data: bytearray, chance: Random) -> None:
    """Put an edge where a number may stand: mostly near the beginning, where headers are."""
    size, order = chance.choice((2, 4)), chance.choice("<>")
    value = chance.choice(EDGES) % (1 << 8 * size)
    reach = len(data) if chance.random() < 0.5 else min(len(data), 200)
    place = chance.randrange(max(1, reach - size + 1))
    data[place : place + size] = struct.pack(f"{order}{'H' if size == 2 else 'I'}", value)


def _remove(data: bytearray, chance: Random) -> None:
    place = chance.randrange(len(data))
    del data[place : place + chance.choice((1, 2, 4, 16, 64))]


def _repeat(data: bytearray, chance: Random) -> None:
    place, length = chance.randrange(len(data)), chance.choice((1, 2, 4, 12, 64))
    data[place:place] = data[place : place + length] * chance.choice((1, 2, 50))


def _insert(data: bytearray, chance: Random) -> None:
    data[chance.randrange(len(data)) :: len(data)] = bytes(chance.choices(range(256), k=1))


def _cut(data: bytearray, chance: Random) -> None:
    del data[chance.randrange(len(data)) :]


_CHANGES: tuple[Callable[[bytearray, Random], None], ...] = (
    *(_flip, _flip, _set, _set, _number, _number, _number, _number),
    *(_remove, _repeat, _insert, _cut),
)


def _with_sums(data: bytes) -> bytes:
    """Return a PNG whose chunks have the sums that they should: else nothing behind the first change is looked at."""
    found, place = [_PNG], len(_PNG)
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        end = place + 8 + length
        if end + 4 > len(data):
            break
        body = data[place + 4 : end]
        found.append(data[place : place + 4] + body + struct.pack(">I", zlib.crc32(body)))
        place = end + 4
    return b"".join(found) + data[place:]
