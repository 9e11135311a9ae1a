"""What was found in one picture: the instances in numbers, and all candidates."""

from flask import Response

from planimeter.measuring.candidates import PackedCandidates
from planimeter.measuring.table import to_csv
from planimeter.scale import Scale
from planimeter.service.api.answering import json_answer, unchanging
from planimeter.service.api.answers.measurements import InstanceFigures, InstanceList, instance_figures
from planimeter.service.api.described import TEXT, answer_of
from planimeter.service.api.exports import carried_by
from planimeter.service.api.options.measurements import InstancesOptions
from planimeter.service.api.options.parsing import NoOptions
from planimeter.service.api.routes import api
from planimeter.service.context import context
from planimeter.service.measuring import candidates_of, record_at


@api.get(
    "/measurements/<id>/instances",
    "List the instances in numbers, with the figures of their shapes",
    answer_of("The instances, by falling score.", InstanceList, **{"text/csv": TEXT}),
    role="read",
    options=InstancesOptions,
    errors=(400, 404, 409),
)
def list_instances(options: InstancesOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Answer the instances in numbers, with the figures of their shapes."""
    record = record_at(context().store.get(id), options.score_threshold).with_figures(options.figures)
    carried = carried_by(record, options.figures)
    scale = record.measurement.image.scale
    figures = [instance_figures(entry, scale) for entry in record.measurement.instances]
    if options.format == "json":
        return json_answer(InstanceList(figures=carried, scale=scale, instances=figures))
    rows = (_instance_row(entry, scale) for entry in figures)
    answer = Response(to_csv(rows, options.csv_style), content_type="text/csv; charset=utf-8")
    said = "" if carried == "measured" else "_corrected"
    name = f"{record.files.stem}_instances{said}.csv"
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


def _instance_row(figures: InstanceFigures, scale: Scale | None) -> dict[str, str | int | float]:
    """Return an instance as columns; those in units say which in their names, and are there only where one is known."""
    values = figures.model_dump(by_alias=True)
    area, lengths = values.pop("area"), values.pop("lengths") or {}
    box = dict(zip(("x", "y", "width", "height"), values.pop("bbox"), strict=True))
    units = (
        {}
        if scale is None
        else {
            f"area_{scale.unit}2": area,
            **{f"{name}_{scale.unit}": value for name, value in lengths.items()},
        }
    )
    return {name: "" if value is None else value for name, value in (values | box | units).items()}


@api.get(
    "/measurements/<id>/candidates",
    "Get all that the network found, whatever it scored",
    answer_of("The candidates, to choose from at any threshold.", PackedCandidates),
    role="read",
    errors=(400, 404),
)
def candidates(_: NoOptions, id: str) -> Response:  # noqa: A002  the URL's own word
    """Answer all that the network found, so that a client can choose at any threshold by itself."""
    record = context().store.get(id)
    name = f"{record.files.stem}_candidates.json"
    return unchanging(
        record,
        "application/json",
        name,
        lambda: candidates_of(record).model_dump_json().encode(),
        follows=(record,),
    )
