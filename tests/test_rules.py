"""Rules at their limits: one decision for every figure, by hand-made measurements and by pictures."""

import json
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import block_segmenter, blocks
from planimeter.errors import ContradictoryOptions, InvalidOption
from planimeter.measurement import Coverage, Interval, Measurement, Note, ProfileUsed
from planimeter.measuring.judging import Judging
from planimeter.measuring.profile import NamedProfile, read_profile
from planimeter.measuring.profile_files import open_profile
from planimeter.rules import Rule, Verdict, decide, worst
from stored import measurement

USED = ProfileUsed(name="strip", version=1, sha256="0" * 64)
PICTURE = blocks(red=(0, 0, 32, 32), green=(40, 40, 48, 44))
"""1,024 pixels of red, 25 %; 32 of green, 0.78125 %; of 4,096."""


def judge(what: Measurement, **rule: Any) -> tuple[Verdict | None, str | None]:
    """Return the verdict by one rule, and its reason."""
    judged = Judging(USED, [Rule(**rule)]).of(what)
    return judged.verdict, judged.rules[0].reason


def interval(low: float, high: float) -> Interval:
    return Interval(low=low, high=high, level=0.9, method="split-conformal", calibrated_on="30 pictures")


def with_interval(what: Measurement, low: float, high: float) -> Measurement:
    coverage = what.coverage.model_copy(update={"interval": interval(low, high)})
    return what.model_copy(update={"coverage": coverage})


@pytest.mark.parametrize(
    ("value", "span", "limit", "at_most", "at_least"),
    [
        (5.0, None, 5.0, "pass", "pass"),
        (5.000001, None, 5.0, "fail", "pass"),
        (4.999999, None, 5.0, "pass", "fail"),
        (4.0, (3.0, 5.0), 5.0, "pass", "undecided"),
        (4.0, (3.0, 5.0), 3.0, "undecided", "pass"),
        (4.0, (3.0, 5.0), 2.9, "fail", "pass"),
        (4.0, (3.0, 5.0), 5.1, "pass", "fail"),
        (0.0, (0.0, 0.1), 0.0, "undecided", "pass"),
        (9.0, (9.0, inf), 10.0, "undecided", "undecided"),
        (None, None, 5.0, "undecided", "undecided"),
    ],
)
def test_a_figure_passes_at_its_limit(
    value: float | None, span: tuple[float, float] | None, limit: float, at_most: str, at_least: str
) -> None:
    assert decide(value, span, at_most=limit) == at_most
    assert decide(value, span, at_least=limit) == at_least


@given(st.lists(st.floats(0, 100), min_size=3, max_size=3).map(sorted), st.floats(0, 100), st.floats(0, 1))
def test_what_passes_or_fails_does_so_for_every_value_of_the_interval(
    ends: list[float], limit: float, share: float
) -> None:
    low, value, high = ends
    truth = min(high, low + share * (high - low))
    for side in ({"at_most": limit}, {"at_least": limit}):
        if (verdict := decide(value, (low, high), **side)) != "undecided":
            assert decide(truth, None, **side) == verdict


def test_the_worst_verdict_is_that_of_all() -> None:
    assert worst(["pass", "undecided", "fail"]) == "fail"
    assert worst(["pass", "undecided"]) == "undecided"
    assert worst(["pass"]) == "pass"
    assert worst([]) is None


def test_each_figure_of_a_picture_is_judged_at_its_limit_exactly() -> None:
    segmenter = block_segmenter()
    diagonal = segmenter.measure(PICTURE, profile={"rules": [_rule("largest_feret_diameter", 0)]}).rules[0]
    assert diagonal.value == pytest.approx(44.553338, abs=1e-6)  # skimage's feret_diameter_max of 32 x 32
    figures = {
        ("percent_masked", None, None): 25.78125,
        ("percent_masked", "green", None): 0.78125,
        ("count", None, None): 2,
        ("count", "red", None): 1,
        ("largest_area", None, None): 1024,
        ("largest_area", "green", None): 32,
        ("largest_area", "red", "mm"): 256,  # of pixels of 0.5 mm
        ("largest_feret_diameter", "red", "mm"): pytest.approx(44.553338820 / 2, abs=1e-9),
        ("instances_per_mm2", None, None): pytest.approx(2 / 1024),
        ("instances_per_mm2", "red", None): pytest.approx(1 / 1024),
    }
    for (figure, of, unit), expected in figures.items():
        rule = _rule(figure, 0, of, unit)
        value = (
            segmenter.measure(PICTURE, pixel_size=0.5, unit="mm", profile={"rules": [rule]}).rules[0].value
        )
        assert value == expected, rule
        assert value is not None
        for side in ("at_most", "at_least"):
            for limit, keeps in (
                (value, True),
                (value * 0.999, side == "at_least"),
                (value * 1.001, side == "at_most"),
            ):
                given_rule = {**rule, "at_most": None, side: limit}
                judged = segmenter.measure(
                    PICTURE, pixel_size=0.5, unit="mm", profile={"rules": [given_rule]}, mask_format="none"
                )
                assert judged.verdict == ("pass" if keeps else "fail"), given_rule


