"""Pictures that could not be read, and may be whole yet: those that are held, and those that were moved away.

A file of which a part is missing is mostly one whose writer stalls: a slow network, a camera that writes in two goes, a
copy that was paused. It looks settled and broken alike; only time tells.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import Any

from planimeter.inbox.folder import Found, Settling, State, state_of
from planimeter.inbox.journal import Entry
from planimeter.inbox.moving import WHY, move
from planimeter.inbox.service import Refused
from planimeter.reading import read_file

MOST_FOLLOWED = 100
"""Pictures that are looked at after they were moved away, the newest: each costs a look at its file every time."""
_MOST_RECALLED = 1000
_MOST_WHY = 64 * 2**10


@dataclass(frozen=True)
class _Held:
    state: State
    sha256: str
    until: float


class Held:
    """Pictures that cannot be read and stay where they are, each until it has not changed for long enough."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._held: dict[str, _Held] = {}

    def __contains__(self, name: str) -> bool:
        """Say whether one of this name was held."""
        return name in self._held

    def keep(self, found: Iterable[Found]) -> None:
        """Forget those that are no longer among what was found."""
        names = {each.name for each in found}
        self._held = {name: held for name, held in self._held.items() if name in names}

    def waits(self, picture: Found, now: float) -> bool:
        """Say whether its time is not over, and its size and time are what they were."""
        held = self._held.get(picture.name)
        return held is not None and held.state == picture.state and now < held.until

    def hold(self, picture: Found, sha256: str, now: float) -> bool:
        """Hold a picture with this content, anew where it changed; say whether its time is not over."""
        held = self._held.get(picture.name)
        if held is None or (held.state, held.sha256) != (picture.state, sha256):
            held = _Held(picture.state, sha256, now + self.seconds)
            self._held[picture.name] = held
        return now < held.until


@dataclass(frozen=True)
class _Moved:
    name: str
    """Under which it was in the watched folder."""
    state: State
    sha256: str


class Followed:
    """Pictures among the failed ones that are looked at still, by what the file beside each says of it.

    So they are known after a restart and a kill too, and what somebody takes away is forgotten.
    """

    def __init__(self, folder: Path, failed: Path, settle: float, most_bytes: int) -> None:
        self._folder = folder
        self._failed = failed
        self._settling = Settling(settle)
        self._most_bytes = most_bytes
        self._moved: dict[Path, _Moved] = {}

    def recall(self) -> None:
        """Take up those that were moved last, by an earlier process; a folder that cannot be read holds none."""
        found: list[tuple[Path, Mapping[str, Any]]] = []
        for _, why in islice(sorted(_explained(self._failed), reverse=True), _MOST_RECALLED):
            with suppress(OSError, ValueError, TypeError, KeyError):
                said = json.loads(read_file(why, most_bytes=_MOST_WHY, follow_links=False))
                if said["folder"] == str(self._folder.resolve()):  # several may share one for what failed
                    found.append((why.with_name(why.name.removesuffix(WHY)), said))
        for path, said in reversed(found[:MOST_FOLLOWED]):
            with suppress(ValueError, TypeError, KeyError):
                self.add(path, said)

    def add(self, path: Path, why: Mapping[str, Any]) -> None:
        """Follow a picture that was moved to a path, where it may be unfinished; `why` is its explanation."""
        if Refused(why["code"], "").perhaps_unfinished:
            state = State(int(why["bytes"]), int(why["modified_ns"]))
            self._moved.pop(path, None)
            self._moved[path] = _Moved(str(why["picture"]), state, str(why["sha256"]))
            for old in [*self._moved][:-MOST_FOLLOWED]:
                del self._moved[old]

    def put_back(self, now: float) -> Iterator[tuple[Path, Path]]:
        """Move those that changed, and settled since, to where they were; yield from where to where. Raises OSError."""
        for found in self._settling.settled([*self._changed()], now):
            before = self._moved[found.path]
            content = hashlib.sha256(found.read(self._most_bytes)).hexdigest()
            if not found.unchanged():
                continue
            if (
                content == before.sha256
            ):  # only its time, which some network drives write once more when it is closed
                self._moved[found.path] = _Moved(before.name, found.state, content)
                continue
            to = move(found.path, self._folder, before.name)
            del self._moved[found.path]
            found.path.with_name(f"{found.path.name}{WHY}").unlink(missing_ok=True)
            yield found.path, to

    def _changed(self) -> Iterator[Found]:
        for path, before in [*self._moved.items()]:
            try:
                state = state_of(path)
            except FileNotFoundError:  # somebody took it away; or all of the folder is away, and comes back
                if self._failed.is_dir():
                    del self._moved[path]
                continue
            except OSError:
                continue
            if state != before.state:
                yield Found(str(path), path, state)


def explanation(picture: Found, entry: Entry, refused: Refused, folder: Path) -> dict[str, Any]:
    """Return what is said beside a picture that failed: for a person, and for `Followed`."""
    return {
        "picture": picture.name,
        "status": refused.status,
        "code": refused.code,
        "message": refused.message,
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "folder": str(folder.resolve()),
        "bytes": picture.state.size,
        "modified_ns": picture.state.modified_ns,
        "sha256": entry.sha256,
    }


def _explained(folder: Path) -> Iterator[tuple[float, Path]]:
    """Yield the files that say why a picture failed, with their times."""
    for root, _, names in os.walk(folder):
        for name in names:
            if name.endswith(WHY) and not name.startswith("."):
                path = Path(root, name)
                with suppress(OSError):
                    yield path.lstat().st_mtime, path
