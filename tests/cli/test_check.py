from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench_lib.cli import check as command
from bench_lib.cli import main, parser
from bench_lib.cli.console import DONE, INCONCLUSIVE, REGRESSION, USAGE
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.spec import RunSpec
from bench_lib.executors.base import Done
from bench_lib.runner.records import blank_record
from bench_lib.store import Store
from bench_lib.techniques import TECHNIQUES
from bench_lib.validation import conformance

TINY = ("--profile", "smoke", "--model", "tiny", "--tasks", "conll2003")
Written = pytest.CaptureFixture[str]
Check = Callable[..., int]


# Trained.


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which a technique was compared with its baseline."""
    store = tmp_path_factory.mktemp("checked") / "results"
    assert main(["check", "llrd", *TINY, "--max-seeds", "4", "--store", str(store)]) == INCONCLUSIVE
    return store


def test_what_was_compared_is_not_trained_again(
    checked: Path, capsys: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conformance, "breaches", lambda stack: [])  # `checked` has tried its promises
    assert main(["check", "llrd", *TINY, "--max-seeds", "4", "--store", str(checked)]) == INCONCLUSIVE
    out, err = capsys.readouterr()
    head, row, *_, last = out.splitlines()
    assert head.split()[:3] == ["task", "verdict", "seeds"]
    assert row.split()[:3] == ["conll2003", "underpowered", "4"]
    assert last == "llrd against adamw: inconclusive; 4 of 4 seeds used"
    assert err.startswith("trying on the tiny model what llrd promises")
    assert "8 runs: 8 stored, 0 to do" in err
    assert {(r.technique, r.seed) for r in Store(checked).records()} == {
        (technique, seed) for technique in ("adamw", "llrd") for seed in range(4)
    }


@pytest.mark.exhaustive
def test_a_broken_file_is_not_compared_at_all(tmp_path: Path, capsys: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Path(__file__).parents[2] / "examples" / "shaken.py"
    broken = tmp_path / "broken.py"
    broken.write_text(source.read_text().replace("alpha=self.strength", "alpha=self.strength + 0.1"))
    store = tmp_path / "results"
    words = ["check", f"{broken}:Shaken", *TINY, "--store", str(store)]
    found: list[conformance.Breach] = []
    breaches = conformance.breaches
    monkeypatch.setattr(conformance, "breaches", lambda stack: found or found.extend(breaches(stack)) or found)
    assert main(words) == REGRESSION
    written = capsys.readouterr()
    assert "does not keep the promise 'identity' on sst2: at its identity setting it differs from adamw" in written.err
    assert written.out == ""
    assert not store.exists()
    assert main([*words, "--json"]) == REGRESSION
    answer = json.loads(capsys.readouterr().out)
    assert (answer["outcome"], answer["technique"]) == ("broken", f"{broken}:Shaken")
    assert {breach["promise"] for breach in answer["breaches"]} == {"identity"}


@pytest.mark.exhaustive
def test_tuned_arms_are_compared_by_the_trials_of_a_store(tmp_path: Path, capsys: Written) -> None:
    trials, arms = str(tmp_path / "trials"), ("mixout[tuned@2]", "--baseline", "adamw[tuned@2]")
    words = ["check", *arms, *TINY, "--max-seeds", "4", "--store", str(tmp_path / "results"), "--tuned-from", trials]
    assert command._changed_options(parser().parse_args(words), {"tuned_from"}) == ["--tuned-from", trials]
    assert main(words) == USAGE
    assert "mixout[tuned@2] on conll2003: 4 of 4 trials" in capsys.readouterr().err
    assert main(["tune", *TINY, "--techniques", "adamw,mixout", "--budget", "2", "--store", trials]) == DONE
    capsys.readouterr()
    assert main(words) == INCONCLUSIVE
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "mixout[tuned@2] against adamw[tuned@2]: inconclusive; 4 of 4 seeds used"
    assert main([*words, "--against", str(tmp_path / "results")]) == USAGE
    assert "--against with technique is 'mixout[tuned@2]'; allowed: one that was not tuned" in capsys.readouterr().err


# With made-up scores.


@dataclasses.dataclass
class Told:
    """An executor that makes records up: for each run what changes in one that converged."""

    become: Callable[[RunSpec], dict[str, Any]]

    def run(self, _: object, jobs: Sequence[tuple[RunSpec, ...]]) -> Iterator[Done[Any, Any]]:
        for job in jobs:
            yield Done(job, [self.made(spec) for spec in job])

    def made(self, spec: RunSpec) -> RunRecord:
        draws = np.random.default_rng([spec.seed, *map(ord, spec.technique())])
        record = blank_record(spec, Status.CONVERGED, "")
        usual = {"score": 0.8 + 0.01 * float(draws.normal()), "train_seconds": 10.0, "peak_memory_bytes": 2**20}
        return record.changed({**usual, **self.become(spec)})


def wide(factor: float) -> Callable[[RunSpec], dict[str, Any]]:
    """The technique's scores spread so many times as wide as the baseline's."""

    def become(spec: RunSpec) -> dict[str, Any]:
        if spec.technique() != "mixout":
            return {}
        return {"score": 0.8 + 0.01 * factor * float(np.random.default_rng([spec.seed, int(10 * factor)]).normal())}

    return become


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_folder: Path) -> Check:
    """The command with made-up scores, on a technique that keeps its promises."""
    monkeypatch.setattr(conformance, "breaches", lambda stack: [])

    def run(become: Callable[[RunSpec], dict[str, Any]], *words: str, tasks: str = "sst2") -> int:
        monkeypatch.setattr(command, "chosen_executor", lambda options: Told(become))
        setting = ["--profile", "smoke", "--model", "tiny", "--data", str(data_folder), "--tasks", tasks]
        return main(["check", "mixout", *setting, "--store", str(tmp_path / "results"), *words])

    return run


def more(err: str) -> list[str]:
    """The words of the command that is given at the end."""
    last = err.splitlines()[-1]
    return shlex.split(last[last.index(": stabbench") + 2 :])


@pytest.mark.parametrize(
    ("factor", "code", "said"), [(0.1, DONE, "holds"), (6, REGRESSION, "regression"), (1.3, INCONCLUSIVE, "inconc")]
)
def test_the_answer_is_the_exit_code(check: Check, capsys: Written, factor: float, code: int, said: str) -> None:
    assert check(wide(factor), "--max-seeds", "14") == code
    out, err = capsys.readouterr()
    assert f"mixout against adamw: {said}" in out.splitlines()[-1]
    assert ("more seeds" in err) == (code == INCONCLUSIVE)


def test_a_technique_that_is_too_dear_is_a_regression(check: Check, capsys: Written) -> None:
    def slow(spec: RunSpec) -> dict[str, Any]:
        return {**wide(0.1)(spec), "train_seconds": 18.0 if spec.technique() == "mixout" else 10.0}

    assert check(slow, "--max-cost", "1.7") == REGRESSION
    assert "regression (too dear on sst2)" in capsys.readouterr().out
    assert check(slow, "--max-cost", "1.9") == DONE
    assert "1.80x" in capsys.readouterr().out


def test_json_alone_goes_to_the_standard_output(check: Check, capsys: Written) -> None:
    def refuse(text: str) -> float:
        raise AssertionError(f"{text} is no JSON")

    assert check(wide(0.1), "--json") == DONE
    first = capsys.readouterr()
    answer = json.loads(first.out, parse_constant=refuse)
    assert (answer["outcome"], answer["tasks"][0]["verdict"]["stability"]) == ("holds", "more stable")
    assert "20 runs: 0 stored, 20 to do" in first.err
    assert check(wide(0.1), "--json") == DONE
    assert capsys.readouterr().out == first.out


def test_nothing_but_failures_is_still_json(check: Check, capsys: Written) -> None:
    assert check(lambda spec: {"status": "diverged", "score": None}, "--json", "--max-seeds", "10") == INCONCLUSIVE
    written = capsys.readouterr()
    assert json.loads(written.out)["tasks"][0]["mad_ratio"] == [None, None, None]
    assert "no number of seeds that was tried would decide it: too few runs survived" in written.err


@pytest.mark.exhaustive
def test_the_command_for_more_seeds_asks_the_same_of_more(check: Check, capsys: Written, tmp_path: Path) -> None:
    words = ["--max-seeds=10", "--max-cost", "3", "--margin", "1.5", "--executor", "inline", "--alpha=0.1"]
    assert check(wide(1.3), *words, "--json", "--baseline", "low_lr") == INCONCLUSIVE
    program, *again = more(capsys.readouterr().err)
    options = parser().parse_args(again)
    assert program == "stabbench"
    assert "--json" not in again
    assert (options.technique, options.baseline, options.tasks) == ("mixout", "low_lr", "sst2")
    assert (options.margin, options.alpha, options.max_cost) == (1.5, 0.1, 3.0)
    assert (options.profile, options.model, options.store) == ("smoke", "tiny", tmp_path / "results")
    assert options.max_seeds > 10
    main(again)
    assert "20 stored" in capsys.readouterr().err


def test_lost_runs_are_tried_again_with_the_command_that_is_given(check: Check, capsys: Written) -> None:
    def lost(spec: RunSpec) -> dict[str, Any]:
        return {"status": "oom", "score": None} if (spec.seed, spec.technique()) == (3, "mixout") else wide(1.3)(spec)

    assert check(lost, "--max-seeds", "10") == INCONCLUSIVE
    out, err = capsys.readouterr()
    assert "sst2: 1 run was lost to infrastructure" in out
    options = parser().parse_args(more(err)[1:])
    assert options.retry == "oom,timeout,crashed"
    assert (options.tasks, options.techniques, options.seeds) == ("sst2", "mixout,adamw", "0-9")
    assert (options.profile, options.model) == ("smoke", "tiny")


def test_where_all_is_declined_there_is_nothing_to_add(check: Check, capsys: Written) -> None:
    assert check(lambda spec: {"status": "unsupported", "score": None, "reason": "no"}) == INCONCLUSIVE
    out, err = capsys.readouterr()
    assert "sst2: declined: no" in out
    assert err.endswith("stabbench: every task was declined, so nothing was compared\n")


def test_an_older_store_says_how_far_it_goes(check: Check, capsys: Written, tmp_path: Path) -> None:
    check(wide(1), "--max-seeds", "10")
    capsys.readouterr()
    older, new = tmp_path / "results", tmp_path / "new"
    assert check(wide(1.3), "--against", str(older), "--store", str(new)) == INCONCLUSIVE
    out, err = capsys.readouterr()
    version = TECHNIQUES.get("mixout").version
    assert f"mixout against mixout version {version} in {older}: inconclusive; 10 of 10 seeds used" in out
    assert err.endswith(f" more seeds would decide it, and {older} holds no more\n")
    assert {record.technique for record in Store(new).records()} == {"mixout"}
    other = str(tmp_path / "other")
    assert check(wide(1.3), "--against", str(older), "--store", other, "--max-seeds", "6") == INCONCLUSIVE
    assert parser().parse_args(more(capsys.readouterr().err)[1:]).against == older


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to check: name a technique"),
        (["llrdd"], "unknown technique 'llrdd': did you mean 'llrd'"),
        (["llrd", "--baseline", "adamv"], "unknown technique 'adamv': did you mean"),
        (["llrd", "--tasks", "sst2,sst22"], "unknown task 'sst22': did you mean 'sst2'"),
        (["llrd", "--tasks", "sst2,sst2"], "tasks is ('sst2', 'sst2'); allowed: at least one, each once"),
        (["llrd", "--profile", "smok"], "unknown profile 'smok': did you mean 'smoke'"),
        (["llrd", "--max-seeds", "1"], "greatest number of seeds is 1"),
        (["llrd", "--margin", "1"], "margin of the MAD ratio is 1.0"),
        (["llrd", "--max-cost", "0"], "--max-cost is 0.0"),
        (["llrd", "--alpha", "2"], "alpha is 2.0"),
        (["llrd", "--workers", "2"], "workers of the executor inline is 2"),
        (["llrd", "--against", "nowhere"], "--against is 'nowhere'; allowed: the folder of a store"),
        (["nowhere.py:Mine"], "the technique's file nowhere.py cannot be read"),
        (["ensemble"], "ensemble pools several seeds"),
        (["llrd", "--baseline", "ensemble"], "ensemble pools several seeds"),
    ],
)
def test_bad_input_is_exit_code_two_before_anything_is_tried(
    words: list[str], message: str, tmp_path: Path, capsys: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conformance, "breaches", None)
    assert main(["check", *TINY, "--store", str(tmp_path / "results"), *words]) == USAGE
    written = capsys.readouterr()
    assert written.err.startswith(f"stabbench: {message}")
    assert written.out == ""


def test_a_misspelt_hook_is_exit_code_two_and_never_a_verdict(tmp_path: Path, capsys: Written) -> None:
    source = Path(__file__).parents[2] / "examples" / "shaken.py"
    misspelt = tmp_path / "misspelt.py"
    misspelt.write_text(source.read_text().replace("def after_update(", "def after_backwards("))
    assert main(["check", f"{misspelt}:Shaken", *TINY, "--store", str(tmp_path / "results")]) == USAGE
    written = capsys.readouterr()
    assert "'after_backwards' is no hook" in written.err
    assert "did you mean 'after_backward'?" in written.err
    assert str(misspelt) in written.err
    assert written.out == ""


def test_an_older_store_without_the_technique_is_named(checked: Path, tmp_path: Path, capsys: Written) -> None:
    options = ["--max-seeds", "4", "--store", str(tmp_path / "new"), "--against", str(checked)]
    assert main(["check", "reinit", *TINY, *options]) == USAGE
    assert capsys.readouterr().err.startswith(f"stabbench: {checked} holds 0 seeds of reinit on conll2003 with")
