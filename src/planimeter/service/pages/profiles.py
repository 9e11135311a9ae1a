"""Profiles as pages: which there are, and a form to make one and to change it."""

from collections.abc import Sequence

from flask import redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from planimeter.errors import InvalidOption, ProfileChanged, UnknownModel
from planimeter.measurement import IGNORED
from planimeter.measuring.profile_files import write_toml
from planimeter.rules import FIGURES, IN_UNITS, TITLES
from planimeter.scale import METRES, symbol_of
from planimeter.service.api.options.parsing import parse
from planimeter.service.api.options.profiles import VersionOptions
from planimeter.service.context import context
from planimeter.service.links import link
from planimeter.service.pages.known import known
from planimeter.service.pages.profile_form import (
    SPARE_ROWS,
    ProfileForm,
    document_of,
    of_document,
    of_measurement,
    of_request,
)
from planimeter.service.pages.site import blueprint
from planimeter.service.problems import status_of
from planimeter.service.profiles import put_profile, read_stored
from planimeter.service.roles import needs
from planimeter.store import Filter
from planimeter.store.profiles import StoredProfile


@blueprint.get("/profiles")
@needs("read")
def profiles() -> str:
    """List the profiles."""
    store = context().store
    listed = [(entry, read_stored(entry).profile) for entry in store.profiles.list()]
    return render_template(
        "profiles.html",
        profiles=listed,
        counts={entry.name: store.count(Filter(profile=entry.name)) for entry, _ in listed},
        models=context().models.packs(),
        deleted=request.args.get("deleted"),
    )


@blueprint.get("/new-profile")
@needs("read")
def new_profile() -> str:
    """Show an empty form, or one that measures as a measurement was made."""
    id_ = request.args.get("from")
    if not id_:
        return _form(ProfileForm())
    record = context().store.get(id_)
    counting = record.measurement.options.counting
    lost = counting is not None and counting.region_mask is not None
    note = (
        "The region of that measurement is a picture of a mask, which a profile cannot hold."
        if lost
        else None
    )
    return _form(of_measurement(record.measurement), note=note)


@blueprint.post("/new-profile")
@needs("admin")
def make_profile() -> AnyResponse | tuple[str, int]:
    """Make a profile of the form; or show the form again and say what is wrong."""
    name = request.form.get("name", "").strip()
    form = of_request(request.form)
    if any(entry.name == name for entry in context().store.profiles.list()):
        problem = f"there is a profile {name!r} already; choose another name, or change that one"
        return _form(form, name=name, problem=problem), 409
    return _save(name, form, None, after=0)


@blueprint.get("/profiles/<name>")
@needs("read")
def profile(name: str) -> str:
    """Show a profile, as it is or as it was in a version, in the form that changes it."""
    version = parse(VersionOptions, known(VersionOptions, request.args)).version
    stored = context().store.profiles.get(name, version)
    return _form(of_document(read_stored(stored).profile.document), stored=stored)


@blueprint.post("/profiles/<name>")
@needs("admin")
def change_profile(name: str) -> AnyResponse | tuple[str, int]:
    """Let a profile say what the form does; or show the form again and say what is wrong."""
    after = request.form.get("after", "")
    last = context().store.profiles.versions(name)[:1]
    return _save(name, of_request(request.form), last, after=int(after) if after.isdecimal() else None)


@blueprint.post("/profiles/<name>/delete")
@needs("admin")
def delete_profile(name: str) -> AnyResponse:
    """Let nobody measure by a profile any more."""
    context().store.profiles.delete(name)
    return redirect(link("pages.profiles", deleted=name), 303)


def _save(
    name: str, form: ProfileForm, last: Sequence[StoredProfile] | None, after: int | None
) -> AnyResponse | tuple[str, int]:
    try:
        stored = put_profile(name, document_of(form), after)
    except (InvalidOption, UnknownModel, ProfileChanged) as error:
        shown = _form(
            form,
            name=name,
            stored=last[0] if last else None,
            problem=str(error),
            after=after,
            changed=isinstance(error, ProfileChanged),
        )
        return shown, status_of(error)
    same = bool(last) and any(entry.current and entry.version == stored.version for entry in last or ())
    return redirect(link("pages.profile", name=name, **{"same" if same else "saved": stored.version}), 303)


def _form(
    form: ProfileForm,
    *,
    name: str = "",
    stored: StoredProfile | None = None,
    problem: str | None = None,
    note: str | None = None,
    after: int | None = None,
    changed: bool = False,
) -> str:
    """Return the page of the form; `after` is the version that it was begun from, `changed` whether that is past.

    Then it goes on from the version that there is now.
    """
    parts = context()
    packs = parts.models.packs()
    classes: dict[str, list[str]] = {}
    for pack in packs.values():
        for entry in pack.manifest.classes:
            classes.setdefault(entry.name, []).append(pack.name)
    named = [form.texts.get("of", ""), *form.classes, *(rule["class"] for rule in form.rules)]
    for gone in filter(None, named):
        classes.setdefault(gone, [])  # of a model that is gone, or a wrong one
    versions = parts.store.profiles.versions(stored.name) if stored else []
    last = next((entry for entry in versions if entry.current), None)
    return render_template(
        "profile.html",
        form=form,
        name=name or (stored.name if stored else ""),
        stored=stored,
        versions=versions,
        last=last,
        after=after if after is not None and not changed else last.version if last else 0,
        changed=changed,
        toml=write_toml(read_stored(stored).profile) if stored else "",
        count=parts.store.count(Filter(profile=stored.name)) if stored else 0,
        problem=problem,
        note=note,
        packs=list(packs.values()),
        model_gone=form.texts.get("model") if form.texts.get("model") not in {None, *packs} else None,
        class_models=classes,
        ignored=IGNORED,
        figures=[(figure, TITLES[figure], figure in IN_UNITS) for figure in FIGURES],
        units=[(unit, symbol_of(unit)) for unit in METRES],
        spare=SPARE_ROWS,
        saved=request.args.get("saved"),
        same=request.args.get("same"),
    )
