"""The report of an evaluation: what it says, that it stands alone, and that it opens in a browser."""

import importlib
import json
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from fakes import BlockRuntime, Box, block_pack, block_segmenter, blocks, write_block_pack
from planimeter.commands import main
from planimeter.errors import DataError
from planimeter.evaluation import calibrate
from planimeter.evaluation.matching import Confusion
from planimeter.evaluation.parity import EMPTY_NAME, measure_parity
from planimeter.labels import LabelledPicture, LabelledPictures
from planimeter.masks.window import WindowMask
from planimeter.measuring.segmenter import Segmenter
from planimeter.numbers import write_signed
from planimeter.packs.card import write_card
from planimeter.packs.pack import read_pack
from planimeter.packs.packing import write_manifest, write_trust
from planimeter.packs.trust import Familiarity, Trust
from planimeter.reports import plot_style, plots
from planimeter.reports.findings import by_kind
from planimeter.reports.machine import describe_machine
from planimeter.reports.report import confusion_shares, render, write_duration, write_report
from planimeter.reports.study import Evaluated
from planimeter.reports.studying import evaluate, list_findings
from planimeter.reports.training_record import TrainingRecord, read_history, read_record, record_training

CLASSES = ("red", "green")
PATIENCE_MS = 240_000


def rectangle(box: Box) -> WindowMask:
    x0, y0, x1, y1 = box
    return WindowMask(x0, y0, np.ones((y1 - y0, x1 - x0), bool))


def labelled(
    name: str, *, red: Box | None, green: Box | None, true_red: Box | None = None
) -> LabelledPicture:
    """Return a picture of 64 x 64 in which the fake model is right, but for the red where `true_red` is given."""
    true = [(1, true_red or red), (2, green)]
    there = [(label, box) for label, box in true if box]
    return LabelledPicture(
        name,
        blocks(red=red, green=green),
        tuple(label for label, _ in there),
        tuple(rectangle(box) for _, box in there),
    )


def pictures() -> LabelledPictures:
    """Return four pictures: two measured exactly, one 12.5 points too high, one with nothing in it."""
    return LabelledPictures(
        CLASSES,
        (
            labelled("right.png", red=(0, 0, 32, 32), green=(40, 40, 60, 60)),
            labelled("high.png", red=(0, 0, 32, 32), green=None, true_red=(0, 0, 32, 16)),
            labelled("empty.png", red=None, green=None),
            labelled("small.png", red=(8, 8, 24, 24), green=None),
        ),
        "made here",
    )


@pytest.fixture(scope="module")
def evaluated() -> Evaluated:
    return evaluate(block_segmenter(), pictures(), name="blocks/test.json", findings=["a finding <b>"])


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> TrainingRecord:
    history = tmp_path_factory.mktemp("work") / "history.jsonl"
    figures = evaluate(block_segmenter(), pictures()).study.metrics.model_dump(mode="json")
    lines: list[dict[str, Any]] = []
    for step in range(25, 500, 25):
        lines.append(
            {
                "step": step,
                "epoch": step / 10,
                "elapsed": step * 1.0,
                "losses": {"mask": 9 / step, "box": 0.2},
            }
        )
        if step % 100 == 0:
            lines.append({"step": step, "epoch": step / 10, "elapsed": step * 1.0, "validation": figures})
    history.write_text("\n".join(map(json.dumps, lines)) + '\n{"step": 5, "los', "utf-8")
    data = pictures()
    segmenter = block_segmenter()
    entry = evaluate(segmenter, data)
    return record_training(
        replace(data, pictures=data.pictures[:3]),
        replace(data, pictures=data.pictures[3:]),
        device="cpu",
        configuration={"recipe": {"epochs": 60, "folder": Path("/secret")}, "seed": 0},
        history=history,
        calibration=calibrate(entry.compared),
        parity=measure_parity(segmenter, segmenter, [("right.png", data.pictures[0].pixels)]),
    )


def test_a_study_has_every_picture_with_its_error_in_points(evaluated: Evaluated) -> None:
    rows = {row.name: row for row in evaluated.study.pictures}
    assert rows["high.png"].true_percent == 12.5
    assert rows["high.png"].error == 12.5
    assert rows["right.png"].measured_by_class == (25.0, round(100 * 400 / 4096, 5))
    assert (rows["right.png"].found_instances, rows["right.png"].matched_instances) == (2, 2)
    assert rows["empty.png"].error == 0.0
    assert evaluated.study.metrics.coverage.mean_absolute_error == pytest.approx(12.5 / 4)


