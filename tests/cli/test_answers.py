"""What runs answered, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench_lib.cli import main
from bench_lib.cli.console import DONE, USAGE
from bench_lib.core.record import Predictions
from bench_lib.harness.datasets import evaluation_examples
from bench_lib.store import Store
from bench_lib.tasks import TASKS
from bench_lib.tasks.sources.load import load_data

Written = pytest.CaptureFixture[str]
ITEMS = evaluation_examples(load_data(TASKS.get("sst2"), "embedded"), 24)
"""What a run of the profile `smoke` is scored on."""


@pytest.fixture
def store(store: Path) -> Path:
    """Runs that call every item negative, but that adamw calls items 3 and 5 positive: with seed 1 both, with 0 one."""
    filled = Store(store)
    for record in filled.records():
        values = np.tile(np.float32([1, 0]), (24, 1))
        if record.technique == "adamw":
            values[[3, 5] if record.seed else [5], 1] = 2
        filled.append(record.changed({"attempts": 2, "predictions": Predictions(values)}))
    return store


def answers(store: Path, *words: str) -> int:
    return main(["answers", "--task", "sst2", "--store", str(store), *words])


def test_the_items_on_which_runs_differ_most_are_shown_with_all_answers(capsys: Written, store: Path) -> None:
    assert answers(store, "--top", "2") == DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "sst2, tiny, smoke: 4 runs, those on which they differ most, 2 items of 24"
    first, second = lines[2:7], lines[8:]
    assert first[0] == "item 5: two runs differ with a chance of 0.67"
    assert first[1].startswith(f"  input {ITEMS[5].inputs[0][:20]}")
    assert first[2] == f"  right {TASKS.get('sst2').labels[ITEMS[5].reference]}"
    assert {*first[3:]} == {"  adamw 0-1: positive", "  mixout 0-1: negative"}
    assert second[0] == "item 3: two runs differ with a chance of 0.50"
    assert second[3:] == ["  adamw 0 and mixout 0-1: negative", "  adamw 1: positive"]


def test_of_some_techniques_and_seeds_as_json(capsys: Written, store: Path) -> None:
    assert answers(store, "--techniques", "adamw", "--seeds", "1", "--top", "24", "--json") == DONE
    found = json.loads(capsys.readouterr().out)
    assert (found["runs"], found["count"], found["without"]) == (1, 24, [])
    assert [item["place"] for item in found["items"]] == [*range(24)]
    assert found["items"][3]["answers"] == [{"words": "positive", "seeds": {"adamw": [1]}}]
    assert found["items"][3]["disagreement"] == 0


def test_a_run_without_predictions_is_counted(capsys: Written, store: Path) -> None:
    for path in Store(store).files("predictions")[:1]:
        path.unlink()
    assert answers(store) == DONE
    assert "no predictions are stored of 1 run" in capsys.readouterr().out
    for path in Store(store).files("predictions"):
        path.unlink()
    assert answers(store) == USAGE
    assert "has no predictions of these 4 runs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--techniques", "mixup"), "unknown technique of the stored runs of sst2 'mixup': did you mean 'mixout'?"),
        (("--model", "tony"), "unknown model of the stored runs 'tony': did you mean 'tiny'?"),
        (("--seeds", "7"), "has no runs of sst2 on these seeds"),
        (("--top", "0"), "--top is 0; allowed: 1 or more"),
    ],
)
def test_what_is_not_there_is_named(capsys: Written, store: Path, words: tuple[str, ...], expected: str) -> None:
    assert answers(store, *words) == USAGE
    assert expected in capsys.readouterr().err


def test_of_two_profiles_one_has_to_be_named(capsys: Written, store: Path, small: tuple[str, ...]) -> None:
    other = ["run", *small, "--profile", "smoke:eval_examples=8", "--seeds", "0", "--store", str(store)]
    assert main(other) == DONE
    assert answers(store) == USAGE
    assert "runs of several profiles, of which one is to be named: smoke, smoke:eval_ex" in capsys.readouterr().err
    assert answers(store, "--profile", "smoke:eval_examples=8") == DONE
    assert "1 run, 3 items of 8" in capsys.readouterr().out


def test_data_that_are_not_those_of_the_runs_are_refused(capsys: Written, store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "sst2"
    folder.mkdir(parents=True)
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text('{"sentence": "fine", "label": 1}\n{"sentence": "bad", "label": 0}\n')
    assert answers(store, "--data", str(tmp_path / "data")) == USAGE
    assert "has other data of sst2 than the runs read" in capsys.readouterr().err
