import gzip
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

import planimeter.service
from fakes import MODEL, BlockRuntime, block_pack, blocks, encoded
from planimeter.measuring.segmenter import Segmenter
from planimeter.numbers import write_percent
from planimeter.packs.pack import Pack
from planimeter.samples import find_sample, list_samples
from planimeter.service.app import create_app
from planimeter.service.models import Models
from planimeter.service.pages.models import render_card
from planimeter.service.pages.site import PAGE_TOKEN
from planimeter.service.pages.words import write_sentence
from planimeter.settings import Settings
from planimeter.store import Store

HALF = blocks(red=(0, 0, 64, 32))
OVERLAPPING = blocks(red=(0, 0, 32, 32), green=(16, 0, 48, 32))
HOSTILE = "<img src=x onerror=alert(1)>'\"; rm -rf .png"
ADDRESSES = (
    "href", "src", "action", "data-api", "data-result", "data-address", "data-picture", "data-original",
    "data-candidates", "data-json", "data-defaults",
)  # fmt: skip


class Addresses(HTMLParser):
    """Collects every address in a page, and its inline scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.inline: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.found += [(tag, given[name] or "") for name in ADDRESSES if name in given]
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)


def measure(
    client: FlaskClient, pixels: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]" = HALF, **more: str
) -> str:
    """Measure a picture through the form and return the path of its page."""
    filename = more.pop("filename", "half.png")
    data = {"image": (BytesIO(encoded(pixels)), filename), **more}
    answer = client.post("/measure", data=data)
    assert answer.status_code == 303, answer.text
    return urlsplit(urljoin("http://localhost/measure", answer.location)).path


def shown(answer: TestResponse) -> str:
    """Return the text of a page as it reads, without tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.text))


@pytest.fixture
def sample_client(settings: Settings, store: Store) -> FlaskClient:
    """A service whose model has the name for which the samples were made."""

    def find(_: Path | None) -> dict[str, Pack]:
        return {"nuclei": block_pack("nuclei"), MODEL: block_pack()}

    models = Models(settings, find=find, load=lambda pack, _: Segmenter(pack, BlockRuntime()))
    return create_app(settings, store, models).test_client()


def pages(client: FlaskClient) -> Iterator[str]:
    """Yield the path of every kind of page, after measuring something to show on them."""
    result = measure(client, OVERLAPPING)
    yield from (
        "/",
        "/measurements",
        result,
        f"{result}?style=splash",
        f"/models/{MODEL}",
        "/models",
        "/docs",
    )
    yield from ("/measurements/none", "/deep/down/nowhere")


def test_every_page_answers_and_is_html(client: FlaskClient) -> None:
    statuses = {path: client.get(path).status_code for path in pages(client)}
    missing = {"/measurements/none", "/deep/down/nowhere"}
    assert {path for path, status in statuses.items() if status == 404} == missing
    assert {status for path, status in statuses.items() if path not in missing} == {200}


def test_no_page_holds_an_absolute_address_or_an_inline_script_or_style(client: FlaskClient) -> None:
    for path in pages(client):
        html = client.get(path).text
        addresses = Addresses(html)
        assert addresses.found
        for tag, address in addresses.found:
            assert not re.match(r"/|[a-z]+:", address), (path, tag, address)
        assert addresses.inline == (["script"] if path == "/" else [])  # see test_slash_browser.py
        assert "://" not in html.replace("http://www.w3.org/2000/svg", "")


def test_every_link_of_every_page_leads_somewhere(client: FlaskClient) -> None:
    checked = set()
    for path in pages(client):
        for tag, address in Addresses(client.get(path).text).found:
            target = urlsplit(urljoin(f"http://localhost{path}", address))
            if tag in {"a", "img", "link", "script"} and not target.fragment:
                checked.add(target.path + (f"?{target.query}" if target.query else ""))
    assert len(checked) > 20
    assert {path: client.get(path, buffered=True).status_code for path in checked} == dict.fromkeys(
        checked, 200
    )


def test_links_stay_below_the_prefix_that_a_proxy_adds(client: FlaskClient) -> None:
    for path in pages(client):
        for _, address in Addresses(client.get(path).text).found:
            target = urljoin(f"https://public.example/some/prefix{path}", address)
            assert target.startswith("https://public.example/some/prefix/"), (path, address)


