"""The processes that another one started."""

from pathlib import Path


def below(pid: int, name: str) -> list[int]:
    """Return the processes below `pid`, of whatever depth, whose command line has `name` in it; by Linux' /proc."""
    found: dict[int, tuple[int, bytes]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
            found[int(entry.parent.name)] = int(fields[1]), entry.with_name("cmdline").read_bytes()
        except OSError:  # it has ended
            continue
    return [
        each for each, (_, line) in found.items() if name.encode() in line and _is_below(each, pid, found)
    ]


def _is_below(each: int, pid: int, found: dict[int, tuple[int, bytes]]) -> bool:
    while each in found and each != pid:
        each = found[each][0]
    return each == pid
