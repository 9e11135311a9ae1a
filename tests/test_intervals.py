"""Intervals for the true percentage: by hand, on pictures drawn by chance, and in the answer."""

import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fakes import MODEL, DotRuntime, dot_pack, dots, encoded
from planimeter.errors import InvalidPack
from planimeter.evaluation.familiarity import learn_familiarity
from planimeter.evaluation.intervals import LEAST_IN_A_BIN, fit_bins
from planimeter.measurement import (
    UNLIKE_TRAINING,
    Coverage,
    ImageInfo,
    Interval,
    Measurement,
    ModelInfo,
    Note,
    Options,
    Timing,
    judge,
)
from planimeter.measuring.doubt import doubt
from planimeter.measuring.familiarity import distance, note_unlike, texture_of
from planimeter.measuring.interval import LEAST_PICTURES, LEAST_WIDTH, choose_bin, span
from planimeter.measuring.segmenter import Segmenter
from planimeter.packs.pack import Pack
from planimeter.packs.packing import write_trust
from planimeter.packs.trust import AtThreshold, Bin, ClassBins, Familiarity, Intervals, Trust, Widening
from planimeter.pictures.preprocessing import Placement
from planimeter.service.models import Models
from planimeter.settings import Settings

MEASUREMENTS = "/api/v1/measurements"
ONES = np.ones(9)


def fitted(measured: Any, errors: Any, doubts: Any = None, level: float = 0.9) -> ClassBins:
    values = np.asarray(measured, float)
    return fit_bins(
        values, np.asarray(errors, float), np.ones_like(values) if doubts is None else doubts, level
    )


class TestByHand:
    def test_nine_pictures_reach_as_far_as_the_worst_of_them(self) -> None:
        table = fitted([10] * 9, [-4, -3, -2, -1, 0, 1, 2, 3, 4])
        # Without itself, the median of those below 0 is 0.5 and of those above it -0.5: 4.5 from the worst.
        assert table.found == (Bin(10.0, -4.5, 4.5, 9),)
        assert table.pictures_found == 9
        # Nobody saw a picture without a find: the worst of all is what is known.
        assert table.nothing == Bin(0.0, 0.0, 4.0, 9)

    def test_errors_to_one_side_give_a_lopsided_span(self) -> None:
        (entry,) = fitted([10] * 9, [2, 2, 2, 3, 3, 3, 4, 4, 4]).found
        assert entry.below == 0
        assert 4 <= entry.above <= 5
        assert span(entry, 10.0, 1.0) == (10.0, 10 + entry.above)

    def test_errors_count_in_the_doubt_of_their_picture(self) -> None:
        doubts = np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 9])
        (entry,) = fitted([10] * 9, doubts * [1, -1, 1, -1, 1, -1, 1, -1, 1], doubts).found
        # The median is 1, and for one at -1 the others', too: 2 away. So 1 - 2 and 1 + 2.
        assert (entry.below, entry.above) == (-1, 3)
        low, high = span(entry, 50.0, 3.0)
        assert 50 - low == pytest.approx(-entry.below * 3)
        assert high - 50 == pytest.approx(entry.above * 3)

    def test_eight_pictures_are_too_few(self) -> None:
        table = fitted([10] * 8, [1] * 8)
        assert table == ClassBins(nothing=None, found=(), pictures_found=8)
        assert choose_bin(table, 10) is None
        assert choose_bin(table, 0) is None

    def test_where_nothing_was_found_there_can_only_be_more(self) -> None:
        table = fitted([0] * 19 + [10] * 9, [0.0] * 17 + [2.0, 3.0] + [1.0] * 9)
        assert table.nothing == Bin(0.0, 0.0, 2.0, 19)  # the 18th of 20 places

    def test_many_pictures_are_cut_into_bins_by_what_was_found(self) -> None:
        measured = np.arange(1, 3 * LEAST_IN_A_BIN + 1) / 3
        table = fitted(measured, np.where(measured <= 20, 0.5, 5.0) * np.where(np.arange(180) % 2, 1, -1))
        assert [entry.pictures for entry in table.found] == [60, 60, 60]
        assert [entry.up_to for entry in table.found] == [20.0, 40.0, 60.0]
        low, middle, high = table.found
        assert low.above < 1.1
        assert middle.above == high.above > 4.9
        assert choose_bin(table, 20.0) == low
        assert choose_bin(table, 20.1) == middle
        assert choose_bin(table, 99.0) == high  # more than was ever seen

    def test_doubt_is_never_nothing_and_grows_with_each_of_its_causes(self) -> None:
        def of(measured: float, looser: float, stricter: float, shown: float) -> float:
            values = (np.array([value]) for value in (measured, looser, stricter, shown))
            return float(doubt(*values)[0])

        assert of(0, 0, 0, 0) == pytest.approx(np.sqrt(0.1 * 0.2))
        assert of(100, 100, 100, 100) == of(0, 0, 0, 0)
        assert of(50, 50, 50, 50) == pytest.approx(np.sqrt((5 + 0.1) * 0.2))
        assert of(50, 53, 49, 52) == pytest.approx(np.sqrt((5 + 0.1) * (3 + 1 + 2 + 0.2)))


