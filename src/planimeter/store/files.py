"""The folders that a person can open: what files are called, and how they appear whole or not at all."""

import errno
import json
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Literal

from planimeter.errors import StoreFailed
from planimeter.pictures.formats import BY_NAME
from planimeter.store.ids import is_id
from planimeter.store.opened import Opened, whole_or_section
from planimeter.store.slots import SUFFIX, Slots, written_slots

INCOMING = ".incoming"
LOCK = "lock"
RESERVE_BYTES = 2 * 2**20
_STEM_BYTES = 80  # with the id and "_overlay.png" it stays below the 143 bytes of encrypted home folders
_REMEDIES = {
    errno.ENOSPC: "Free some space on that disk, or choose another folder.",
    errno.EDQUOT: "Free some of your quota, or choose another folder.",
    errno.EFBIG: "Choose a folder on a file system that takes files of this size.",
    errno.EEXIST: "A file is in the place of the folder: move it away, or choose another folder.",
    errno.ENOTDIR: "A file is in the place of a folder: move it away, or choose another folder.",
    errno.ENOENT: "Create the folder again, or restart.",
}
_DEFAULT_REMEDY = "Choose a folder that this user may write to."


REGION_DIGITS = 12
REGION = re.compile(rf"_region_([0-9a-f]{{{REGION_DIGITS}}})_overlay\.png$")
"""What the name of a drawing says of the region that a user keeps."""
FileKind = Literal["image", "overlay", "mask"]
"""The picture as it was uploaded, the drawn one, and the mask."""


@dataclass(frozen=True)
class FileNames:
    """The names of a measurement's files: relative to their folders, so that the folders can move."""

    image: str
    """As it was uploaded."""
    overlay: str
    mask: str

    def at(self, threshold: float | None, counting: str = "") -> "FileNames":
        """Return the names where a user keeps this score threshold; None is the one that was measured with.

        `counting` tells what was chosen to count afterwards, where something was.
        """
        kept = "" if threshold is None else f"_at_{threshold:g}".replace(".", "_")
        if counting:
            kept += f"_region_{sha256(counting.encode()).hexdigest()[:REGION_DIGITS]}"
        return FileNames(self.image, f"{self.stem}{kept}_overlay.png", f"{self.stem}{kept}_mask.png")

    @property
    def region(self) -> str | None:
        """What tells the region that a user keeps from others; None without one."""
        return region_in(self.overlay)

    @property
    def drawn(self) -> tuple[str, str]:
        """The names of what is made of the upload."""
        return self.overlay, self.mask

    @property
    def stem(self) -> str:
        """What the names of files that are made of them begin with."""
        return self.image.rpartition(".")[0]


def region_in(overlay: str) -> str | None:
    """Return what the name of a drawing says of a region that a user keeps."""
    found = REGION.search(overlay)
    return found and found[1]


def file_names(filename: str, format_: str, id_: str) -> FileNames:
    """Name a measurement's files after the upload; the extension follows the content, never the name."""
    name = f"{recognisable_stem(filename)}_{id_}"
    extension = BY_NAME[format_].suffixes[0] if format_ in BY_NAME else ".bin"
    return FileNames(image=f"{name}{extension}", overlay=f"{name}_overlay.png", mask=f"{name}_mask.png")


def recognisable_stem(filename: str) -> str:
    """Return what a person recognises of a client's file name, safe on every file system.

    Letters, marks and digits of any script stay; all else becomes an underscore, dots too, because Windows
    takes `CON.anything` for a device.
    """
    last = unicodedata.normalize("NFC", filename.replace("\\", "/").rsplit("/", 1)[-1])
    stem, dot, _ = last.rpartition(".")
    kept = "".join(_kept_or_underscore(character) for character in (stem if dot else last))
    words = "_".join(word for word in kept.split("_") if word)
    short = words.encode()[:_STEM_BYTES].decode(errors="ignore")
    return short.strip("_-") or "picture"


def _id_in(note: bytes) -> str:
    """Return whose note it is; nothing where it is none, or was cut short."""
    try:
        id_ = str(json.loads(note)["id"])
    except (ValueError, TypeError, KeyError):
        return ""
    return id_ if is_id(id_) else ""


def _kept_or_underscore(character: str) -> str:
    return character if character == "-" or unicodedata.category(character)[0] in "LMN" else "_"


