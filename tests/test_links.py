from urllib.parse import urljoin

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from planimeter.service.links import link, links_of, relative

# Python's urljoin, unlike a browser, drops empty folders; no route of ours has one.
folders = st.text("ab.:~%2-", min_size=1, max_size=4).filter(lambda text: text not in {".", ".."})
paths = st.builds(
    lambda parts, last: "/" + "/".join([*parts, last]), st.lists(folders, max_size=4), folders | st.just("")
)


@pytest.mark.parametrize(
    ("base", "target", "expected"),
    [
        ("/", "/static/planimeter.css", "static/planimeter.css"),
        ("/", "/", "./"),
        ("/measurements/01K", "/", "../"),
        ("/measurements/01K", "/static/a.css", "../static/a.css"),
        ("/measurements", "/measurements/01K", "measurements/01K"),
        ("/measurements", "/measurements", "measurements"),
        ("/a/b/c", "/a/d?x=/y/z#f/g", "../d?x=/y/z#f/g"),
        ("/a/", "/a/b:c", "./b:c"),
        ("/a/b", "/a/", "./"),
    ],
)
def test_a_link_is_the_shortest_reference_from_the_base(base: str, target: str, expected: str) -> None:
    assert relative(base, target) == expected


@given(paths, paths)
def test_a_browser_resolves_a_link_to_its_target(base: str, target: str) -> None:
    reference = relative(base, target)
    assert urljoin(f"https://host.example{base}", reference) == f"https://host.example{target}"


@given(paths, paths)
def test_a_link_works_unchanged_under_a_prefix_that_a_proxy_strips(base: str, target: str) -> None:
    reference = relative(base, target)
    assert urljoin(f"https://other.example/a/b{base}", reference) == f"https://other.example/a/b{target}"


def test_links_name_no_host_whatever_the_request_claims(app: Flask) -> None:
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil"}
    with app.test_request_context("/measurements/01K", headers=headers):
        assert link("api.list_models") == "../api/v1/models"


def test_an_escaped_slash_in_the_address_counts_as_the_browser_counts_it(app: Flask) -> None:
    with app.test_request_context("/no%2Fsuch/page"):
        assert link("api.list_models") == "../api/v1/models"


def test_links_hold_under_a_mount_point_of_the_wsgi_server(app: Flask) -> None:
    with app.test_request_context("/measurements/01K", base_url="http://localhost/mounted"):
        assert link("api.list_models") == "../api/v1/models"


@pytest.mark.parametrize("mounted", ["", "/mounted", f"/{'0' * 26}"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/v1/measurements",
        "/api/v1/measurements/{0}/threshold",
        "/measurements/{0}",
        f"/{'0' * 26}/a",
    ],
)
def test_several_links_of_one_measurement_are_what_each_is_by_itself(
    app: Flask, path: str, mounted: str
) -> None:
    endpoints = ("api.get_measurement", "api.overlay", "api.candidates")
    for id_ in ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "01M8GVZ9PWS8N5VJTPK058VYPQ"):
        with app.test_request_context(path.format(id_), base_url=f"http://localhost{mounted}"):
            assert links_of(id_, *endpoints) == [link(endpoint, id=id_) for endpoint in endpoints]
