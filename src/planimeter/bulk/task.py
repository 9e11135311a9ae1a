"""What a run is asked to do: the same for every process that works on it, and for every run that goes on with it."""

import json
from dataclasses import dataclass
from typing import Any, Literal

from planimeter.bulk.places import Place
from planimeter.details import NOTHING_SAID, Details
from planimeter.errors import InvalidOption
from planimeter.measuring.asked import Asked
from planimeter.measuring.counting import check_classes
from planimeter.measuring.judging import check_rules
from planimeter.measuring.segmenter import Segmenter
from planimeter.settings import DEFAULT_LIMITS, Inference, Limits

Engine = Literal["here", "ray"]
"""What measures: this process, or a Ray cluster."""
FILE = "task.json"


@dataclass(frozen=True)
class Task:
    """How pictures are measured. Can be sent to another process."""

    asked: Asked
    how: Inference
    limits: Limits = DEFAULT_LIMITS
    details: Details = NOTHING_SAID

    def check(self, classes: tuple[str, ...]) -> None:
        """Raise `ContradictoryOptions` for what could be of no picture of a model that knows these classes."""
        if self.asked.counting is not None:
            check_classes(self.asked.counting, classes)
        if self.asked.judging is not None:
            check_rules(self.asked.judging.rules, classes, self.asked.counting)

    def described(self, segmenter: Segmenter) -> dict[str, Any]:
        """Return all that a number depends on, as JSON."""
        asked, threshold = self.asked, self.asked.score_threshold
        judging = asked.judging
        return {
            "schema": 1,
            "model": segmenter.info.name,
            "model_version": segmenter.info.version,
            "model_sha256": segmenter.info.sha256,
            "precision": segmenter.info.precision,
            "passes": segmenter.info.passes,
            "score_threshold": segmenter.default_threshold if threshold is None else threshold,
            "counting": None
            if asked.counting is None
            else asked.counting.model_dump(mode="json", exclude={"region_mask_grey"}),  # the mask says all
            "scale": asked.scale.model_dump(mode="json"),
            # The hash is of all that it fixes.
            "profile": None if judging is None else judging.used.model_dump(mode="json", exclude={"fixes"}),
        }


def keep_task(place: Place, described: dict[str, Any]) -> None:
    """Write down what a run does, or raise `InvalidOption` where what is there was measured in another way."""
    data = place.read(FILE)
    if data is None:
        if place.names("measurements"):
            raise InvalidOption(
                f"{place.address} has measurements and no {FILE}: it was not written by planimeter measure; choose "
                "another place for --to"
            )
        place.write(FILE, json.dumps(described, indent=2).encode() + b"\n")
        return
    try:
        there = dict(json.loads(data))
    except (ValueError, TypeError):
        raise InvalidOption(f"{place.address}/{FILE} cannot be read; choose another place for --to") from None
    other = [name for name, value in described.items() if there.get(name) != value]
    if other:
        name = other[0]
        raise InvalidOption(
            f"{place.address} holds pictures measured with {name} {_short(there.get(name))}, and now it is "
            f"{_short(described[name])}: one table has one way of measuring; choose another place for --to"
        )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
