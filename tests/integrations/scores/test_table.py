from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_lib.core.errors import BadData
from bench_lib.core.record import Status
from bench_lib.integrations.scores.columns import Columns
from bench_lib.integrations.scores.files import RawRow, RawTable
from bench_lib.integrations.scores.table import Reading, by_technique, interpreted, read_all, read_runs
from bench_lib.integrations.scores.values import Scale

Write = Callable[..., Path]


def test_runs_are_read_and_described(write: Write) -> None:
    path = write(
        "a.csv", "method,data_set,seed,acc,state", "sam,rte,0,80,finished", "sam,rte,1,,", "sam,rte,2,3,killed"
    )
    table = read_runs(path, Reading())
    assert table.scale is Scale.PERCENT
    assert [(run.seed, run.status) for run in table.runs] == [
        *((0, Status.CONVERGED), (1, Status.DIVERGED), (2, Status.CRASHED))
    ]
    assert table.runs[0].score == 0.8
    assert table.described() == (
        f"{path}: 3 runs (1 converged, 1 diverged, 1 crashed); score from column acc, percent, higher is better; "
        "seed, technique from method, task from data_set, status from state"
    )
    (scores,) = by_technique(table)["sam"].values()
    assert (scores.scores.size, scores.seeds, scores.lost) == (2, (0, 1), 1)


def test_what_is_said_overrides_what_is_guessed(write: Write) -> None:
    path = write("a.csv", "arm,loss", "x,1.5", "y,0.5")
    table = read_runs(path, Reading(Columns(technique="arm"), Scale.NUMBER, higher_is_better=True))
    assert (table.scale, table.higher_is_better) == (Scale.NUMBER, True)
    assert not read_runs(path, Reading(scale=Scale.NUMBER)).higher_is_better


@pytest.mark.parametrize(
    ("lines", "reading", "said"),
    [
        (["seed,acc", "1,0.5", "1,0.6"], Reading(), "row 2: seed 1 of .* stands already in .*row 1"),
        (["seed,acc", "1,0.5", "x,0.6"], Reading(), "row 2, column seed is 'x'"),
        (["seed,acc", "1,0.5", "2,good"], Reading(), "row 2, column acc is 'good'"),
        (["seed,acc", "1,50"], Reading(scale=Scale.FRACTION), "row 1, column acc is '50'; allowed: a fraction"),
        (["seed,acc", "1,500"], Reading(scale=Scale.PERCENT), "row 1, column acc is '500'; allowed: a percent"),
        (["seed,acc,state", "1,1,odd"], Reading(), "row 1, column state is 'odd'"),
    ],
)
def test_wrong_values_are_named_by_row_and_column(write: Write, lines: list[str], reading: Reading, said: str) -> None:
    with pytest.raises(BadData, match=said):
        read_runs(write("a.csv", *lines), reading)


VALUES = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.lists(st.integers(), max_size=2)),
    *(st.just(10**400), st.just("9" * 5000), st.sampled_from(["nan", "1e999", "3 %", "0x1", "1_0", "finished", "oom"])),
)
PARTS = st.sampled_from(["task", "technique", "seed", "score", "status", "model"])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(PARTS, VALUES), min_size=1, max_size=4))
def test_whatever_stands_in_a_file_is_read_or_named(rows: list[dict[str, object]]) -> None:
    raw = RawTable("a.jsonl", "file", tuple(RawRow(f"a.jsonl, row {n}", row) for n, row in enumerate(rows, 1)))
    with suppress(BadData):
        table = interpreted(raw, Reading())
        assert len(table.runs) == len(rows)
        assert all(math.isnan(run.score) or math.isfinite(run.score) for run in table.runs)
        assert all(run.status is not Status.CONVERGED or math.isfinite(run.score) for run in table.runs)
        table.described()
        by_technique(table)


def test_models_are_compared_apart(write: Write) -> None:
    rows = [f"{model},rte,{seed},0.{50 + seed}" for model in ("bert", "roberta") for seed in range(3)]
    found = by_technique(read_runs(write("a.csv", "model,task,seed,acc", *rows), Reading()))
    assert {task: scores.scores.size for task, scores in found[""].items()} == {"rte (bert)": 3, "rte (roberta)": 3}
    found = by_technique(read_runs(write("a.csv", "model,task,seed,acc", *rows[:3]), Reading()))
    assert [*found[""]] == ["rte"]


def test_files_in_different_scales_are_not_compared(write: Write) -> None:
    paths = write("a.csv", "acc", "80", "81"), write("b.csv", "acc", "0.8", "0.81")
    with pytest.raises(BadData, match=r"percent.* \| .*fraction.*these cannot be compared; say --scale"):
        read_all(paths, Reading())
    with pytest.raises(BadData, match="say --lower-is-better"):
        read_all((paths[1], write("c.csv", "wer", "0.8")), Reading())


def test_losses_are_plain_numbers_whatever_their_size(write: Write) -> None:
    small = write("a.csv", "seed,eval_loss", "0,0.42", "1,0.44")
    large = write("b.csv", "seed,eval_loss", "0,0.9", "1,1.3")
    assert [table.scale for table in read_all((small, large), Reading())] == [Scale.NUMBER] * 2
    assert read_runs(small, Reading(scale=Scale.FRACTION)).scale is Scale.FRACTION
    assert read_runs(write("c.csv", "seed,wer", "0,0.1"), Reading()).scale is Scale.FRACTION
