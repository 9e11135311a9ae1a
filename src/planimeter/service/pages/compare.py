"""Two models on the same picture: measured again with the other, then side by side."""

from typing import Any

from flask import redirect, render_template, request
from werkzeug.wrappers import Response

from planimeter.measuring.difference import BOTH, ONLY_FIRST, ONLY_SECOND
from planimeter.service.accuracy import accuracy_of
from planimeter.service.api.comparisons import compared
from planimeter.service.api.options.filters import OrderOptions
from planimeter.service.api.options.measurements import ComparisonOptions
from planimeter.service.api.options.parsing import parse
from planimeter.service.context import context
from planimeter.service.links import link
from planimeter.service.measuring import measure_upload, parse_options, stored_upload
from planimeter.service.pages.known import known
from planimeter.service.pages.site import blueprint
from planimeter.service.pictures import admitted
from planimeter.service.roles import needs
from planimeter.store import Record


@blueprint.post("/measurements/<id>/again")
@needs("measure")
def measure_again(id: str) -> Response:  # noqa: A002  the URL's own word
    """Measure the stored picture of a measurement with another model, and lead to that, or to both side by side."""
    fields = {name: request.form.get(name, "").strip() for name in ("model", "score_threshold")}
    fields["from"] = id
    comparing = "compare" in request.form
    batch = context().store.get(id).batch
    if batch and not comparing:
        fields["batch"] = batch  # where it takes the place of the first: the report counts a picture once
    with admitted() as place:
        data, filename = stored_upload(id)
        record = measure_upload(place, data, filename, parse_options(fields))
    if comparing:
        return redirect(link("pages.compare", first=id, second=record.id), 303)
    there = known(OrderOptions, request.args).to_dict()
    return redirect(link("pages.measurement", id=record.id, **there), 303)


@blueprint.get("/compare")
@needs("read")
def compare() -> str:
    """Show two measurements of the same picture side by side, and their difference."""
    options = parse(ComparisonOptions, request.args)
    store = context().store
    found = compared(options.first, options.second)
    return render_template(
        "compare.html",
        found=found,
        sides=[_side(store.get(options.first), "A"), _side(store.get(options.second), "B")],
        colors={"first": ONLY_FIRST, "second": ONLY_SECOND, "both": BOTH},
        models=list(context().models.packs()),
    )


def _side(record: Record, letter: str) -> dict[str, Any]:
    model = record.measurement.model
    known = accuracy_of(context().models.packs().get(model.name), model.version)
    return {"letter": letter, "record": record, "accuracy": known}
