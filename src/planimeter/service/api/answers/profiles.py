"""Profiles as they are sent and answered."""

from collections.abc import Sequence

from pydantic import Field

from planimeter.measuring.profile import NamedProfile, Profile
from planimeter.rules import Rule
from planimeter.service.api.answers.base import Answer, Link, Moment
from planimeter.service.links import link
from planimeter.store.profiles import StoredProfile


class ProfileVersion(Answer):
    """One version of a profile."""

    version: int
    made_at: Moment
    made_by: str | None = Field(description="The name of the key; null where nobody was asked for one.")
    sha256: str = Field(description="Of all that it says.")
    url: Link


class ProfileLine(Answer):
    """A profile in the list, as it is now."""

    name: str
    title: str | None
    version: int
    made_at: Moment
    model: str | None
    rules: list[Rule]
    url: Link


class ProfileList(Answer):
    """All profiles, in the order of the alphabet."""

    profiles: list[ProfileLine]


class ProfileAnswer(Answer):
    """A profile, in one version."""

    name: str
    version: int
    current: bool = Field(description="Whether pictures are measured by this version now.")
    made_at: Moment
    made_by: str | None
    sha256: str
    profile: Profile
    versions: list[ProfileVersion] = Field(description="All of them, the last one first.")
    url: Link
    measurements_url: Link = Field(description="What was measured by it, in whichever version.")


def profile_line(stored: StoredProfile, station: NamedProfile) -> ProfileLine:
    """Return a profile in the list."""
    profile = station.profile
    return ProfileLine(
        name=stored.name,
        title=profile.title,
        version=stored.version,
        made_at=stored.made_at,
        model=profile.model,
        rules=[*profile.rules],
        url=link("api.get_profile", name=stored.name),
    )


def profile_answer(
    stored: StoredProfile, station: NamedProfile, versions: Sequence[StoredProfile]
) -> ProfileAnswer:
    """Return a profile as it is answered."""
    return ProfileAnswer(
        name=stored.name,
        version=stored.version,
        current=stored.current,
        made_at=stored.made_at,
        made_by=stored.made_by,
        sha256=stored.sha256,
        profile=station.profile,
        versions=[
            ProfileVersion(
                version=entry.version,
                made_at=entry.made_at,
                made_by=entry.made_by,
                sha256=entry.sha256,
                url=link("api.get_profile", name=entry.name, version=entry.version),
            )
            for entry in versions
        ],
        url=link("api.get_profile", name=stored.name, version=stored.version),
        measurements_url=link("api.list_measurements", profile=stored.name),
    )