def test_the_page_says_the_verdict_first_and_in_words(evaluated: Evaluated) -> None:
    page = render([evaluated])
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", page[page.index("<h1>") :]))
    assert text.startswith(
        "This model\N{RIGHT SINGLE QUOTATION MARK}s percentage is typically within ±3.13 points of the truth."
    )
    low, high = evaluated.study.metrics.coverage.limits_of_agreement
    assert f"off by between {write_signed(low)} and {write_signed(high)} points" in text
    assert "a finding &lt;b&gt;" in page


def test_the_page_needs_nothing_from_elsewhere(evaluated: Evaluated, training: TrainingRecord) -> None:
    page = render([evaluated], training)
    addresses = re.findall(r"(?:href|src|url\()=?[\"']?([^\"')\s>]+)", page)
    assert addresses
    assert {re.match(r"data:|#", address) is not None for address in addresses} == {True}
    assert "<script" not in page
    assert page.count("<svg") > 8


def test_ids_in_the_plots_of_a_page_are_all_different(evaluated: Evaluated) -> None:
    ids = re.findall(r'\bid="([^"]+)"', render([evaluated]))
    assert len(ids) == len(set(ids)) > 50


def test_the_colors_of_plots_come_from_the_page(evaluated: Evaluated) -> None:
    svg = plots.rates_by_threshold(evaluated.study.curve, 0.5).svg
    assert "var(--accent)" in svg
    assert "#0000" not in svg


def test_a_report_without_pictures_shows_none_of_them_but_all_figures(evaluated: Evaluated) -> None:
    page = render([evaluated], pictures=False)
    assert "data:image" not in page
    assert "The worst pictures" not in page
    assert "Mean absolute error" in page


def test_worst_and_best_stand_beside_their_truth(evaluated: Evaluated) -> None:
    page = render([evaluated])
    worst = page[page.index("The worst pictures") : page.index("The best pictures")]
    assert "+12.50 points" in worst
    assert worst.count("<figure") == 1  # the others have no error
    best = page[page.index("The best pictures") : page.index("The data")]
    assert "right.png" in best
    assert "empty.png" not in best


def test_a_report_is_a_page_and_figures_that_can_be_read_again(
    evaluated: Evaluated, training: TrainingRecord, tmp_path: Path
) -> None:
    page = write_report(tmp_path / "report", [evaluated], training)
    assert page.read_text("utf-8").startswith("<!doctype html>")
    document = json.loads((page.parent / "metrics.json").read_text("utf-8"))
    assert document["studies"][0]["metrics"]["pictures"] == 4
    assert len(document["studies"][0]["pictures"]) == 4
    assert read_record(page.parent) == training
    assert not list(page.parent.glob("*.part"))


def test_no_path_of_this_machine_gets_into_the_record(training: TrainingRecord) -> None:
    assert training.configuration == {"recipe": {"epochs": 60}, "seed": 0}


def test_a_history_keeps_what_was_whole(training: TrainingRecord) -> None:
    assert [entry.step for entry in training.losses] == list(range(25, 500, 25))
    assert [entry.step for entry in training.validations] == [100, 200, 300, 400]
    assert training.seconds == 475
    assert read_history(Path("nowhere")) == ((), ())


def test_a_long_history_is_thinned_for_its_curve(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    line = {"epoch": 1.0, "elapsed": 1.0, "losses": {"mask": 1.0}}
    path.write_text("\n".join(json.dumps({**line, "step": step}) for step in range(1, 2001)), "utf-8")
    losses, _ = read_history(path)
    assert len(losses) == 400
    assert losses[-1].step == 2000


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "training.json").write_text('{"device": 3}', "utf-8")
    with pytest.raises(DataError, match=r"training\.json is damaged"):
        read_record(tmp_path)


def test_pictures_with_names_from_the_training_are_pointed_out(
    evaluated: Evaluated, training: TrainingRecord
) -> None:
    assert "4 of these pictures have the names of pictures that it was trained or tuned on" in render(
        [evaluated], training
    )
    elsewhere = training.model_copy(update={"train_names": ("a.png",), "validation_names": ()})
    assert "none of which is in the lists of its training" in render([evaluated], elsewhere)


def test_without_matplotlib_the_page_says_what_to_install(
    evaluated: Evaluated, training: TrainingRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plot_style, "HAVE_MATPLOTLIB", False)
    page = render([evaluated], training)
    assert "make train-extra" in page
    assert page.count("<svg") == 1  # the mark


