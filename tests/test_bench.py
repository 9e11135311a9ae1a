"""What the bench makes of what it measured: rates, the type of a machine, results that are kept."""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCH = Path(__file__).parents[1] / "bench"
MACHINE = {
    "cpu": "AMD EPYC 7B13",
    "cores": 2,
    "instructions": ["avx2", "avx512", "vnni"],
    "system": "Linux x86_64",
    "date": "2026-01-02T03:04:05+00:00",
    "commit": "0123456789",
}


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(BENCH))

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield load
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(BENCH)):
            del sys.modules[name]


def client(*ends: float) -> dict[str, Any]:
    posts = [
        {"started": start, "answered": end, "ended": end}
        for start, end in zip((0.0, *ends), ends, strict=False)
    ]
    return {"posts": posts, "processor_seconds": 0.5}


def test_pictures_are_counted_while_all_clients_ask(bench: Any) -> None:
    # Both have had an answer at 2; by 6, the one answered twice more, the other four times. 7 is too late.
    run = bench("load").summarise([client(2.0, 4.0, 6.0, 7.0), client(1.0, 3.0, 4.0, 5.0, 6.0)], 6.0)

    assert run.pictures_a_second == pytest.approx(6 / 4)
    assert len(run.posts) == 7
    assert sorted(run.post_ms) == pytest.approx([1000] * 4 + [2000] * 3)


def test_a_run_that_was_too_short_counts_to_its_last_answer(bench: Any) -> None:
    assert bench("load").summarise([client(3.0, 5.0)], 1.0).pictures_a_second == pytest.approx(1 / 2)


def test_instructions_are_read_from_the_flags(bench: Any, tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("model name\t: X\nflags\t\t: fpu avx2 avx512f avx512_vnni amx_tile\n", "utf-8")

    assert bench("machine").instructions(cpuinfo) == ["avx2", "avx512", "vnni", "amx"]
    assert bench("machine").instructions(tmp_path / "nothing") == []
    assert bench("machine").key(MACHINE) == "amd-epyc-7b13-2-cores-avx2-avx512-vnni"


def test_results_are_kept_by_type_of_machine_and_commit(bench: Any, tmp_path: Path) -> None:
    recorded, summary = bench("recorded"), bench("summary")

    def results(ratio: float, commit: str) -> dict[str, Any]:
        load = {bench("load").STEEL: {"post_over_network": ratio}}
        return {"machine": MACHINE | {"commit": commit}, "load": load}

    assert recorded.newest(MACHINE, tmp_path) is None
    for ratio, commit in ((1.5, "a"), (1.4, "b"), (1.2, "b")):
        path = recorded.record(results(ratio, commit), tmp_path)
    newest = recorded.newest(MACHINE, tmp_path)

    assert newest["figures"] == {"POST over the network, steel": 1.2}
    assert path.stat().st_size < 20_000
    assert recorded.newest(MACHINE | {"cores": 4}, tmp_path) is None
    words = summary.compared_in_words(results(1.08, "c"), newest)
    assert "against b of 2026-01-02" in words.lower()
    assert "POST over the network, steel 0.90" in words
    assert "all within 5 %" in summary.compared_in_words(results(1.21, "c"), newest)


def test_small_records_take_the_same_requests_as_large_ones(bench: Any, tmp_path: Path) -> None:
    filled = bench("history").measure_history(50, 2, 0, folder=tmp_path)
    history = bench("history").measure_history(50, 2, 1, folder=tmp_path)

    assert (filled.fill_seconds is None, filled.requests, history.fill_seconds) == (False, {}, None)
    assert set(history.requests) == set(bench("history").REQUESTS)
    assert history.lists_p95 > 0


@pytest.mark.both_databases
@pytest.mark.usefixtures("records_in")
def test_records_on_a_server_take_them_too(bench: Any, records_in: str) -> None:
    history = bench("history").measure_history(50, 2, 1, records_in)

    assert history.database == records_in
    assert set(history.requests) == set(bench("history").REQUESTS)
