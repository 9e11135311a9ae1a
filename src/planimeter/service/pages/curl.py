"""The call of curl that measures as a page shows it."""

import json
import shlex

from planimeter.measurement import Counting, Measurement
from planimeter.samples import Sample
from planimeter.service.pages.fixed import Fixed


def curl_parts(measured: Measurement, sample: Sample | None, fixed: Fixed) -> list[str]:
    """Return the form fields of the call that repeats a measurement, quoted for a shell.

    By a profile it names that, and what the profile leaves open: what it says cannot be said again otherwise.
    """
    filename = sample.filename if sample else measured.image.filename
    scale = measured.image.scale
    size = scale.pixel_size if scale is not None and scale.by_person else None
    fields = {
        "model": measured.model.name,
        "score_threshold": f"{measured.options.score_threshold:g}",
        **({"pixel_size": f"{size!r}", "unit": scale.unit} if scale is not None and size else {}),
        **_counting_fields(measured.options.counting),
    }
    if fixed.name is not None:
        said = fixed.options | ({"region_mask"} if "region" in fixed.options else frozenset())
        left_open = {name: value for name, value in fields.items() if name not in said}
        fields = {"profile": fixed.name, **left_open}
    parts = [f"image=@{_quoted_for_curl(filename)}", *(f"{name}={value}" for name, value in fields.items())]
    return [shlex.quote(part) for part in parts]


def _counting_fields(counting: Counting | None) -> dict[str, str]:
    """Return the form fields that say what counts."""
    if counting is None:
        return {}
    region = counting.region
    fields = {
        "region": json.dumps(region.model_dump(mode="json")) if region else "",
        "region_mask": "@mask.png" if counting.region_mask else "",
        "ignore": ",".join(counting.ignore),
        "classes": ",".join(counting.classes or ()),
        "least_area": str(counting.least_area or ""),
        "of": counting.of or "",
    }
    return {name: value for name, value in fields.items() if value}


def _quoted_for_curl(filename: str) -> str:
    """Return a file name as curl's own -F syntax needs it: there a comma or a semicolon ends a bare name."""
    if not set(filename) & set(',;"'):
        return filename
    return '"' + filename.replace("\\", "\\\\").replace('"', '\\"') + '"'
