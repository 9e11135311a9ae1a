"""Profiles in a service: made, found, and taken by what is asked of a picture."""

from typing import Any

from planimeter.errors import InvalidOption, UnknownModel, UnknownProfile
from planimeter.measurement import Measurement, Note, ProfileUsed
from planimeter.measuring.judging import Judging
from planimeter.measuring.profile import NamedProfile, Profile, read_profile
from planimeter.measuring.profile_files import check_name
from planimeter.service.api.options.uploads import UploadOptions
from planimeter.service.caller import caller
from planimeter.service.context import context
from planimeter.store.profiles import StoredProfile


def put_profile(name: str, given: Any, after: int | None = None) -> StoredProfile:
    """Let a profile say this from now on; what it says already makes no new version.

    `after` is the version that it was made from, 0 for a new profile, None for whichever is there. Raises
    `InvalidOption`, `UnknownModel`, `ContradictoryOptions` and `ProfileChanged`; nothing has changed then.
    """
    check_name(name)
    profile = given if isinstance(given, Profile) else read_profile(given)
    if profile.model is not None:
        profile.check([entry.name for entry in context().models.find(profile.model).manifest.classes])
    return context().store.profiles.put(name, profile.text, profile.sha256, after=after, by=caller())


def read_stored(stored: StoredProfile) -> NamedProfile:
    """Return a profile as a version of it says."""
    return NamedProfile.of_text(stored.name, stored.document, stored.version)


def with_fixed(measurement: Measurement) -> Measurement:
    """Return a measurement that knows what its profile fixes; a record from before that was kept is told it now."""
    used = measurement.profile
    if used is None or used.fixes is not None or used.version is None:
        return measurement
    try:
        station = read_stored(context().store.profiles.get(used.name, used.version))
    except (UnknownProfile, InvalidOption):  # of another service, or by a rule of today
        return measurement
    return measurement.model_copy(update={"profile": station.used})


def by_profile(options: UploadOptions) -> tuple[UploadOptions, Judging | None, list[Note]]:
    """Return options with all that their profile says, by which rules the picture is judged, and notes.

    A stored picture keeps the profile that it was measured by, as that is now; a note says why where it cannot.
    Raises UnknownProfile, `UnknownModel` where the profile's is gone, and `ContradictoryOptions`.
    """
    if options.profile is not None:
        return *_filled(options, _station(options.profile)), []
    if options.from_ is None or options.whole:
        return options, None, []
    before = context().store.get(options.from_).measurement
    if before.profile is None:
        return options, None, []
    try:
        return *_kept(options, before, before.profile), []
    except (UnknownProfile, UnknownModel, InvalidOption) as error:
        message = f"not measured by the profile {before.profile.name!r} as it was before: {error}"
        return options, None, [Note(code="profile_not_kept", message=message)]


def _kept(options: UploadOptions, before: Measurement, used: ProfileUsed) -> tuple[UploadOptions, Judging]:
    """Return what `_filled` does for the profile of a stored picture; raises `InvalidOption` where it cannot be."""
    if used.version is None:
        raise InvalidOption("it was a file, and no profile of this service")
    station, counting, scale = _station(used.name), before.options.counting, before.image.scale
    if counting is not None and counting.set_afterwards:
        raise InvalidOption("something else of the picture was let count afterwards")
    size = station.profile.scale
    if scale is not None and scale.kept and size is not None and not size.equals(scale):
        raise InvalidOption("another size of a pixel was set afterwards")
    filled, judging = _filled(options, station)
    models = context().models
    pack = models.packs().get(filled.model or models.default)
    if pack is not None:  # else that is told
        station.profile.check([entry.name for entry in pack.manifest.classes])
    return filled, judging


def _station(name: str) -> NamedProfile:
    """Return a profile as it is now; raises UnknownProfile, and `UnknownModel` where its model is gone."""
    station = read_stored(context().store.profiles.get(name))
    wanted = station.profile.model
    if wanted is not None and wanted not in context().models.packs():
        raise UnknownModel(
            f"the profile {station.name!r} measures with the model {wanted!r}, which is not here any more; bring the "
            "model back, or change the profile"
        )
    return station


def _filled(options: UploadOptions, station: NamedProfile) -> tuple[UploadOptions, Judging]:
    given = {name: getattr(options, name) for name in options.model_fields_set}
    size = station.profile.scale
    own = options.given_scale()
    if size is not None and own is not None and size.equals(own):  # in whichever unit
        given = {name: value for name, value in given.items() if name not in {"pixel_size", "unit"}}
    return options.model_copy(update=station.fill(given)), station.judging
