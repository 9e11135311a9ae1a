"""A full disk: nothing more is stored, and deleting is the way out.

Run as a script, this file is the process whose disk it is.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from planimeter.store import Store

MOUNT = ("unshare", "--map-root-user", "--mount", "sh", "-c")


def on_a_small_disk(folder: Path) -> dict[str, object]:
    """Run this file as a script whose folder is a disk of 12 MB, seen by nobody else."""
    script = f'mount -t tmpfs -o size=12m tmpfs "{folder}" && exec "{sys.executable}" "{__file__}" "{folder}"'
    ran = subprocess.run([*MOUNT, script], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, object] = json.loads(ran.stdout)
    return found


def can_mount() -> bool:
    if not shutil.which("unshare"):
        return False
    return (
        subprocess.run([*MOUNT, "mount -t tmpfs tmpfs /mnt"], capture_output=True, check=False).returncode
        == 0
    )


@pytest.mark.skipif(not can_mount(), reason="a disk of its own cannot be mounted here")
def test_a_full_disk_stores_nothing_more_but_starts_reads_and_deletes(tmp_path: Path) -> None:
    found = on_a_small_disk(tmp_path)
    assert found["free_bytes"] == 0
    assert found["refused"] is True
    assert found["opened_again"] == found["stored"]
    assert found["deleted"] == 11
    assert found["left"] == int(str(found["stored"])) - 11
    assert found["stores_again"] is True
    assert found["whole"] is True
    # What went to the trash on the full disk is there, what had no room stayed where it was, and both could be removed.
    assert found["discarded_or_refused"] == found["asked_to_discard"]
    assert found["emptied"] == found["discarded"]
    assert found["lost"] == 0


def fill(store: "Store") -> bool:
    """Store until it is refused, first large pictures, then small ones."""
    from planimeter.errors import StoreFailed  # noqa: PLC0415 - only in the process of the script
    from stored import add  # noqa: PLC0415

    refused = False
    for size in (300_000, 30_000, 1):
        try:
            for _ in range(1000):
                add(store, picture=bytes(size))
        except StoreFailed:
            refused = True
    return refused


def throw_away(store: "Store", asked: list[str]) -> dict[str, int]:
    """Throw away on a full disk, bring back what went, and delete all of it for good."""
    from planimeter.errors import NoRoom  # noqa: PLC0415 - only in the process of the script

    refused = []
    for id_ in asked:
        try:
            store.discard(id_)
        except NoRoom:
            refused.append(id_)
    in_trash = [entry.id for entry in store.trash.list()]
    lost = sum(store.get(id_).id != id_ for id_ in refused)
    for id_ in in_trash:
        store.trash.restore(id_)
        store.discard(id_)
        store.trash.delete(id_)
    for id_ in refused:
        store.delete(id_)
    left = store.trash.count()
    return {
        "discarded_or_refused": len(in_trash) + len(refused),
        "discarded": len(in_trash),
        "emptied": len(in_trash) - left,
        "lost": lost,
    }


def main(folder: Path) -> None:
    from planimeter.store import Filter  # noqa: PLC0415 - only in the process of the script
    from stored import add, open_store  # noqa: PLC0415

    store = open_store(folder)
    refused = fill(store)
    with (folder / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    free = shutil.disk_usage(folder).free
    stored = store.count()
    store.close()
    store = open_store(folder)  # as after a restart
    opened_again = store.count()
    # Into the trash: its documents move inside the database, for which there may be no room.
    asked = [record.id for record in store.list(limit=40)][-5:]
    thrown_away = throw_away(store, asked)
    stored -= len(asked)
    opened_again -= len(asked)
    records = store.list(limit=11)
    store.delete(records[0].id)
    ids = tuple(record.id for record in records[1:])
    deleted = 1 + store.delete_many(Filter(ids=ids), count=10)
    (folder / "filler").unlink()
    for record in store.list(limit=5):
        store.delete(record.id)
    left = store.count() + 5
    stores_again = add(store).id == store.list(limit=1)[0].id
    whole = all(store.read(record, "image") for record in store.walk())
    print(  # noqa: T201
        json.dumps(
            {
                "free_bytes": free,
                "refused": refused,
                "stored": stored,
                "opened_again": opened_again,
                "deleted": deleted,
                "left": left,
                "stores_again": stores_again,
                "whole": whole,
                "asked_to_discard": len(asked),
                **thrown_away,
            }
        )
    )
    store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