def test_the_module_of_plots_can_be_imported_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as context:
        context.setitem(sys.modules, "matplotlib", None)
        assert not importlib.reload(plot_style).HAVE_MATPLOTLIB
    assert importlib.reload(plot_style).HAVE_MATPLOTLIB


def test_several_models_are_compared_in_one_table(evaluated: Evaluated) -> None:
    model = evaluated.study.model.model_copy(
        update={"name": "large", "backbone": "resnet50", "size_bytes": 9 << 20}
    )
    slower = evaluated.study.latency.model_copy(update={"total_p50": 900.0})
    other = replace(evaluated, study=evaluated.study.model_copy(update={"model": model, "latency": slower}))
    page = render([evaluated, other])
    table = page[page.index("<thead>") : page.index("</table>")]
    assert "resnet50" in table
    assert "900 ms" in table
    assert "9.0 MB" in table
    assert "Mask AP against time" in page


def test_parity_is_measured_on_an_empty_picture_too() -> None:
    mask = np.full((28, 28), 1.0, np.float32)
    mask[:, 14:] = 0.0
    pixels: NDArray[np.uint8] = blocks(red=(0, 0, 28, 28))
    other = Segmenter(block_pack(), BlockRuntime(mask=mask))
    parity = measure_parity(block_segmenter(), other, [("p.png", pixels)])
    # Half of 784 of 4096 pixels are missing in the second.
    assert parity.largest == pytest.approx(100 * 392 / 4096)
    assert parity.mean == pytest.approx(parity.largest / 2)
    assert parity.pictures[-1].name == EMPTY_NAME
    assert parity.pictures[-1].exported_instances == 0


def test_the_card_tells_the_error_of_each_class_and_the_false_alarms(evaluated: Evaluated) -> None:
    manifest = block_pack().manifest
    figures = evaluated.study.metrics.model_dump(mode="json")
    card = write_card(manifest.model_copy(update={"metrics": {"test": figures}}))
    assert "| percent masked by red: mean absolute error, bias | 3.12, +3.12 points |" in card
    assert "| pictures without an object in which something was found | 0 of 1 |" in card


def test_the_weight_of_what_was_invented_is_its_share_of_what_was_found() -> None:
    shares = confusion_shares(Confusion(classes=("a",), score_threshold=0.5, counts=[[6, 2], [3, 0]]))
    assert shares == [[0.75, 0.25], [3 / 9, 0.0]]


def test_numbers_are_written_for_people() -> None:
    assert [write_signed(value) for value in (0.214, -0.2, -0.001)] == ["+0.21", "\N{MINUS SIGN}0.20", "0.00"]
    assert [write_duration(seconds) for seconds in (45, 720, 11_100)] == ["45 s", "12 min", "3 h 5 min"]


def test_the_machine_is_described() -> None:
    machine = describe_machine()
    assert machine.cores >= 1
    assert machine.cpu
    assert "numpy" in machine.packages


# ---- The command