def _rule(figure: str, limit: float, of: str | None = None, unit: str | None = None) -> dict[str, Any]:
    return {"figure": figure, "class": of, "unit": unit, "at_most": limit}


def _at_least(figure: str, limit: float, of: str | None = None, unit: str | None = None) -> dict[str, Any]:
    return {"figure": figure, "class": of, "unit": unit, "at_least": limit}


@pytest.mark.parametrize(
    "rules",
    [
        [_rule("count", 2), _at_least("count", 2)],
        [_rule("largest_area", 1, unit="mm"), _at_least("largest_area", 1e6, unit="um")],  # both 1 mm²
        [_rule("largest_feret_diameter", 1, unit="in"), _at_least("largest_feret_diameter", 25.4, unit="mm")],
        [_rule("count", 1, "red"), _at_least("count", 2, "green")],
        [_rule("count", 1, "red"), _at_least("count", 2)],
        [_rule("largest_area", 1), _at_least("largest_area", 2, unit="mm")],  # of whichever pixels
        [_rule("count", 1), _at_least("percent_masked", 2)],
    ],
)
def test_rules_that_some_picture_keeps_do_not_contradict_each_other(rules: list[dict[str, Any]]) -> None:
    assert len(read_profile({"rules": rules}).rules) == 2


def test_a_profile_of_before_with_rules_that_contradict_each_other_can_still_be_read() -> None:
    text = json.dumps({"rules": [_rule("count", 1), _at_least("count", 2)]})
    assert len(NamedProfile.of_text("strip", text, 1).profile.rules) == 2


def test_a_figure_in_a_unit_is_undecided_without_a_pixel_size() -> None:
    segmenter = block_segmenter()
    for rule in (
        _rule("largest_area", 1e9, unit="mm"),
        _rule("largest_feret_diameter", 1e9, unit="um"),
        _rule("instances_per_mm2", 1e9),
    ):
        measured = segmenter.measure(PICTURE, profile={"rules": [rule]})
        assert (measured.verdict, measured.rules[0].value) == ("undecided", None)
        assert "how large a pixel is" in (measured.rules[0].reason or "")


def test_nothing_found_is_zero_and_not_nothing() -> None:
    for figure in ("percent_masked", "count", "largest_area", "largest_feret_diameter"):
        measured = block_segmenter().measure(blocks(), profile={"rules": [_rule(figure, 0)]})
        assert (measured.verdict, measured.rules[0].value) == ("pass", 0)


def test_an_interval_that_holds_the_limit_decides_nothing_and_says_so() -> None:
    what = with_interval(measurement(), 1.2, 3.4)  # 2 %
    assert judge(what, figure="percent_masked", at_most=3)[0] == "undecided"
    assert "between 1.2 and 3.4 %" in (judge(what, figure="percent_masked", at_most=3)[1] or "")
    assert judge(what, figure="percent_masked", at_most=3.4) == ("pass", None)
    assert judge(what, figure="percent_masked", at_most=1.1) == ("fail", None)
    assert judge(what, figure="count", at_most=2) == ("pass", None)  # of which no interval is known


def test_without_an_interval_the_value_decides_and_that_is_said() -> None:
    verdict, reason = judge(measurement(), figure="percent_masked", at_most=2)
    assert verdict == "pass"
    assert reason == "decided by the value alone: no interval is known for it"


def test_an_interval_that_is_withheld_is_not_called_unknown() -> None:
    note = Note(code="interval_withheld", message="no interval: it would hold for whole pictures")
    what = measurement().model_copy(update={"notes": [note]})
    verdict, reason = judge(what, figure="percent_masked", at_most=2)
    assert verdict == "pass"
    assert reason == "decided by the value alone; no interval: it would hold for whole pictures"


def test_a_picture_unlike_the_training_is_never_decided() -> None:
    note = Note(code="unlike_training", message="It is unlike them.")
    what = measurement().model_copy(update={"notes": [note]})
    for figure in ("percent_masked", "count", "largest_area"):
        for limit in (0, 3):
            assert judge(what, figure=figure, at_most=limit)[0] == "undecided"
    assert judge(what, figure="percent_masked", at_most=100)[0] == "pass"  # whatever the truth is
    assert judge(what, figure="count", at_least=0)[0] == "pass"


