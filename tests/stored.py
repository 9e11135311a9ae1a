"""Stores to test with: real SQLite, real folders; what is put into them, and what is found there."""

import itertools
import re
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import sqlalchemy as sa

import buckets
from databases import database_url, engine_of
from planimeter.measurement import Measurement
from planimeter.store import FileKind, Record, Store
from planimeter.store.files import Folder
from planimeter.store.journal import Note, write_note
from planimeter.store.slots import SUFFIX, note_in, written_slots

A_FOREIGN_ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
FOREIGN = {
    "uploads/holiday.png": b"mine",
    f"uploads/strip_{A_FOREIGN_ID}.png": b"looks like one of ours",
    "uploads/.incoming/notes.txt": b"mine too",
    f"outputs/.incoming/{A_FOREIGN_ID}.txt": b"and this",
    "outputs/summary/july.csv": b"a,b\n",
}


def hash_of(filename: str) -> str:
    """Return a hash for a picture that is told by its name."""
    return sha256(filename.encode()).hexdigest()


def measurement(
    filename: str = "strip 17.png",
    *,
    model: str = "steel",
    classes: dict[str, int] | None = None,
    notes: list[str] | None = None,
    format_: str = "PNG",
) -> Measurement:
    """Return a measurement of 200 x 200 pixels, with so many instances of each class, 400 pixels each."""
    counts = {"scratches": 2, "pits": 0} if classes is None else classes
    by_class = [
        {"class": name, "class_id": i, "count": n, "pixels_masked": 400 * n, "percent_masked": 1.0 * n}
        for i, (name, n) in enumerate(counts.items(), 1)
    ]
    masked = 400 * sum(counts.values())
    document: dict[str, Any] = {
        "image": {
            "filename": filename,
            "format": format_,
            "width": 200,
            "height": 200,
            "sha256": hash_of(filename),
        },
        "model": {
            "name": model,
            "version": "1",
            "sha256": "1" * 64,
            "runtime": "openvino",
            "precision": "f32",
            "device": "cpu",
        },
        "options": {"score_threshold": 0.5},
        "coverage": {
            "percent_masked": masked / 400,
            "pixels_masked": masked,
            "pixels_counted": 40000,
            "pixels_overlapping": 0,
            "by_class": by_class,
        },
        "instances": [],
        "notes": notes or [],
        "timing_ms": {"inference": 40.125, "total": 45.5},
    }
    return Measurement.model_validate(document)


def open_store(home: Path) -> Store:
    places = buckets.place(home, "uploads"), buckets.place(home, "outputs")
    return Store.open(database_url(home, "records/planimeter.db"), *places)


def add(
    store: Store, what: Measurement | None = None, picture: bytes = b"picture", batch: str | None = None
) -> Record:
    return store.add(
        what or measurement(),
        picture=picture,
        overlay_png=b"overlay",
        mask_png=b"mask",
        candidates=b"candidates",
        batch=batch,
    )


def ids(records: list[Record]) -> list[str]:
    return [record.id for record in records]


def files_under(home: Path) -> set[str]:
    """Return every file of both folders, except locks and slots without a note; in a bucket all but our own notes."""
    if buckets.Kind.name == buckets.OBJECTS:
        return {name for name in buckets.objects_under(buckets.prefix_of(home)) if not _OURS.search(name)}
    files = itertools.chain((home / "uploads").rglob("*"), (home / "outputs").rglob("*"))
    return {str(file.relative_to(home)) for file in files if file.is_file() and not stays(file)}


def stays(file: Path) -> bool:
    """Return whether it is a file that a running service has beside its pictures."""
    return file.name == "lock" or (file.suffix == SUFFIX and not note_in(file))


_OURS = re.compile(r"\.incoming/(probe|[0-9A-Z]{26}/[0-9A-Z]{26}_[0-9a-f]{8}\.json)$")


def files_of(record: Record, home: Path) -> set[str]:
    return {str(path_of(record, kind, home).relative_to(home)) for kind in get_args(FileKind)}


def path_of(record: Record, kind: FileKind, home: Path) -> Path:
    """Return where a person finds a file."""
    name: str = getattr(record.files, kind)
    return home / ("uploads" if kind == "image" else "outputs") / name


def remove_file(record: Record, kind: FileKind, home: Path) -> None:
    """Remove a file past the store, as a person does."""
    path = path_of(record, kind, home)
    if buckets.Kind.name == buckets.OBJECTS:
        buckets.client(buckets.prefix_of(home)).delete(str(path.relative_to(home)))
    else:
        path.unlink()


def execute_sql(home: Path, *statements: str) -> None:
    """Execute statements in the database of a home, past the store."""
    engine = engine_of(home)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def rows_in(home: Path, query: str) -> list[tuple[Any, ...]]:
    """Return the rows that a query finds in the database of a home, past the store."""
    engine = engine_of(home)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def store_id(home: Path) -> str:
    return str(rows_in(home, "SELECT id FROM store")[0][0])


def insert_many(home: Path, count: int, document: str) -> None:
    """Record so many measurements without files, long ago."""
    numbered = [f"0000{number:022}" for number in range(count)]
    engine = engine_of(home)
    with engine.begin() as connection:
        for statement in (
            "INSERT INTO measurements (id, created_at, model, percent_masked, pixels_masked, pixels_counted, "
            "instances, filename, folded_name, upload_name, overlay_name, mask_name) VALUES "
            "(:id, '2020-01-01 00:00:00', 'steel', 1, 400, 40000, 1, 'A', 'a', 'a', 'b', 'c')",
            "INSERT INTO measurement_documents VALUES (:id, :document)",
            "INSERT INTO measurement_classes VALUES (:id, 1, 'scratches', 1, 1)",
        ):
            connection.execute(sa.text(statement), [{"id": id_, "document": document} for id_ in numbered])


def write_foreign(home: Path) -> None:
    for name, content in FOREIGN.items():
        if buckets.Kind.name == buckets.OBJECTS:
            buckets.client(buckets.prefix_of(home)).put(name, content)
            continue
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(content)


def foreign_under(home: Path) -> dict[str, bytes]:
    return {name: (home / name).read_bytes() for name in FOREIGN if (home / name).exists()}


def unfinished_work(home: Path) -> tuple[Folder, set[str]]:
    """Leave in the upload folder what an add leaves there that is under way: a note, a file, half a file."""
    folder = Folder(home / "uploads", "upload")
    whole, half = f"a_{A_FOREIGN_ID}.png", f"a_{A_FOREIGN_ID}_half.png"
    write_note(folder, Note(store=store_id(home), id=A_FOREIGN_ID, files=(whole, half)))
    folder.write_aside(whole, b"whole").close()
    folder.move_in_place(whole)
    (folder.incoming / half).write_bytes(b"ha")
    [slot] = [path for path, note in written_slots(folder.incoming) if note]
    names = (whole, f".incoming/{half}", f".incoming/{slot.name}")
    return folder, {f"uploads/{name}" for name in names}
