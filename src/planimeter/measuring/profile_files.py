"""Profiles as files: TOML, as people write it, or JSON."""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from planimeter.errors import InvalidOption
from planimeter.measuring.profile import PROFILE_NAME, NamedProfile, Profile, read_profile
from planimeter.reading import read_file as read_bytes

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ProfileSource: TypeAlias = str | Path | Mapping[str, Any] | Profile | NamedProfile
"""A file, what it holds, or a profile that was read."""
LARGEST = 4 * 2**20
"""Bytes of a file."""
UNNAMED = "profile"


def open_profile(source: ProfileSource) -> NamedProfile:
    """Return the profile of a file or a mapping, checked; raises `InvalidOption`. A file's is called as the file is."""
    if isinstance(source, NamedProfile):
        return source
    if isinstance(source, (str, Path)):
        return read_file(Path(source))
    return NamedProfile(UNNAMED, source if isinstance(source, Profile) else read_profile(source))


def read_file(path: Path, name: str | None = None) -> NamedProfile:
    """Return the profile in a file, called `name` or as the file is; raises `InvalidOption`."""
    name = check_name(path.stem if name is None else name)
    try:
        data = read_bytes(path, most_bytes=LARGEST)
    except OSError as error:
        raise InvalidOption(f"the profile {path} cannot be read: {error.strerror or error}") from error
    if len(data) > LARGEST:
        raise InvalidOption(f"the profile {path} has more than {LARGEST:,} bytes: is it one?")
    try:
        text = data.decode("utf-8-sig")
        given = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # of both readers, and of bytes that are no text
        raise InvalidOption(f"the profile {path} cannot be read: {error}") from error
    try:
        return NamedProfile(name, read_profile(given))
    except InvalidOption as error:
        raise type(error)(f"the profile {path} cannot be used: {error}") from None


def check_name(name: str) -> str:
    """Return the name of a profile; raises `InvalidOption` for one that it cannot have."""
    if not re.fullmatch(PROFILE_NAME, name):
        shown = name if len(name) <= 80 else f"{name[:80]}… of {len(name):,} characters"
        raise InvalidOption(
            f"a profile cannot be called {shown!r}: its name has 1 to 64 small letters, digits, - and _ and begins "
            "with a letter or a digit; title is for people"
        )
    return name


def write_toml(profile: Profile) -> str:
    """Return a profile as the TOML that `read_file` reads."""
    document = dict(profile.document)
    rules, region = document.pop("rules", []), document.pop("region", None)
    parts = ["".join(f"{name} = {_value(value)}\n" for name, value in document.items())]
    if region is not None:
        parts.append("[region]\n" + "".join(f"{name} = {_value(value)}\n" for name, value in region.items()))
    parts += [
        "[[rules]]\n" + "".join(f"{name} = {_value(value)}\n" for name, value in rule.items())
        for rule in rules
    ]
    return "\n".join(filter(None, parts))


def _value(value: Any) -> str:
    """Return a value as TOML writes it, which for texts, numbers and lists is what JSON does."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
