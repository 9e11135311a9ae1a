"""The address of a proxy's prefix without the slash at its end, in a browser."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Browser

from planimeter.service.pages import slash
from proxy import proxy
from serving import serve
from test_browser import PREFIX, browser

__all__ = ["browser"]  # a fixture


@pytest.mark.browser
def test_without_the_slash_the_page_goes_to_the_right_address_by_itself(
    tmp_path: Path, browser: Browser
) -> None:
    with serve(tmp_path) as service, proxy(service, PREFIX, keeps_host=False, adds_slash=False) as before:
        page = browser.new_page()
        right = before.address("127.0.0.1")
        page.goto(right.rstrip("/") + "?batch=x")
        page.wait_for_url(f"{right}?batch=x")
        page.get_by_role("link", name="Models").click()
        page.wait_for_url(f"{right}models")
        assert page.get_by_role("heading", level=1).is_visible()
        page.close()


def test_only_that_script_may_stand_in_a_page_and_only_in_the_first(client: FlaskClient) -> None:
    first = client.get("/")
    assert first.text.count("<script>") == 1
    assert f"<script>{slash.SCRIPT}</script>" in first.text
    policy = first.headers["Content-Security-Policy"]
    assert f"script-src 'self' {slash.POLICY};" in policy
    assert "unsafe" not in policy
    refused = client.post("/measure", data={"page_token": ""})  # the same page, at an address without a slash
    assert refused.status_code == 400
    assert "<script>" not in refused.text
