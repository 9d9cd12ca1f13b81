from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from bench_lib.cli import main
from bench_lib.cli.console import DONE, INCONCLUSIVE, USAGE
from bench_lib.cli.recommend import parsed, several
from bench_lib.core.errors import BadValue
from bench_lib.store import Store

Written = pytest.CaptureFixture[str]


@pytest.fixture
def store(store: Path) -> Path:
    """Runs that converged, which those of the tiny model do not."""
    filled = Store(store)
    for record in filled.records():
        score, seconds = 0.8 + 0.01 * record.seed, 2.0 if record.technique == "mixout" else 1.0
        good = record.changed({"status": "converged", "score": score, "train_seconds": seconds})
        filled.append(dataclasses.replace(good, predictions=filled.predictions(record.run_id)))
    return store


def recommend(store: Path, *words: str) -> int:
    return main(["recommend", "--store", str(store), "--task-like", *words])


def test_what_meets_the_limits_is_shown_with_its_evidence(capsys: Written, store: Path) -> None:
    assert recommend(store, "sst2", "--max-cost", "2x", "--max-failure", "2%") == DONE
    written = capsys.readouterr()
    lines = written.out.splitlines()
    assert lines[0] == "embedded data, model tiny, profile smoke"
    assert lines[1] == "  sst2: 1 of 1 techniques meet time <= 2x that of adamw, failure rate <= 2 %"
    (head,) = [line for line in lines if line.strip().startswith("technique")]
    (first,) = [line for line in lines if line.startswith("1  mixout")]
    assert any(line.startswith("   adamw (baseline)") for line in lines)
    assert first.endswith("2.00")
    assert len(first) == len(head)
    assert "0 of 2 seeds leave up to 65.8 % possible" in " ".join(written.out.split())
    assert "of at least 20 seeds" in written.out
    assert max(map(len, lines)) <= 100
    assert written.err == ""


def test_none_says_what_is_to_blame_and_what_is_nearest(capsys: Written, store: Path) -> None:
    assert recommend(store, "classification", "--max-cost", "1.9") == INCONCLUSIVE
    written = " ".join(capsys.readouterr().out.split())
    assert "none meets this; of 1 techniques most are left out for the time 1" in written
    assert "nearest is mixout: takes 2.00 times as long on sst2" in written


def test_the_answer_is_json_too(capsys: Written, store: Path) -> None:
    assert recommend(store, "imdb", "--max-cost", "2", "--json") == DONE
    (advice,) = json.loads(capsys.readouterr().out)
    assert (advice["asked"]["task"], advice["tasks"], advice["considered"]) == ("imdb", ["sst2"], 1)
    assert advice["group"] == ["embedded", "tiny", "smoke"]
    (one,) = advice["found"]
    assert (one["name"], one["evidence"][0]["judged"]) == ("mixout", 2)
    assert one["unproven"]
    assert advice["nearest_miss"] is None


def test_without_limits_it_says_so(capsys: Written, store: Path) -> None:
    assert recommend(store, "sst2") == DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "embedded data, model tiny, profile smoke",
        "  sst2: 1 of 1 techniques qualify: no limit on time or failures was given",
    ]


def test_several_lists_begin_with_how_to_choose_one() -> None:
    assert list(several(1)) == []
    (line,) = several(2)
    assert line == "2 lists, each of one kind of data, model and profile: --data, --model, --profile choose"


def test_a_kind_that_stands_in_for_a_task_is_said(capsys: Written, store: Path) -> None:
    assert recommend(store, "rte") == DONE
    assert "nothing is known of rte itself: these are other tasks of its kind" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nerr"], "unknown task or kind of task 'nerr': did you mean 'ner'"),
        (["ner"], "no judged run of the baseline adamw on tasks like 'ner', it was run on sst2"),
        (["sst2", "--max-cost", "cheap"], "--max-cost is 'cheap'; allowed: a ratio above 0"),
        (["sst2", "--max-cost", "0x"], "--max-cost is '0x'; allowed: a ratio above 0"),
        (["sst2", "--max-cost", "2%"], "--max-cost is '2%'; allowed: a ratio above 0"),
        (["sst2", "--max-failure", "2"], "--max-failure is '2'; allowed: a share of the runs, such as 2% or 0.02"),
        (["sst2", "--max-failure", "101%"], "--max-failure is '101%'; allowed"),
        (["sst2", "--max-failure=-1%"], "--max-failure is '-1%'; allowed"),
        (["sst2", "--model", "tinny"], "unknown model of the stored runs 'tinny': did you mean 'tiny'"),
        (["sst2", "--profile", "smok"], "unknown profile of the stored runs 'smok': did you mean 'smoke'"),
        (["sst2", "--data", "real"], "unknown data of the stored runs 'real': known: embedded"),
        (["sst2", "--baseline", "adamm"], "unknown baseline technique 'adamm': did you mean 'adamw'"),
        (["sst2", "--top", "0"], "--top is 0; allowed: 1 or more"),
    ],
)
def test_bad_input_is_answered(capsys: Written, store: Path, words: list[str], said: str) -> None:
    assert recommend(store, *words) == USAGE
    assert said in capsys.readouterr().err


def test_an_empty_store_has_nothing_to_recommend(capsys: Written, tmp_path: Path) -> None:
    assert recommend(tmp_path / "none", "sst2") == USAGE
    assert "fill it with `stabbench run --store" in capsys.readouterr().err


def test_numbers_are_read_with_and_without_their_sign() -> None:
    assert [parsed("cost", text, "x", "") for text in ("1.5x", "1.5", " 2 x ", ".5")] == [1.5, 1.5, 2.0, 0.5]
    assert [parsed("rate", text, "%", "") for text in ("2%", "0.02", "2 %")] == [0.02] * 3
    for text in ("", "x", "1,5", "nan", "inf", "1.5xx", "-1", "1e9"):
        with pytest.raises(BadValue):
            parsed("cost", text, "x", "a ratio")


def test_a_plan_that_is_not_there_is_refused(capsys: Written, store: Path, tmp_path: Path) -> None:
    assert recommend(store, "sst2", "--plan", str(tmp_path / "none.toml")) == USAGE
    assert "a file that exists" in capsys.readouterr().err
