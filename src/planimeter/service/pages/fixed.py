"""What the profile of a measurement fixes, so that its page can say so before something else is chosen."""

from collections.abc import Set
from dataclasses import dataclass

from planimeter.measurement import Measurement
from planimeter.service.context import context
from planimeter.service.profiles import read_stored


@dataclass(frozen=True)
class Fixed:
    """What a profile says, in the version that a picture was measured by."""

    name: str | None = None
    """Of the profile, where pictures can still be measured by it."""
    options: Set[str] = frozenset()
    """Those that it fixes now, by their names."""
    decides: bool = False
    """Whether it has rules: only then there is a verdict to lose."""
    score_threshold: float | None = None
    counting: bool = False
    scale: bool = False


def fixed_by_profile(measured: Measurement) -> Fixed:
    """Return what is fixed; nothing where no profile measured, or one that is a file or was kept elsewhere."""
    used = measured.profile
    if used is None or used.version is None:
        return Fixed()
    versions = context().store.profiles.versions(used.name)
    stored = next((entry for entry in versions if entry.version == used.version), None)
    if stored is None:
        return Fixed()
    profile = read_stored(stored).profile
    now = next((read_stored(entry).profile for entry in versions if entry.current), None)
    return Fixed(
        name=used.name if now else None,
        options=frozenset(now.options if now else ()),
        decides=bool(profile.rules),
        score_threshold=profile.score_threshold,
        counting=profile.counting is not None,
        scale=profile.scale is not None,
    )
