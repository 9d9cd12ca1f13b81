from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from bench_lib.core.errors import BadPlan, BenchError
from bench_lib.core.record import RunRecord, Status
from bench_lib.store import Store
from bench_lib.submissions.packing import pack


def with_status(small: Any, folder: Path, status: Status) -> Store:
    """The store with one run of another status."""
    store, held = Store(folder / "results"), Store(small.store)
    first, *others = held.records()

    def whole(record: RunRecord) -> RunRecord:
        return dataclasses.replace(record, predictions=held.predictions(record.run_id))

    for record in map(whole, others):
        store.append(record)
    store.append(whole(first).changed({"status": status, "reason": "why", "score": None, "predictions": None}))
    return store


def test_the_same_store_gives_the_same_bytes(small: Any, tmp_path: Path) -> None:
    packed = pack(small.request, Store(small.store), tmp_path / "again.tar.gz")
    failed = sum(Status(record.status).failed for record in Store(small.store).records())
    assert (tmp_path / "again.tar.gz").read_bytes() == small.archive.read_bytes()
    assert (packed.runs, packed.failed, packed.size) == (6, failed, small.archive.stat().st_size)


def test_runs_lost_to_infrastructure_are_to_be_tried_again(small: Any, tmp_path: Path) -> None:
    with pytest.raises(BadPlan, match=r"0 are not in .*, 1 were lost to infra.* --retry oom,timeout,crashed"):
        pack(small.request, with_status(small, tmp_path, Status.OOM), tmp_path / "a.tar.gz")
    assert not (tmp_path / "a.tar.gz").exists()


def test_failed_runs_belong_to_it(small: Any, tmp_path: Path) -> None:
    packed = pack(small.request, with_status(small, tmp_path, Status.DIVERGED), tmp_path / "a.tar.gz")
    assert packed.runs == 6
    assert packed.failed >= 1


def test_a_task_that_is_declined_is_said_to_be(small: Any, tmp_path: Path) -> None:
    with pytest.raises(BadPlan, match="sst2 is declined, so there is nothing to submit on it: why"):
        pack(small.request, with_status(small, tmp_path, Status.UNSUPPORTED), tmp_path / "a.tar.gz")


def test_a_technique_of_several_files_is_refused(small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(small.request.technique.partition(":")[0])
    (tmp_path / "my_other_half.py").write_text("STRENGTH = 0.02\n")
    (tmp_path / "mine.py").write_text(path.read_text() + "\nfrom my_other_half import STRENGTH  # noqa\n")
    monkeypatch.syspath_prepend(tmp_path)
    request = dataclasses.replace(small.request, technique=f"{tmp_path / 'mine.py'}:Shaken")
    with pytest.raises(BenchError, match=r"imports files of yours, and .*my_other_half\.py with it; .* one file"):
        pack(request, Store(small.store), tmp_path / "a.tar.gz")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"technique": "llrd"}, "technique of a submission is 'llrd'; allowed: one PATH.py:Class"),
        ({"technique": "a.py:A+b.py:B"}, "technique of a submission is"),
        ({"technique": "nowhere.py:A"}, "the technique's file nowhere.py cannot be read"),
        ({"tasks": ("sst22",)}, "unknown task 'sst22': did you mean 'sst2'"),
        ({"baseline": "adamv"}, "unknown technique 'adamv': did you mean"),
        ({"model": "someone/else"}, "unknown model"),
        ({"data": "nowhere"}, "data source 'nowhere' is neither"),
        ({"seeds": 1}, "seeds of a submission is 1"),
    ],
)
def test_bad_input_is_named(small: Any, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchError, match=message):
        pack(dataclasses.replace(small.request, **changes), Store(small.store), tmp_path / "a.tar.gz")
