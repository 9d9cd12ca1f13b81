"""Tasks of a user's own through the command line, from the files to the report."""

from __future__ import annotations

import csv
import json
import pickle
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench_lib.cli import main, parser
from bench_lib.cli.check import SETTINGS, _changed_options, _retry_command
from bench_lib.cli.console import DONE, INCONCLUSIVE, USAGE
from bench_lib.comparison.contrasts import Contrasts, paired
from bench_lib.comparison.sequential import ComparisonRequest, check
from bench_lib.core.errors import BadData
from bench_lib.executors import InlineExecutor
from bench_lib.runner.execute import execute
from bench_lib.runner.grid import Grid, plan
from bench_lib.runner.resolved import resolve_run
from bench_lib.store import Store
from bench_lib.tasks.sources.own.reading import own_data

Written = pytest.CaptureFixture[str]
SMALL = ("--profile", "smoke", "--model", "tiny")
WORDS = {"good": ("great", "warm"), "bad": ("dull", "cold")}
ROWS = [
    {"review": f"story {i} was {WORDS[stars][i % 2]}", "stars": stars}
    for i in range(60)
    for stars in ["good" if i * 7 % 3 else "bad"]
]
TOML = 'columns = {text = "review", label = "stars"}\nmetrics = ["accuracy", "weighted_f1", "micro_f1"]\n'


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    own_data.cache_clear()
    yield
    own_data.cache_clear()


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """The file of a task with its data beside it, without an evaluation split."""
    folder = tmp_path / "own"
    folder.mkdir()
    with (folder / "train.csv").open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, ["review", "stars"])
        writer.writeheader()
        writer.writerows(ROWS)
    (folder / "reviews.toml").write_text(TOML)
    return folder / "reviews.toml"


