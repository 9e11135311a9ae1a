"""Score thresholds that a person settles on: for one measurement, or as the default of a model."""

from flask import redirect, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from planimeter.service.api.options.filters import OrderOptions
from planimeter.service.api.options.measurements import DefaultsOptions, KeptOptions
from planimeter.service.api.options.parsing import parse
from planimeter.service.context import context
from planimeter.service.keeping import keep_threshold
from planimeter.service.links import link
from planimeter.service.pages.known import known
from planimeter.service.pages.site import blueprint
from planimeter.service.roles import needs


@blueprint.post("/measurements/<id>/threshold")
@needs("measure")
def keep(id: str) -> Response:  # noqa: A002  the URL's own word
    """Keep the score threshold of a form for a measurement, or go back to the measured one; lead back to it."""
    if "reset" in request.form:
        keep_threshold(id, None)
    else:
        given = MultiDict({"score_threshold": request.form.get("score_threshold", "")})
        keep_threshold(id, parse(KeptOptions, given).score_threshold)
    return redirect(link("pages.measurement", id=id, **known(OrderOptions, request.args).to_dict()), 303)


@blueprint.post("/models/<name>/defaults")
@needs("admin")
def save_defaults(name: str) -> Response:
    """Save the score threshold of a form as the model's default, or forget it; lead back to where it came from."""
    parts = context()
    pack = parts.models.find(name)
    before = parts.store.thresholds().get(name)
    if "reset" in request.form:
        parts.store.save_threshold(pack.name, None)
    else:
        given = MultiDict({"score_threshold": request.form.get("score_threshold", "")})
        parts.store.save_threshold(pack.name, parse(DefaultsOptions, given).score_threshold)
    measurement_id = request.form.get("measurement")
    if not measurement_id:
        return redirect(link("pages.model", name=name), 303)
    back = {"id": measurement_id, "score_threshold": request.form.get("shown") or None}
    if "reset" not in request.form:  # the page offers to undo it
        back["was"] = f"{pack.manifest.thresholds.score if before is None else before:g}"
    return redirect(link("pages.measurement", **back, **known(OrderOptions, request.args).to_dict()), 303)
