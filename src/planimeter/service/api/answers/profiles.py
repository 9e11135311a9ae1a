"""Profiles as they are sent and answered."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from planimeter.details import LONGEST_NAME, LONGEST_NOTE, NAME_PATTERN, NOTE_PATTERN
from planimeter.measurement import Ignored, Region
from planimeter.measuring.profile import NamedProfile
from planimeter.rules import MOST_RULES, Rule
from planimeter.scale import Unit
from planimeter.service.api.answers.base import Answer, Link, Moment
from planimeter.service.links import link
from planimeter.store.profiles import StoredProfile

_CLASS = Annotated[str, Field(min_length=1, pattern=r"^[^,\s][^,]*$")]


class ProfileBody(BaseModel):
    """What a profile says, as JSON; all of it may be left out. `measuring.profile.Profile` checks it."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    title: str | None = Field(
        None, max_length=LONGEST_NAME, pattern=NAME_PATTERN, description="What people call it."
    )
    note: str | None = Field(
        None, max_length=LONGEST_NOTE, pattern=NOTE_PATTERN, description="What else they must know."
    )
    model: str | None = Field(
        None, max_length=64, description="Without it, the request's, else the default of the service."
    )
    score_threshold: float | None = Field(
        None, ge=0, le=1, description="Without it, the request's, else the default of the model."
    )
    region: Region | None = Field(None, description="What of each picture counts, in its pixels.")
    ignore: list[Ignored] | None = Field(None, description="Kinds of pixels that do not count.")
    classes: list[_CLASS] | None = Field(
        None, max_length=100, description="Whose instances count; without it, all."
    )
    least_area: int = Field(0, ge=0, le=2**40, description="Instances with fewer pixels are left out.")
    of: _CLASS | None = Field(
        None, description="Class that percentages are of; without it, of all that counts."
    )
    pixel_size: float | None = Field(None, gt=0, description="Side of a pixel in the unit.")
    unit: Unit | None = Field(None, description="Of pixel_size.")
    rules: list[Rule] = Field([], max_length=MOST_RULES, description="What figures may be.")


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
    profile: ProfileBody
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
        profile=ProfileBody.model_validate(station.profile.document),
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
