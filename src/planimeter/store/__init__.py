"""Where measurements are kept: records in a database, pictures in plain folders or in an object store.

A measurement is stored whole or not at all: its files are written aside, moved, and only then recorded. A
journal names the files before they are written, so that the next start removes what a kill left behind, and
nothing else.

What is deleted goes to the trash: its record moves to tables that nothing else reads, and its files stay until it is
deleted for good.
"""

from planimeter.store.files import FileKind
from planimeter.store.filters import EVERYTHING, Filter
from planimeter.store.lines import Line
from planimeter.store.order import NEWEST, Order
from planimeter.store.reading import Around
from planimeter.store.record import Record
from planimeter.store.requests import RequestKey
from planimeter.store.store import Store
from planimeter.store.stored_file import StoredFile
from planimeter.store.trash import Trash, Trashed

__all__ = [
    "EVERYTHING",
    "NEWEST",
    "Around",
    "FileKind",
    "Filter",
    "Line",
    "Order",
    "Record",
    "RequestKey",
    "Store",
    "StoredFile",
    "Trash",
    "Trashed",
]
