from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench_lib.core.errors import BadData, UnknownName
from bench_lib.integrations.scores.comparison import compare_files, compare_within
from bench_lib.integrations.scores.table import Reading
from bench_lib.stats.scores import ScoreSettings

Write = Callable[..., Path]


def test_a_file_is_a_technique(seeds: Write) -> None:
    found = compare_files(seeds("sam.csv"), seeds("adamw.csv", spread=4.0), Reading(), ScoreSettings())
    assert (found.technique, found.baseline, found.as_percent) == ("sam", "adamw", True)
    (one,) = found.tasks
    assert (one.task, one.paired, str(one.verdict.stability)) == ("all runs", True, "more stable")
    assert one.sides[0].mean == pytest.approx(0.8, abs=0.01)


def test_the_constant_baseline_is_in_the_scale_of_the_file(seeds: Write) -> None:
    settings = ScoreSettings(constant_baseline=79.5)
    (one,) = compare_files(seeds("sam.csv"), seeds("adamw.csv", spread=3.0), Reading(), settings).tasks
    assert one.verdict.failures[1] > 5


def test_files_of_one_name_are_told_apart_by_their_paths(seeds: Write) -> None:
    one, other = seeds("x/run.csv"), seeds("long/run.csv", spread=2.0)
    found = compare_files(one, other, Reading(), ScoreSettings())
    assert (found.technique, found.baseline) == (str(one), str(other))


def test_tasks_are_matched_by_name(write: Write) -> None:
    rows = [f"{task},{seed},0.{50 + seed}" for task in ("rte", "cola") for seed in range(12)]
    one = write("one.csv", "task,seed,score", *rows, *(f"mrpc,{seed},0.5" for seed in range(3)))
    found = compare_files(one, write("two.csv", "task,seed,score", *rows), Reading(), ScoreSettings())
    assert [task.task for task in found.tasks] == ["cola", "rte"]
    assert found.notes[-1] == "only one has mrpc"
    only = write("three.csv", "task,seed,score", *(f"wnli,{seed},0.5" for seed in range(3)))
    with pytest.raises(BadData, match="no task is in both: one has cola, mrpc, rte; three has wnli"):
        compare_files(one, only, Reading(), ScoreSettings())


def test_the_only_task_need_be_named_by_one_file_alone(write: Write, seeds: Write) -> None:
    named = write("one.csv", "task,seed,accuracy", *(f"rte,{seed},{80 + seed / 10}" for seed in range(12)))
    (one,) = compare_files(named, seeds("two.csv"), Reading(), ScoreSettings()).tasks
    assert one.task == "rte"


def test_techniques_of_one_file_are_compared(write: Write) -> None:
    path = write("all.csv", "method,seed,score", *(f"{m},{s},0.{50 + s}" for m in ("sam", "adamw") for s in range(12)))
    found = compare_within(path, "sam", "adamw", Reading(), ScoreSettings())
    assert (found.technique, found.tasks[0].verdict.seeds) == ("sam", 12)
    with pytest.raises(UnknownName, match="did you mean 'adamw'"):
        compare_within(path, "sam", "adam", Reading(), ScoreSettings())
    with pytest.raises(BadData, match=r"holds 2 techniques \(column method\): adamw, sam; name two of them: stabbench"):
        compare_files(path, path, Reading(), ScoreSettings())


def test_a_file_without_techniques_holds_one(seeds: Write) -> None:
    with pytest.raises(BadData, match="has no column for the technique"):
        compare_within(seeds("a.csv"), "a", "b", Reading(), ScoreSettings())


def test_folders_of_trainer_states_are_techniques(tmp_path: Path, trainer: Write) -> None:
    for technique, width in (("sam", 0.01), ("adamw", 0.001)):
        for seed in range(12):
            trainer(f"{technique}/seed{seed}", score=0.8 + width * (seed % 5))
    columns = Reading(layout="seed{seed}")
    found = compare_files(tmp_path / "sam", tmp_path / "adamw", columns, ScoreSettings())
    assert (found.technique, found.tasks[0].paired, found.tasks[0].sides[0].runs) == ("sam", True, 12)
