"""Folders of jobs that no record lists: those of a job that was killed while it was begun or deleted.

One rule as beside the files of measurements: a note in the folder means that it is a leftover, unless the record lists
the job. It is written before a job is recorded, and before one is forgotten, and names the store whose job it is. So no
service takes the folder of another store, of a job that is being begun, or of one that is missing from a database
that was brought back.
"""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from planimeter.errors import StoreFailed
from planimeter.jobs import process
from planimeter.jobs.folder import JobFolder

NOTE = "unless-listed-"
"""And the id of the store: a file without content is there or not, whenever a process is killed."""


def note(folder: JobFolder, store_id: str) -> None:
    """Note that a folder is a leftover unless the job is listed; raises StoreFailed."""
    try:
        (folder.path / f"{NOTE}{store_id}").touch()
    except OSError as error:
        raise StoreFailed(
            f"the folder of a job, {folder.path}, cannot be written: {error.strerror}"
        ) from error


def take_back(folder: JobFolder, store_id: str) -> None:
    """Take the note back, of a job that is listed."""
    with suppress(OSError):
        (folder.path / f"{NOTE}{store_id}").unlink(missing_ok=True)


def remove(folder: JobFolder) -> None:
    """Remove a folder, its note last: what a kill leaves is removed later."""
    with suppress(OSError):
        for entry in os.scandir(folder.path):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            elif not entry.name.startswith(NOTE):
                Path(entry.path).unlink(missing_ok=True)
    shutil.rmtree(folder.path, ignore_errors=True)


def sweep(folders: Path, store_id: str, is_listed: Callable[[str], bool]) -> list[str]:
    """Remove the folders that a killed process of this store left, and return whose they were; raises StoreFailed."""
    removed = []
    for path in sorted(folders.glob(f"*/{NOTE}{store_id}")):
        folder = JobFolder(path.parent)
        with suppress(OSError), process.held(folder) as alone:
            if not alone:
                continue
            if is_listed(folder.path.name):
                take_back(folder, store_id)
            else:
                remove(folder)
                removed.append(folder.path.name)
    return removed
