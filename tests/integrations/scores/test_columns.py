from __future__ import annotations

import pytest

from bench_lib.core.errors import BadData, BadValue, UnknownName
from bench_lib.integrations.scores.columns import Columns, lower_is_better


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        (["task", "technique", "seed", "score"], Columns("score", "seed", "technique", "task")),
        (
            ["Dataset", "Method", "Random Seed", "eval/accuracy", "eval/loss"],
            Columns("eval/accuracy", "Random Seed", "Method", "Dataset"),
        ),
        (
            ["run_id", "status", "metrics.eval_f1", "params.seed", "params.method", "params.lr"],
            Columns("metrics.eval_f1", "params.seed", "params.method", "", "status"),
        ),
        (["Name", "State", "seed", "test_loss"], Columns("test_loss", "seed", "", "", "State")),
        (
            ["config._name_or_path", "config.seed", "summary.test/mcc"],
            Columns("summary.test/mcc", "config.seed", model="config._name_or_path"),
        ),
        (["value"], Columns("value")),
        (["train_loss", "score"], Columns("score")),
    ],
)
def test_columns_are_guessed_by_name(present: list[str], expected: Columns) -> None:
    assert Columns().found_in(present, "a.csv") == expected


def test_a_column_that_is_named_is_not_guessed() -> None:
    columns = Columns.parse("score=eval_f1, technique=arm name")
    assert columns.found_in(["eval_f1", "eval_accuracy", "arm name", "method"], "a.csv") == Columns(
        "eval_f1", technique="arm name"
    )


@pytest.mark.parametrize(
    ("present", "said"),
    [
        (["eval_f1", "eval_accuracy"], "a.csv has several columns for the score: eval_f1, eval_accuracy; name one"),
        (["score", "seed", "Seed"], "a.csv has several columns for the seed: seed, Seed"),
        (["seed", "lr"], "no column whose name says that it is the score; name one of seed, lr: score=COLUMN"),
    ],
)
def test_what_is_not_clear_is_asked_for(present: list[str], said: str) -> None:
    with pytest.raises(BadData, match=said):
        Columns().found_in(present, "a.csv")


def test_a_column_that_is_not_there_is_answered_with_the_nearest() -> None:
    with pytest.raises(BadData, match=r"a\.csv: unknown column for the score 'acuracy': did you mean 'accuracy'"):
        Columns("acuracy").found_in(["accuracy", "seed"], "a.csv")
    with pytest.raises(UnknownName, match="did you mean 'score'"):
        Columns.parse("scor=accuracy")
    with pytest.raises(BadValue, match="PART=COLUMN"):
        Columns.parse("accuracy")


def test_a_measure_says_its_direction() -> None:
    assert [lower_is_better(name) for name in ("eval/loss", "metrics.test_wer", "perplexity", "eval_f1", "own")] == [
        *(True, True, True, False, False)
    ]