@given(
    st.floats(0, 100),
    st.floats(0.14, 30),
    st.floats(-20, 0),
    st.floats(0, 20),
)
def test_a_span_holds_what_was_measured_and_never_leaves_the_scale(
    value: float, doubted: float, below: float, above: float
) -> None:
    low, high = span(Bin(100.0, below, above, 9), value, doubted)
    assert 0 <= low <= value <= high <= 100
    assert high - low >= LEAST_WIDTH - 1e-9


@pytest.mark.parametrize("spread", ["normal", "heavy", "skew", "mostly nothing"])
@pytest.mark.parametrize("pictures", [9, 46, 333])
def test_of_exchangeable_pictures_nine_in_ten_lie_inside(spread: str, pictures: int) -> None:
    """The promise, kept on average over many calibrations whatever the errors' distribution."""
    chance = np.random.default_rng(7)
    inside = []
    for _ in range(150):
        measured, true, doubts = _drawn(chance, spread, pictures + 20)
        known = slice(None, pictures)
        table = fitted(measured[known], (true - measured)[known], doubts[known])
        for index in range(pictures, pictures + 20):
            entry = choose_bin(table, measured[index])
            if entry is not None:
                low, high = span(entry, measured[index], doubts[index])
                inside.append(low <= true[index] <= high)
    # Three standard errors of what 150 calibrations tell.
    assert np.mean(inside) >= 0.9 - 0.025
    assert len(inside) > 1000