def test_style_sheet_and_modules_load_nothing_from_elsewhere() -> None:
    folder = Path(planimeter.service.__file__).parent / "static"
    files = [path for path in folder.iterdir() if path.suffix in {".css", ".js", ".svg"}]
    assert len(files) >= 8
    for path in files:
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|url\(\s*['\"]?/|from ['\"]/|import ['\"]/|@import", text), path.name


def test_no_style_sheet_names_a_class_that_no_page_has() -> None:
    service = Path(planimeter.service.__file__).parent
    pages = "".join(
        path.read_text("utf-8") for path in [*service.glob("templates/*.html"), *service.glob("static/*.js")]
    )
    for path in service.glob("static/*.css"):
        rules = re.sub(r"/\*.*?\*/|\{[^{}]*\}", "", path.read_text("utf-8"), flags=re.DOTALL)
        names = set(re.findall(r"\.([a-z][\w-]*)", rules))
        unused = {name for name in names if not re.search(rf"(?<![\w-]){name}(?![\w-])", pages)}
        assert unused == set(), path.name


def test_a_page_loads_its_own_style_sheets_and_modules_only(client: FlaskClient) -> None:
    def loaded(path: str) -> set[str]:
        return set(re.findall(r"static/([\w-]+\.(?:css|js))", client.get(path).text))

    every = {"planimeter.css", "waiting.js"}
    shared = {*every, "cards.css", "local-time.js"}
    assert loaded("/") == {*shared, "home.css", "verdict.css", "picture-drop.js", "command-line.js"}
    assert loaded("/measurements") == {
        *shared, "figures.css", "trend.css", "history.css", "verdict.css", "history-list.js", "trend-chart.js"
    }  # fmt: skip
    assert loaded("/models") == {*every, "figures.css", "models.css"}
    assert loaded("/nosuch") == {*every, "error.css"}


def test_style_sheets_and_modules_come_packed_where_that_is_understood(client: FlaskClient) -> None:
    with client.get("/static/planimeter.css") as plain:
        whole = plain.data
        assert "Content-Encoding" not in plain.headers
    packed = client.get("/static/planimeter.css", headers={"Accept-Encoding": "gzip, br"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == whole
    assert 3 * len(packed.data) < len(whole)
    assert "Accept-Encoding" in packed.headers["Vary"]
    again = {"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]}
    with client.get("/static/planimeter.css", headers=again) as same:
        assert same.status_code == 304


def test_the_form_without_script_leads_to_the_percent_in_large_type(client: FlaskClient) -> None:
    page = client.get(measure(client))
    assert '<p class="reading-number">50.00<' in page.text
    assert "2,048 of 4,096" in shown(page)
    assert "half.png" in page.text


def test_overlap_and_classes_are_shown_as_counted(client: FlaskClient) -> None:
    page = shown(client.get(measure(client, OVERLAPPING)))
    # 32 x 32 each, 16 x 32 shared: the union is 1536 of 4096, not 2048.
    assert "37.50" in page
    assert "1,536 of 4,096" in page
    assert "Overlap of masks 512 px" in page
    assert re.search(r"red 1 1,024 25\.00", page)
    assert re.search(r"green 1 1,024 25\.00", page)


def test_a_picture_without_instances_says_so_and_what_to_do(client: FlaskClient) -> None:
    page = shown(client.get(measure(client, blocks())))
    assert "0.00" in page
    assert "found nothing in this picture that scores 0.5 or more" in page


def test_options_of_the_form_reach_the_measurement(client: FlaskClient) -> None:
    path = measure(client, OVERLAPPING, model=MODEL, score_threshold="0.7")
    page = client.get(path)
    assert '<p class="reading-number">25.00<' in page.text  # green scores 0.6
    assert "score_threshold=0.7" in page.text


def test_a_sample_is_measured_by_one_field_and_shown_beside_its_truth(sample_client: FlaskClient) -> None:
    home = sample_client.get("/").text
    offered = [sample.name for sample in list_samples() if f'value="{sample.name}"' in home]
    assert offered == ["nuclei-culture", "nuclei-dense", "nuclei-large"]  # of the one model that is there
    answer = sample_client.post("/measure", data={"sample": "nuclei-dense", "model": MODEL})
    assert answer.status_code == 303
    page = shown(sample_client.get(urljoin("/measure", answer.location)))
    assert f"True percent {write_percent(find_sample('nuclei-dense').percent_true)}" in page
    assert "of 210 true" in page
    assert "Blocks version 1" in page  # the sample's own model, whatever was chosen


def test_samples_are_not_offered_where_their_model_is_missing(client: FlaskClient) -> None:
    assert 'name="sample"' not in client.get("/").text


@pytest.mark.parametrize(
    ("data", "status", "reason"),
    [
        ({}, 400, "No picture was chosen"),
        ({"image": (b"", "empty.png")}, 400, "empty"),
        ({"image": (b"not a picture", "text.png")}, 415, "JPEG"),
        ({"image": (encoded(HALF)[:60], "cut.png")}, 422, "decode"),
        ({"image": (encoded(HALF), "a.png"), "score_threshold": "7"}, 400, "score_threshold"),
        ({"image": (encoded(HALF), "a.png"), "model": "cats"}, 404, "cats"),
        ({"sample": "cats"}, 404, "cats"),
    ],
)
def test_a_form_that_cannot_be_measured_comes_back_with_the_reason(
    client: FlaskClient, store: Store, data: dict[str, str | tuple[bytes, str]], status: int, reason: str
) -> None:
    fields = {
        name: (BytesIO(value[0]), value[1]) if isinstance(value, tuple) else value
        for name, value in data.items()
    }
    answer = client.post("/measure", data=fields, content_type="multipart/form-data")
    assert answer.status_code == status
    message = re.search(r'role="alert">([^<]*)<', answer.text)
    assert message
    assert reason in message[1]
    if isinstance(data.get("image"), tuple):
        assert f"{data['image'][1]} was not measured" in message[1]
    assert 'type="file"' in answer.text
    assert store.count() == 0


def test_a_hostile_file_name_is_shown_as_text_everywhere(client: FlaskClient) -> None:
    path = measure(client, filename=HOSTILE)
    for page in (path, "/", "/measurements"):
        html = client.get(page).text
        assert "<img src=x" not in html
        assert "&lt;img src=x onerror=alert(1)&gt;" in html
        assert "onerror" not in " ".join(Addresses(html).inline)


def test_the_curl_of_a_hostile_file_name_is_quoted_for_the_shell(client: FlaskClient) -> None:
    html = client.get(measure(client, filename="a; touch b.png")).text
    assert "-F &#39;image=@&#34;a; touch b.png&#34;&#39;" in html


def test_unknown_measurements_and_routes_get_a_helpful_page(client: FlaskClient) -> None:
    answer = client.get("/measurements/none")
    assert answer.status_code == 404
    assert "There is no measurement &#39;none&#39;" in answer.text
    assert "Measure a picture" in client.get("/nowhere").text


def test_deleting_for_good_removes_the_record_and_its_files(client: FlaskClient, settings: Settings) -> None:
    path = measure(client)
    assert client.get(f"{path}/thumbnail").status_code == 200
    answer = client.post(f"{path}/delete", data={"for_good": "on"})
    assert answer.status_code == 303
    assert client.get(path).status_code == 404
    assert client.get(f"{path}/thumbnail").status_code == 404
    left = [*Path(settings.upload_folder).glob("*.png"), *Path(settings.output_folder).glob("*.png")]
    assert left == []


def test_a_link_alone_never_deletes(client: FlaskClient) -> None:
    path = measure(client)
    assert client.get(f"{path}/delete").status_code == 405
    assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    ("headers", "token", "status"),
    [
        ({}, "", 303),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://public.example"}, "", 303),
        ({"Sec-Fetch-Site": "none"}, "", 303),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, "", 403),
        ({"Sec-Fetch-Site": "same-site"}, "guessed", 403),
        ({"Origin": "http://localhost"}, "", 303),
        ({"Origin": "http://evil.example"}, "", 403),
        ({"Origin": "null"}, "", 403),
        ({"Origin": "http://renamed-by-a-proxy.example"}, PAGE_TOKEN, 303),
    ],
)
def test_forms_of_other_sites_are_refused_and_ours_pass_also_behind_a_proxy(
    client: FlaskClient, headers: dict[str, str], token: str, status: int
) -> None:
    path = measure(client)
    answer = client.post(f"{path}/delete", headers=headers, data={"page_token": token})
    assert answer.status_code == status
    assert client.get(path).status_code == (404 if status == 303 else 200)


def test_every_form_carries_the_token_of_the_page(client: FlaskClient) -> None:
    for page in ("/", measure(client)):
        html = client.get(page).text
        tokens = html.count(f'name="page_token" value="{PAGE_TOKEN}"')
        assert html.count('method="post"') == tokens >= 1


def test_pictures_of_a_page_are_small_or_as_measured(client: FlaskClient) -> None:
    pixels = blocks(red=(0, 0, 640, 480), width=640, height=480)
    path = measure(client, pixels)
    thumbnail = Image.open(BytesIO(client.get(f"{path}/thumbnail").data))
    assert (thumbnail.format, thumbnail.size) == ("JPEG", (320, 240))
    picture = np.asarray(Image.open(BytesIO(client.get(f"{path}/picture").data)))
    assert np.array_equal(picture, pixels)


def test_a_tiff_is_shown_as_a_picture_that_browsers_know(client: FlaskClient) -> None:
    answer = client.post("/measure", data={"image": (BytesIO(encoded(HALF, "TIFF")), "half.tif")})
    picture = client.get(urljoin("/measure", answer.location) + "/picture")
    assert picture.mimetype == "image/png"
    assert np.array_equal(np.asarray(Image.open(BytesIO(picture.data))), HALF)


def test_a_model_page_shows_classes_figures_and_licence(client: FlaskClient) -> None:
    page = client.get(f"/models/{MODEL}")
    assert '<rect width="12" height="12" rx="3" fill="#d55e00"/></svg>red' in page.text
    assert "CC0-1.0" in page.text
    assert "0" * 64 in page.text


def test_a_report_is_served_as_it_is_and_may_not_run_or_load_anything(
    settings: Settings, store: Store, runtime: BlockRuntime, tmp_path: Path
) -> None:
    pack = replace(block_pack(), folder=tmp_path / MODEL)
    (pack.folder / "report").mkdir(parents=True)
    (pack.folder / "report" / "index.html").write_text("<!doctype html><title>±1.2</title>", "utf-8")
    models = Models(settings, find=lambda _: {MODEL: pack}, load=lambda pack, _: Segmenter(pack, runtime))
    client = create_app(settings, store, models).test_client()
    assert f'href="{MODEL}/evaluation"' in client.get(f"/models/{MODEL}").text
    framed = client.get(f"/models/{MODEL}/evaluation").text
    assert '<iframe class="evaluation" src="report"' in framed
    assert 'aria-label="Main"' in framed  # the navigation is around it
    answer = client.get(f"/models/{MODEL}/report")
    assert answer.text == "<!doctype html><title>±1.2</title>"
    assert answer.mimetype == "text/html"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    shown = client.get(f"/api/v1/models/{MODEL}").get_json()
    assert urljoin(f"/api/v1/models/{MODEL}", shown["report_url"]) == f"/models/{MODEL}/report"


def test_a_model_without_a_report_has_no_link_to_one(client: FlaskClient) -> None:
    assert "/evaluation" not in client.get(f"/models/{MODEL}").text
    for path in ("report", "evaluation"):
        answer = client.get(f"/models/{MODEL}/{path}")
        assert answer.status_code == 404
        assert "planimeter evaluate" in answer.text


def test_a_card_is_rendered_and_anything_active_in_it_is_not() -> None:
    html = render_card(
        "# Title\n\nSees **nuclei**. <script>x</script> [go](javascript:alert(1)) ![pic](http://a/b.png)\n\n"
        "| a | b |\n|---|---|\n| 1 | 2 |\n"
    )
    assert "<strong>nuclei</strong>" in html
    assert "<td>2</td>" in html
    assert "Title" not in html  # the page says it already
    assert "<script" not in html
    assert "<img" not in html
    assert 'href="javascript' not in html


def test_messages_are_sentences() -> None:
    assert write_sentence("alpha dropped") == "Alpha dropped."


def test_nothing_found_never_stands_alone_and_the_times_sum_to_their_total(client: FlaskClient) -> None:
    answer = client.post(
        "/api/v1/measurements?score_threshold=0.95",
        data=encoded(blocks(red=(0, 0, 32, 32), green=(32, 0, 64, 64))),
        content_type="image/png",
    )
    assert answer.json is not None
    page = client.get(f"/measurements/{answer.json['id']}")
    assert "nothing scores high enough, but 2 candidates score below the threshold" in shown(page)
    table = page.text.partition('<table class="timings">')[2].partition("</table>")[0]
    values = [float(value) for value in re.findall(r"([\d.]+) ms", table)]
    assert sum(values[:-1]) == pytest.approx(values[-1], abs=0.06 * len(values))


def test_a_card_tells_where_the_model_fails_first() -> None:
    card = (
        "# Name\n\nFirst words.\n\n## Figures\n\nThree.\n\n## Where it fails\n\nAt night.\n\n## More\n\nEnd."
    )
    headings = re.findall(r"<h2>(.*?)</h2>", render_card(card))
    assert headings == ["Where it fails", "Figures", "More"]
    assert render_card(card).index("First words") < render_card(card).index("At night")