class Folder:
    """A plain folder whose files appear whole or not at all."""

    by_age = False

    def __init__(self, path: Path, role: str) -> None:
        self.path = path
        self.incoming = path / INCOMING
        self.new = not path.exists()
        self._role = role
        self._lock: int | None = None
        self._slots = Slots(self.incoming)

    @property
    def shown(self) -> str:
        """The path."""
        return str(self.path)

    def create(self) -> None:
        """Create the folder, and the one inside it where files are written aside."""
        with self.failing("create"):
            self.path.mkdir(parents=True, exist_ok=True)
            self.incoming.mkdir(exist_ok=True)

    def write_aside(self, name: str, data: bytes) -> BinaryIO:
        """Write a new file aside, and return it, still open: nothing makes sure yet that it reached the disk."""
        file = (self.incoming / name).open("xb")
        try:
            file.write(data)
            file.flush()
        except BaseException:
            file.close()
            raise
        return file

    def move_in_place(self, name: str) -> None:
        """Let a file that was written aside appear."""
        (self.incoming / name).replace(self.path / name)

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        return (self.path / name).read_bytes()

    def open(self, name: str, start: int = 0, stop: int | None = None) -> Opened:
        """Open a file, or the bytes from `start` to before `stop`, to be read from the disk piece by piece."""
        file = (self.path / name).open("rb")
        return whole_or_section(file, os.fstat(file.fileno()).st_size, start, stop)

    def size_of(self, name: str) -> int | None:
        """Return the bytes of a file; None where there is none."""
        path = self.path / name
        return path.stat().st_size if path.is_file() else None

    def listed(self) -> Iterator[tuple[str, int]]:
        """Yield all files with their bytes, in the order of their names; none where there is no such folder."""
        if self.path.is_dir():
            with os.scandir(self.path) as entries:
                found = [(entry.name, entry.stat().st_size) for entry in entries if entry.is_file()]
            yield from sorted(found)

    def discard(self, *names: str) -> None:
        """Remove files, wherever on their way they are."""
        for name in names:
            (self.incoming / name).unlink(missing_ok=True)
            (self.path / name).unlink(missing_ok=True)

    def note_down(self, texts: Mapping[tuple[str, str, str], str]) -> None:
        """Write notes, by store, id and piece of work."""
        for (_, id_, work), text in texts.items():
            note = text.encode()
            try:
                self._slots.write((id_, work), note)
            except FileNotFoundError:  # a person may have tidied the folder away
                self.incoming.mkdir(exist_ok=True)
                self._slots.write((id_, work), note)

    def forget(self, store: str, id_: str, work: str) -> None:  # noqa: ARG002  ids tell enough
        """Remove a note: one that this process wrote, or one that was found."""
        if not self._slots.clear((id_, work)):
            (self.incoming / (work if work.endswith(SUFFIX) else f"{id_}.json")).unlink(missing_ok=True)

    def forget_now(self) -> None:
        """Do nothing: notes are removed at once."""

    def noted(self, store: str) -> Iterator[tuple[str, str, bytes]]:  # noqa: ARG002  in their texts
        """Yield all notes, whosever they are: id, what `forget` is to be told, text. Slots without one are removed."""
        for path in sorted(self.incoming.glob("*.json")):  # written by an older Planimeter
            yield path.stem, "", path.read_bytes()
        for slot, note in written_slots(self.incoming):
            id_ = _id_in(note)
            if id_:
                yield id_, slot.name, note
            else:  # it was free, or was being written: nothing else had begun
                with suppress(OSError):
                    slot.unlink()

    def unfinished(self) -> int:
        """Return how many notes there are."""
        older = sum(1 for path in self.incoming.glob("*.json") if is_id(path.stem))
        return older + sum(1 for _, note in written_slots(self.incoming) if _id_in(note))

    def check(self) -> None:
        """Raise StoreFailed when nothing can be written here."""
        probe = self.incoming / "probe"
        with self.failing("write to"):
            self.incoming.mkdir(exist_ok=True)
            probe.write_bytes(b"probe")
            probe.unlink(missing_ok=True)

    def hold_reserve(self) -> None:
        """Keep some bytes on the disk, in the lock's file: they are given up where it is full, see `drop_reserve`."""
        with suppress(OSError), (self.incoming / LOCK).open("r+b") as file:
            if file.seek(0, os.SEEK_END) < RESERVE_BYTES:
                try:
                    file.write(bytes(RESERVE_BYTES - file.tell()))
                    file.flush()
                except OSError:
                    file.truncate(0)

    def drop_reserve(self) -> None:
        """Give the bytes back, so that deleting and starting find the room that they need."""
        with suppress(OSError):
            os.truncate(self.incoming / LOCK, 0)

    @property
    def full(self) -> bool:
        """Whether there is no room to speak of on the disk."""
        try:
            return shutil.disk_usage(self.path).free < RESERVE_BYTES
        except OSError:
            return False

    @contextmanager
    def failing(self, action: str) -> Iterator[None]:
        """Turn what the operating system says into a sentence with the folder and a remedy."""
        try:
            yield
        except OSError as error:
            remedy = _REMEDIES.get(error.errno or 0, _DEFAULT_REMEDY)
            reason = error.strerror or str(error)
            message = f"Cannot {action} the {self._role} folder {self.path}: {reason}. {remedy}"
            raise StoreFailed(message) from error

    @contextmanager
    def claimed(self) -> Iterator[bool]:
        """Yield whether no other process works in this folder; afterwards share it until `release`.

        Only a process that is alone may take unfinished work for the leftovers of a killed one.
        """
        if sys.platform == "win32":  # no shared locks: one process for each folder
            yield True
            return
        import fcntl  # noqa: PLC0415 - not on Windows

        self._lock = os.open(self.incoming / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        alone = True
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            alone = False
        except OSError:  # some network drives have no locks: as on Windows
            yield True
            return
        yield alone
        fcntl.flock(self._lock, fcntl.LOCK_SH)

    def keep_alone(self) -> bool:
        """Say whether no other process works in this folder; where none does, none begins to until `release`."""
        if sys.platform == "win32":
            return True
        import fcntl  # noqa: PLC0415 - not on Windows

        if self._lock is None:
            self._lock = os.open(self.incoming / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # some network drives have no locks
            return True
        return True

    def release(self) -> None:
        """Stop sharing the folder."""
        self._slots.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
