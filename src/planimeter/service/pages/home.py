"""The home page: a picture dropped in the browser, or a sample, is measured."""

from flask import Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from planimeter.errors import InvalidOption, MissingPicture, PlanimeterError, UnknownModel
from planimeter.measuring.profile import Profile
from planimeter.pictures.formats import PICTURE_FORMATS, SUFFIXES, TITLES
from planimeter.samples import find_sample, list_samples
from planimeter.scale import METRES, symbol_of
from planimeter.service.context import context
from planimeter.service.links import link
from planimeter.service.measuring import UploadOptions, measure_upload, parse_options
from planimeter.service.pages import slash
from planimeter.service.pages.batches import is_named
from planimeter.service.pages.site import blueprint
from planimeter.service.pages.words import write_counts, write_sentence
from planimeter.service.pictures import admitted
from planimeter.service.problems import status_of
from planimeter.service.profiles import read_stored
from planimeter.service.roles import needs
from planimeter.store import Filter

ACCEPT = ",".join((*(entry.media_type for entry in PICTURE_FORMATS), *SUFFIXES))
RECENT = 8
SHOWN_OF_BATCH = 48


@blueprint.get("/")
@needs("read")
def home() -> str:
    """Show the place to drop a picture, the samples and what was measured last."""
    return _home()


def _home(problem: PlanimeterError | None = None) -> str:
    """Show the page, with what went wrong with the picture of a form."""
    parts = context()
    packs = parts.models.packs()
    chosen = request.form.get("model") or request.args.get("model")
    chosen = chosen if chosen in packs else parts.models.default
    default = packs.get(parts.models.default)
    thresholds = {name: pack.manifest.thresholds.score for name, pack in packs.items()}
    thresholds |= {name: score for name, score in parts.store.thresholds().items() if name in packs}
    profiles = [(entry.name, read_stored(entry).profile) for entry in parts.store.profiles.list()]
    by = request.form.get("profile") or request.args.get("profile")
    batch = request.args.get("batch") or None
    wanted = Filter(batch=batch)
    in_batch = parts.store.list(wanted, limit=SHOWN_OF_BATCH, order="created_at") if batch else []
    return render_template(
        "home.html",
        slash_script=slash.SCRIPT if request.path == "/" else None,
        batch=batch if in_batch else None,
        batch_count=parts.store.count(wanted) if in_batch else 0,
        named_batch=is_named(batch),
        accept=ACCEPT,
        formats=TITLES,
        limits=_limits_in_words(),
        packs=list(packs.values()),
        several=[pack for pack in packs.values() if len(pack.manifest.classes) > 1],
        chosen_of=request.form.get("of", ""),
        samples=[sample for sample in list_samples() if sample.model in packs],
        records=in_batch or parts.store.list(limit=RECENT),
        total=parts.store.count(),
        profiles=profiles,
        chosen_profile=by if any(name == by for name, _ in profiles) else None,
        profile_gone=by if by and all(name != by for name, _ in profiles) else None,
        says=_says,
        chosen_model=chosen,
        default_model=parts.models.default,
        chosen_threshold=request.form.get("score_threshold", ""),
        chosen_lot=request.form.get("lot", ""),
        chosen_sample=request.form.get("of_sample", ""),
        chosen_size=request.form.get("pixel_size", ""),
        chosen_unit=request.form.get("unit", "um"),
        units=[(unit, symbol_of(unit)) for unit in METRES],
        thresholds=thresholds,
        default_threshold=f"{thresholds[default.name]:g}" if default else "",
        error=_in_words(problem) if problem else None,
        error_in_options=isinstance(problem, (InvalidOption, UnknownModel)),
    )


@blueprint.post("/measure")
@needs("measure")
def measure() -> AnyResponse:
    """Measure the picture or the sample of a form and lead to the result; or show the form and the reason."""
    try:
        with admitted() as place:
            data, filename, options = _chosen_picture()
            record = measure_upload(place, data, filename, options)
    except PlanimeterError as problem:
        return Response(_home(problem), status_of(problem))
    return redirect(link("pages.measurement", id=record.id), 303)


def _chosen_picture() -> tuple[bytes, str, UploadOptions]:
    """Return what the form asks to measure: bytes, file name and options."""
    fields = {name: request.form.get(name, "").strip() for name in ("model", "score_threshold", "of")}
    # Of the form, sample is the button of one of our own pictures.
    said = {"lot": request.form.get("lot", "").strip(), "sample": request.form.get("of_sample", "").strip()}
    size = request.form.get("pixel_size", "").strip()
    if size:  # the form always has a unit
        fields |= {"pixel_size": size, "unit": request.form.get("unit", "").strip()}
    name = request.form.get("sample")
    by = request.form.get("profile", "").strip()
    if by and not name:
        said["profile"] = by
        if read_stored(context().store.profiles.get(by)).profile.model is not None:
            del fields["model"]  # without a script one is always chosen
    if name:
        sample = find_sample(name)
        of = fields["of"] if fields["model"] == sample.model else ""
        own = {"model": sample.model, "score_threshold": fields["score_threshold"], "of": of}
        return sample.read(), sample.filename, parse_options(own)
    upload = request.files.get("image")
    if upload is None or not upload.filename:
        raise MissingPicture(
            "No picture was chosen. Choose a file, or one of the samples, and press Measure."
        )
    return upload.read(), upload.filename, parse_options(fields | said)


def _says(profile: Profile) -> str:
    """Return what a profile fixes, in short: at a threshold of 0.5, a region, 2 rules."""
    parts = [
        f"threshold {profile.score_threshold:g}" if profile.score_threshold is not None else "",
        write_counts(profile),
        "pixel size" if profile.pixel_size else "",
        "; ".join(rule.words for rule in profile.rules) or "no rules",
    ]
    return ", ".join(filter(None, parts))


def _in_words(problem: PlanimeterError) -> str:
    """Return what is wrong, and with which file."""
    upload = request.files.get("image")
    reason = write_sentence(str(problem))
    return f"{upload.filename} was not measured. {reason}" if upload and upload.filename else reason


def _limits_in_words() -> str:
    limits = context().limits
    return f"{limits.max_bytes / 2**20:.4g} MB and {limits.max_pixels / 1e6:.4g} megapixels"
