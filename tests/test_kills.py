"""`make attack ATTACK="--only kills …"` in its short form: each part of a system is killed under load."""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

ATTACK = Path(__file__).parents[1] / "bench" / "attack"


@pytest.fixture
def kills(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(ATTACK))
    yield importlib.import_module("kills")
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(ATTACK)):
            del sys.modules[name]


def _skip_without(missing: list[str]) -> None:
    if not missing:
        return
    if {"postgresql", "objects"} <= {*os.environ.get("PLANIMETER_TEST_REQUIRE", "").split(",")}:
        pytest.fail(f"{missing} missing, and PLANIMETER_TEST_REQUIRE says that they must be there")
    pytest.skip(f"not here: {', '.join(missing)}")


@pytest.mark.slow
def test_nothing_is_lost_where_the_database_the_object_store_and_the_service_are_killed(
    kills: ModuleType, tmp_path: Path
) -> None:
    choice = kills.Choice("postgresql", "s3")
    _skip_without(choice.missing())
    verdict = kills.kills(
        tmp_path / "system", 4, choice
    )  # by its seed the service twice, the second time at its start
    assert verdict.broken == [], verdict.seen
    assert all(f"'{name}': " in verdict.seen[0] for name in ("service", "PostgreSQL", "S3")), verdict.seen


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra ray: make test-ray")
def test_nothing_is_lost_where_a_node_and_a_replica_are_killed_too(kills: ModuleType, tmp_path: Path) -> None:
    choice = kills.Choice("postgresql", "s3", "ray")
    _skip_without(choice.missing())
    verdict = kills.kills(tmp_path / "system", 8, choice)
    assert verdict.broken == [], verdict.seen


@pytest.mark.skipif(find_spec("ray") is not None, reason="needs a machine without Ray")
def test_what_is_not_installed_is_named_and_nothing_is_killed() -> None:
    ran = subprocess.run(
        [sys.executable, str(ATTACK), "--only", "kills", "--workers", "ray"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "NOT RUN: this needs Ray: pip install '.[ray]', on Linux, and it is not here.\n"
