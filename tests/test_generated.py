"""The made-up stores of the benchmarks are stores: a change of the schema shows here, and not when figures are due."""

from __future__ import annotations

from pathlib import Path

from generated import write_store

from bench_lib.report.analysis.results import summarise
from bench_lib.store import Store


def test_a_generated_store_can_be_read_and_reported(tmp_path: Path) -> None:
    store = Store(write_store(tmp_path / "store", 70))
    found = summarise(store)
    assert len(found.runs) == 70
    assert not found.quarantined
    assert len(found.cells) == 70
