from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench_lib.cli import main
from bench_lib.cli.console import DONE, USAGE

Written = pytest.CaptureFixture[str]
Write = Callable[..., Path]

SST2 = {
    "train": [("good film", 1), ("good film", 0), ("bad film", 0), ("Bad  film", 0), ("", 1)],
    "validation": [("good film", 1), ("a " * 100, 0)],
    "test": [("bad film", 0)],
}


def audit(folder: Path | str, *words: str) -> int:
    return main(["data", "audit", "--data", str(folder), "--model", "tiny", *words])


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write rows of a split, and tell where."""

    def rows(task: str, split: str, found: list[dict[str, Any]]) -> Path:
        path = tmp_path / task / f"{split}.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist(found), path)
        return path

    return rows


@pytest.fixture
def folder(tmp_path: Path, write: Write) -> Path:
    """Two tasks whose counts are known."""
    for split, found in SST2.items():
        write("sst2", split, [{"sentence": text, "label": label} for text, label in found])
    for split, words in (("train", ["EU", "rejects"]), ("validation", ["EU", "rejects"])):
        write("conll2003", split, [{"tokens": words, "ner_tags": ["B-ORG", "O"]}] * 2)
    return tmp_path


def table(text: str, column: str) -> list[list[str]]:
    """The cells of the table that has the column, its head first."""
    (found,) = [part for part in text.split("\n\n") if column in part.splitlines()[0].split()]
    return [line.split() for line in found.splitlines()]


def test_the_tables_hold_what_is_known(capsys: Written, folder: Path) -> None:
    assert audit(folder) == DONE
    written = capsys.readouterr()
    assert written.out.startswith(f"data {folder}, model tiny, profile desk\n")
    assert table(written.out, "repeats") == [
        ["task", "split", "examples", "repeats", "alike", "conflicting", "empty"],
        ["sst2", "train", "5", "1", "2", "1", "1"],
        ["sst2", "validation", "2", "0", "0", "0", "0"],
        ["sst2", "test", "1", "0", "0", "0", "0"],
        ["conll2003", "train", "2", "1", "1", "0", "0"],
        ["conll2003", "validation", "2", "1", "1", "0", "0"],
    ]
    assert "sst2       train       negative 60.0, positive 40.0\n" in written.out
    assert "conll2003  train       O 50.0, PER 0.0, ORG 50.0, LOC 0.0, MISC 0.0\n" in written.out
    assert table(written.out, "shared")[1:] == [
        ["sst2", "train", "validation", "1", "2", "1", "50.0", "1", "1"],
        ["sst2", "train", "test", "1", "1", "1", "100.0", "1", "0"],
        ["sst2", "validation", "test", "0", "0", "0", "0.0", "0", "0"],
        ["conll2003", "train", "validation", "1", "2", "2", "100.0", "1", "0"],
    ]
    (cut,) = [row for row in table(written.out, "cut") if row[:2] == ["sst2", "validation"]]
    # One text of 100 words and one of 2, read up to 64 tokens of which 2 are special.
    assert cut == ["sst2", "validation", "100.0", "0.000", "53", "102", "0", "64", "50.0", "37.3"]
    assert max(map(len, written.out.splitlines()[1:])) <= 100
    assert written.err == f"stabbench: {folder} has no folder for imdb, squad, rte, mrpc, cola\n"


def test_all_is_every_task_of_the_folder_and_many_labels_are_shown_by_their_ends(
    capsys: Written, tmp_path: Path, write: Write
) -> None:
    for split in ("train", "test"):
        write("clinc_oos", split, [{"text": f"{split} {i}", "intent": min(i, 1)} for i in range(4)])
    assert audit(tmp_path) == DONE
    written = capsys.readouterr()
    assert "clinc_oos  train  151 labels, from nutrition_info 75.0 to account_blocked 0.0\n" in written.out
    assert written.err.startswith(
        f"stabbench: {tmp_path} has no folder for imdb, sst2, conll2003, squad, rte, mrpc, cola\n"
    )


PAIRS = {"test_original": [("good  film", 1), ("dull", 0)], "test_contrast": [("bad film", 0), ("witty", 1)]}


@pytest.fixture
def with_sets(folder: Path, write: Write) -> Path:
    """The folder with two robustness sets, of which one has tests without a right answer."""
    for part, found in PAIRS.items():
        write("imdb_contrast", part, [{"text": text, "label": label} for text, label in found])
    cases = [("INV", 0, "good film", None), ("INV", 1, "good film", None), ("MFT", 0, "bad film", 2), ("DIR", 0, "", 0)]
    rows = [
        {"test": "names", "type": kind, "case": 0, "variant": variant, "text": text, "label": label}
        for kind, variant, text, label in cases
    ]
    write("checklist_sentiment", "test", rows)
    return folder


def test_robustness_sets_are_audited_by_name(capsys: Written, with_sets: Path) -> None:
    assert audit(with_sets, "--tasks", "imdb_contrast,checklist_sentiment") == DONE
    written = capsys.readouterr()
    assert table(written.out, "repeats")[1:] == [
        ["imdb_contrast", "test_original", "2", "0", "0", "0", "0"],
        ["imdb_contrast", "test_contrast", "2", "0", "0", "0", "0"],
        ["checklist_sentiment", "test", "3", "1", "1", "-", "0"],
    ]
    assert [row[0] for row in table(written.out, "labels,")[1:]] == ["imdb_contrast"] * 2
    assert table(written.out, "shared")[1:] == [
        # White space aside, an original stands in the training data; SST-2 has no "witty" and no "dull".
        ["imdb_contrast", "sst2", "train", "test_original", "0", "0", "0", "0.0", "1", "0"],
        ["imdb_contrast", "sst2", "train", "test_contrast", "1", "1", "1", "50.0", "1", "0"],
        ["imdb_contrast", "test_original", "test_contrast", "0", "0", "0", "0.0", "0", "0"],
        ["checklist_sentiment", "sst2", "train", "test", "2", "3", "3", "100.0", "2", "-"],
    ]
    lengths = {row[0]: row[-3] for row in table(written.out, "cut")[1:]}
    assert lengths == {"imdb_contrast": "128", "checklist_sentiment": "64"}
    assert f"stabbench: imdb_contrast imdb train: no {with_sets}/imdb, which task imdb needs" in written.err


def test_all_is_also_the_robustness_sets_of_the_folder(capsys: Written, with_sets: Path) -> None:
    assert audit(with_sets, "--json") == DONE
    found = {one["task"]: one for one in json.loads(capsys.readouterr().out)["tasks"]}
    assert [*found] == ["sst2", "conll2003", "imdb_contrast", "checklist_sentiment"]
    (part,) = found["checklist_sentiment"]["splits"]
    assert (part["counts"]["conflicting"], part["counts"]["labels"], part["used"]) == (None, {}, True)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("embedded", "stabbench: imdb_contrast test_original, test_contrast: the robustness set imdb_contrast is read"),
        ("", "stabbench: imdb_contrast test_contrast: no {folder}/imdb_contrast/test_contrast.parquet, which"),
    ],
)
def test_a_robustness_set_that_cannot_be_read_is_said(capsys: Written, with_sets: Path, data: str, said: str) -> None:
    (with_sets / "imdb_contrast" / "test_contrast.parquet").unlink()
    assert audit(data or with_sets, "--tasks", "imdb_contrast") == USAGE
    assert said.format(folder=with_sets) in capsys.readouterr().err


def test_the_answer_is_json_too(capsys: Written, folder: Path) -> None:
    assert audit(folder, "--json", "--tasks", "sst2", "--profile", "desk:max_length=128") == DONE
    found = json.loads(capsys.readouterr().out)
    assert (found["data"], found["model"], found["profile"]) == (str(folder), "tiny", "desk:max_length=128")
    (task,) = found["tasks"]
    assert (task["task"], task["source"], task["unread"], task["failed"]) == ("sst2", "local", {}, False)
    splits = {split["split"]: split for split in task["splits"]}
    assert {name: split["used"] for name, split in splits.items()} == {"train": True, "validation": True, "test": False}
    assert splits["train"]["counts"]["labels"] == {"negative": 0.6, "positive": 0.4}
    assert splits["validation"]["coverage"]["cut"] == 0.0
    assert task["overlaps"][0] == {
        "first": "train",
        "second": "validation",
        "shared": 1,
        "first_examples": 2,
        "second_examples": 1,
        "alike": 1,
        "conflicting": 1,
    }


def test_a_bad_split_is_named_and_the_others_go_on(capsys: Written, folder: Path, write: Write) -> None:
    path = write("sst2", "validation", [{"sentence": "fine", "label": 7}])
    assert audit(folder) == USAGE
    written = capsys.readouterr()
    assert f"stabbench: sst2 validation: {path}, row 0 (the first is 0): label is 7" in written.err
    assert [row[:2] for row in table(written.out, "repeats")[1:]] == [
        ["sst2", "train"],
        ["sst2", "test"],
        ["conll2003", "train"],
        ["conll2003", "validation"],
    ]


def test_a_split_that_the_task_leaves_alone_may_have_no_labels(capsys: Written, folder: Path, write: Write) -> None:
    write("sst2", "test", [{"sentence": "hidden", "label": -1}])
    assert audit(folder, "--tasks", "sst2") == DONE
    written = capsys.readouterr()
    assert "stabbench: sst2 test: " in written.err
    assert len(table(written.out, "repeats")) == 3


def test_a_task_that_is_asked_for_and_missing_is_said_once(capsys: Written, folder: Path) -> None:
    assert audit(folder, "--tasks", "rte,conll2003") == USAGE
    written = capsys.readouterr()
    assert written.err.startswith(f"stabbench: rte train, validation: no {folder}/rte, which task rte needs")
    assert len(written.err.splitlines()) == 1
    assert {row[0] for row in table(written.out, "repeats")[1:]} == {"conll2003"}


def test_where_nothing_is_read_no_table_is_shown(capsys: Written) -> None:
    assert audit("embedded", "--tasks", "rte") == USAGE
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith("stabbench: rte train, validation: task rte has no embedded corpus")


def test_embedded_data_have_no_repeats(capsys: Written) -> None:
    assert audit("embedded", "--tasks", "sst2") == DONE
    rows = table(capsys.readouterr().out, "repeats")[1:]
    assert [row[1:5] for row in rows] == [["train", "2,000", "0", "0"], ["validation", "1,000", "0", "0"]]


def test_questions_that_leave_no_room_are_reported(capsys: Written, data_folder: Path) -> None:
    assert audit(data_folder, "--tasks", "squad", "--profile", "desk:max_length=16:stride=12") == DONE
    out = capsys.readouterr().out
    assert "squad train: 40 questions leave no room for a context within 16 tokens, so that no run is possible" in out
    assert "labels, in percent" not in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tasks", "sst"], "unknown task 'sst': did you mean 'sst2'"),
        (["--tasks", "imdb_contrst"], "unknown task 'imdb_contrst': did you mean 'imdb_contrast'"),
        (["--profile", "dessk"], "unknown profile 'dessk': did you mean 'desk'"),
        (["--profile", "desk:max_length=1"], "profile field max_length is 1; allowed: 16 or more"),
        (["--model", "tinny"], "unknown model 'tinny': did you mean 'tiny'"),
        (["--data", "embeded"], "data source 'embeded' is neither 'hub' nor 'embedded' nor a folder that exists"),
        (["--tasks", "rte", "--data", "nowhere"], "data source 'nowhere' is neither"),
    ],
)
def test_bad_options_are_answered(capsys: Written, folder: Path, words: list[str], said: str) -> None:
    assert audit(folder, *words) == USAGE
    written = capsys.readouterr()
    assert written.out == ""
    assert said in written.err


def test_a_folder_without_a_task_says_what_it_holds(capsys: Written, tmp_path: Path) -> None:
    (tmp_path / "glue").mkdir()
    assert audit(tmp_path) == USAGE
    assert f"{tmp_path} has no folder of a task" in (said := capsys.readouterr().err)
    assert "holds glue" in said