@pytest.fixture(scope="module")
def block_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a COCO json of pictures in which the fake model measures 12.5 points too much in every second."""
    folder = tmp_path_factory.mktemp("blocks")
    (folder / "images").mkdir()
    document: dict[str, list[dict[str, Any]]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 1, "name": "red"}, {"id": 2, "name": "green"}],
    }
    for number in range(1, 5):
        Image.fromarray(blocks(red=(0, 0, 32, 32))).save(folder / "images" / f"{number}.png")
        document["images"].append({"id": number, "file_name": f"{number}.png", "width": 64, "height": 64})
        high = 32 if number % 2 else 16
        document["annotations"].append(
            {
                "id": number,
                "image_id": number,
                "category_id": 1,
                "iscrowd": 0,
                "segmentation": [[0, 0, 32, 0, 32, high, 0, high]],
                "bbox": [0, 0, 32, high],
                "area": 32 * high,
            }
        )
    path = folder / "test.json"
    path.write_text(json.dumps(document), "utf-8")
    return path


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_evaluate_prints_figures_and_writes_a_report(block_data: Path, tmp_path: Path) -> None:
    pack = write_block_pack(tmp_path)
    output = invoke(
        "evaluate",
        pack,
        block_data,
        "--report",
        tmp_path / "r",
        "--output",
        tmp_path / "m.json",
        "--infer-with-cpu",
    )
    assert "6.25 points" in output
    assert "±6.25 points" in (tmp_path / "r" / "index.html").read_text("utf-8")
    assert json.loads((tmp_path / "m.json").read_text("utf-8"))["coverage"]["bias"] == pytest.approx(6.25)
    assert read_pack(pack).report is None


def test_recording_puts_figures_card_and_report_into_the_pack(block_data: Path, tmp_path: Path) -> None:
    pack = write_block_pack(tmp_path)
    invoke("evaluate", pack, block_data, "--record", "test", "--infer-with-cpu")
    recorded = read_pack(pack)
    assert recorded.manifest.metrics["test"]["coverage"]["mean_absolute_error"] == pytest.approx(6.25)
    assert "6.25 points" in recorded.card
    assert recorded.report is not None
    assert "blocks" in recorded.report.read_text("utf-8")


def test_calibrating_writes_the_thresholds_and_drops_the_figures_of_others(
    block_data: Path, tmp_path: Path
) -> None:
    pack = write_block_pack(tmp_path)
    manifest = json.loads((pack / "pack.json").read_text("utf-8"))
    manifest["thresholds"] = {"score": 0.95, "mask": 0.5}  # finds nothing any more
    manifest["metrics"] = {"test": {"pictures": 1}}
    (pack / "pack.json").write_text(json.dumps(manifest), "utf-8")
    familiarity = Familiarity(mean=(0.0,), directions=((1.0,),), limit=2.0, pictures=30)
    before = read_pack(pack).manifest
    write_manifest(pack, write_trust(pack, before, Trust(familiarity=familiarity)))
    invoke("evaluate", pack, block_data, "--calibrate", "--infer-with-cpu")
    recorded = read_pack(pack)
    assert (recorded.manifest.thresholds.score, recorded.manifest.thresholds.mask) == (0.5, 0.5)
    assert list(recorded.manifest.metrics) == ["validation"]
    # What its pictures look like does not depend on thresholds.
    assert recorded.trust.familiarity == familiarity


def test_findings_name_the_file_without_the_folders_of_this_machine(block_data: Path) -> None:
    findings = list_findings(block_data)
    assert findings  # all its pictures are the same
    assert all(text.startswith("test.json: ") for text in findings)
    assert not any(str(block_data.parent) in text for text in findings)


def test_several_packs_make_one_comparison(block_data: Path, tmp_path: Path) -> None:
    packs = [write_block_pack(tmp_path / "packs", name) for name in ("blocks-a", "blocks-b")]
    invoke("evaluate", *packs, block_data, "--report", tmp_path / "r", "--infer-with-cpu")
    page = (tmp_path / "r" / "index.html").read_text("utf-8")
    assert "blocks-a" in page
    assert "Error of the percentage against time" in page


# ---- In a browser


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    executable = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if executable is None:
        pytest.skip("Chromium is not on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        yield page
        browser.close()


@pytest.fixture(scope="module")
def page_file(
    evaluated: Evaluated, training: TrainingRecord, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return write_report(tmp_path_factory.mktemp("report"), [evaluated], training)


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_report_opens_with_its_plots_and_asks_for_nothing(
    page_file: Path, browser_page: Page, width: int, scheme: Any
) -> None:
    told: list[str] = []
    asked: list[str] = []
    browser_page.on("console", lambda message: told.append(message.text))
    browser_page.on("pageerror", lambda error: told.append(str(error)))
    browser_page.on("request", lambda request: asked.append(request.url))
    browser_page.set_viewport_size({"width": width, "height": 900})
    browser_page.emulate_media(color_scheme=scheme)
    browser_page.goto(page_file.as_uri())
    assert told == []
    assert [address for address in asked if not address.startswith("data:")] == [page_file.as_uri()]
    sizes = browser_page.evaluate(
        "[...document.querySelectorAll('svg.plot')].map(plot => plot.getBoundingClientRect().width)"
    )
    assert len(sizes) >= 10
    assert min(sizes) > 250
    broken = browser_page.evaluate("[...document.images].filter(picture => !picture.naturalWidth).length")
    assert broken == 0
    assert browser_page.evaluate("document.documentElement.scrollWidth") <= width


def test_findings_that_say_the_same_are_grouped() -> None:
    findings = [
        "a.json: line 3: 2 points are no polygon",
        "b.json: 'x.png' is there twice",
        "c.json: 1 points are no polygon",
    ]
    assert by_kind(findings) == [
        ("… points are no polygon", [findings[0], findings[2]]),
        ("… is there twice", [findings[1]]),
    ]
