"""The Colab notebook, run as it stands in a real kernel: it starts the service, measures and stops it again."""

import json
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from planimeter.samples import find_sample

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "planimeter_colab.ipynb"
FIGURES = """import json
print(json.dumps({
    "port": port,
    "returncode": service.returncode,
    "percent_by_http": by_http["coverage"]["percent_masked"],
    "percent_by_python": measured.coverage.percent_masked,
    "instances_by_http": len(by_http["instances"]),
    "areas": areas,
}))"""
"""What the notebook leaves in its variables."""


@pytest.fixture
def notebook() -> NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call, no-any-return]


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text(cell: NotebookNode) -> str:
    """Return what a cell printed."""
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def test_the_notebook_is_valid_and_carries_no_outputs(notebook: NotebookNode) -> None:
    nbformat.validate(notebook)
    assert notebook.nbformat == 4
    assert [cell.outputs for cell in code_cells(notebook)] == [[]] * len(code_cells(notebook))
    assert {cell.execution_count for cell in code_cells(notebook)} == {None}


def test_the_address_of_the_repository_stands_in_one_place(notebook: NotebookNode) -> None:
    lines = "\n".join(cell.source for cell in notebook.cells).splitlines()
    assert [line for line in lines if ".git" in line] == [
        'REPOSITORY = "https://github.com/OWNER/planimeter.git"  # change it to where your copy lives'
    ]


def test_in_colab_the_page_is_shown_through_colabs_own_proxy(
    notebook: NotebookNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[str, int]] = []

    def as_iframe(port: int, path: str = "/", width: str = "100%", height: str = "400") -> None:
        assert (path, width, int(height) >= 400) == ("/", "100%", True)
        shown.append(("iframe", port))

    def as_window(port: int, path: str = "/", anchor_text: str | None = None) -> None:
        assert path == "/"
        assert anchor_text
        shown.append(("window", port))

    output = SimpleNamespace(serve_kernel_port_as_iframe=as_iframe, serve_kernel_port_as_window=as_window)
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace(output=output))
    page = next(cell for cell in notebook.cells if cell.id == "page")
    exec(page.source, {"sys": sys, "port": 4711, "url": "http://127.0.0.1:4711"})  # noqa: S102  our own notebook
    assert shown == [("iframe", 4711), ("window", 4711)]


@pytest.mark.slow
def test_the_notebook_measures_by_http_and_by_python_and_stops_its_service(
    notebook: NotebookNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = run(notebook, tmp_path, monkeypatch)

    sample = find_sample("nuclei-culture")
    assert figures["percent_by_http"] == pytest.approx(figures["percent_by_python"], abs=0.01)
    assert figures["percent_by_http"] == pytest.approx(sample.percent_true, abs=5.0)
    assert figures["instances_by_http"] == len(figures["areas"])
    assert figures["instances_by_http"] == pytest.approx(sample.instances_true, rel=0.25)
    assert figures["areas"] == sorted(figures["areas"], reverse=True)
    assert min(figures["areas"]) > 0

    cells = {cell.id: cell for cell in notebook.cells}
    assert "is ready; Ctrl+C stops it." in text(cells["start"])
    assert f"http://127.0.0.1:{figures['port']}" in cells["page"].outputs[0].data["text/html"]
    assert cells["install"].outputs == cells["ngrok"].outputs == []
    assert [sorted(output.data) for output in cells["plot"].outputs] == [["image/png", "text/plain"]]
    assert text(cells["stop"]) == "Stopped.\n"

    assert figures["returncode"] == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", figures["port"])) != 0
    uploads = list((tmp_path / "planimeter-data" / "uploads").glob("*.png"))
    assert [path.read_bytes() for path in uploads] == [sample.read()]


def run(notebook: NotebookNode, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run all cells in `folder`, with nothing of this user's set-up and no way out, and return the figures."""
    monkeypatch.delenv("NGROK_AUTHTOKEN", raising=False)
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        place = folder / "jupyter" / name.lower()
        place.mkdir(parents=True)
        monkeypatch.setenv(name, str(place))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing answers there
    notebook.cells.append(new_code_cell(FIGURES))  # type: ignore[no-untyped-call]
    client = NotebookClient(
        notebook, timeout=900, startup_timeout=300, resources={"metadata": {"path": folder}}
    )
    client.execute()
    return json.loads(text(notebook.cells[-1]))
