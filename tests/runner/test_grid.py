from __future__ import annotations

import dataclasses
import pickle
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench_lib.core.errors import BadPlan
from bench_lib.runner import grid as planning
from bench_lib.runner.grid import Grid, plan
from bench_lib.tasks import TASKS


@pytest.fixture(scope="module")
def small(data_folder: Path) -> Grid:
    return Grid(("sst2",), ("adamw",), (0,), "smoke", "tiny", str(data_folder))


@pytest.fixture
def refused(small: Grid) -> Any:
    """The problems of a grid with changes."""

    def problems(**changes: Any) -> tuple[str, ...]:
        with pytest.raises(BadPlan) as caught:
            plan(dataclasses.replace(small, **changes))
        return caught.value.problems

    return problems


@pytest.fixture
def rewritten(data_folder: Path, tmp_path: Path) -> Any:
    """A copy of the data in which the rows of one split are changed."""

    def rewrite(task: str, split: str, change: Any) -> str:
        folder = shutil.copytree(data_folder, tmp_path / "data")
        path = folder / task / f"{split}.parquet"
        pq.write_table(pa.Table.from_pylist([change(row) for row in pq.read_table(path).to_pylist()]), path)
        return str(folder)

    return rewrite


# ---- all at once -----------------------------------------------------------------------------------------------------


def test_all_that_is_wrong_is_told_at_once(refused: Any) -> None:
    found = refused(
        tasks=("sst2", "sts2"), techniques=("mixuot", "llrd:deacy=1.0"), model="minlm", profile="smok", seeds=(-1,)
    )
    assert [problem.partition(":")[0] for problem in found] == [
        "unknown task 'sts2'",
        "unknown technique 'mixuot'",
        "unknown field of technique llrd 'deacy'",
        "unknown profile 'smok'",
        "seed is -1; allowed",
        "unknown model 'minlm'",
    ]


def test_what_is_wrong_with_names_does_not_hide_what_is_wrong_with_model_and_data(refused: Any, rewritten: Any) -> None:
    data = rewritten("sst2", "validation", lambda row: {**row, "label": 1})
    found = refused(techniques=("mixuot",), profile="smoke:max_length=9000", data=data)
    assert [problem.split()[0] for problem in found] == ["unknown", "the", "model"]


def test_a_problem_is_told_once_and_in_one_line() -> None:
    error = BadPlan(["a\nb", "c\x1b[31m", "a b"])
    assert error.problems == ("a b", "c\\x1b[31m")
    assert str(error) == "a b\nc\\x1b[31m"
    assert pickle.loads(pickle.dumps(error)).problems == error.problems


def test_a_grid_without_problems_is_planned_with_what_is_known_of_it(small: Grid) -> None:
    (spec,) = plan(small)
    assert (spec.task, spec.technique(), spec.seed, spec.corrections) == ("sst2", "adamw", 0, ())


