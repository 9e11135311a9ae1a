"""The profiles of a service, in its database: also while it runs."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from planimeter.errors import InvalidOption, StoreFailed, UnknownProfile
from planimeter.measuring.profile import PROFILE_NAME, NamedProfile
from planimeter.measuring.profile_files import read_file
from planimeter.store.database import Database
from planimeter.store.engine import engine_of
from planimeter.store.profiles import Profiles, StoredProfile


@contextmanager
def opened(database: str) -> Iterator[Profiles]:
    """Yield the profiles in a database; raises StoreFailed."""
    found = Database(database)
    try:
        yield Profiles(found)
    finally:
        found.close()


def read(stored: StoredProfile) -> NamedProfile:
    """Return a profile as a version of it says."""
    return NamedProfile.of_text(stored.name, stored.document, stored.version)


def find_profile(given: str, database: str) -> NamedProfile:
    """Return the profile in a file or, where there is no such file, the one that a service knows by this name.

    Raises `InvalidOption`.
    """
    if Path(given).exists() or not re.fullmatch(PROFILE_NAME, given):
        return read_file(Path(given))
    try:
        engine_of(database, create=False).dispose()  # none is made by looking
        with opened(database) as profiles:
            return read(profiles.get(given))
    except (StoreFailed, UnknownProfile) as error:
        raise InvalidOption(
            f"--profile {given} is no file, and no profile of the service: {error}"
        ) from error
