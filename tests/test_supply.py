"""What is installed: CI takes exactly what the lock file says, and the lock file what the project asks for."""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK_FILE = ROOT / "requirements-ci.txt"
SHA256 = re.compile(r"sha256:[0-9a-f]{64}$")
EXTRAS = ("train", "dev", "supply", "fuzz", "otel", "heic", "mqtt", "objects")


def described() -> dict[str, Any]:
    toml = pytest.importorskip("tomllib", reason="needs Python 3.11")
    project: dict[str, Any] = toml.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return project


def locked() -> Iterator[tuple[Requirement, int]]:
    """Yield what the lock file names, and with how many hashes."""
    for entry in LOCK_FILE.read_text("utf-8").replace("\\\n", "").splitlines():
        if entry and not entry.startswith("#"):
            named, *hashes = entry.split(" --hash=")
            yield (
                Requirement(named.strip()),
                sum(bool(re.match(r"sha256:[0-9a-f]{64}$", each.strip())) for each in hashes),
            )


def test_the_lock_file_names_versions_and_hashes_and_no_place() -> None:
    text = LOCK_FILE.read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"^-|^ *--(?!hash=)|/opt|/work", text, re.MULTILINE)
    entries = list(locked())
    assert len(entries) > 100
    for entry, hashes in entries:
        assert str(entry.specifier).startswith("=="), entry
        assert hashes, entry


def test_the_lock_file_has_all_that_the_project_asks_for() -> None:
    project = described()
    wanted = [
        *project["dependencies"],
        *(each for name in EXTRAS for each in project["optional-dependencies"][name]),
    ]
    versions: dict[str, list[str]] = {}
    for entry, _ in locked():
        versions.setdefault(canonicalize_name(entry.name), []).append(str(entry.specifier).removeprefix("=="))
    stale = [
        each
        for each in map(Requirement, wanted)
        if not any(each.specifier.contains(found) for found in versions.get(canonicalize_name(each.name), ()))
    ]
    assert stale == [], "make lock"


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", ROOT / "bench" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CLEAN = {"name": "flask", "version": "3.1.3", "vulns": []}
FAULTY = {"name": "pillow", "version": "11.0", "vulns": [{"id": "CVE-1", "fix_versions": ["12.3.0"]}]}
UNASKED = {"name": "ours", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("entries", "status", "says"),
    [
        ([CLEAN], 0, "1 packages audited, 0 findings"),
        ([CLEAN, FAULTY], 1, "pillow 11.0: CVE-1; mended in 12.3.0"),
        ([CLEAN, UNASKED], 0, "NOT AUDITED, unknown to the database: ours"),
        ([UNASKED], 0, "NOT AUDITED: the database of vulnerabilities is out of reach"),
        ([], 0, "NOT AUDITED: the database of vulnerabilities is out of reach"),
    ],
)
def test_what_could_not_be_audited_is_never_called_free_of_faults(
    audit: ModuleType, entries: list[Any], status: int, says: str
) -> None:
    found, lines = audit.verdict({"dependencies": entries})
    assert found == status
    assert says in "\n".join(lines)
    assert ("NOT AUDITED" in says) or "NOT AUDITED" not in "\n".join(lines)


def test_every_serving_dependency_has_its_reason() -> None:
    project = described()
    told = (ROOT / "docs" / "dependencies.md").read_text("utf-8").lower()
    names = [Requirement(each).name for each in project["dependencies"]]
    assert [name for name in names if f"| `{name.lower()}`" not in told] == []