def test_more_runs_than_a_sweep_holds_are_refused_before_they_are_listed(refused: Any) -> None:
    (problem,) = refused(
        seeds=tuple(range(300)), frozen=tuple((("order", i),) for i in range(planning.MOST // 300 + 1))
    )
    assert problem == "number of runs is 1000200; allowed: at most 1,000,000"
    (problem,) = refused(axes=(("perturb", tuple(i / 200 for i in range(200))), ("label_noise", (0.0, 0.1) * 50)))
    assert problem == "combinations of the axes is 20000; allowed: at most 10,000"


@pytest.mark.parametrize("seed", [-1, 2**63, True, "1", 0.5])
def test_what_is_no_seed_is_refused(refused: Any, seed: Any) -> None:
    (problem,) = refused(seeds=(0, seed))
    assert problem == f"seed is {seed!r}; allowed: an integer from 0 to {2**63 - 1}"


def test_a_pool_larger_than_all_seeds_is_told(refused: Any) -> None:
    (problem,) = refused(techniques=("ensemble:members=1000",))
    assert problem == "seeds for ensemble:members=1000 is [0]; allowed: whole groups of 1000: 0-999"
    (problem,) = refused(techniques=("ensemble:members=999999999",))
    assert "999999999; allowed: whole numbers from 0 to 1,000" in problem


# ---- data ------------------------------------------------------------------------------------------------------------


def test_one_class_alone_tells_no_model_from_a_constant(refused: Any, rewritten: Any) -> None:
    assert refused(data=rewritten("sst2", "validation", lambda row: {**row, "label": 0})) == (
        "the evaluation set of sst2 under profile smoke (24 examples) cannot tell a model from a constant: accuracy of "
        "the best constant is 1.000 of 1.000; evaluate more or other examples",
    )


def test_a_trial_needs_a_dev_set_that_tells_a_model_from_a_constant(refused: Any, rewritten: Any) -> None:
    (problem,) = refused(profile="smoke:scored_on=dev:train_examples=None")
    assert problem == "sst2 has no training example left for a dev set: all are trained on; lower train_examples"
    data = rewritten("sst2", "train", lambda row: {**row, "label": 0})
    (problem,) = refused(profile="smoke:scored_on=dev", data=data)
    assert problem.startswith("the dev set of sst2 under profile smoke:scored_on=dev (")


def test_f1_without_a_positive_has_no_ceiling_to_reach(refused: Any, rewritten: Any) -> None:
    data = rewritten("mrpc", "validation", lambda row: {**row, "label": 0})
    (problem,) = refused(tasks=("mrpc",), data=data)
    assert "f1 of the best constant is 0.000 of 0.000" in problem


def test_tags_without_an_entity_tell_nothing(refused: Any, rewritten: Any) -> None:
    data = rewritten("conll2003", "validation", lambda row: {**row, "ner_tags": [0] * len(row["ner_tags"])})
    (problem,) = refused(tasks=("conll2003",), data=data)
    assert "entity_f1 of the best constant is 0.000 of 0.000" in problem


@pytest.mark.parametrize(("word", "scores"), [(1, "1.000 of 1.000"), (0, "0.000 of 0.000")])
def test_an_answer_that_always_stands_in_one_place_tells_nothing(
    refused: Any, rewritten: Any, word: int, scores: str
) -> None:
    """The first word is always an article, which the metric leaves out, so that nothing can score."""

    def placed(row: Any) -> Any:
        answer = row["context"].split()[word]
        return {**row, "answers": {"text": [answer], "answer_start": [row["context"].index(answer)]}}

    (problem,) = refused(tasks=("squad",), data=rewritten("squad", "validation", placed))
    assert f"f1 of the best constant is {scores}" in problem


def test_what_an_axis_makes_of_the_evaluation_set_is_looked_at_too(refused: Any) -> None:
    (problem,) = refused(profile="smoke:eval_examples=1")
    assert problem.startswith("the evaluation set of sst2 under profile smoke:eval_examples=1 (1 examples)")


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_question_that_leaves_no_room_is_named(refused: Any, rewritten: Any, split: str) -> None:
    def longer(row: Any) -> Any:
        return {**row, "question": " ".join(["why"] * 60)} if row["id"] == "q7" else row

    (problem,) = refused(tasks=("squad",), data=rewritten("squad", split, longer), profile="smoke:train_examples=None")
    assert problem.startswith("squad: question 'q7' has 60 tokens and leaves no room for its context in 48 tokens")


def test_an_answer_of_nothing_that_the_model_reads_is_named(refused: Any, rewritten: Any) -> None:
    def invisible(row: Any) -> Any:
        if row["id"] != "q7":
            return row
        return {**row, "context": f"\u200b {row['context']}", "answers": {"text": ["\u200b"], "answer_start": [0]}}

    (problem,) = refused(tasks=("squad",), data=rewritten("squad", "validation", invisible))
    assert problem == "squad: the answer '\\u200b' to question 'q7' has no token of this model"


def test_a_question_that_no_run_reads_is_no_problem(small: Grid, rewritten: Any) -> None:
    def longer(row: Any) -> Any:
        return {**row, "question": " ".join(["why"] * 60)}

    data = rewritten("squad", "train", longer)
    grid = dataclasses.replace(small, tasks=("squad",), data=data, profile="smoke:train_examples=0")
    assert len(plan(grid)) == 1


def test_a_profile_without_room_for_a_prompt_is_told_before_any_training() -> None:
    grid = Grid(("e2e_nlg",), ("adamw", "ema"), (0, 1), "sft-quick:max_length=84", model="tiny-llama", data="embedded")
    with pytest.raises(BadPlan) as caught:
        plan(grid)
    (problem,) = caught.value.problems
    assert problem.startswith("e2e_nlg: a prompt has ")
    assert problem.endswith("(max_length less answer_tokens, 80); raise the former or lower the latter")
    assert len(plan(dataclasses.replace(grid, profile="sft-quick:max_length=100"))) == 4


# ---- models ----------------------------------------------------------------------------------------------------------


def test_what_the_model_cannot_take_is_told_once_for_all_runs(refused: Any) -> None:
    found = refused(techniques=("adamw", "mixout"), seeds=(0, 1, 2), profile="smoke:max_length=513")
    assert found == (
        "model 'tiny' has 512 positions, and the profile's max_length for sequence tasks is 513; lower max_length",
    )


def test_the_profile_is_looked_at_as_techniques_set_it(refused: Any) -> None:
    assert refused(techniques=("longer:epochs=20000",)) == (
        "profile field epochs is 20000; allowed: 1 or more, up to 10,000",
    )


def test_a_kind_of_task_that_is_declined_is_left_to_the_run(small: Grid) -> None:
    assert len(plan(dataclasses.replace(small, tasks=("squad",), techniques=("mixup",)))) == 1
    assert TASKS.get("squad").labels == ()


# ---- several profiles ------------------------------------------------------------------------------------------------


def test_several_profiles_are_planned_seed_by_seed(small: Grid, refused: Any) -> None:
    both = dataclasses.replace(small, profile=("smoke", "smoke-stress", "smoke"), seeds=(1, 0))
    planned = plan(both)
    assert [(spec.seed, spec.profile_name) for spec in planned] == [
        (1, "smoke"),
        (1, "smoke-stress"),
        (0, "smoke"),
        (0, "smoke-stress"),
    ]
    assert planning.runs_of(both) == planned
    assert [spec for spec in planned if spec.profile_name == "smoke"] == plan(
        dataclasses.replace(both, profile="smoke")
    )
    assert [problem.partition(":")[0] for problem in refused(profile=("smok", "quik"))] == [
        "unknown profile 'smok'",
        "unknown profile 'quik'",
    ]


def test_names_are_checked_without_data_and_model(small: Grid) -> None:
    planning.check_names(dataclasses.replace(small, data="nowhere", model="none"))
    with pytest.raises(BadPlan) as caught:
        planning.check_names(dataclasses.replace(small, tasks=("sts2",), data="nowhere"))
    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["unknown task 'sts2'"]


def test_what_does_not_fit_is_left_to_the_plan(small: Grid, refused: Any) -> None:
    long = "smoke:max_length=9000"
    assert refused(profile=long)
    assert len(planning.runs_of(dataclasses.replace(small, profile=long))) == 1
