"""The labelling configuration of a project: where its picture is, how regions are drawn, which label a class has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from xml.etree import ElementTree as ET

from planimeter.errors import InvalidOption

Kind = Literal["brush", "polygon", "rectangle"]
_TAGS: Mapping[str, Kind] = {
    "brushlabels": "brush",
    "polygonlabels": "polygon",
    "rectanglelabels": "rectangle",
}
EXAMPLE = (
    '<View><Image name="image" value="$image"/><BrushLabels name="brush" toName="image"><Label value="scratch"/>'
    "</BrushLabels></View>"
)
LONGEST = 2**20
"""Characters."""


@dataclass(frozen=True)
class Control:
    """Labels of one kind, as the configuration has them."""

    kind: Kind
    name: str
    labels: Mapping[str, str]
    """The label of each class that has one."""
    score_threshold: float | None
    """Of its attribute model_score_threshold."""


@dataclass(frozen=True)
class Labelling:
    """What of a configuration matters to a model."""

    image: str
    """The name of the picture's tag, to which regions belong."""
    key: str
    """Of a task's data, where its picture is."""
    controls: Sequence[Control]

    def control(self, *kinds: Kind) -> Control | None:
        """Return the first control of the first of these kinds that there is."""
        return next((entry for kind in kinds for entry in self.controls if entry.kind == kind), None)

    @property
    def score_threshold(self) -> float | None:
        """What the configuration says that instances have to score; None where it says nothing."""
        return next(
            (entry.score_threshold for entry in self.controls if entry.score_threshold is not None), None
        )

    def without_label(self, classes: Sequence[str]) -> list[str]:
        """Return the classes that have no label."""
        return [name for name in classes if not any(name in entry.labels for entry in self.controls)]


def read_config(text: object, classes: Sequence[str]) -> Labelling:
    """Return what a configuration says for a model of these classes; raises `InvalidOption` where it cannot be used.

    A class has the label of its name, whatever the capitals, or the one that names it in `predicted_values`.
    """
    root = _root(text)
    images = [tag for tag in root.iter() if tag.tag.lower() == "image" and tag.get("name")]
    controls = [tag for tag in root.iter() if tag.tag.lower() in _TAGS and tag.get("name")]
    for image in images:
        own = [tag for tag in controls if image.get("name") in (tag.get("toName") or "").split(",")]
        key = (image.get("value") or "").strip()
        if not own or not key.startswith("$"):
            continue
        found = Labelling(image.get("name", ""), key[1:], [_control(tag, classes) for tag in own])
        if len(found.without_label(classes)) == len(classes):
            there = ", ".join(dict.fromkeys(label for tag in own for label in _labels(tag))) or "none"
            raise InvalidOption(
                f"no label of the configuration is one of the model's classes ({', '.join(classes)}); its labels are "
                f'{there}. Name them so, or write <Label value="…" predicted_values="{classes[0]}"/>'
            )
        return found
    raise InvalidOption(
        "the labelling configuration has no Image with BrushLabels, PolygonLabels or RectangleLabels for it; for "
        f"example {EXAMPLE}"
    )


def _root(text: object) -> Any:
    if not isinstance(text, str) or not text.strip():
        raise InvalidOption(f"there is no labelling configuration in the request; for example {EXAMPLE}")
    if len(text) > LONGEST or "<!ENTITY" in text or "<!DOCTYPE" in text:
        raise InvalidOption(
            f"the labelling configuration declares entities, or has more than {LONGEST:,} characters"
        )
    try:
        return ET.fromstring(text)  # noqa: S314 - without entities there is nothing to expand
    except ET.ParseError as error:
        raise InvalidOption(f"the labelling configuration is no XML ({error})") from error


def _control(tag: Any, classes: Sequence[str]) -> Control:
    labels = _labels(tag)
    folded = {label.casefold(): label for label in reversed(labels)}
    named = {one.casefold(): label for label, values in labels.items() for one in values}
    found = {
        name: label
        for name in classes
        if (label := _own(name, labels) or named.get(name.casefold()) or folded.get(name.casefold()))
    }
    return Control(_TAGS[tag.tag.lower()], tag.get("name", ""), found, _threshold(tag))


def _own(name: str, labels: Mapping[str, object]) -> str | None:
    return name if name in labels else None


def _labels(tag: Any) -> dict[str, list[str]]:
    """Return the labels of a control, each with the classes that it stands for beside its own name."""
    return {
        label.get("value", ""): [
            value.strip() for value in (label.get("predicted_values") or "").split(",") if value.strip()
        ]
        for label in tag.iter()
        if label.tag.lower() == "label" and label.get("value")
    }


def _threshold(tag: Any) -> float | None:
    stated = tag.get("model_score_threshold")
    if stated is None:
        return None
    try:
        threshold = float(stated)
    except ValueError:
        threshold = -1.0
    if not 0 <= threshold <= 1:
        raise InvalidOption(f"model_score_threshold is {stated[:40]!r}; write a number from 0 to 1")
    return threshold
