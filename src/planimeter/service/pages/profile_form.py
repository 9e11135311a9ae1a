"""The form of a profile: its fields as texts, from a profile, a measurement, or what was sent before."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from werkzeug.datastructures import MultiDict

from planimeter.measurement import Measurement
from planimeter.rules import IN_UNITS

TEXTS = ("title", "note", "model", "score_threshold", "region", "least_area", "of", "pixel_size", "unit")
RULE_FIELDS = ("figure", "class", "side", "limit", "unit")
SPARE_ROWS = 2
"""Empty rows for rules, where no script can add them."""


@dataclass(frozen=True)
class ProfileForm:
    """What stands in the fields."""

    texts: Mapping[str, str] = field(default_factory=dict)
    ignore: Sequence[str] = ()
    classes: Sequence[str] = ()
    rules: Sequence[Mapping[str, str]] = ()


def of_document(document: Mapping[str, Any]) -> ProfileForm:
    """Return the fields of a profile."""
    texts = {name: _text(document[name]) for name in TEXTS if document.get(name) is not None}
    rules = [
        {
            "figure": rule["figure"],
            "class": rule.get("class", ""),
            "side": "at_most" if "at_most" in rule else "at_least",
            "limit": _text(rule.get("at_most", rule.get("at_least"))),
            "unit": rule.get("unit", ""),
        }
        for rule in document.get("rules", ())
    ]
    return ProfileForm(texts, document.get("ignore", ()), document.get("classes", ()), rules)


def of_request(form: "MultiDict[str, str]") -> ProfileForm:
    """Return the fields as they were sent; rows without a limit are no rules."""
    columns = [form.getlist(f"rule_{name}") for name in RULE_FIELDS]
    rows = (dict(zip(RULE_FIELDS, row, strict=True)) for row in zip_longest(*columns, fillvalue=""))
    return ProfileForm(
        {name: form[name].strip() for name in TEXTS if form.get(name, "").strip()},
        form.getlist("ignore"),
        form.getlist("classes"),
        [row for row in rows if row["limit"].strip()],
    )


def of_measurement(measurement: Measurement) -> ProfileForm:
    """Return the fields of a profile that measures as a picture was measured."""
    options, scale = measurement.options, measurement.image.scale
    counting = options.counting
    document: dict[str, Any] = {
        "model": measurement.model.name,
        "score_threshold": options.score_threshold,
        "rules": [
            rule.model_dump(
                by_alias=True,
                exclude_none=True,
                include={"figure", "class_name", "unit", "at_most", "at_least"},
            )
            for rule in measurement.rules
        ],
    }
    if counting is not None:
        document |= counting.model_dump(include={"ignore", "classes", "least_area", "of"})
        if counting.region is not None:
            document["region"] = counting.region.model_dump()
    # What a file says of its own pixels the next one says of its.
    if scale is not None and scale.by_person and scale.pixel_size is not None:
        document |= {"pixel_size": scale.pixel_size, "unit": scale.unit}
    return of_document({name: value for name, value in document.items() if value})


def document_of(form: ProfileForm) -> dict[str, Any]:
    """Return the profile that the fields say, to be checked."""
    document: dict[str, Any] = {**form.texts}
    if "pixel_size" not in document:
        document.pop("unit", None)  # the form always has one
    if form.ignore:
        document["ignore"] = [*form.ignore]
    if form.classes:
        document["classes"] = [*form.classes]
    return {**document, "rules": [_rule(row) for row in form.rules]}


def _rule(row: Mapping[str, str]) -> dict[str, str]:
    side = "at_least" if row["side"] == "at_least" else "at_most"
    rule = {"figure": row["figure"], "class": row["class"], "unit": row["unit"], side: row["limit"].strip()}
    if row["figure"] not in IN_UNITS:
        rule["unit"] = ""
    return {name: value for name, value in rule.items() if value}


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.12g}"
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)
