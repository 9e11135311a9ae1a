"""Where measurements are kept: records in a database, pictures in plain folders or in an object store.

A measurement is stored whole or not at all: its files are written aside, moved, and only then recorded. A
journal names the files before they are written, so that the next start removes what a kill left behind, and
nothing else.

What is deleted goes to the trash: its record moves to tables that nothing else reads, and its files stay until it is
deleted for good.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
else:
    from planimeter.on_demand import on_demand

    __getattr__, __dir__ = on_demand(
        __name__,
        {
            "EVERYTHING": "planimeter.store.filters",
            "NEWEST": "planimeter.store.order",
            "Around": "planimeter.store.reading",
            "FileKind": "planimeter.store.files",
            "Filter": "planimeter.store.filters",
            "Line": "planimeter.store.lines",
            "Order": "planimeter.store.order",
            "Record": "planimeter.store.record",
            "RequestKey": "planimeter.store.requests",
            "Store": "planimeter.store.store",
            "StoredFile": "planimeter.store.stored_file",
            "Trash": "planimeter.store.trash",
            "Trashed": "planimeter.store.trash",
        },
    )

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
