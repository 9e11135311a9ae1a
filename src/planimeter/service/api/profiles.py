"""Profiles: how stations measure, under a name."""

from flask import Response

from planimeter.measuring.profile import PROFILE_NAME, Profile
from planimeter.measuring.profile_files import LARGEST
from planimeter.service.api.answering import json_answer
from planimeter.service.api.answers.profiles import (
    ProfileAnswer,
    ProfileList,
    profile_answer,
    profile_line,
)
from planimeter.service.api.bodies import read_json
from planimeter.service.api.described import answer_of
from planimeter.service.api.options.parsing import NoOptions
from planimeter.service.api.options.profiles import ProfileOptions, VersionOptions
from planimeter.service.api.routes import api
from planimeter.service.context import context
from planimeter.service.profiles import put_profile, read_stored
from planimeter.store.profiles import StoredProfile

EXAMPLE = '{"model": "steel", "rules": [{"figure": "percent_masked", "at_most": 5}]}'


@api.get("/profiles", "List the profiles", answer_of("All profiles.", ProfileList), role="read")
def list_profiles(_: NoOptions) -> Response:
    """List the profiles by which pictures can be measured."""
    listed = context().store.profiles.list()
    return json_answer(ProfileList(profiles=[profile_line(entry, read_stored(entry)) for entry in listed]))


@api.get(
    "/profiles/<name>",
    "Read a profile",
    answer_of("The profile.", ProfileAnswer),
    role="read",
    options=VersionOptions,
    errors=(400, 404),
)
def get_profile(options: VersionOptions, name: str) -> Response:
    """Answer a profile, as it is or as it was."""
    return json_answer(_answer(context().store.profiles.get(name, options.version)))


@api.route(
    "PUT",
    "/profiles/<name>",
    "Make or change a profile",
    answer_of("The profile, in a new version unless it said the same already.", ProfileAnswer),
    role="admin",
    options=ProfileOptions,
    errors=(400, 403, 404, 409, 413, 503),
    body=Profile,
    places={"name": {"pattern": PROFILE_NAME}},
    description="The body is all that it says: what it leaves out is open from then on. Earlier versions stay "
    "readable, and what was measured by them stays as it is. With after it is refused where somebody else changed the "
    "profile meanwhile.",
)
def put(options: ProfileOptions, name: str) -> Response:
    """Let a profile say what the body does."""
    return json_answer(_answer(put_profile(name, read_json("a profile", EXAMPLE, LARGEST), options.after)))


@api.route(
    "DELETE",
    "/profiles/<name>",
    "Delete a profile",
    {"description": "Nothing is measured by it any more."},
    role="admin",
    status=204,
    errors=(400, 403, 404, 503),
    description="Its versions stay readable, since measurements name them; made anew, it goes on counting them.",
)
def delete_profile(_: NoOptions, name: str) -> Response:
    """Let nobody measure by a profile any more."""
    context().store.profiles.delete(name)
    return Response(status=204)


def _answer(stored: StoredProfile) -> ProfileAnswer:
    return profile_answer(stored, read_stored(stored), context().store.profiles.versions(stored.name))
