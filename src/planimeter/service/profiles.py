"""Profiles in a service: made, found, and taken by what is asked of a picture."""

from typing import Any

from planimeter.errors import UnknownModel
from planimeter.measuring.judging import Judging
from planimeter.measuring.profile import NamedProfile, Profile, read_profile
from planimeter.measuring.profile_files import check_name
from planimeter.service.api.options.uploads import UploadOptions
from planimeter.service.caller import caller
from planimeter.service.context import context
from planimeter.store.profiles import StoredProfile


def put_profile(name: str, given: Any) -> StoredProfile:
    """Let a profile say this from now on; what it says already makes no new version.

    Raises `InvalidOption`, `UnknownModel` and `ContradictoryOptions`; nothing has changed then.
    """
    check_name(name)
    profile = given if isinstance(given, Profile) else read_profile(given)
    if profile.model is not None:
        profile.check([entry.name for entry in context().models.find(profile.model).manifest.classes])
    return context().store.profiles.put(name, profile.text, profile.sha256, by=caller())


def read_stored(stored: StoredProfile) -> NamedProfile:
    """Return a profile as a version of it says."""
    return NamedProfile.of_text(stored.name, stored.document, stored.version)


def by_profile(options: UploadOptions) -> tuple[UploadOptions, Judging | None]:
    """Return options with all that their profile says, and by which rules the picture is judged.

    Raises UnknownProfile, `UnknownModel` where the profile's is gone, and `ContradictoryOptions`.
    """
    if options.profile is None:
        return options, None
    station = read_stored(context().store.profiles.get(options.profile))
    wanted = station.profile.model
    if wanted is not None and wanted not in context().models.packs():
        raise UnknownModel(
            f"the profile {station.name!r} measures with the model {wanted!r}, which is not here any more; bring the "
            "model back, or change the profile"
        )
    given = {name: getattr(options, name) for name in options.model_fields_set}
    size = station.profile.given_scale()
    own = options.given_scale()
    if size is not None and own is not None and size.equals(own):  # in whichever unit
        given = {name: value for name, value in given.items() if name not in {"pixel_size", "unit"}}
    return options.model_copy(update=station.fill(given)), station.judging
