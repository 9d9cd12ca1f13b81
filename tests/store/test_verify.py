from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench_lib.core.record import RunRecord
from bench_lib.store import Store, compact, verify
from bench_lib.store.repeats import differences
from bench_lib.store.schema import VERSION
from tests.store.conftest import write_row

Make = Callable[..., RunRecord]


def test_a_sound_store_has_no_problems(filled: Store) -> None:
    assert verify(filled) == []
    compact(filled)
    assert verify(filled) == []


def test_an_empty_store_has_no_problems(store: Store) -> None:
    assert verify(store) == []


@pytest.mark.parametrize("folder", ["runs", "predictions"])
@pytest.mark.parametrize("compacted", [False, True])
def test_a_damaged_file_is_named_and_stays(filled: Store, folder: Any, compacted: bool) -> None:
    if compacted:
        compact(filled)
    path = filled.files(folder)[0]
    path.write_bytes(path.read_bytes()[:-20])
    problems = verify(filled)
    assert problems[0].startswith(f"{path} is damaged: ")
    missing = [problem for problem in problems[1:] if "has a score but no predictions" in problem]
    assert len(problems) == 1 + len(missing)
    assert len(missing) == (0 if folder == "runs" else 6 if compacted else 1)
    assert path.exists()
    assert filled.set_aside == []


@pytest.mark.parametrize("version", [VERSION + 1, 0])
def test_a_file_of_another_schema_is_named(filled: Store, version: int) -> None:
    path = filled.root / "runs" / "sst2-0.parquet"
    pq.write_table(pa.table({"a": [1]}).replace_schema_metadata({"stabbench_schema": str(version)}), path)
    (problem,) = verify(filled)
    assert problem.startswith(f"{path} ")
    assert ("upgrade stabbench" in problem) == (version > VERSION)


def test_a_run_whose_spec_was_changed_is_named(store: Store, make: Make) -> None:
    write_row(store, make(spec=make().spec.replace("adamw", "mixout"), score=None))
    (problem,) = verify(store)
    assert problem.endswith(f"run {make().run_id} is not the digest of its spec")


def test_a_spec_with_infinity_in_it_is_hashed_as_text(store: Store) -> None:
    from bench_lib.core.spec import Profile, Ref, RunSpec, TechniqueSpec, canonical_json

    spec = RunSpec(
        "sst2", "1", Ref("hub", "f"), (TechniqueSpec("adamw"),), Ref("tiny", "t"), Profile(clip_norm=float("inf")), 0
    )
    text = canonical_json(spec.identity())
    assert '"clip_norm":"inf"' in text
    run_id = spec.run_id()
    store.append(RunRecord(run_id, run_id, "sst2", "adamw", "tiny", "smoke", "hub", 0, text, "crashed"))
    assert verify(store) == []


def test_a_score_without_predictions_is_named(store: Store, make: Make) -> None:
    store.append(make(0, predictions=None))
    store.append(make(1, predictions=None, score=None, status="oom"))
    assert verify(store) == [f"run {make(0).run_id} has a score but no predictions"]


def test_a_file_under_another_runs_name_is_named(store: Store, make: Make) -> None:
    store.append(make())
    (path,) = store.files("runs")
    path.rename(path.with_name("other.parquet"))
    (problem,) = verify(store)
    assert problem.endswith(f"run {make().run_id} of sst2, adamw stands under another run's name")


def test_an_unknown_status_is_named(store: Store, make: Make) -> None:
    store.append(make(status="exploded"))
    assert verify(store)[0].endswith("has the unknown status 'exploded'")


def test_duplicates_that_disagree_are_named_by_field(store: Store, make: Make) -> None:
    store.append(make())
    compact(store)
    store.append(make(score=0.9, train_seconds=99.0, curve_loss=(float("nan"),)))
    assert verify(store) == [f"run {make().run_id} stands twice and disagrees in score, curve_loss"]


def test_duplicates_that_differ_in_circumstances_alone_agree(store: Store, make: Make) -> None:
    nan = {"curve_loss": (float("nan"),), "status": "diverged"}
    store.append(make(**nan))
    compact(store)
    store.append(make(train_seconds=99.0, provenance={"host": "other"}, attempts=2, **nan))
    assert verify(store) == []


def test_a_crash_agrees_with_everything(make: Make) -> None:
    crashed = make(status="crashed", score=None)
    assert differences(crashed, make()) == differences(make(), crashed) == []
    assert differences(make(), make(status="collapsed")) == ["status"]


@pytest.mark.parametrize(
    ("name", "value", "other", "unknown"),
    [("clipped_steps", 2, 0, None), ("grad_norm_max", 3.0, 0.0, None), ("drift", (0.1,), (0.2,), ())],
)
def test_what_was_not_recorded_agrees_with_everything(
    make: Make, name: str, value: object, other: object, unknown: object
) -> None:
    one, none = make(**{name: value}), make(**{name: unknown})
    assert differences(one, none) == differences(none, one) == differences(none, none) == []
    assert differences(one, make(**{name: other})) == [name]


def test_what_was_always_recorded_is_never_unknown(make: Make) -> None:
    assert differences(make(), make(score=None, eval_score=())) == ["score", "eval_score"]
