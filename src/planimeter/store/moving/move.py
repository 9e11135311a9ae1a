"""The whole move: what is refused, the order of its steps, and what it comes to."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import sqlalchemy as sa

from planimeter.errors import InvalidOption, StoreFailed
from planimeter.store import postgresql
from planimeter.store.database import Database
from planimeter.store.engine import engine_of, shown
from planimeter.store.files import FileKind, Folder
from planimeter.store.folders import Folders
from planimeter.store.identity import is_moving, once_moved, while_moving
from planimeter.store.inspection import id_in, ours
from planimeter.store.moving import files, records
from planimeter.store.moving.files import Brought
from planimeter.store.moving.records import Content, Tell
from planimeter.store.outbox import Outbox
from planimeter.store.places import Place, Where, place_of
from planimeter.store.places import shown as shown_place
from planimeter.store.records import Records
from planimeter.store.tables import StoreRow
from planimeter.store.trashed import recorded_names
from planimeter.store.unfinished import Unfinished
from planimeter.store.verification import broken

_PATIENCE = 2.0
"""Seconds in which others may end what they write to the source."""


@dataclass(frozen=True)
class Places:
    """Where a store is."""

    database: str
    upload_folder: Where
    output_folder: Where


@dataclass(frozen=True)
class Moved:
    """What a move came to."""

    tables: dict[str, Content]
    """The same on both sides; none where the database stays."""
    files: Brought
    left: int
    """Files in the folders of the source that are named like those of measurements, and belong to none."""
    missing: int
    """Files that are recorded and in no folder."""
    wrong: list[str]
    """What is wrong with the audit trail, here and there."""
    before: bool
    """Whether the records were moved completely already, and nothing was done."""


def move(source: Places, target: Places, tell: Tell, *, allow_missing: bool = False) -> Moved:
    """Copy a store that nobody uses to other places, and compare what is there then; the source stays as it is.

    The database or either folder may stay where it is. Raises StoreFailed where the source is in use or the target
    holds anything else, where files are missing unless `allow_missing` is set, and where anything cannot be written or
    is not the same afterwards: then this goes on where it was once it is called again.
    """
    moves = not _is_same_database(source.database, target.database)
    kinds = _moving_kinds(source, target)
    if not moves and not kinds:
        raise InvalidOption(
            "Nothing would move: the database and both folders of the target are those of the source."
        )
    with ExitStack() as stack:
        own, database = _opened_source(source, stack)
        folders = _opened_target(own, target, stack)
        connection = stack.enter_context(_frozen(database, source.database))
        new = None
        if moves:
            new = Database(target.database, unfinished=True)
            stack.callback(new.close)
        return _move(
            _Move(connection, own, folders, new, kinds, database.store_id, target), tell, allow_missing
        )


@dataclass(frozen=True)
class _Move:
    """What is open while a store is moved."""

    connection: sa.Connection
    """To the source, in which nobody writes meanwhile."""
    own: Folders
    folders: Folders
    new: Database | None
    """The new database; none where it stays."""
    kinds: tuple[FileKind, ...]
    """Of the files that move."""
    store_id: str
    target: Places


def _move(what: _Move, tell: Tell, allow_missing: bool) -> Moved:  # noqa: FBT001  as it was given
    wrong = [*broken(what.connection)]
    if what.new is not None and what.new.store_id == once_moved(what.store_id):
        return Moved({}, Brought(), 0, 0, wrong, before=True)
    _refuse_others(what)
    missing, first = files.find_missing(what.connection, what.own, tell)
    if missing and not allow_missing:
        raise StoreFailed(
            f"{missing:,} files of measurements are not in the folders, {first} among them: name the folders that the "
            "service uses, bring the files back, or move without them by --allow-missing."
        )
    recorded = 3 * files.count_named(what.connection) - missing
    left = sum(1 for place in what.own for _ in ours(place)) - recorded
    if what.new is not None:
        _call(what.new, while_moving(what.store_id))
    brought = Brought()
    if what.kinds:
        brought = files.bring(what.connection, what.own, what.folders, what.kinds, tell)
    tables: dict[str, Content] = {}
    if what.new is not None:
        tables = _bring_records(what, what.new, wrong, tell)
        _call(what.new, once_moved(what.store_id))
    return Moved(tables, brought, max(0, left), missing, wrong, before=False)


def _bring_records(what: _Move, new: Database, wrong: list[str], tell: Tell) -> dict[str, Content]:
    """Copy the records, and compare what is there then with what was read; raises StoreFailed."""
    name = shown(what.target.database)
    held = postgresql.held if name.startswith("postgres") else lambda row: row
    wanted = records.bring(what.connection, new, held, tell)
    found = records.read_back(new, sum(each.rows for each in wanted.values()), tell)
    other = [table for table in wanted if wanted[table] != found[table]]
    if other:
        raise StoreFailed(
            f"The table {other[0]} has {found[other[0]].rows:,} rows in {name} and {wanted[other[0]].rows:,} in the "
            "source, or others: something else wrote there. Let nothing else use either of them, then start again."
        )
    with new.reading() as connection:
        if [*broken(connection)] != wrong:
            raise StoreFailed(
                f"The audit trail in {name} is not what it is in the source: make that database anew, then start again."
            )
    return wanted


def _call(database: Database, identity: str) -> None:
    """Give a database an identity."""
    with database.writing(locked=True) as connection:
        connection.execute(sa.update(StoreRow).values(id=identity))
        connection.commit()


def _opened_source(source: Places, stack: ExitStack) -> tuple[Folders, Database]:
    """Open a store that nobody uses, with what killed processes left unfinished settled; raises StoreFailed."""
    engine_of(source.database, create=False).dispose()
    for place in (place_of(source.upload_folder, "upload"), place_of(source.output_folder, "output")):
        if isinstance(place, Folder) and not place.path.is_dir():
            raise StoreFailed(f"There is no folder {place.path}: name the folders that the service uses.")
    own = Folders.create(source.upload_folder, source.output_folder)
    stack.callback(own.release)
    _keep_alone(own, "Stop it, then start again.")  # before its database is brought to this version
    own.release()
    database = Database(source.database)
    stack.callback(database.close)
    Unfinished(own, database.store_id, Records(database, Outbox(database)).decided).sweep()
    _keep_alone(own, "Stop it, then start again.")
    return own, database


def _opened_target(own: Folders, target: Places, stack: ExitStack) -> Folders:
    """Open the folders that files are copied to, those of the source among them where they stay; raises StoreFailed."""
    folders = Folders.create(target.upload_folder, target.output_folder)
    others = [folder for folder in folders if not any(_is_same(folder, each) for each in own)]
    stack.callback(folders.release)
    _keep_alone(others, "Name folders that no service uses.")
    return folders


def _keep_alone(places: Iterable[Place], remedy: str) -> None:
    """Raise StoreFailed where a service uses one of these folders; nobody can tell that of an object store."""
    for place in places:
        if isinstance(place, Folder) and not place.keep_alone():
            raise StoreFailed(f"The folder {place.path} is in use by a service. {remedy}")


@contextmanager
def _frozen(database: Database, url: str) -> Iterator[sa.Connection]:
    """Yield a connection to the source; of SQLite one that keeps all others from writing there."""
    if shown(url).startswith("sqlite"):
        with database.writing(_PATIENCE, locked=True) as connection:
            yield connection
        return
    with database.reading() as connection:
        # Files are copied between two queries, and a server may end a transaction that rests for so long.
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield connection


def _refuse_others(what: _Move) -> None:
    """Raise StoreFailed where the target holds anything that is not of this move."""
    if what.new is not None:
        if what.new.store_id == while_moving(what.store_id):
            return
        with what.new.reading() as connection:
            count = records.count_records(connection)
        if count or is_moving(what.new.store_id):
            raise StoreFailed(
                f"The database {shown(what.target.database)} holds {count:,} rows already, of another store: name "
                "an empty one."
            )
    for place in what.folders if what.kinds else ():
        for portion in _portions(ours(place)):
            known = recorded_names(what.connection, [id_in(name) for name in portion])
            for name in portion:
                if id_in(name) not in known:
                    raise StoreFailed(
                        f"{place.shown}/{name} belongs to another store: name an empty folder, or move that file away."
                    )


def _portions(names: Iterator[str]) -> Iterator[list[str]]:
    while portion := [*islice(names, records.AT_ONCE)]:
        yield portion


def _is_same(one: Place, other: Place) -> bool:
    if isinstance(one, Folder) and isinstance(other, Folder):
        return one.path.samefile(other.path)
    return one.shown == other.shown


def _moving_kinds(source: Places, target: Places) -> tuple[FileKind, ...]:
    kinds: list[FileKind] = []
    if _whole(source.upload_folder) != _whole(target.upload_folder):
        kinds.append("image")
    if _whole(source.output_folder) != _whole(target.output_folder):
        kinds += ["overlay", "mask"]
    return tuple(kinds)


def _whole(where: Where) -> str:
    return str(Path(where).resolve()) if isinstance(where, Path) else shown_place(where)


def _is_same_database(one: str, other: str) -> bool:
    names = [shown(url) for url in (one, other)]
    if all(name.startswith("sqlite") for name in names):
        paths = [sa.make_url(url).database or "" for url in (one, other)]
        return Path(paths[0]).resolve() == Path(paths[1]).resolve()
    return names[0].partition("://")[2] == names[1].partition("://")[2]