def _drawn(
    chance: np.random.Generator, spread: str, count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    measured = chance.uniform(1, 60, count)
    if spread == "mostly nothing":
        measured[chance.random(count) < 0.7] = 0
    doubts = chance.uniform(0.2, 4, count)
    draw = {"heavy": chance.standard_t(2, count), "skew": chance.exponential(1, count)}.get(
        spread, chance.normal(0, 1, count)
    )
    true = np.clip(measured + draw * doubts * chance.uniform(0.5, 2, count), 0, 100)
    return measured, true, doubts


# ---- In the answer


def flat(below: float, above: float, nothing: float = 1.0, found: int = 30) -> ClassBins:
    bins = (Bin(100.0, below, above, found),) if found >= LEAST_PICTURES else ()
    return ClassBins(nothing=Bin(0.0, 0.0, nothing, 30), found=bins, pictures_found=found)


PARTS = Widening(0.75, 1.5), Widening(0.5, 2.5)
INTERVALS = Intervals(
    level=0.9,
    calibrated_on="30 pictures made by hand",
    pictures=30,
    thresholds=(
        AtThreshold(score=0.3, classes=(flat(-1, 2), flat(-1, 2), flat(-1, 2)), parts=PARTS),
        AtThreshold(score=0.5, classes=(flat(-2, 1), flat(-2, 1), flat(0, 0, found=5)), parts=PARTS),
        AtThreshold(score=0.9, classes=(flat(-1, 1), flat(-1, 1), flat(-1, 1)), parts=(Widening(0.75, 3.0),)),
    ),
)
SCORES = np.array([[200, 150, 100], [0, 240, 0]])
"""By red, of 255: 0.78, 0.59, 0.39 and 0.94."""
PICTURE = encoded(dots(SCORES))


def pack_with(trust: Trust, folder: Path) -> Pack:
    """Return the fake pack with what it knows of its errors, which is written into `folder`."""
    folder.mkdir(parents=True)
    pack = dot_pack()
    return replace(pack, folder=folder, manifest=write_trust(folder, pack.manifest, trust))


@pytest.fixture
def models(settings: Settings, tmp_path: Path) -> Models:
    pack = pack_with(Trust(intervals=INTERVALS), tmp_path / MODEL)
    runtime = DotRuntime()
    return Models(settings, find=lambda _: {MODEL: pack}, load=lambda pack, _: Segmenter(pack, runtime))


def measure(client: FlaskClient, threshold: float, picture: bytes = PICTURE) -> Any:
    answer = client.post(
        MEASUREMENTS, data={"image": (BytesIO(picture), "dots.png"), "score_threshold": str(threshold)}
    )
    assert answer.status_code == 201, answer.text
    return answer.get_json()


def percent_at(client: FlaskClient, threshold: float) -> float:
    return float(measure(client, threshold)["coverage"]["percent_masked"])


def test_the_interval_is_the_table_times_the_doubt_of_the_picture(client: FlaskClient) -> None:
    coverage = measure(client, 0.5)["coverage"]
    value, looser, stricter = (percent_at(client, score) for score in (0.5, 0.25, 0.75))
    doubted = np.sqrt((np.sqrt(value * (100 - value)) / 10 + 0.1) * (looser - stricter + 0.2))
    interval = coverage["interval"]
    assert interval["low"] == pytest.approx(value - 2 * doubted, abs=0.002)
    assert interval["high"] == pytest.approx(value + doubted, abs=0.002)
    assert (interval["level"], interval["method"]) == (0.9, "split-conformal")
    assert interval["calibrated_on"] == "30 pictures made by hand"
    red, green = coverage["by_class"]
    assert red["interval"]["low"] == interval["low"]
    assert green["interval"]["low"] == 0 < green["interval"]["high"]


def test_between_two_thresholds_it_holds_what_both_of_them_say(client: FlaskClient) -> None:
    coverage = measure(client, 0.4)["coverage"]
    value, looser, stricter = (percent_at(client, score) for score in (0.4, 0.2, 0.7))
    doubted = np.sqrt((np.sqrt(value * (100 - value)) / 10 + 0.1) * (looser - stricter + 0.2))
    assert coverage["interval"]["low"] == pytest.approx(value - 2 * doubted, abs=0.002)
    assert coverage["interval"]["high"] == pytest.approx(value + 2 * doubted, abs=0.002)


@pytest.mark.parametrize("threshold", [0.3, 0.45, 0.5, 0.8, 0.95, 1.0, 0.1])
def test_another_threshold_afterwards_gives_the_same_interval_as_measuring_with_it(
    client: FlaskClient, threshold: float
) -> None:
    stored, anew = measure(client, 0.6), measure(client, threshold)
    answer = client.get(f"{MEASUREMENTS}/{stored['id']}?score_threshold={threshold}").get_json()
    assert answer["coverage"] == anew["coverage"]
    assert answer["notes"] == anew["notes"]


@pytest.mark.parametrize("threshold", [0.1, 0.95, 1.0])
def test_outside_of_what_was_calibrated_it_is_withheld_with_the_reason(
    client: FlaskClient, threshold: float
) -> None:
    answer = measure(client, threshold)
    assert answer["coverage"]["interval"] is None
    (note,) = [note for note in answer["notes"] if note["code"] == "interval_withheld"]
    assert note["message"] == (
        f"no interval: the score threshold is {threshold:g}, and the model's errors were measured from 0.3 to 0.9"
    )


def test_a_class_that_was_found_in_too_few_pictures_has_none_and_is_named(client: FlaskClient) -> None:
    green = encoded(dots(np.array([[200]]), second=np.array([[1]])))
    answer = measure(client, 0.5, green)
    assert answer["coverage"]["interval"] is not None
    assert answer["coverage"]["by_class"][1]["interval"] is None
    assert {
        "code": "interval_withheld",
        "message": "no interval for green: found in too few pictures of the calibration",
    } in answer["notes"]


WHOLE = json.dumps({"include": [[[0, 0], [96, 0], [96, 64], [0, 64]]]})


@pytest.mark.parametrize(
    "fields",
    [
        {"ignore": "transparent"},
        {"ignore": "saturated,transparent"},
        {"least_area": "1"},
        {"least_area": "50"},
        {"region": WHOLE},
        {"classes": "red,green"},
        {"region": WHOLE, "ignore": "transparent", "least_area": "1"},
        {"region_mask": (BytesIO(encoded(np.full((64, 96), 255, np.uint8))), "mask.png")},
    ],
    ids="+".join,
)
def test_an_option_that_leaves_nothing_out_leaves_the_interval_and_the_verdict(
    client: FlaskClient, fields: dict[str, Any]
) -> None:
    plain = measure(client, 0.5)
    limit = plain["coverage"]["percent_masked"]  # within the interval
    rules = [{"figure": "percent_masked", "at_most": limit}]
    assert client.put("/api/v1/profiles/strip", json={"rules": rules}).status_code == 200
    if "region_mask" in fields:
        fields["region_mask"][0].seek(0)
        fields = {"region_mask": (BytesIO(fields["region_mask"][0].read()), "mask.png")}
    sent = {"image": (BytesIO(PICTURE), "dots.png"), "score_threshold": "0.5", "profile": "strip"}
    answer = client.post(MEASUREMENTS, data={**sent, **fields}).get_json()
    for name in ("interval", "percent_masked", "by_class", "counted"):
        assert answer["coverage"][name] == plain["coverage"][name]
    assert answer["verdict"] == "undecided"
    for threshold in (0.35, 0.8):
        query = f"?score_threshold={threshold}"
        at = client.get(f"{MEASUREMENTS}/{answer['id']}{query}").get_json()
        without = client.get(f"{MEASUREMENTS}/{plain['id']}{query}").get_json()
        assert at["coverage"]["interval"] == without["coverage"]["interval"] is not None


def test_what_leaves_something_out_at_one_threshold_has_no_interval_there(client: FlaskClient) -> None:
    """Green is found from a threshold of 0.39 down."""
    picture = encoded(dots(SCORES, second=np.array([[0, 0, 1], [0, 0, 0]])))
    sent = {"image": (BytesIO(picture), "dots.png"), "score_threshold": "0.5", "classes": "red"}
    answer = client.post(MEASUREMENTS, data=sent).get_json()
    assert answer["coverage"]["interval"] == measure(client, 0.5, picture)["coverage"]["interval"]
    at = client.get(f"{MEASUREMENTS}/{answer['id']}?score_threshold=0.35").get_json()
    assert at["coverage"]["left_out"]["other_classes"] == 1
    assert at["coverage"]["interval"] is None
    assert "interval_withheld" in {note["code"] for note in at["notes"]}


def measure_columns(client: FlaskClient, threshold: float, columns: int) -> Any:
    """Measure with the left of the picture's 96 columns as the region."""
    region = json.dumps({"include": [[[0, 0], [columns, 0], [columns, 64], [0, 64]]]})
    sent = {"image": (BytesIO(PICTURE), "dots.png"), "score_threshold": str(threshold), "region": region}
    answer = client.post(MEASUREMENTS, data=sent)
    assert answer.status_code == 201, answer.text
    return answer.get_json()


@pytest.mark.parametrize(("columns", "wider"), [(95, 1.5), (72, 1.5), (71, 2.5), (48, 2.5)])
def test_the_interval_of_a_part_is_as_much_wider_as_its_share_needs(
    client: FlaskClient, columns: int, wider: float
) -> None:
    answer = measure_columns(client, 0.5, columns)
    coverage = answer["coverage"]
    value, looser, stricter = (
        measure_columns(client, score, columns)["coverage"]["percent_masked"] for score in (0.5, 0.25, 0.75)
    )
    assert value > 0
    doubted = wider * np.sqrt((np.sqrt(value * (100 - value)) / 10 + 0.1) * (looser - stricter + 0.2))
    assert coverage["interval"]["low"] == pytest.approx(max(0, value - 2 * doubted), abs=0.002)
    assert coverage["interval"]["high"] == pytest.approx(value + doubted, abs=0.002)
    assert "interval_withheld" not in {
        note["code"] for note in answer["notes"] if "green" not in note["message"]
    }
    rules = [{"figure": "percent_masked", "at_most": value + doubted / 2}]
    assert client.put("/api/v1/profiles/strip", json={"rules": rules}).status_code == 200
    judged = client.put(f"{MEASUREMENTS}/{answer['id']}/threshold?score_threshold=0.6").get_json()
    at = measure_columns(client, 0.6, columns)
    assert judged["coverage"] == at["coverage"]


def withheld(answer: Any) -> str:
    assert answer["coverage"]["interval"] is None
    [message] = [note["message"] for note in answer["notes"] if note["code"] == "interval_withheld"]
    return str(message)


def test_a_part_smaller_than_what_is_known_has_none_and_says_from_where_on(client: FlaskClient) -> None:
    assert withheld(measure_columns(client, 0.5, 36)) == (
        "no interval: 37.50 % of the picture counts, and how far it holds is known for parts from 50 % on"
    )
    # Between two thresholds both must know it.
    assert "37.50 %" in withheld(measure_columns(client, 0.4, 36))
    assert withheld(measure_columns(client, 0.7, 60)) == (
        "no interval: 62.50 % of the picture counts, and how far it holds is known for parts from 75 % on"
    )


def test_a_model_that_knows_whole_pictures_only_says_how_to_know_more(tmp_path: Path) -> None:
    tables = tuple(table.model_copy(update={"parts": ()}) for table in INTERVALS.thresholds)
    pack = pack_with(Trust(intervals=INTERVALS.model_copy(update={"thresholds": tables})), tmp_path / "old")
    segmenter = Segmenter(pack, DotRuntime())
    region = {"include": [[[0, 0], [72, 0], [72, 64], [0, 64]]]}
    measured = segmenter.measure(PICTURE, region=region)
    assert measured.coverage.interval is None
    [note] = [note for note in measured.notes if note.code == "interval_withheld"]
    assert "here only a part counts; planimeter evaluate --calibrate finds out" in note.message
    assert segmenter.measure(PICTURE).coverage.interval is not None


def test_where_nothing_is_found_the_interval_begins_at_zero_and_has_a_width(client: FlaskClient) -> None:
    interval = measure(client, 0.5, encoded(dots(np.zeros((2, 2), int))))["coverage"]["interval"]
    assert interval["low"] == 0
    assert interval["high"] == pytest.approx(np.sqrt(0.1 * 0.2), abs=0.002)


def test_what_a_pack_knows_of_its_errors_is_checked_like_its_other_files(tmp_path: Path) -> None:
    pack = dot_pack()
    manifest = write_trust(tmp_path, pack.manifest, Trust(intervals=INTERVALS))
    path = tmp_path / "trust.json"
    assert replace(pack, folder=tmp_path, manifest=manifest).trust.intervals == INTERVALS
    path.write_text(json.dumps({"intervals": None}))
    with pytest.raises(InvalidPack, match=r"trust\.json is damaged or was exchanged"):
        _ = replace(pack, folder=tmp_path, manifest=manifest).trust
    path.unlink()
    with pytest.raises(InvalidPack, match=r"trust\.json cannot be read"):
        _ = replace(pack, folder=tmp_path, manifest=manifest).trust


# ---- Verdicts


@pytest.mark.parametrize(
    ("value", "low", "high", "limit", "verdict"),
    [
        (4.2, 3.1, 5.6, 5.6, "pass"),
        (4.2, 3.1, 5.6, 6, "pass"),
        (4.2, 3.1, 5.6, 5.5, "undecided"),
        (4.2, 3.1, 5.6, 3.1, "undecided"),
        (4.2, 3.1, 5.6, 3, "fail"),
        (4.2, None, None, 4.2, "pass"),
        (4.2, None, None, 4.1, "fail"),
        (0, 0, 0.1, 0, "undecided"),
    ],
)
def test_a_limit_inside_of_the_interval_is_not_decided(
    value: float, low: float | None, high: float | None, limit: float, verdict: str
) -> None:
    interval = None
    if low is not None and high is not None:
        interval = Interval(low=low, high=high, level=0.9, method="split-conformal", calibrated_on="")
    assert judge(measurement(value, interval), limit) == verdict


@pytest.mark.parametrize(
    ("limit", "verdict"), [(0, "undecided"), (4.2, "undecided"), (99, "undecided"), (100, "pass")]
)
def test_a_picture_unlike_those_of_the_training_is_never_decided(limit: float, verdict: str) -> None:
    assert judge(measurement(4.2, None, UNLIKE_TRAINING), limit) == verdict


def measurement(value: float, interval: Interval | None, *codes: str) -> Measurement:
    coverage = Coverage(
        percent_masked=value,
        interval=interval,
        pixels_masked=0,
        pixels_counted=1,
        pixels_overlapping=0,
        by_class=[],
    )
    return Measurement(
        image=ImageInfo(filename="a.png", format="PNG", width=1, height=1, sha256=""),
        model=ModelInfo(name="a", version="1", sha256="", runtime="a", precision="f32", device="cpu"),
        options=Options(score_threshold=0.5),
        coverage=coverage,
        instances=[],
        notes=[Note(code=code, message="why") for code in codes],
        timing_ms=Timing(),
    )


def test_the_store_judges_as_each_measurement_is_judged(client: FlaskClient) -> None:
    chance = np.random.default_rng(3)
    answers = [
        measure(
            client, threshold, encoded(dots(chance.integers(0, 256, (2, 3)) * chance.integers(0, 2, (2, 3))))
        )
        for threshold in (0.4, 0.5, 0.6, 0.95)
        for _ in range(4)
    ]
    for limit in (0, 5, 20, 40, 60, 100):
        total = client.get(f"{MEASUREMENTS}/statistics?limit_percent={limit}").get_json()
        verdicts = [
            judge(
                measurement(
                    answer["coverage"]["percent_masked"],
                    answer["coverage"]["interval"] and Interval(**answer["coverage"]["interval"]),
                ),
                limit,
            )
            for answer in answers
        ]
        counts = [verdicts.count(verdict) for verdict in ("pass", "fail", "undecided")]
        assert [total["passed"], total["failed"], total["undecided"]] == counts
        page = client.get(f"/report?limit_percent={limit}").text
        shown = [page.count(f'class="verdict {name}"') for name in ("passed", "failed", "undecided")]
        assert [count // 2 if sum(shown) > 16 else count for count in shown] == counts


# ---- Pictures unlike those of the training


def blocks_like(chance: np.random.Generator, centre: float) -> NDArray[np.float64]:
    return chance.normal(centre, 1, 24) * np.linspace(0.5, 2, 24)


def test_pictures_of_another_kind_are_far_and_those_of_the_same_are_not() -> None:
    chance = np.random.default_rng(1)
    familiarity = learn_familiarity([blocks_like(chance, 0) for _ in range(300)])
    assert familiarity is not None
    same = [distance(familiarity, blocks_like(chance, 0)) for _ in range(300)]
    other = [distance(familiarity, blocks_like(chance, 5)) for _ in range(50)]
    assert np.mean(np.array(same) > familiarity.limit) <= 0.05
    assert min(other) > familiarity.limit
    assert np.median(same) == pytest.approx(1, abs=0.15)
    assert note_unlike(familiarity, blocks_like(chance, 5))[0].code == "unlike_training"
    assert note_unlike(familiarity, blocks_like(chance, 0)) == []


def test_too_few_pictures_say_nothing_of_others() -> None:
    chance = np.random.default_rng(1)
    assert learn_familiarity([blocks_like(chance, 0) for _ in range(19)]) is None
    assert note_unlike(None, blocks_like(chance, 5)) == []


@pytest.mark.parametrize(("height", "width"), [(64, 64), (40, 70), (5, 3), (33, 31)])
def test_only_the_picture_counts_and_not_what_fills_the_input_beside_it(height: int, width: int) -> None:
    rows, columns = -(-height // 32), -(-width // 32)
    placement = Placement(height, width, height, width, 0, 0, 32 * rows, 32 * columns)
    blocks = np.full((4, rows, columns), 1000, np.float32)  # mean 1000, mean square 1000: the filling
    inside = blocks[:, : max(1, height // 32), : max(1, width // 32)]
    inside[:2], inside[2:] = 3, 25
    texture = texture_of(blocks, placement)
    assert texture == pytest.approx([3, 3, np.log(4.05), np.log(4.05)], rel=1e-5)


@pytest.mark.parametrize(("rows", "columns"), [(3, 3), (8, 8), (5, 12), (1, 9)])
def test_what_lies_along_an_edge_does_not_count_where_enough_is_left(rows: int, columns: int) -> None:
    placement = Placement(32 * rows, 32 * columns, 32 * rows, 32 * columns, 0, 0, 32 * rows, 32 * columns)
    blocks = np.full((4, rows, columns), 1000, np.float32)  # what the edge does to them
    inside = blocks[:, slice(1, -1) if rows > 2 else slice(None), 1:-1]
    inside[:2], inside[2:] = 3, 25
    expected = pytest.approx([3, 3, np.log(4.05), np.log(4.05)], rel=1e-5)
    assert texture_of(blocks, placement, 1) == expected
    assert texture_of(blocks, placement, 0) != expected


def test_older_models_count_the_edges_as_they_learnt_to() -> None:
    chance = np.random.default_rng(1)
    learnt = learn_familiarity([blocks_like(chance, 0) for _ in range(60)])
    assert learnt is not None
    assert learnt.margin == 1
    older = {name: value for name, value in learnt.model_dump().items() if name != "margin"}
    assert Familiarity.model_validate(older).margin == 0