@pytest.fixture(scope="session")
def run_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two runs of a task whose files are gone."""
    folder = tmp_path_factory.mktemp("gone")
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    (folder / "reviews.toml").write_text(TOML)
    own_data.cache_clear()
    words = ["run", *SMALL, "--task", str(folder / "reviews.toml"), "--seeds", "0-1", "--store", str(folder / "store")]
    assert main(words) == DONE
    (folder / "reviews.toml").unlink()
    (folder / "train.jsonl").unlink()
    return folder / "store"


def test_the_same_rows_in_another_kind_of_file_are_the_same_runs(
    capsys: Written, reviews: Path, run_once: Path, tmp_path: Path
) -> None:
    store = shutil.copytree(run_once, tmp_path / "store")
    words = ["run", *SMALL, "--seeds", "0-1", "--store", str(store), "--task", str(reviews)]
    assert main(words) == DONE
    assert capsys.readouterr().out.startswith("2 runs: 2 stored, 0 to do")
    reviews.with_name("train.csv").unlink()
    pq.write_table(pa.Table.from_pylist(ROWS), reviews.with_name("train-00000-of-00001.parquet"))
    own_data.cache_clear()
    assert main(words) == DONE
    assert capsys.readouterr().out.startswith("2 runs: 2 stored, 0 to do")
    (record, _) = Store(store).records()
    assert (record.task, record.data_source) == ("reviews", "local")
    assert (record.metric, {*record.metrics}) == ("accuracy", {"accuracy", "weighted_f1", "micro_f1"})
    assert record.metrics["micro_f1"] == pytest.approx(record.metrics["accuracy"])
    assert record.provenance["data_split"] == "evaluated on 12 of 60 examples, chosen by a hash of their inputs"


def test_a_store_is_read_without_the_files_of_its_tasks(capsys: Written, run_once: Path, tmp_path: Path) -> None:
    store = str(shutil.copytree(run_once, tmp_path / "store"))
    assert main(["store", "verify", store]) == DONE
    assert main(["report", "--store", store, "--out", str(tmp_path / "reports")]) == DONE
    assert "reviews" in (tmp_path / "reports" / "leaderboard.csv").read_text()
    assert main(["recommend", "--store", store, "--task", "reviews"]) == INCONCLUSIVE
    assert main(["run", *SMALL, "--tasks", "sst2", "--seeds", "0", "--store", store]) == DONE
    capsys.readouterr()
    gone = str(tmp_path / "reviews.toml")
    assert main(["run", *SMALL, "--task", gone, "--store", store]) == USAGE
    assert f"there is no {gone}, the file or folder of a task" in capsys.readouterr().err


def test_a_task_of_ones_own_stands_beside_registered_ones(reviews: Path) -> None:
    grid = Grid((str(reviews), "sst2"), ("adamw",), (0,), "smoke", "tiny")
    assert [spec.task for spec in plan(grid)] == ["reviews", "sst2"]
    assert main(["data", "audit", "--task", str(reviews), "--tasks", "sst2", "--model", "tiny"]) == DONE


def test_a_worker_finds_the_task_and_sees_that_it_changed(reviews: Path) -> None:
    (spec,) = plan(Grid((str(reviews),), ("adamw",), (0,), "smoke", "tiny"))
    own_data.cache_clear()
    spec = pickle.loads(pickle.dumps(spec))
    assert resolve_run(spec).task.labels == ("bad", "good")
    reviews.write_text(TOML + 'language = "Danish"\n')
    own_data.cache_clear()
    with pytest.raises(BadData, match=r"the task reviews in .*reviews.toml changed since this run was planned"):
        resolve_run(spec)


@pytest.mark.exhaustive
def test_workers_train_on_them(reviews: Path, run_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(reviews.parent)
    store = tmp_path / "store"
    words = ["run", *SMALL, "--task", "reviews.toml", "--seeds", "0-1", "--store", str(store)]
    assert main([*words, "--executor", "local", "--workers", "1"]) == DONE
    ours, theirs = Store(store).records(), Store(run_once).records()
    assert [record.result() for record in ours] == [record.result() for record in theirs]


def test_questions_without_an_answer_need_no_more_than_a_folder(tmp_path: Path) -> None:
    rows = []
    for number in range(60):
        answers = {"text": ["red"], "answer_start": [12]} if number % 3 else {"text": [], "answer_start": []}
        asked = f"what is the {'door' if number % 3 else 'gate'} like, {number}?"
        context = f"The door is red. The wall of {number} is old."
        rows.append({"id": str(number), "context": context, "question": asked, "answers": answers})
    folder = tmp_path / "asked"
    folder.mkdir()
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (spec,) = plan(Grid((str(folder),), ("adamw",), (0,), "smoke", "tiny"))
    (record,) = execute([spec])
    assert resolve_run(spec).task.labels == ("answerable", "unanswerable")
    assert record.status in ("converged", "collapsed")
    assert (record.metric, record.constant_baseline) == ("f1", pytest.approx(2 / 3, abs=0.1))
    assert record.predictions is not None
    assert len(record.predictions.values) == 12


def test_contrasts_and_their_commands_name_them_by_path(reviews: Path) -> None:
    text = str(reviews)
    contrasts = Contrasts("adamw", ("bertadam",), (text, "sst2"), ("smoke",), "tiny")
    assert [pair.technique.task for pair in paired(contrasts).values()] == ["reviews", "sst2"]
    options = parser().parse_args(["check", "bertadam", *SMALL, "--task", text, "--task", "b.toml"])
    assert shlex.join(["--task", text, "--task", "b.toml"]) in shlex.join(_changed_options(options, SETTINGS))
    one = parser().parse_args(["check", "bertadam", *SMALL, "--task", text])
    assert _retry_command(one, ["reviews"], (0, 1))[:4] == ["stabbench", "run", "--tasks", text]


def test_a_sweep_until_decided_shows_their_names(capsys: Written, reviews: Path, tmp_path: Path) -> None:
    words = ["run", "--until-decided", *SMALL, "--task", str(reviews), "--techniques", "bertadam", "--max-seeds", "3"]
    assert main([*words, "--store", str(tmp_path / "store")]) != USAGE
    assert "bertadam   reviews  smoke" in capsys.readouterr().out


def test_check_and_tune_take_them(capsys: Written, reviews: Path, tmp_path: Path) -> None:
    store = ("--store", str(tmp_path / "store"))
    request = ComparisonRequest("bertadam", "adamw", (str(reviews),), "smoke", "tiny", max_seeds=3)
    (result,) = check(request, Store(tmp_path / "checked"), InlineExecutor()).tasks
    assert (result.task, result.verdict.seeds) == ("reviews", 3)
    asked = ["tune", *SMALL, "--task", str(reviews), "--budget", "2", *store]
    assert main(asked) == DONE
    assert f"on fresh seeds: stabbench run --tasks {reviews} " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--task", "{folder}/reviews.toml", "--data", "embeded"), "data source 'embeded' is neither"),
        (("--task", "{folder}/no.toml"), "there is no {folder}/no.toml, the file or folder of a task"),
        (
            ("--task", "{folder}"),
            "the columns review, stars are those of no task format that is known; say it in a file",
        ),
        (("--task", "{folder}/reviews.toml", "--task", "{folder}/b.toml"), "is 'reviews'; allowed: one that no other"),
        (("{folder}/plan.toml", "--task", "x.toml"), "--task is decided by the plan"),
    ],
)
def test_what_is_wrong_is_one_line(capsys: Written, reviews: Path, words: tuple[str, ...], message: str) -> None:
    folder = reviews.parent
    (folder / "b.toml").write_text(TOML + 'name = "reviews"\n')
    (folder / "plan.toml").write_text('title = "x"\n[[sweep]]\nname = "a"\n')
    given = [word.format(folder=folder) for word in words]
    assert main(["run", *given, *(() if "plan" in given[0] else SMALL)]) == USAGE
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if message.format(folder=folder) in line]
    assert all(line.startswith("stabbench: ") for line in lines)
