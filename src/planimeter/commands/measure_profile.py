"""The profile of `planimeter measure`: its options filled in, and what a verdict makes of the exit status."""

from pathlib import Path
from typing import Any

import click

from planimeter.commands.options import is_given
from planimeter.measuring.asked import Asked, GivenFilters
from planimeter.measuring.judging import Judging
from planimeter.measuring.profile import counting_of
from planimeter.measuring.tally import Tally
from planimeter.rules import Verdict
from planimeter.scale import GivenScale

EXIT_STATUS: dict[Verdict, int] = {"fail": 3, "undecided": 4}
"""Of --fail-on-verdict. 1 is for pictures that could not be measured, and 2 for a wrong command."""


def ask(
    profile: str | None,
    *,
    database: str,
    model: str,
    score_threshold: float | None,
    region: str | None,
    region_mask: Path | None,
    filters: GivenFilters,
    scale: GivenScale,
) -> Asked:
    """Return how pictures are measured: as the options say, and as a profile says where they say nothing.

    `profile` is a file, or the name of one in the `database` of a service.

    Raises `ContradictoryOptions` where both say something, and not the same.
    """
    options: dict[str, Any] = {
        **({"model": model} if is_given("model") else {}),
        "score_threshold": score_threshold,
        "region": region,
        "region_mask": region_mask,
        **filters.model_dump(exclude_defaults=True),
        **scale.model_dump(exclude_none=True),
    }
    given = {name: value for name, value in options.items() if value is not None}
    if profile is None:
        return Asked(model, score_threshold, counting_of(given), scale, None)
    # Only here: it brings the libraries of databases with it.
    from planimeter.commands.stored_profiles import find_profile  # noqa: PLC0415

    station = find_profile(profile, database)
    filled = station.fill(given)
    return Asked(
        filled.get("model", model),
        filled.get("score_threshold"),
        counting_of(filled),
        GivenScale(pixel_size=filled.get("pixel_size"), unit=filled.get("unit")),
        station.judging,
    )


def check_verdict(judging: Judging | None, *, asked: bool) -> None:
    """Refuse --fail-on-verdict, where it is asked for, unless there will be a verdict."""
    if asked and (judging is None or not judging.rules):
        raise click.UsageError(
            "--fail-on-verdict needs a --profile with rules: without them there is no verdict"
        )


def status_of(tally: Tally) -> int:
    """Return the exit status that the verdicts make: that of the worst."""
    return next((status for verdict, status in EXIT_STATUS.items() if tally.verdicts[verdict]), 0)