def test_where_the_limit_of_instances_was_reached_there_may_be_more() -> None:
    note = Note(code="limit_reached", message="It was reached.")
    what = measurement().model_copy(update={"notes": [note]})  # 2 instances
    assert judge(what, figure="count", at_most=2)[0] == "undecided"
    assert judge(what, figure="count", at_most=1) == ("fail", None)
    assert judge(what, figure="count", at_least=2) == ("pass", None)


def test_a_percentage_that_there_is_not_is_undecided() -> None:
    what = measurement()
    coverage = Coverage.model_construct(**{**dict(what.coverage), "percent_masked": None})
    what = what.model_copy(update={"coverage": coverage})
    assert judge(what, figure="percent_masked", at_most=100)[0] == "undecided"


@pytest.mark.parametrize(
    ("profile", "error", "what"),
    [
        ({"rules": [{"figure": "dust", "at_most": 1}]}, InvalidOption, "rules.1.figure is 'dust'"),
        ({"rules": [{"figure": "count"}]}, ContradictoryOptions, "one limit"),
        ({"rules": [{"figure": "count", "at_most": 1, "at_least": 0}]}, ContradictoryOptions, "one limit"),
        ({"rules": [{"figure": "count", "at_most": float("nan")}]}, InvalidOption, "finite number"),
        ({"rules": [{"figure": "count", "at_most": -1}]}, InvalidOption, "greater than or equal to 0"),
        ({"rules": [{"figure": "percent_masked", "at_most": 101}]}, ContradictoryOptions, "at most 100"),
        ({"rules": [_rule("count", 1, unit="mm")]}, ContradictoryOptions, "has none"),
        ({"rules": [_rule("count", 1)] * 51}, InvalidOption, "at most 50"),
        ({"classes": ["red"], "rules": [_rule("count", 1, "green")]}, ContradictoryOptions, "does not count"),
        ({"unit": "um"}, ContradictoryOptions, "pixel_size is missing"),
        (
            {"rules": [_rule("count", 1), _at_least("count", 2)]},
            ContradictoryOptions,
            "no picture can keep both of the rules 'instances ≤ 1' and 'instances ≥ 2'",
        ),
        (
            {"rules": [_at_least("largest_area", 1.1, unit="mm"), _rule("largest_area", 1e6, unit="um")]},
            ContradictoryOptions,
            "no picture can keep both",
        ),
        ({"score_threshold": float("nan")}, InvalidOption, "score_threshold is nan"),
        ({"region": {"include": [[[0, 0], [-9, 9], [9, 0]]]}}, ContradictoryOptions, "counted from 0"),
        ({"region": {"include": [[[0, 0], [9, 9], [9, 0], [0, 9]]]}}, ContradictoryOptions, "crosses"),
        ({"region": {}}, ContradictoryOptions, "no polygon"),
        ({"threshold": 0.5}, InvalidOption, "threshold is nothing that a profile"),
        ({"ignore": ["dust"]}, InvalidOption, "ignore.1 is 'dust'"),
    ],
)
def test_a_profile_that_cannot_be_is_a_sentence(
    profile: dict[str, Any], error: type[InvalidOption], what: str
) -> None:
    with pytest.raises(InvalidOption, match=what) as raised:
        read_profile(profile)
    assert type(raised.value) is error


def test_the_model_and_its_classes_must_be_those_of_the_profile() -> None:
    segmenter = block_segmenter()
    with pytest.raises(
        ContradictoryOptions, match="'instances of blue ≤ 1' is on a class that the model lacks"
    ):
        segmenter.measure(PICTURE, profile={"rules": [_rule("count", 1, "blue")]})
    with pytest.raises(InvalidOption, match="'steel', and this is 'blocks'"):
        segmenter.measure(PICTURE, profile={"model": "steel"})
    with pytest.raises(
        ContradictoryOptions, match=r"score_threshold is 0.4, and the profile 'profile' says 0.5"
    ):
        segmenter.measure(PICTURE, score_threshold=0.4, profile={"score_threshold": 0.5})
    region = {"include": [[[0, 0], [9, 0], [9, 9]]]}
    with pytest.raises(ContradictoryOptions, match="region_mask"):
        segmenter.measure(PICTURE, region_mask=PICTURE[..., 0], profile={"region": region})


def test_what_a_profile_leaves_open_can_be_given_beside_it() -> None:
    same = open_profile({"score_threshold": 0.7, "classes": ["red", "green"]})
    measured = block_segmenter().measure(
        PICTURE, score_threshold=0.7, classes=["green", "red"], least_area=40, profile=same
    )
    assert [entry.class_name for entry in measured.instances] == ["red"]
    assert measured.verdict is None  # it has no rules
    assert measured.profile is not None
    counting = measured.options.counting
    assert counting is not None
    assert (counting.least_area, measured.options.score_threshold) == (40, 0.7)
