"""Trainings in Chromium: begun by a form, followed while they run, stopped, and what they made put to use."""

import json
from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.sync_api import expect

from labelled import write_dataset
from planimeter.jobs.comparison import Compared, Comparison
from planimeter.jobs.folder import End
from planimeter.service.job_runner import JobRunner
from planimeter.store import Store
from serving import serve
from test_accessibility import findings
from test_browser import PHONE, Watched, browser, settle, watched
from test_history_browser import COVERAGE
from test_jobs import fake
from test_versions import write_version

__all__ = ["browser", "watched"]  # fixtures

pytestmark = pytest.mark.browser

pytest.importorskip("torch", reason="the train extra is not installed")


def test_a_training_is_begun_followed_stopped_and_its_model_shown_beside_the_one_in_use(
    tmp_path: Path, watched: Watched
) -> None:
    watched.reloads = True
    write_dataset(tmp_path / "labelled" / "strips", pictures=4)
    with serve(tmp_path, training_data=tmp_path / "labelled") as address:
        store = Store.open(
            f"sqlite:///{tmp_path / 'planimeter.db'}", tmp_path / "uploads", tmp_path / "outputs"
        )
        runner = JobRunner(store, tmp_path / "jobs", command=fake("steps"), every=0.1)
        runner.start()
        try:
            page = watched.open(urljoin(address, "models"), viewport=PHONE)
            page.get_by_role("link", name="Training", exact=True).click()
            settle(page)
            assert findings(page) == []
            page.get_by_label("Name of the model").fill("fresh")
            page.get_by_label("Minutes").fill("5")
            page.get_by_role("button", name="Train").click()
            expect(page.locator("[data-word]")).to_have_text("The training is running.")
            expect(page.locator("[data-figure=step]")).to_have_text("7")
            expect(page.locator("[data-figure=left]")).to_have_text("30 s")
            (job,) = store.jobs.list()
            folder = runner.folder(job.id)
            folder.work.mkdir()
            (folder.work / "history.jsonl").write_text("".join(lines()))
            expect(
                page.get_by_role("img", name="Sum of the losses: 4.00 at step 25, 1.00 at step 100")
            ).to_be_visible()
            settle(page)
            assert findings(page) == []
            page.get_by_role("button", name="Stop").click()
            expect(page.locator("[data-word]")).to_have_text("The training is stopped.")
            settle(page)
            page.get_by_role("button", name="Go on").click()
            expect(page.locator("[data-word]")).to_have_text("The training is running.")
            settle(page)
            page.get_by_role("button", name="Stop").click()
            expect(page.locator("[data-word]")).to_have_text("The training is stopped.")
            settle(page)

            write_version(folder.packs, "1", "fresh")
            folder.finish(End(state="done"))
            folder.compared(comparison())
            store.jobs.change(job.id, lambda _: "done")
            page.reload()
            settle(page)
            expect(page.locator(".job-verdict")).to_contain_text("The percentage of the new model is nearer")
            expect(page.locator(".job-verdict")).to_contain_text("\N{MINUS SIGN}0.50 points")
            expect(page.get_by_role("button", name="Let it measure")).to_be_visible()
            assert findings(page) == []
        finally:
            runner.stop()
            store.close()


def lines() -> list[str]:
    return [
        json.dumps({"step": 25 * n, "epoch": n, "elapsed": n, "losses": {"mask": 4.0 / n}}) + "\n"
        for n in (1, 2, 4)
    ]


def comparison() -> Comparison:
    one = Compared.model_validate(
        {
            "name": "fresh",
            "version": "1",
            "sha256": "0" * 64,
            "score_threshold": 0.5,
            "coverage": {"bias_interval": None, **COVERAGE},
            "f1": 0.9,
            "mask_ap50": 0.8,
        }
    )
    return Comparison(
        pictures=12, new=one, in_use=one, difference=-0.5, difference_interval=(-0.9, -0.1), better="new"
    )
