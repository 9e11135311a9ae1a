"""One rule for every number that people read: the same table in Python and in the browser's script."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from urllib.parse import urljoin

import numpy as np
import pytest
from playwright.sync_api import FilePayload, Page

from fakes import BlockRuntime, blocks, encoded
from planimeter.drawing.labels import list_texts
from planimeter.measurement import percent
from planimeter.numbers import write_between, write_decimals, write_figures, write_percent, write_signed
from planimeter.service.pages.models import read_figures
from serving import serve
from test_browser import Watched, browser, settle, watched

__all__ = ["browser", "watched"]  # fixtures

MINUS, TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"
PERCENTS = [
    (percent(1686, 40_000), "4.22"),  # 4.215, of which the nearest float is a little less
    (4.215, "4.22"), (4.2149999999999, "4.21"), (0.125, "0.13"), (0.375, "0.38"), (2.675, "2.68"), (1.005, "1.01"),
    (0.0, "0.00"), (1e-7, "<0.01"), (5e-324, "<0.01"), (0.004, "<0.01"), (0.0049999999999999, "<0.01"), (0.005, "0.01"),
    (0.01, "0.01"), (9.995, "10.00"), (12.454, "12.45"), (33.3333333333333, "33.33"), (66.6666666666667, "66.67"),
    (99.985, "99.99"), (99.99, "99.99"), (99.9949999999999, "99.99"), (99.995, ">99.99"), (99.996, ">99.99"),
    (99.9999999999999, ">99.99"), (100.0, "100.00"),
]  # fmt: skip
SIGNED = [
    (0.207, "+0.21"), (-0.104, f"{MINUS}0.10"), (-0.001, "0.00"), (0.001, "0.00"), (0.0, "0.00"), (-0.0, "0.00"),
    (0.005, "+0.01"), (-0.005, f"{MINUS}0.01"), (4.215, "+4.22"), (-4.215, f"{MINUS}4.22"), (1e-7, "0.00"),
    (-1e-7, "0.00"), (-0.125, f"{MINUS}0.13"), (100.0, "+100.00"), (-100.0, f"{MINUS}100.00"), (99.995, "+100.00"),
]  # fmt: skip
DECIMALS = [
    (0.0625, 3, "0.063"), (0.9995, 3, "1.000"), (0.5, 0, "1"), (2.5, 0, "3"), (-2.5, 0, "-3"), (-0.4, 0, "0"),
    (1234.5, 0, "1235"), (0.25, 1, "0.3"), (7.0, 3, "7.000"), (1e-7, 3, "0.000"), (123456.789, 2, "123456.79"),
]  # fmt: skip
BETWEEN = [
    (3.141, 5.512, "3.1 and 5.6"), (3.1, 4.2, "3.1 and 4.2"), (3.101, 4.1, "3.10 and 4.10"),
    (0.0, 0.1, "0.00 and 0.10"), (0.0, 0.123, "0.00 and 0.13"), (99.876, 100.0, "99.87 and 100.00"),
    (0.0, 100.0, "0.0 and 100.0"), (2.299, 3.301, "2.2 and 3.4"), (1.005, 1.015, "1.00 and 1.02"),
]  # fmt: skip
FIGURES = [
    (0.325, "0.325"), (10_000.0, "10,000"), (5, "5"), (0.0001, "0.0001"), (84.67, "84.67"),
    (1e-6, f"1 {TIMES} 10⁻⁶"), (3.25e-12, f"3.25 {TIMES} 10⁻¹²"), (1e13, f"1 {TIMES} 10¹³"),
]  # fmt: skip
CHANCE = np.random.default_rng(3)


def ratios() -> Iterator[tuple[int, int]]:
    """Pixels masked and counted: exact ties of all kinds, what is nearest beside them, and any others."""
    for counted in (
        400,
        20_000,
        40_000,
        120_000,
        307_200,
        512 * 512,
        1_000_000,
        12_000_000,
        999_999_937,
        10**9,
    ):
        for hundredths in (*range(0, 10_000, 37), 9_999):
            # A tie is half a hundredth of a percent: (2 k + 1) / 20,000 of all pixels.
            near = (2 * hundredths + 1) * counted // 20_000
            yield from ((masked, counted) for masked in range(max(0, near - 1), min(counted, near + 2) + 1))
    for counted in CHANCE.integers(1, 10**9, 2000).tolist():
        yield int(CHANCE.integers(0, counted + 1)), counted


RATIOS = list(ratios())


def exact(masked: int, counted: int) -> str:
    """Return the percentage as it must be written, from whole numbers alone."""
    hundredths = Fraction(10_000 * masked, counted)
    if 0 < hundredths < Fraction(1, 2):
        return "<0.01"
    if Fraction(19_999, 2) <= hundredths < 10_000:
        return ">99.99"
    return f"{Decimal(int(hundredths + Fraction(1, 2))) / 100:.2f}"


@pytest.mark.parametrize(("value", "text"), PERCENTS)
def test_a_percentage_is_rounded_half_up_and_never_a_false_zero_or_hundred(value: float, text: str) -> None:
    assert write_percent(value) == text


@pytest.mark.parametrize(("value", "text"), SIGNED)
def test_a_difference_has_a_sign_and_is_rounded_away_from_zero(value: float, text: str) -> None:
    assert write_signed(value) == text


@pytest.mark.parametrize(("value", "places", "text"), DECIMALS)
def test_any_number_of_decimals_follows_the_same_rule(value: float, places: int, text: str) -> None:
    assert write_decimals(value, places) == text


@pytest.mark.parametrize(("low", "high", "text"), BETWEEN)
def test_an_interval_is_written_no_narrower_than_it_is(low: float, high: float, text: str) -> None:
    assert " and ".join(write_between(low, high)) == text


def test_a_ratio_of_pixels_is_written_as_if_it_had_been_rounded_exactly() -> None:
    wrong = [
        (pair, write_percent(percent(*pair)))
        for pair in RATIOS
        if write_percent(percent(*pair)) != exact(*pair)
    ]
    assert wrong == []


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(tmp_path_factory.mktemp("numbers"), BlockRuntime()) as address:
        yield address


@pytest.fixture
def page(service: str, watched: Watched) -> Page:
    return watched.open(service)


@pytest.mark.browser
def test_the_script_writes_the_same_table(page: Page) -> None:
    written = page.evaluate(
        """async ([percents, differences, others, intervals]) => {
          const { between, decimals, percent, signed } = await import(new URL("static/numbers.js", location.href));
          const written = others.map(([value, places]) => decimals(value, places));
          const spans = intervals.map(([low, high]) => between(low, high));
          return [percents.map(percent), differences.map(signed), written, spans];
        }""",
        [
            [value for value, _ in PERCENTS],
            [value for value, _ in SIGNED],
            [[value, places] for value, places, _ in DECIMALS],
            [[low, high] for low, high, _ in BETWEEN],
        ],
    )
    assert written == [[text for *_, text in table] for table in (PERCENTS, SIGNED, DECIMALS, BETWEEN)]


@pytest.mark.browser
def test_the_script_writes_every_ratio_of_pixels_as_the_service_does(page: Page) -> None:
    written = page.evaluate(
        """async (ratios) => {
          const { percent } = await import(new URL("static/numbers.js", location.href));
          return ratios.map(([masked, counted]) => percent((100 * masked) / counted));
        }""",
        RATIOS,
    )
    assert written == [exact(*pair) for pair in RATIOS]


@pytest.mark.browser
def test_one_measurement_shows_one_number_everywhere(service: str, page: Page) -> None:
    picture = encoded(blocks(red=(0, 0, 30, 56), green=(600, 0, 602, 3), width=625, height=64))
    files: list[FilePayload] = [
        {"name": f"{number}.png", "mimeType": "image/png", "buffer": picture} for number in range(2)
    ]
    page.set_input_files("#image", files)
    page.locator("[data-batch-more]").wait_for()
    link = page.locator(".batch-status a").first
    assert link.text_content() == "4.22 %"
    link.click()
    page.locator("measurement-view.ready").wait_for()
    settle(page)
    assert page.locator("[data-fact=masked]").first.text_content() == "1,686"
    assert page.locator(".reading-number").text_content() == "4.22\N{THIN SPACE}%"
    assert page.title().startswith("4.22 % of ")
    for path, count in (
        ("", 2),
        ("measurements", 6),
        ("measurements?view=table", 6),
        ("report?repeats=true", 8),
    ):
        page.goto(urljoin(service, path))
        settle(page)
        text = page.locator("body").text_content() or ""
        assert "4.21" not in text, path
        assert text.count("4.22") >= count, path


def test_labels_and_the_figures_of_a_model_are_rounded_by_the_rule() -> None:
    assert list_texts([1, 1], ["pits"], [0.125, 0.375]) == [["0.13"], ["0.38"]]
    figures = {"bias": -0.125, "limits_of_agreement": [-4.215, 0.125], "f1": 0.9995}
    assert [text for _, text in read_figures(figures)] == [
        f"{MINUS}0.13 points",
        f"{MINUS}4.22 to +0.13",
        "1.000",
    ]


@pytest.mark.parametrize(("value", "text"), FIGURES)
def test_a_number_with_as_few_figures_as_it_has(value: float, text: str) -> None:
    assert write_figures(value).replace("\N{NO-BREAK SPACE}", " ") == text
