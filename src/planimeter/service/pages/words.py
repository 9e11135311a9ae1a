"""How the pages write numbers, moments and sentences."""

from datetime import datetime, timezone

from planimeter.measurement import Interval, Measurement, RuleResult, classes_found
from planimeter.measuring.counting import counted_part
from planimeter.measuring.profile import Profile
from planimeter.numbers import write_between, write_decimals, write_percent, write_signed
from planimeter.rules import Verdict
from planimeter.scale import write_quantity
from planimeter.service.pages.site import blueprint

blueprint.add_app_template_filter(classes_found, "found")
blueprint.add_app_template_filter(write_decimals, "decimals")
blueprint.add_app_template_filter(write_percent, "percent")
blueprint.add_app_template_filter(write_quantity, "quantity")
blueprint.add_app_template_filter(write_signed, "signed")


@blueprint.app_template_filter("sentence")
def write_sentence(message: str) -> str:
    """Write a message of an error or a note as a sentence of a page; a name like score_threshold stays."""
    text = message if "_" in message.partition(" ")[0] else message[:1].upper() + message[1:]
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


@blueprint.app_template_filter("part")
def write_part(measured: Measurement) -> str:
    """Write what percentages are of, in a word: region."""
    return counted_part(measured.options.counting)


@blueprint.app_template_filter("between")
def write_interval(interval: Interval) -> str:
    """Write between which percentages the truth lies: 3.1 and 5.6."""
    return " and ".join(write_between(interval.low, interval.high))


@blueprint.app_template_filter("grouped")
def write_grouped(value: int) -> str:
    """Write a count with its thousands apart: 307,200."""
    return f"{value:,}"


@blueprint.app_template_filter("box")
def write_box(box: tuple[float, float, float, float]) -> str:
    """Write a bounding box in whole pixels."""
    return ", ".join(write_decimals(value, 0) for value in box)


@blueprint.app_template_filter("short")
def write_short(value: float) -> str:
    """Write a number without needless zeros: 2.5, 10."""
    return f"{value:g}"


@blueprint.app_template_filter("rule_value")
def write_rule_value(rule: RuleResult) -> str:
    """Write the value of a rule's figure with its unit: 4.22 %, 12 µm. So does `verdict.js`."""
    if rule.value is None:
        return "\N{EN DASH}"
    written = write_percent(rule.value) if rule.figure == "percent_masked" else write_quantity(rule.value)
    if rule.figure == "count":
        written = write_grouped(round(rule.value))
    return f"{written} {rule.symbol}".strip()


@blueprint.app_template_filter("counts")
def write_counts(profile: Profile) -> str:
    """Write what of each picture counts by a profile: a region, percent of leaf."""
    parts = [
        "a region" if profile.region else "",
        f"without {', '.join(profile.ignore).replace('_', ' ')} pixels" if profile.ignore else "",
        f"percent of {profile.of}" if profile.of else "",
        f"only {', '.join(profile.classes)}" if profile.classes else "",
        f"instances of {profile.least_area:,} pixels or more" if profile.least_area else "",
    ]
    return ", ".join(filter(None, parts))


@blueprint.app_template_filter("verdict_class")
def verdict_class(verdict: Verdict) -> str:
    """Return the class that colours a verdict."""
    return {"pass": "passed", "fail": "failed", "undecided": "undecided"}[verdict]


@blueprint.app_template_filter("days")
def write_days(days: float) -> str:
    """Write how long something takes: 30 days."""
    return "1 day" if days == 1 else f"{days:,g} days"


@blueprint.app_template_filter("iso")
def write_iso(moment: datetime) -> str:
    """Write a moment for machines."""
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@blueprint.app_template_filter("utc")
def write_utc(moment: datetime) -> str:
    """Write a moment for people who have no JavaScript to turn it into their own time zone."""
    utc = moment.astimezone(timezone.utc)
    return f"{utc.day} {utc:%b %Y, %H:%M} UTC"
