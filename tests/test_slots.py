"""The files that notes are written into: one for each thing that is under way at a time, not one for each note."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from planimeter.store.files import Folder
from planimeter.store.journal import Note, notes, remove_note, write_note
from planimeter.store.slots import MOST_FREE, Slots, written_slots
from stored import A_FOREIGN_ID, add, open_store

OURS = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def descriptors() -> list[str]:
    """Return those of this process, where the system tells them."""
    folder = Path("/proc/self/fd")
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def said(folder: Path) -> list[bytes]:
    return sorted(note for _, note in written_slots(folder))


def test_one_slot_serves_many_notes(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    for number in range(20):
        slots.write(number, b"a long note %d" % (10**number))
        assert said(tmp_path) == [b"a long note %d" % (10**number)]
        assert slots.clear(number)
        assert said(tmp_path) == [b""]
    slots.write("short", b"x")
    assert said(tmp_path) == [b"x"]
    slots.close()
    assert said(tmp_path) == [b"x"], "a note is for whoever comes next"


def test_notes_at_a_time_have_a_slot_each_and_one_key_has_one(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    for key, note in ((1, b"one"), (2, b"two"), (1, b"one anew")):
        slots.write(key, note)
    assert said(tmp_path) == [b"one anew", b"two"]
    assert slots.clear(1)
    assert not slots.clear(1)
    slots.write(3, b"three")
    assert said(tmp_path) == [b"three", b"two"]
    for key in (2, 3):
        slots.clear(key)
    slots.close()
    assert not list(tmp_path.iterdir())


def test_threads_do_not_write_over_each_other(tmp_path: Path) -> None:
    slots = Slots(tmp_path)

    def work(number: int) -> None:
        for turn in range(50):
            key = number, turn
            slots.write(key, b"%d and %d" % key)
            assert b"%d and %d" % key in said(tmp_path)
            assert slots.clear(key)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    assert len(said(tmp_path)) <= 4
    assert set(said(tmp_path)) == {b""}
    slots.close()


@pytest.mark.parametrize("away", ["removed", "replaced"])
def test_a_slot_that_was_tidied_away_is_not_written_into(tmp_path: Path, away: str) -> None:
    slots = Slots(tmp_path)
    slots.write(1, b"note")
    slots.clear(1)
    [slot] = tmp_path.iterdir()
    slot.unlink()
    if away == "replaced":
        slot.write_bytes(b"mine")
    slots.write(2, b"seen")
    assert b"seen" in said(tmp_path)
    slots.close()


def test_no_more_slots_are_kept_than_are_usually_needed(tmp_path: Path) -> None:
    slots, many = Slots(tmp_path), 3 * MOST_FREE
    for number in range(many):
        slots.write(number, b"note")
    assert len(said(tmp_path)) == many
    for number in range(many):
        assert slots.clear(number)
    assert said(tmp_path) == MOST_FREE * [b""]
    slots.close()
    assert not list(tmp_path.iterdir())


def test_a_slot_that_cannot_be_written_over_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk that never writes over what is there, or a broken one."""
    slots = Slots(tmp_path)
    before = descriptors()
    slots.write(1, b"note")

    def fail(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", fail)
    with pytest.raises(OSError, match="No space"):
        slots.write(2, b"another")
    assert slots.clear(2)
    assert slots.clear(1)
    monkeypatch.undo()
    assert not list(tmp_path.iterdir())
    assert descriptors() == before
    slots.close()


@pytest.mark.folders_alone("notes are objects there")
def test_a_start_removes_the_slots_of_a_killed_process_and_those_cut_short(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    record = add(store)
    store.close()
    incoming = tmp_path / "uploads" / ".incoming"
    assert [path.name for path in incoming.iterdir()] == ["lock"]
    for number, content in enumerate((b"", b"\n", b'\n"id": "', b'{"id": "01ARZ', os.urandom(50), b"[1]\n")):
        (incoming / f"{number}.slot").write_bytes(content)
    (incoming / "mine.txt").write_bytes(b"mine")
    store = open_store(tmp_path)
    assert {path.name for path in incoming.iterdir()} == {"lock", "mine.txt"}
    assert store.get(record.id) == record
    store.close()


@pytest.mark.folders_alone("notes are objects there")
def test_notes_of_an_older_version_are_read_and_removed(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "upload")
    folder.create()
    older = Note(store="ours", id=A_FOREIGN_ID, files=(f"a_{A_FOREIGN_ID}.png",))
    (folder.incoming / f"{A_FOREIGN_ID}.json").write_text(older.model_dump_json())
    write_note(folder, Note(store="ours", id=OURS, files=(f"b_{OURS}.png",)))
    folder.release()
    found = [*notes(folder, "ours")]
    assert [(note.id, note.files) for note in found] == [
        (A_FOREIGN_ID, (f"a_{A_FOREIGN_ID}.png",)),
        (OURS, (f"b_{OURS}.png",)),
    ]
    assert folder.unfinished() == 2
    for note in found:
        remove_note(folder, note)
    assert not list(folder.incoming.iterdir())
